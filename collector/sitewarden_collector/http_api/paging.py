"""Cursors: where the next page of a listing begins, sealed so that nobody can make one up.

A cursor is of one listing with its filters and its order: taken to another it is refused. It holds what the last row
had, not a position, so that rows which come or go in between are neither shown twice nor left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

import msgspec
from cryptography.fernet import InvalidToken
from fastapi import Query, Request
from pydantic import BaseModel, Field

from sitewarden_collector.errors import Invalid
from sitewarden_collector.store.pages import Window
from sitewarden_collector.web.context import context

LIMIT_MAX = 200
LIMIT_DEFAULT = 50

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="at most so many items on this page")]
Cursor = Annotated[str, Query(max_length=2000, description="the `next_cursor` of the page before; empty: the first")]

T = TypeVar("T")
R = TypeVar("R")


class Page(BaseModel, Generic[T]):
    """One page of a listing."""

    items: list[T]
    next_cursor: str = Field(description="the cursor of the next page; empty on the last")
    next: str = Field(description="the address of the next page; empty on the last")


def window(request: Request, *, cursor: str, limit: int, descending: bool = True) -> Window:
    """The window that a request asks for. Raises Invalid when its cursor is none of this listing's."""
    if not cursor:
        return Window(limit, descending=descending)
    try:
        listing, after = msgspec.json.decode(context(request).secret.decrypt(cursor.encode()))
    except (InvalidToken, ValueError, TypeError) as error:
        raise Invalid("this cursor is none of ours; leave it out to begin at the first page") from error
    if listing != _listing(request):
        raise Invalid("this cursor belongs to another listing, or to other filters; leave it out to begin anew")
    return Window(limit, tuple(after), descending=descending)


def page(
    request: Request,
    rows: Sequence[R],
    asked: Window,
    *,
    shape: Callable[[R], Any],
    keys: Callable[[R], Sequence[Any]],
) -> dict[str, Any]:
    """The page that `rows` make, of which the last may be one too many. `keys` are what the order goes by."""
    shown = rows[: asked.limit]
    cursor = ""
    if len(rows) > asked.limit:
        sealed = msgspec.json.encode([_listing(request), list(keys(shown[-1]))])
        cursor = context(request).secret.encrypt(sealed).decode()
    following = ""
    if cursor:
        kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
        following = f"{request.scope.get('root_path', '')}{_local(request)}?{urlencode([*kept, ('cursor', cursor)])}"
    return {"items": [shape(row) for row in shown], "next_cursor": cursor, "next": following}


def _local(request: Request) -> str:
    path, root = str(request.scope["path"]), str(request.scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(root) else path


def _listing(request: Request) -> str:
    """The listing with its filters and its order; the size of a page may change from one to the next."""
    asked = sorted(pair for pair in request.query_params.multi_items() if pair[0] not in ("cursor", "limit"))
    return sha256(repr((request.url.path, asked)).encode()).hexdigest()[:16]
