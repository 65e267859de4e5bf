"""A real IMAP server on loopback with one mailbox: as much of RFC 3501 as reading unread mails needs."""

from __future__ import annotations

import re
import socketserver
import threading
from dataclasses import dataclass, field
from types import TracebackType

USER, PASSWORD = "desk@example.com", "secret of the mailbox"


@dataclass(slots=True)
class Kept:
    """A mail with its flags."""

    content: bytes
    seen: bool = False


@dataclass(slots=True)
class MailboxService:
    """`with MailboxService() as box:` serves on `box.port`; `mails` are there under the uids 1, 2 ... Commands whose
    names are in `dies_at` end the connection instead of being answered."""

    mails: list[Kept] = field(default_factory=list)
    dies_at: set[str] = field(default_factory=set)
    commands: list[str] = field(default_factory=list)
    _server: socketserver.ThreadingTCPServer | None = None

    def deliver(self, content: bytes) -> None:
        """A mail arrives, unread."""
        self.mails.append(Kept(content))

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.server_address[1])

    def __enter__(self) -> MailboxService:
        service = self

        class Session(_Session):
            box = service

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Session)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()


class _Session(socketserver.StreamRequestHandler):
    box: MailboxService

    def handle(self) -> None:
        self._say("* OK [CAPABILITY IMAP4rev1] ready")
        while line := self.rfile.readline().decode().strip():
            tag, _, rest = line.partition(" ")
            name, _, given = rest.partition(" ")
            if name == "UID":
                name, _, given = given.partition(" ")
            self.box.commands.append(name)
            if name in self.box.dies_at:
                return
            self._say(f"{tag} {self._answer(name, given)}")
            if name == "LOGOUT":
                return

    def _answer(self, name: str, given: str) -> str:
        match name:
            case "CAPABILITY":
                self._say("* CAPABILITY IMAP4rev1")
            case "LOGIN" if given != f'"{USER}" "{PASSWORD}"':
                return "NO [AUTHENTICATIONFAILED] invalid credentials"
            case "SELECT":
                self._say(f"* {len(self.box.mails)} EXISTS")
                return "OK [READ-WRITE] selected"
            case "SEARCH":
                unseen = [str(uid) for uid, one in enumerate(self.box.mails, 1) if not one.seen]
                self._say(" ".join(("* SEARCH", *unseen)))
            case "FETCH":
                self._fetch(int(given.split()[0]), peek="BODY.PEEK[]" in given)
            case "STORE":
                for uid in re.findall(r"\d+", given.split()[0]):
                    self.box.mails[int(uid) - 1].seen |= r"+FLAGS (\Seen)" in given
            case "LOGOUT":
                self._say("* BYE")
            case "LOGIN":
                pass
            case _:
                return "BAD unknown command"
        return "OK done"

    def _fetch(self, uid: int, *, peek: bool) -> None:
        one = self.box.mails[uid - 1]
        one.seen |= not peek
        size = len(one.content)
        self._say(f"* {uid} FETCH (UID {uid} FLAGS () RFC822.SIZE {size} BODY[] {{{size}}}")
        self.wfile.write(one.content)
        self._say(")")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
