"""Which tickets belong together, and how."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, ForeignKey, String, Table, delete, insert, or_, select

from sitewarden_alerting.model import Ticket
from sitewarden_collector.store.base import Id, Ns, metadata
from sitewarden_collector.store.tickets import read, tickets

links = Table(
    "ticket_links",
    metadata,
    Column("from_id", Id, ForeignKey("tickets.id"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("to_id", Id, primary_key=True, index=True),  # perhaps of a customer who was erased since
    Column("customer_id", Id, nullable=False, index=True),
    Column("by", String(200), nullable=False),
    Column("at_ns", Ns, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Link:
    """As one ticket sees it: `kind` towards `number`; `backwards`: the other one is that to it."""

    kind: str
    number: str
    title: str
    state: str
    customer_id: str
    site_id: str
    backwards: bool


def add(tx: Connection, one: Ticket, kind: str, to_id: str, *, by: str, now_ns: int) -> bool:
    """False where it is there already."""
    from_id = one.id
    same = (links.c.from_id == from_id, links.c.kind == kind, links.c.to_id == to_id)
    if tx.execute(select(links.c.kind).where(*same)).first() is not None:
        return False
    row = {"from_id": from_id, "kind": kind, "to_id": to_id, "customer_id": one.customer_id}
    tx.execute(insert(links).values(row | {"by": by, "at_ns": now_ns}))
    return True


def remove(tx: Connection, from_id: str, kind: str, to_id: str) -> bool:
    same = (links.c.from_id == from_id, links.c.kind == kind, links.c.to_id == to_id)
    return bool(tx.execute(delete(links).where(*same)).rowcount)


def of_ticket(tx: Connection, ticket_id: str) -> list[Link]:
    """The links of a ticket in both directions."""
    rows = tx.execute(select(links).where(or_(links.c.from_id == ticket_id, links.c.to_id == ticket_id))).all()
    found = []
    for row in rows:
        backwards = row.to_id == ticket_id
        there = select(tickets).where(tickets.c.id == (row.from_id if backwards else row.to_id))
        if (seen := tx.execute(there).one_or_none()) is None:
            continue
        other = read(seen)
        whose = (other.customer_id, other.site_id)
        found.append(Link(row.kind, other.number, other.title, other.state.value, *whose, backwards))
    return sorted(found, key=lambda one: (one.kind, one.number))


def children(tx: Connection, ticket_id: str, *, customer_id: str = "") -> list[str]:
    """The numbers of the tickets that are parts of this one; of one customer or of all."""
    query = select(tickets.c.number).where(tickets.c.parent_id == ticket_id).order_by(tickets.c.number)
    if customer_id:
        query = query.where(tickets.c.customer_id == customer_id)
    return list(tx.execute(query).scalars())
