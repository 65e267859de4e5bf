"""The API as an application: the resources of `v1`, problems for errors, and its own description."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from sitewarden_collector.http_api import openapi, problems, v1
from sitewarden_collector.http_api.credentials import Credentials
from sitewarden_collector.http_api.door import BODY_MAX_BYTES, Door
from sitewarden_collector.web.auditing import Audited
from sitewarden_collector.web.context import Context

HOOK_MAX_BYTES = 16 * 1024 * 1024
UPLOAD_MAX_BYTES = 26 * 1024 * 1024  # the service behind it has its own, smaller bound
JSON = ("application/json",)


def make(context: Context) -> ASGIApp:
    """The API over `context`, to be mounted under /api/v1."""
    return Credentials(Door(application(context), body_max=_body_max, types=_types))


def application(context: Context) -> FastAPI:
    """The routes alone, without the door."""
    app = FastAPI(title="Sitewarden", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.context = context
    problems.install(app)
    routes: list[APIRoute] = []
    app.add_middleware(Audited, context=context)
    for module in sorted(pkgutil.iter_modules(v1.__path__), key=lambda one: one.name):
        router = getattr(import_module(f"{v1.__name__}.{module.name}"), "router", None)
        if isinstance(router, APIRouter):
            app.include_router(router, responses=problems.RESPONSES)
            routes += [route for route in router.routes if isinstance(route, APIRoute)]
    described: dict[str, Any] = {}

    @app.get("/openapi.json", include_in_schema=False)
    async def description() -> JSONResponse:
        if not described:
            described.update(openapi.document(app, routes))
        return JSONResponse(described)

    return app


def _body_max(path: str) -> int:
    if "/hooks/" in path:
        return HOOK_MAX_BYTES
    return UPLOAD_MAX_BYTES if _is_upload(path) else BODY_MAX_BYTES


def _types(path: str) -> tuple[str, ...]:
    if path.endswith("/attachments"):
        return ("multipart/form-data",)
    if path.endswith(".csv"):
        return ("text/csv",)
    return ("text/calendar",) if path.endswith(".ics") else JSON


def _is_upload(path: str) -> bool:
    return path.endswith(("/attachments", ".csv", ".ics"))
