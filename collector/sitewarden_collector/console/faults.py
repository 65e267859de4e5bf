"""When something goes wrong: pages that say what happened and what to do, and the same in a toast for htmx."""

from __future__ import annotations

import logging
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.exceptions import HTTPException

from sitewarden_collector import errors
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import gettext, is_htmx, page, told
from sitewarden_collector.services.access import Principal
from sitewarden_collector.web.identity import Unauthenticated

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {  # of every answer
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
TITLES = {
    403: (N_("You may not do this"), N_("Ask an administrator for the role, or sign in as somebody who has it.")),
    404: (
        N_("There is no such page"),
        N_("It may have been moved or taken away. Search for it, or start at the board."),
    ),
    405: (N_("This cannot be done here"), N_("Go back and use the form on the page.")),
    409: (
        N_("That does not go any more"),
        N_("Somebody may have been faster. Load the page anew and look what is now."),
    ),
    422: (N_("Something is missing or wrong"), N_("Go back, correct it and send it again.")),
    429: (N_("Too often"), N_("Wait a minute, then try again.")),
    500: (
        N_("Something broke here"),
        N_("Try again. If it stays, tell whoever runs the collector; its log has the reason."),
    ),
    503: (N_("The database does not answer"), N_("It is tried again by itself; load the page anew in a few seconds.")),
}
STATUS: tuple[tuple[type[Exception], int], ...] = (
    (errors.NotFound, 404),
    (errors.Forbidden, 403),
    (errors.Conflict, 409),
    (errors.Invalid, 422),
    (errors.Transient, 503),
)
_log = logging.getLogger("sitewarden.console")


def install(app: FastAPI) -> None:
    """Have `app` answer errors with pages."""
    app.add_exception_handler(Unauthenticated, _sign_in)
    app.add_exception_handler(errors.CollectorError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _broken)


async def _sign_in(request: Request, _error: Exception) -> Response:
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if is_htmx(request):
        there = request.headers.get("hx-current-url", "")
        path = "/" + there.split("/", 3)[3] if there.count("/") >= 3 else "/"
        return Response(status_code=401, headers={"HX-Redirect": f"/signin?next={quote(path)}"})
    if request.method == "GET" and "text/html" in request.headers.get("accept", "text/html"):
        return RedirectResponse(f"/signin?next={quote(here)}" if here != "/" else "/signin", status_code=303)
    return PlainTextResponse("sign in first\n", status_code=401)


async def _ours(request: Request, error: Exception) -> Response:
    status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
    if status == 403 and hasattr(error, "retry_after_s"):
        status = 429
    return _answer(request, status, str(error))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(request, error.status_code, "" if error.status_code == 404 else str(error.detail))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = "; ".join(f"{'.'.join(str(part) for part in one['loc'][1:])}: {one['msg']}" for one in error.errors())
    return _answer(request, 422, wrong)


async def _broken(request: Request, error: Exception) -> Response:
    answer = _answer(request, 500, "")
    answer.headers.update(
        HEADERS | {"cache-control": "no-store", "x-frame-options": "DENY"}
    )  # outside of what adds them
    return answer


def _answer(request: Request, status: int, why: str) -> Response:
    principal = getattr(request.state, "principal", None)
    assert principal is None or isinstance(principal, Principal)
    title, advice = TITLES.get(status, TITLES[500])
    why = told(request, principal, why)
    if is_htmx(request):
        said = why or f"{gettext(request, principal, title)}. {gettext(request, principal, advice)}"
        return PlainTextResponse(said, status_code=status, headers={"X-Said": quote(said[:500])})
    if "text/html" not in request.headers.get("accept", "text/html,*/*") and request.method == "GET":
        return JSONResponse({"error": why or title}, status_code=status)
    return page(request, principal, "error.html", status=status, code=status, title=title, advice=advice, why=why)
