"""What went to development's tracker, and what it says of it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, ForeignKey, String, Table, Text, delete, insert, select

from sitewarden_collector.errors import NotFound
from sitewarden_collector.store.base import Id, Ns, id_column, metadata

items = Table(
    "tracker_items",
    metadata,
    id_column(),
    Column("ticket_id", Id, ForeignKey("tickets.id"), nullable=False, index=True),
    Column("customer_id", Id, nullable=False, index=True),
    Column("kind", String(16), nullable=False),  # defect, feature
    Column("text", Text, nullable=False),
    Column("sent_ns", Ns, nullable=False),
    Column("sent_by", String(200), nullable=False),
    Column("key", String(200), nullable=False),  # what the tracker calls it; empty until it answers
    Column("url", Text, nullable=False),
    Column("state", String(100), nullable=False),  # in the tracker's words
    Column("told_ns", Ns),  # when the tracker said so
)


@dataclass(frozen=True, slots=True)
class Item:
    id: str
    ticket_id: str
    customer_id: str
    kind: str
    text: str
    sent_ns: int
    sent_by: str
    key: str = ""
    url: str = ""
    state: str = ""
    told_ns: int | None = None


def put(tx: Connection, item: Item) -> None:
    """Write an item as it is now."""
    tx.execute(delete(items).where(items.c.id == item.id))
    tx.execute(insert(items).values({name: getattr(item, name) for name in Item.__slots__}))


def by_id(tx: Connection, item_id: str) -> Item:
    """Raises NotFound."""
    row = tx.execute(select(items).where(items.c.id == item_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"nothing with the reference {item_id} was sent to the tracker")
    return Item(**row._mapping)


def of_ticket(tx: Connection, ticket_id: str) -> list[Item]:
    rows = tx.execute(select(items).where(items.c.ticket_id == ticket_id).order_by(items.c.id))
    return [Item(**row._mapping) for row in rows]
