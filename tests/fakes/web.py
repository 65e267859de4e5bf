"""A web service on loopback that answers as it is told, in all the ways in which services go wrong."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Literal

Manner = Literal["answer", "cut", "garbage", "drip", "silence"]


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class WebService:
    """`with WebService() as web:` serves on `web.origin`; change `status`, `answer` or `manner` at any time."""

    status: int = 200
    answer: bytes = b"{}"
    manner: Manner = "answer"
    location: str = ""
    keeps: bool = False  # connections stay open for a next request
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    _open: list[socket.socket] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.server_address[1])

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> WebService:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1" if service.keeps else "HTTP/1.0"

            def setup(self) -> None:
                super().setup()
                service.connections += 1
                service._open.append(self.connection)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                service.requests.append(Request(path=self.path, headers=dict(self.headers.items()), body=body))
                match service.manner:
                    case "cut":
                        self.connection.shutdown(socket.SHUT_RDWR)
                    case "garbage":
                        self.wfile.write(b"SSH-2.0-not-a-web-server\r\n")
                        self.close_connection = True
                    case "silence":
                        time.sleep(3)
                    case "drip":
                        self._drip()
                    case "answer":
                        self.send_response(service.status)
                        if service.location:
                            self.send_header("Location", service.location)
                        self.send_header("Content-Length", str(len(service.answer)))
                        self.end_headers()
                        self.wfile.write(service.answer)

            def _drip(self) -> None:
                self.send_response(200)
                self.end_headers()
                try:
                    for _ in range(60):
                        self.wfile.write(b" ")
                        time.sleep(0.05)
                except OSError:
                    pass  # the other side lost its patience, as it should

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def hang_up(self) -> None:
        """Close every connection from this end."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
