"""What people say at a ticket, internally or to the customer: each body stands here once, and is only ever added."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Boolean, Column, Connection, ForeignKey, String, Table, Text, insert, select

from sitewarden_collector.store import append_only
from sitewarden_collector.store.base import Id, Ns, id_column, metadata

comments = Table(
    "comments",
    metadata,
    id_column(),
    Column("ticket_id", Id, ForeignKey("tickets.id"), nullable=False, index=True),
    Column("customer_id", Id, nullable=False, index=True),
    Column("at_ns", Ns, nullable=False),
    Column("by", String(200), nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("from_customer", Boolean, nullable=False),
    Column("text", Text, nullable=False),
)
append_only.guard(comments)


@dataclass(frozen=True, slots=True)
class Comment:
    """`visibility` is internal or customer; `from_customer`: the customer said it."""

    id: str
    ticket_id: str
    customer_id: str
    at_ns: int
    by: str
    visibility: str
    from_customer: bool
    text: str


def add(tx: Connection, comment: Comment) -> None:
    tx.execute(insert(comments).values({name: getattr(comment, name) for name in Comment.__slots__}))


def of_ticket(tx: Connection, ticket_id: str, *, customer_only: bool) -> list[Comment]:
    """In the order in which they were written."""
    query = select(comments).where(comments.c.ticket_id == ticket_id).order_by(comments.c.at_ns, comments.c.id)
    if customer_only:
        query = query.where(comments.c.visibility == "customer")
    return [Comment(**row._mapping) for row in tx.execute(query)]
