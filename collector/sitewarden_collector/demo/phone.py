"""Ada's phone: a webhook on loopback that keeps what it was told. The last station of the demo's page."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BODY_MAX_BYTES = 64 * 1024


class Phone:
    """Rings at `url`; `messages` holds every notice that came, oldest first."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.messages))
        threading.Thread(target=self._server.serve_forever, name="phone", daemon=True).start()

    @property
    def url(self) -> str:
        return f"webhook+http://127.0.0.1:{self._server.server_address[1]}/ada"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(messages: list[dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = min(int(self.headers.get("Content-Length", "0")), BODY_MAX_BYTES)
            messages.append(json.loads(self.rfile.read(length)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """The phone rings; it does not log."""

    return Handler
