"""The two cookies of the console: the session's, and a visitor's before signing in.

No script reads them, no other site sends them along. Over https their names begin with __Host-, so that no other host
of the same domain and no plain http can have set them.
"""

from __future__ import annotations

from fastapi import Request, Response

from sitewarden_collector.web.context import context

SESSION = "sitewarden"
VISITOR = "sitewarden_visitor"


def is_secure(request: Request) -> bool:
    """Whether the reader's browser speaks https, with us or with the proxy before us."""
    return request.url.scheme == "https" or context(request).config.console.public_url.startswith("https://")


def session(request: Request) -> str:
    """The secret of the session that the browser sent; empty when there is none."""
    return request.cookies.get(_name(request, SESSION), "")


def visitor(request: Request) -> str:
    return request.cookies.get(_name(request, VISITOR), "")


def of(request: Request, name: str) -> str:
    """The value of a cookie of ours; empty when there is none."""
    return request.cookies.get(_name(request, name), "")


def put(request: Request, response: Response, name: str, value: str, *, max_age_s: int | None = None) -> None:
    response.set_cookie(
        _name(request, name),
        value,
        max_age=max_age_s,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def drop(request: Request, response: Response, name: str) -> None:
    response.delete_cookie(_name(request, name), path="/", secure=is_secure(request), httponly=True, samesite="lax")


def name_of_session(*, secure: bool) -> str:
    return f"__Host-{SESSION}" if secure else SESSION


def _name(request: Request, name: str) -> str:
    return f"__Host-{name}" if is_secure(request) else name
