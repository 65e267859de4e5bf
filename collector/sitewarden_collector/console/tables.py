"""Lists as a reader asked for them by the query of the address: filtered, sorted, a page at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from fastapi import Request

T = TypeVar("T")
PAGE_SIZE = 50
PAGE_MAX = 2000


@dataclass(frozen=True, slots=True)
class Table:
    """`more`: there is a page after this one; set by `shown`."""

    sort: str
    down: bool
    page: int
    size: int
    filters: Mapping[str, str] = field(default_factory=dict)
    more: bool = False

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.size

    @property
    def filtered(self) -> bool:
        return any(self.filters.values())

    def shown(self, rows: list[T]) -> tuple[Table, list[T]]:
        """This table with `more` set, and its rows, of `size + 1` that were asked for."""
        return Table(self.sort, self.down, self.page, self.size, self.filters, len(rows) > self.size), rows[: self.size]


def asked(
    request: Request,
    *,
    sorts: Collection[str],
    sort: str,
    down: bool = False,
    filters: Collection[str] = (),
    size: int = PAGE_SIZE,
) -> Table:
    """What the address asks for; what makes no sense in it is left out."""
    query = request.query_params
    chosen = query.get("sort", "")
    page = query.get("page", "1")
    number = min(max(int(page), 1), PAGE_MAX) if page.isascii() and page.isdigit() else 1
    return Table(
        chosen if chosen in sorts else sort,
        query.get("down", "") == "1" if chosen in sorts else down,
        number,
        size,
        {name: query.get(name, "").strip()[:200] for name in filters},
    )
