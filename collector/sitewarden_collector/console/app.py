"""The application of the console, mounted beside the API: every module here with a `router` is part of it."""

from __future__ import annotations

import pkgutil
from collections.abc import MutableMapping
from importlib import import_module
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sitewarden_collector import console
from sitewarden_collector.console import faults
from sitewarden_collector.web.auditing import Audited
from sitewarden_collector.web.context import Context
from sitewarden_collector.web.security import BODY_MAX_BYTES, Secured

UPLOAD_MAX_BYTES = 26 * 1024 * 1024
UPLOADS = ("/import", "/files")  # how the addresses end that take files


def make(context: Context) -> FastAPI:
    """The console over `context`."""
    app = FastAPI(title="Sitewarden console", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.context = context
    faults.install(app)
    app.add_middleware(Audited, context=context)
    app.add_middleware(Guarded)
    app.add_middleware(Secured, public_url=context.config.console.public_url, body_max=_body_max)
    routes: list[BaseRoute] = []
    for module in sorted(pkgutil.iter_modules(console.__path__), key=lambda one: one.name):
        router = getattr(import_module(f"{console.__name__}.{module.name}"), "router", None)
        if isinstance(router, APIRouter):
            routes += router.routes
    # A path without parameters is meant before one with: /tickets/new is no ticket.
    every = APIRouter()
    every.routes.extend(sorted(routes, key=lambda route: "{" in getattr(route, "path", "")))
    app.include_router(every)
    return app


def _body_max(path: str) -> int:
    """Few forms take files; whatever takes them has its own, smaller bound."""
    return UPLOAD_MAX_BYTES if path.endswith(UPLOADS) else BODY_MAX_BYTES


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
    wanted = faults.HEADERS | {"cache-control": "no-store"}
    message["headers"] = [
        *message["headers"],
        *((name.encode(), value.encode()) for name, value in wanted.items() if name.encode() not in present),
    ]
