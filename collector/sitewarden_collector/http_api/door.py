"""The door of the API: gives each request its id, reads its body up to a bound, and lets no error out as it is.

The whole body is read before anything is done with it: so it is bounded whatever its headers promise, its hash can
stand beside an idempotency key, and texts that no database can keep (NUL, halves of surrogate pairs) are refused in one
place. Not here: what the errors look like (`problems`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sitewarden_collector.http_api import problems
from sitewarden_collector.store.base import new_id

BODY_MAX_BYTES = 1024 * 1024
BODY_S = 60.0  # in which a body must have come; nobody holds memory for longer by sending slowly
QUERY_MAX_BYTES = 8 * 1024
UNSTORABLE = "holds a character that cannot be kept (NUL, or half of a pair); leave it out"


class Door:
    """ASGI around `app`. `body_max(path)` is how many bytes a body sent there may have, `types(path)` what it is."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        body_max: Callable[[str], int] = lambda _path: BODY_MAX_BYTES,
        types: Callable[[str], tuple[str, ...]] = lambda _path: ("application/json",),
    ) -> None:
        self.app = app
        self._body_max = body_max
        self._types = types

    @property
    def routes(self) -> list[BaseRoute]:
        return list(getattr(self.app, "routes", ()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = new_id()
        scope["sitewarden.request_id"] = request_id
        began = False

        async def tell(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                message["headers"] = [*_private(message), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            refused = await self._look(scope, receive)
            if isinstance(refused, bytes):
                await self.app(scope, _again(refused, receive), tell)
                return
            status, detail = refused
            await problems.answer(status, detail, request_id=request_id)(scope, receive, tell)
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets an answer and the log gets the rest
            answer = problems.unforeseen(error, request_id=request_id)
            if not began:
                await answer(scope, receive, tell)

    async def _look(self, scope: Scope, receive: Receive) -> bytes | tuple[int, str]:
        """The body, or why the request goes no further."""
        path, query = scope["path"], scope.get("query_string", b"")
        if len(query) > QUERY_MAX_BYTES:
            return 414, f"the query is longer than {QUERY_MAX_BYTES} bytes; ask for less at once"
        if not query.isascii():
            return 400, "the query is not written as an address is; encode what is not ASCII (RFC 3986)"
        if "\x00" in path or b"%00" in query or b"\x00" in query:
            return 422, f"the address {UNSTORABLE}"
        most = self._body_max(path)
        try:
            async with asyncio.timeout(BODY_S):
                body = await _read(receive, most)
        except TimeoutError:
            return 408, f"the body did not come within {BODY_S:g} seconds; send it again over a faster connection"
        if body is None:
            return 413, f"the body has more than the {most} bytes that are taken here; send less at once"
        scope["sitewarden.body_sha256"] = sha256(body).hexdigest()
        if not body:
            return body
        headers = dict(scope["headers"])
        kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower().decode("latin-1")
        taken = self._types(path)
        if kind not in taken and not (kind.endswith("+json") and "application/json" in taken):
            return 415, f"a body here is {' or '.join(taken)}, not {kind or 'of no type'}; set Content-Type"
        if kind.endswith("json") and (b"\\u0000" in body or b"\\ud" in body.lower()) and _unstorable(body):
            return 422, f"the body {UNSTORABLE}"
        return body


def _private(message: Message) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, which is kept in nobody's cache and taken for nothing that it does not say it is."""
    present = {name.lower() for name, _ in message.get("headers", ())}
    wanted = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
    return [*message.get("headers", ()), *(one for one in wanted if one[0] not in present)]


async def _read(receive: Receive, most: int) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)  # the caller went away
        size += len(message.get("body", b""))
        if size > most:
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Hand out a body that was read already, then whatever else comes."""
    given = False

    async def next_message() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return next_message


def _unstorable(body: bytes) -> bool:
    try:
        return any("\x00" in text or any("\ud800" <= c <= "\udfff" for c in text) for text in _texts(json.loads(body)))
    except (ValueError, RecursionError):
        return False  # no JSON: said so by whoever reads it


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield key
            yield from _texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)
