"""The application of the console, mounted beside the API: every module here with a `router` is part of it."""

from __future__ import annotations

import pkgutil
from collections.abc import MutableMapping
from importlib import import_module
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sitewarden_collector import console
from sitewarden_collector.console import faults
from sitewarden_collector.web.context import Context

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def make(context: Context) -> FastAPI:
    """The console over `context`."""
    app = FastAPI(title="Sitewarden console", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.context = context
    faults.install(app)
    app.add_middleware(Guarded)
    for module in sorted(pkgutil.iter_modules(console.__path__), key=lambda one: one.name):
        router = getattr(import_module(f"{console.__name__}.{module.name}"), "router", None)
        if isinstance(router, APIRouter):
            app.include_router(router)
    return app


class Guarded:
    """Every answer forbids the browser what no page of ours does: scripts and styles in the page, other hosts, frames.
    Pages are kept nowhere."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(message)
            await send(message)

        await self.app(scope, receive, guarded if scope["type"] == "http" else send)


def _add(message: MutableMapping[str, Any]) -> None:
    present = {name.lower() for name, _ in message["headers"]}
    wanted = HEADERS | {"cache-control": "no-store"}
    message["headers"] = [
        *message["headers"],
        *((name.encode(), value.encode()) for name, value in wanted.items() if name.encode() not in present),
    ]
