"""A real mail server on loopback that keeps what it took and refuses when told to."""

from __future__ import annotations

import socket
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class MailService:
    """`with MailService() as mail:` serves on `mail.port`; `reply` is its answer to the next messages."""

    def __init__(self) -> None:
        self.reply = "250 OK"
        self.messages: list[EmailMessage] = []
        self._controller: Any = None

    @property
    def port(self) -> int:
        return int(self._controller.server.sockets[0].getsockname()[1])

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.reply.startswith("2"):
            assert isinstance(envelope.content, bytes)
            self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.reply

    def __enter__(self) -> MailService:
        service = self

        class AnyPort(Controller):
            def _trigger_server(self) -> None:
                # It would knock at the port it was given, which is 0.
                with socket.create_connection(("127.0.0.1", service.port), timeout=5):
                    pass

        self._controller = AnyPort(service, hostname="127.0.0.1", port=0)
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()
