"""Major incidents: who was called in, when customers are told next, and the review at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Float, ForeignKey, Row, String, Table, Text, delete, insert, select

from sitewarden_alerting.majors import Extent
from sitewarden_alerting.model import SignalKind, Ticket
from sitewarden_collector.errors import NotFound
from sitewarden_collector.store.base import Id, Ns, metadata
from sitewarden_collector.store.tickets import OPEN, read, tickets

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
    same = tickets.c.fault == ticket.fault
    query = select(tickets).where(tickets.c.state.in_(OPEN), same | (tickets.c.parent_id == ticket.id))
    others = [read(row) for row in tx.execute(query.order_by(tickets.c.opened_ns))]
    return [ticket, *(one for one in others if one.id != ticket.id)]


def extents(tx: Connection) -> list[tuple[Ticket, Extent]]:
    """How far each fault with open tickets reaches, with its oldest ticket; not those that are major already."""
    by_fault: dict[str, list[Ticket]] = {}
    for row in tx.execute(select(tickets).where(tickets.c.state.in_(OPEN)).order_by(tickets.c.opened_ns)):
        ticket = read(row)
        by_fault.setdefault(ticket.fault, []).append(ticket)
    return [(those[0], _extent(those)) for those in by_fault.values() if not any(one.major for one in those)]


def _extent(those: Sequence[Ticket]) -> Extent:
    # Each site has its own silence and its own storm under one name: they are no fault in common.
    alone = those[0].kind in (SignalKind.SILENCE, SignalKind.STORM, SignalKind.GAP, SignalKind.CHANGE)
    return Extent(
        tickets=len(those),
        customers=1 if alone else len({one.customer_id for one in those}),
        sites=1 if alone else len({one.site_id for one in those}),
        priority=min(one.priority for one in those),
        storm=any(one.kind is SignalKind.STORM for one in those),
    )


def _read(row: Row[Any]) -> Major:
    values = {name: row._mapping[name] for name in Major.__slots__}
    return Major(**values | {"experts": msgspec.json.decode(row.experts, type=tuple[str, ...])})
