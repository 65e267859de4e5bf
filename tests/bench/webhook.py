"""A webhook that notes when it was called, for our channel and for Alertmanager alike."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Webhook:
    """Listens on 127.0.0.1:`port`; `called` holds (monotonic ns, body) of every POST, in order of arrival."""

    def __init__(self) -> None:
        self.called: list[tuple[int, bytes]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="webhook", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def when(self, wanted: Callable[[bytes], bool]) -> int | None:
        """The monotonic ns of the first call whose body is `wanted`, or None."""
        return next((at for at, body in list(self.called) if wanted(body)), None)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        called = self.called

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # whoever calls may keep the connection
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                called.append((time.monotonic_ns(), body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Quiet: the figures are printed, not the requests."""

        return Handler
