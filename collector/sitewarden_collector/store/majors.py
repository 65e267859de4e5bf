"""Major incidents: who was called in, when customers are told next, and the review at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Float,
    ForeignKey,
    Row,
    String,
    Table,
    Text,
    and_,
    case,
    delete,
    false,
    func,
    insert,
    or_,
    select,
)

from sitewarden_alerting.majors import Extent
from sitewarden_alerting.model import SignalKind, Ticket
from sitewarden_collector.errors import NotFound
from sitewarden_collector.store.base import Id, Ns, metadata
from sitewarden_collector.store.tickets import OPEN, read, tickets

# Each site has its own silence and its own storm under one name: they are no fault in common.
ALONE = (SignalKind.SILENCE, SignalKind.STORM, SignalKind.GAP, SignalKind.CHANGE)

majors = Table(
    "majors",
    metadata,
    Column("ticket_id", Id, ForeignKey("tickets.id"), primary_key=True),
    Column("number", String(24), nullable=False),
    Column("customer_id", Id, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("declared_ns", Ns, nullable=False),
    Column("declared_by", String(200), nullable=False),
    Column("experts", Text, nullable=False),  # JSON list
    Column("update_every_s", Float, nullable=False),
    Column("next_update_ns", Ns),
    Column("warned_ns", Ns),  # for which due time it was said that it is overdue
    Column("ended_ns", Ns),
    Column("review", Text, nullable=False),
    Column("reviewed_ns", Ns),
    Column("reviewed_by", String(200), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Major:
    """`next_update_ns` is None once it has ended."""

    ticket_id: str
    number: str
    customer_id: str
    reason: str
    declared_ns: int
    declared_by: str
    experts: tuple[str, ...]
    update_every_s: float
    next_update_ns: int | None
    warned_ns: int | None = None
    ended_ns: int | None = None
    review: str = ""
    reviewed_ns: int | None = None
    reviewed_by: str = ""


def put(tx: Connection, major: Major) -> None:
    """Write a major incident as it is now."""
    tx.execute(delete(majors).where(majors.c.ticket_id == major.ticket_id))
    row = {name: getattr(major, name) for name in Major.__slots__}
    tx.execute(insert(majors).values(row | {"experts": msgspec.json.encode(major.experts).decode()}))


def find(tx: Connection, ticket_id: str) -> Major | None:
    row = tx.execute(select(majors).where(majors.c.ticket_id == ticket_id)).one_or_none()
    return None if row is None else _read(row)


def by_number(tx: Connection, number: str) -> Major:
    """Raises NotFound."""
    row = tx.execute(select(majors).where(majors.c.number == number.strip().upper())).one_or_none()
    if row is None:
        raise NotFound(f"{number} is no major incident; `sitewarden major list` shows them")
    return _read(row)


def listing(tx: Connection, *, going_on: bool = False, limit: int = 200) -> list[Major]:
    """The newest first; with `going_on` those that have not ended."""
    query = select(majors).order_by(majors.c.declared_ns.desc()).limit(limit)
    if going_on:
        query = query.where(majors.c.ended_ns.is_(None))
    return [_read(row) for row in tx.execute(query)]


def concerned(tx: Connection, ticket: Ticket) -> list[Ticket]:
    """The open tickets that are of the same fault, or parts of this one; itself first."""
    same = false() if ticket.kind in ALONE else tickets.c.fault == ticket.fault
    query = select(tickets).where(tickets.c.state.in_(OPEN), same | (tickets.c.parent_id == ticket.id))
    others = [read(row) for row in tx.execute(query.order_by(tickets.c.opened_ns))]
    return [ticket, *(one for one in others if one.id != ticket.id)]


def extents(tx: Connection) -> list[tuple[str, Extent]]:
    """The faults with several open tickets, and storms, with how far they reach; not those that are major already.

    The database counts: a desk has thousands of open tickets, and most faults have one.
    """
    storms = func.sum(case((tickets.c.kind == SignalKind.STORM.value, 1), else_=0))
    declared = func.sum(case((tickets.c.major, 1), else_=0))
    query = (
        select(
            tickets.c.fault,
            func.count().label("number"),
            func.count(tickets.c.customer_id.distinct()).label("customers"),
            func.count(tickets.c.site_id.distinct()).label("sites"),
            func.min(tickets.c.priority).label("priority"),
            func.min(tickets.c.kind).label("kind"),
            storms.label("storms"),
        )
        .where(tickets.c.state.in_(OPEN))
        .group_by(tickets.c.fault)
        .having(and_(or_(func.count() > 1, storms > 0), declared == 0))
        .order_by(tickets.c.fault)
    )
    return [(row.fault, _extent(row)) for row in tx.execute(query)]


def oldest(tx: Connection, fault: str) -> Ticket | None:
    """The open ticket of a fault that was opened first."""
    query = select(tickets).where(tickets.c.fault == fault, tickets.c.state.in_(OPEN))
    row = tx.execute(query.order_by(tickets.c.opened_ns, tickets.c.id).limit(1)).one_or_none()
    return None if row is None else read(row)


def _extent(row: Row[Any]) -> Extent:
    alone = row.kind in ALONE
    return Extent(
        tickets=int(row.number),
        customers=1 if alone else int(row.customers),
        sites=1 if alone else int(row.sites),
        priority=int(row.priority),
        storm=row.storms > 0,
    )


def _read(row: Row[Any]) -> Major:
    values = {name: row._mapping[name] for name in Major.__slots__}
    return Major(**values | {"experts": msgspec.json.decode(row.experts, type=tuple[str, ...])})
