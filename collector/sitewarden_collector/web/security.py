"""What stands before every page: the right host, a body that is not too large, and headers that browsers obey.

The policy of scripts and styles is the console's own; these are the headers that hold whatever the page is.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_MAX_BYTES = 256 * 1024
HSTS = (b"strict-transport-security", b"max-age=31536000")
HEADERS = (
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Secured:
    """ASGI around an application. With a `public_url` only requests for its host, and for this machine's own names, are
    let in. `body_max(path)` is how many bytes a body sent there may have; nothing is read beyond."""

    def __init__(
        self, app: ASGIApp, *, public_url: str = "", body_max: Callable[[str], int] = lambda _path: BODY_MAX_BYTES
    ) -> None:
        self._app = app
        self._body_max = body_max
        parts = urlsplit(public_url)
        self._hosts = {parts.netloc.lower(), (parts.hostname or "")} if public_url else set()
        self._https = parts.scheme == "https"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        https = self._https or scope.get("scheme") == "https"

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _value in message.get("headers", ())}
                wanted = (*HEADERS, HSTS) if https else HEADERS
                more = [one for one in wanted if one[0] not in present]
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        headers = dict(scope["headers"])
        if not self._is_ours(headers.get(b"host", b"").decode("latin-1").lower()):
            await _refuse(secured, 421, "this host is not served here; use the address of console.public_url\n")
            return
        if not scope.get("query_string", b"").isascii():
            await _refuse(secured, 400, "this address is not written as an address is (RFC 3986)\n")
            return
        most = self._body_max(scope["path"])
        stated = headers.get(b"content-length", b"0")
        if not stated.isdigit() or int(stated) > most:
            await _refuse(secured, 413, f"this is larger than the {most} bytes that are taken here\n")
            return
        if b"transfer-encoding" in headers:
            await _refuse(secured, 411, "say how long the body is (Content-Length)\n")
            return
        await self._app(scope, receive, secured)

    def _is_ours(self, host: str) -> bool:
        if not self._hosts or host in self._hosts:
            return True
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        return name in ("localhost", "127.0.0.1", "[::1]")


async def _refuse(send: Send, status: int, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
