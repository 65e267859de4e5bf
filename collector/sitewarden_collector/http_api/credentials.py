"""Tokens as other monitoring can send them: for the doors of alerts alone, in front of everything else.

    Authorization: Bearer TOKEN                 as everywhere
    Authorization: Basic base64(anything:TOKEN) where only user and password can be given
    /hooks/alertmanager/token/TOKEN             where only an address can be given

The last two are turned into the first here. A token in an address ends in the logs of proxies: it is the last resort,
and worth one that may nothing but tell of alerts.
"""

from __future__ import annotations

import base64
import binascii
import re

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

_IN_PATH = re.compile(r"^(?P<before>.*/hooks/[a-z]+)/token/(?P<token>[A-Za-z0-9._~-]{8,200})$")


class Credentials:
    """ASGI around `app`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    @property
    def routes(self) -> list[BaseRoute]:
        return list(getattr(self.app, "routes", ()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "/hooks/" in scope["path"]:
            scope = _bearing(scope)
        await self.app(scope, receive, send)


def _bearing(scope: Scope) -> Scope:
    in_path = _IN_PATH.match(scope["path"])
    if in_path is not None:
        before = in_path["before"]
        return {**_with(scope, in_path["token"]), "path": before, "raw_path": before.encode()}
    kind, _, value = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")
    if kind.lower() != b"basic":
        return scope
    try:
        _user, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return scope
    return _with(scope, password)


def _with(scope: Scope, token: str) -> Scope:
    others = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
    return {**scope, "headers": [*others, (b"authorization", b"Bearer " + token.encode())]}
