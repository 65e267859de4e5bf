"""Visits at sites: planned, arrived, left with findings, signed off by somebody there."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, ForeignKey, String, Table, Text, delete, insert, select

from sitewarden_collector.errors import NotFound
from sitewarden_collector.store.base import Id, Ns, id_column, metadata
from sitewarden_collector.store.tickets import tickets

visits = Table(
    "visits",
    metadata,
    id_column(),
    Column("ticket_id", Id, ForeignKey("tickets.id"), nullable=False, index=True),
    Column("customer_id", Id, nullable=False, index=True),
    Column("engineer", String(200), nullable=False),
    Column("planned_ns", Ns, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("arrived_ns", Ns),
    Column("left_ns", Ns),
    Column("findings", Text, nullable=False),
    Column("signed_by", String(200), nullable=False),
    Column("signed_ns", Ns),
)


@dataclass(frozen=True, slots=True)
class Visit:
    """`state` is planned, arrived, left, signed or cancelled."""

    id: str
    ticket_id: str
    customer_id: str
    engineer: str
    planned_ns: int
    state: str = "planned"
    arrived_ns: int | None = None
    left_ns: int | None = None
    findings: str = ""
    signed_by: str = ""
    signed_ns: int | None = None


def put(tx: Connection, visit: Visit) -> None:
    """Write a visit as it is now."""
    tx.execute(delete(visits).where(visits.c.id == visit.id))
    tx.execute(insert(visits).values({name: getattr(visit, name) for name in Visit.__slots__}))


def by_id(tx: Connection, visit_id: str) -> Visit:
    """Raises NotFound."""
    row = tx.execute(select(visits).where(visits.c.id == visit_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"there is no visit {visit_id}; `sitewarden ticket visit list` shows them")
    return Visit(**row._mapping)


def of_ticket(tx: Connection, ticket_id: str) -> list[Visit]:
    query = select(visits).where(visits.c.ticket_id == ticket_id).order_by(visits.c.planned_ns)
    return [Visit(**row._mapping) for row in tx.execute(query)]


def unfinished(tx: Connection) -> list[tuple[Visit, str]]:
    """Visits that are planned or going on, or not signed yet, each with its ticket's number, the earliest first."""
    query = select(visits, tickets.c.number).join_from(visits, tickets).order_by(visits.c.planned_ns)
    names = Visit.__slots__
    rows = tx.execute(query.where(visits.c.state.in_(("planned", "arrived", "left"))))
    return [(Visit(**{name: row._mapping[name] for name in names}), row.number) for row in rows]
