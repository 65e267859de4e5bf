"""Maintenance windows: planned times in which a site's pages are held back, once or again every some days."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Connection, Integer, Row, String, Table, Text, bindparam, insert, select, update

from sitewarden_alerting.model import DAY_NS
from sitewarden_collector.errors import NotFound
from sitewarden_collector.store import prepared
from sitewarden_collector.store.base import Id, Ns, id_column, metadata

maintenance_windows = Table(
    "maintenance_windows",
    metadata,
    id_column(),
    Column("number", String(24), nullable=False, unique=True),
    Column("site_id", Id, nullable=False, index=True),
    Column("customer_id", Id, nullable=False),
    Column("from_ns", Ns, nullable=False),
    Column("until_ns", Ns, nullable=False),
    Column("every_days", Integer, nullable=False),  # 0: once
    Column("last_ns", Ns, nullable=False),  # nothing of it holds from then on
    Column("reason", Text, nullable=False),
    Column("by", String(200), nullable=False),
)


_COVERING = select(maintenance_windows).where(
    maintenance_windows.c.site_id.in_(bindparam("some", expanding=True)),
    maintenance_windows.c.from_ns <= bindparam("now"),
    maintenance_windows.c.last_ns > bindparam("now"),
)


@dataclass(frozen=True, slots=True)
class Window:
    """From `from_ns` until `until_ns`; with `every_days` again at the same distance, until `last_ns`."""

    id: str
    number: str
    site_id: str
    customer_id: str
    from_ns: int
    until_ns: int
    every_days: int
    last_ns: int
    reason: str
    by: str

    def at(self, now_ns: int) -> Window | None:
        """The occurrence that holds at an instant, with its own times; None when none does."""
        if now_ns >= self.last_ns or now_ns < self.from_ns:
            return None
        shift = (
            (now_ns - self.from_ns) // (self.every_days * DAY_NS) * self.every_days * DAY_NS if self.every_days else 0
        )
        until_ns = min(self.until_ns + shift, self.last_ns)
        return replace(self, from_ns=self.from_ns + shift, until_ns=until_ns) if now_ns < until_ns else None


def add(tx: Connection, window: Window) -> None:
    tx.execute(insert(maintenance_windows).values({name: getattr(window, name) for name in Window.__slots__}))


def covering(tx: Connection, site_id: str, *, now_ns: int) -> Window | None:
    """The window that holds a site's pages back now, the one that ends last; None when none does."""
    return covering_all(tx, [site_id], now_ns=now_ns).get(site_id)


def covering_all(tx: Connection, site_ids: Collection[str], *, now_ns: int) -> dict[str, Window]:
    """The same for several sites, by their ids; those without a window are not there."""
    rows = prepared.rows(tx, _COVERING, {"some": list(site_ids), "now": now_ns})
    holding = [held for row in rows if (held := _read(row).at(now_ns)) is not None]
    return {one.site_id: one for one in sorted(holding, key=lambda one: one.until_ns)}


def listing(tx: Connection, *, over_before_ns: int = 0, site_ids: Sequence[str] = (), limit: int = 200) -> list[Window]:
    """Windows that are not over at a time, the next first."""
    table = maintenance_windows
    wanted = select(table).where(table.c.last_ns > over_before_ns).order_by(table.c.from_ns, table.c.id).limit(limit)
    if site_ids:
        wanted = wanted.where(table.c.site_id.in_(list(site_ids)))
    return [_read(row) for row in tx.execute(wanted)]


def by_number(tx: Connection, number: str) -> Window:
    """Raises NotFound."""
    table = maintenance_windows
    row = tx.execute(select(table).where(table.c.number == number.strip().upper())).one_or_none()
    if row is None:
        raise NotFound(f"there is no maintenance window {number}; `sitewarden maintenance list` shows those that are")
    return _read(row)


def end(tx: Connection, window_id: str, *, now_ns: int) -> bool:
    """End a window now, with all its further occurrences; False when it is over already."""
    table = maintenance_windows
    ended = update(table).where(table.c.id == window_id, table.c.last_ns > now_ns).values(last_ns=now_ns)
    return tx.execute(ended).rowcount == 1


def _read(row: Row[Any]) -> Window:
    return Window(**row._mapping)
