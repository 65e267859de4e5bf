"""What went wrong, as `application/problem+json` (RFC 9457): one shape for every error that the API answers with.

`type` is a name that programs can rely on, `detail` says what to do next, `instance` is the id of the request, under
which the log has it too. Errors that the collector raises on purpose keep their words; whatever else happens is said
without its innards.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from sitewarden_alerting.reading import plain
from sitewarden_collector import errors
from sitewarden_collector.errors import CollectorError
from sitewarden_collector.web.identity import Unauthenticated

MEDIA_TYPE = "application/problem+json"
KIND = "urn:sitewarden:problem:"
BUSY_RETRY_S = 2
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="sitewarden"'}
FAULTS_MAX = 20  # of one request that are named one by one

STATUS: dict[type[CollectorError], int] = {
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Invalid: 422,
    errors.ConfigError: 422,
    errors.Forbidden: 403,
    errors.DatabaseBusy: 503,
}
SAID = {
    400: "the request cannot be read; see the description at /api/v1/openapi.json",
    404: "there is nothing at this address; /api/v1/openapi.json lists what there is",
    405: "this address does not take that method; the header Allow names those that it takes",
    413: "the body is too large; send less at once",
    415: "send the body as application/json",
    429: "too many requests; wait as long as the header Retry-After says",
    500: "something went wrong here, and the log says what under this request's id; nothing was changed",
}

_log = logging.getLogger("sitewarden.http")


class Fault(BaseModel):
    """One thing that is wrong with a request, and where."""

    where: str = Field(description="the place in the request, as body.title", examples=["body.title"])
    what: str = Field(description="what is wrong with it")


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = Field(description="what sort of problem, for programs", examples=[KIND + "not-found"])
    title: str = Field(description="the same in words", examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="what is wrong here, and what to do next")
    instance: str = Field(description="the id of this request, as in the header X-Request-Id and the log")
    errors: list[Fault] = Field(default=[], description="each fault of the request, where there are several")


def answer(
    status: int,
    detail: str,
    *,
    request_id: str,
    faults: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response that tells of a problem."""
    phrase = HTTPStatus(status).phrase
    body: dict[str, Any] = {
        "type": KIND + phrase.lower().replace(" ", "-"),
        "title": phrase,
        "status": status,
        "detail": plain.line(detail),
        "instance": f"urn:uuid:{request_id}" if request_id else "about:blank",
        "errors": list(faults),
    }
    return Response(msgspec.json.encode(body), status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def install(app: FastAPI) -> None:
    """Have `app` answer with problems. What nobody foresaw is caught by `door`, outside."""

    async def on_collector_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, CollectorError)
        return of(error, request_id=request_id(request.scope))

    async def on_unauthenticated(request: Request, error: Exception) -> Response:
        said = str(error) or "say who you are: send Authorization: Bearer TOKEN (an API token of `sitewarden account`)"
        return answer(401, said, request_id=request_id(request.scope), headers=CHALLENGE)

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = [_fault(one) for one in error.errors()[:FAULTS_MAX]]
        first = f"{found[0]['where']}: {found[0]['what']}" if found else "the request is not as described"
        return answer(422, f"{first}; see /api/v1/openapi.json", request_id=request_id(request.scope), faults=found)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        own = error.detail if error.detail and error.detail != HTTPStatus(error.status_code).phrase else ""
        said = own or SAID.get(error.status_code, HTTPStatus(error.status_code).description)
        return answer(error.status_code, said, request_id=request_id(request.scope), headers=error.headers)

    app.add_exception_handler(Unauthenticated, on_unauthenticated)
    app.add_exception_handler(CollectorError, on_collector_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)


def of(error: CollectorError, *, request_id: str) -> Response:
    """The problem that an error of ours is."""
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    headers = {}
    if status == 503:
        headers["Retry-After"] = str(BUSY_RETRY_S)
    elif (wait_s := getattr(error, "retry_after_s", 0)) and status in (403, 409):
        status, headers["Retry-After"] = 429, str(max(1, round(wait_s)))
    if status == 500:
        _log.error("request %s failed", request_id, exc_info=error)
        return answer(500, SAID[500], request_id=request_id)
    return answer(status, str(error), request_id=request_id, headers=headers)


def unforeseen(error: BaseException, *, request_id: str) -> Response:
    """The problem that an error of nobody's making is; the log has the rest."""
    _log.error("request %s failed in an unforeseen way", request_id, exc_info=error)
    return answer(500, SAID[500], request_id=request_id)


def request_id(scope: Mapping[str, Any]) -> str:
    """The id that `door` gave to a request."""
    return str(scope.get("sitewarden.request_id", ""))


def _fault(one: Mapping[str, Any]) -> dict[str, str]:
    where = ".".join(str(part) for part in one.get("loc", ()))
    return {"where": plain.line(where)[:200], "what": plain.line(str(one.get("msg", "")))[:300]}


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
    for schema in ({"$ref": "#/components/schemas/Problem"},)
    for status in (400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503)
}
