"""Pages of a listing by what the last row of the page before had (keyset): stable while rows are added in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, literal, tuple_


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows: `limit` of them and one more, which tells that there are further ones, after those keys."""

    limit: int
    after: tuple[Any, ...] = ()
    descending: bool = True


def cut(query: Select[Any], keys: Sequence[ColumnElement[Any]], window: Window) -> Select[Any]:
    """`query` in the order of `keys`, the last of which is unique, cut to the window."""
    if window.after:
        last = tuple_(*(literal(value, key.type) for key, value in zip(keys, window.after, strict=True)))
        here = tuple_(*keys)
        query = query.where(here < last if window.descending else here > last)
    order = [key.desc() if window.descending else key.asc() for key in keys]
    return query.order_by(*order).limit(window.limit + 1)


def like(text: str) -> str:
    """A pattern (escape character: backslash) that finds `text` anywhere."""
    for special in ("\\", "%", "_"):
        text = text.replace(special, "\\" + special)
    return f"%{text}%"
