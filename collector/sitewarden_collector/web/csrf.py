"""Forms and scripts of ours alone may change something with a cookie: each sends a token that follows from the cookie.

    header X-CSRF-Token, or the form field csrf_token

The token is a keyed hash of the session's secret: nothing is kept, and another site, which cannot read the cookie,
cannot know it. Before somebody is signed in a cookie of its own stands in for the session. Bearer tokens need none
of this.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from urllib.parse import urlsplit

from fastapi import Request

from sitewarden_collector.errors import Forbidden
from sitewarden_collector.web import cookies

HEADER = "x-csrf-token"
FIELD = "csrf_token"
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))


def csrf_token(request: Request) -> str:
    """What forms and scripts of this page send along."""
    return _token(_root(request))


def visitor(request: Request) -> str:
    """The value for the cookie of somebody who is not signed in; the sign-in page sets it."""
    return "" if cookies.session(request) else _root(request)


async def check(request: Request) -> None:
    """Raise Forbidden when a request that changes something was not made by a page of ours."""
    if request.method in SAFE:
        return
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("this was sent by a page of another site; open the page here and try again")
    origin = request.headers.get("origin", "")
    if origin and origin != "null" and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise Forbidden("this was sent by a page of another site; open the page here and try again")
    given = request.headers.get(HEADER, "")
    if not given and request.headers.get("content-type", "").startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        field = (await request.form()).get(FIELD, "")
        given = field if isinstance(field, str) else ""
    root = cookies.session(request) or cookies.visitor(request)
    if not root or not hmac.compare_digest(given.encode(), _token(root).encode()):
        raise Forbidden("this page is out of date, or was made for another session; load it anew and try again")


def _root(request: Request) -> str:
    found = getattr(request.state, "csrf_root", "") or cookies.session(request) or cookies.visitor(request)
    if not found:
        found = secrets.token_urlsafe(24)
    request.state.csrf_root = found
    return str(found)


def _token(root: str) -> str:
    return hmac.new(root.encode(), b"sitewarden csrf", sha256).hexdigest()
