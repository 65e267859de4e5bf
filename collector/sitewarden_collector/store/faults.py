"""Fingerprints that were seen, the faults that they stand for, and what grouping has learned.

A row of `fingerprints` leads from a fingerprint to its fault in one look-up, and says why. `id` is the order in which
they were first seen: grouping is a function of that stream, so its state is a snapshot and the rows after it. Not here:
what the snapshot says (`alerting.grouping`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    Row,
    String,
    Table,
    Text,
    bindparam,
    case,
    func,
    insert,
    select,
    update,
)

from sitewarden_collector.store import prepared
from sitewarden_collector.store.base import Ns, RowId, metadata
from sitewarden_collector.store.sites import sites
from sitewarden_collector.store.tickets import tickets

fingerprints = Table(
    "fingerprints",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("fingerprint", String(128), nullable=False, unique=True),
    Column("fault", String(128), nullable=False, index=True),
    Column("template", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("reason", Text, nullable=False),  # of the merge into its fault; empty: a fault of its own
    Column("by", String(200), nullable=False),
    Column("first_ns", Ns, nullable=False),
)

snapshots = Table(
    "grouping_snapshots",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("revision", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False),  # the newest fingerprint that it knows
    Column("state", Text, nullable=False),  # JSON
)

_INSERT = insert(fingerprints)
_OF = select(fingerprints.c.fingerprint, fingerprints.c.fault).where(
    fingerprints.c.fingerprint.in_(bindparam("some", expanding=True))
)
_MARK = select(
    select(func.max(fingerprints.c.id)).scalar_subquery().label("last_id"),
    select(snapshots.c.revision).scalar_subquery().label("revision"),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A fingerprint and what it stands for."""

    fingerprint: str
    fault: str
    template: str
    severity: int
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A fault: what it says, for how many fingerprints it stands, and what its tickets say. Times are 0 where none."""

    fault: str
    template: str  # of the fingerprint that it is named after
    severity: int
    fingerprints: int
    first_ns: int
    events: int  # counted by its tickets
    sites: int
    open_tickets: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Changes whenever a fingerprint was seen for the first time or an engineer corrected something."""

    last_id: int
    revision: int


def of(tx: Connection, wanted: Collection[str]) -> dict[str, str]:
    """The faults of those fingerprints that were seen before."""
    return {row.fingerprint: row.fault for row in prepared.rows(tx, _OF, {"some": list(wanted)})}


def members(tx: Connection, fault: str) -> list[tuple[Seen, int]]:
    """The fingerprints that stand for a fault, in the order in which they were first seen, each with that time."""
    rows = tx.execute(select(fingerprints).where(fingerprints.c.fault == fault).order_by(fingerprints.c.id))
    return [(_seen(row), row.first_ns) for row in rows]


def listing(tx: Connection, *, site: str = "", limit: int = 200) -> list[Listed]:
    """Faults, those with the newest events first; with `site` only those that have tickets at the site of that name."""
    said = (
        select(
            tickets.c.fault,
            func.sum(tickets.c["count"]).label("events"),
            func.count(tickets.c.site_id.distinct()).label("sites"),
            func.sum(case((tickets.c.open_key.is_not(None), 1), else_=0)).label("open_tickets"),
            func.max(tickets.c.last_ns).label("last_ns"),
        )
        .where(tickets.c.merged_into == "")
        .group_by(tickets.c.fault)
    )
    if site:
        said = said.where(tickets.c.site_id.in_(select(sites.c.id).where(sites.c.name == site)))
    told = said.subquery()
    behind = select(fingerprints.c.fault, func.count().label("number")).group_by(fingerprints.c.fault).subquery()
    query = (
        select(fingerprints, told.c.events, told.c.sites, told.c.open_tickets, told.c.last_ns, behind.c.number)
        .join_from(fingerprints, behind, fingerprints.c.fault == behind.c.fault)
        .join(told, fingerprints.c.fault == told.c.fault, isouter=not site)
        .where(fingerprints.c.fingerprint == fingerprints.c.fault)
        .order_by(func.coalesce(told.c.last_ns, 0).desc(), fingerprints.c.id.desc())
        .limit(limit)
    )
    return [
        Listed(
            fault=row.fault,
            template=row.template,
            severity=row.severity,
            fingerprints=row.number,
            first_ns=row.first_ns,
            events=int(row.events or 0),
            sites=row.sites or 0,
            open_tickets=int(row.open_tickets or 0),
            last_ns=row.last_ns or 0,
        )
        for row in tx.execute(query)
    ]


def add(tx: Connection, new: Iterable[Seen], *, now_ns: int) -> None:
    """Write fingerprints that were never seen before, in their order."""
    rows = [{name: getattr(seen, name) for name in Seen.__slots__} | {"first_ns": now_ns} for seen in new]
    if rows:
        prepared.write(tx, _INSERT, rows)


def point(tx: Connection, fingerprint: str, *, fault: str, reason: str, by: str) -> None:
    """A fingerprint stands for another fault from now on."""
    said = {"fault": fault, "reason": reason, "by": by}
    tx.execute(update(fingerprints).where(fingerprints.c.fingerprint == fingerprint).values(said))


def since(tx: Connection, last_id: int) -> list[Seen]:
    """The fingerprints first seen after `last_id`, in their order."""
    rows = tx.execute(select(fingerprints).where(fingerprints.c.id > last_id).order_by(fingerprints.c.id))
    return [_seen(row) for row in rows]


def mark(tx: Connection) -> Mark:
    row = prepared.rows(tx, _MARK, {})[0]
    return Mark(int(row.last_id or 0), int(row.revision or 0))


def snapshot(tx: Connection) -> tuple[int, dict[str, Any]]:
    """What grouping had learned, and the newest fingerprint that it knew then; (0, {}) when there is none."""
    row = tx.execute(select(snapshots)).one_or_none()
    return (0, {}) if row is None else (row.last_id, msgspec.json.decode(row.state))


def save_snapshot(tx: Connection, state: dict[str, Any]) -> None:
    """Keep what grouping has learned by now."""
    now = mark(tx)
    row = {"revision": now.revision + 1, "last_id": now.last_id, "state": msgspec.json.encode(state).decode()}
    if tx.execute(update(snapshots).values(row)).rowcount == 0:
        tx.execute(insert(snapshots).values(row | {"id": 1}))


def _seen(row: Row[Any]) -> Seen:
    return Seen(**{name: getattr(row, name) for name in Seen.__slots__})
