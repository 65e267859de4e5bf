"""Files at tickets: what they are, and their sealed contents.

The contents stand in the database and not beside it: they come and go in the transaction of the history, are in every
backup, and are there for each of several collectors. A size limit keeps the rows small.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Connection, ForeignKey, String, Table, Text, func, insert, select

from sitewarden_collector.errors import NotFound
from sitewarden_collector.store.base import Id, Ns, id_column, metadata

attachments = Table(
    "attachments",
    metadata,
    id_column(),
    Column("ticket_id", Id, ForeignKey("tickets.id"), nullable=False, index=True),
    Column("customer_id", Id, nullable=False, index=True),
    Column("at_ns", Ns, nullable=False),
    Column("by", String(200), nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("name", String(255), nullable=False),
    Column("media_type", String(100), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
)

contents = Table(
    "attachment_contents",
    metadata,
    Column("attachment_id", Id, ForeignKey("attachments.id"), primary_key=True),
    Column("customer_id", Id, nullable=False, index=True),
    Column("sealed", Text, nullable=False),  # base64, as the key's own form of it is
)


@dataclass(frozen=True, slots=True)
class Attachment:
    """`size` and `sha256` are of the file as it was given."""

    id: str
    ticket_id: str
    customer_id: str
    at_ns: int
    by: str
    visibility: str
    name: str
    media_type: str
    size: int
    sha256: str


def add(tx: Connection, attachment: Attachment, sealed: bytes) -> None:
    tx.execute(insert(attachments).values({name: getattr(attachment, name) for name in Attachment.__slots__}))
    row = {"attachment_id": attachment.id, "customer_id": attachment.customer_id, "sealed": sealed.decode("ascii")}
    tx.execute(insert(contents).values(row))


def by_id(tx: Connection, attachment_id: str) -> Attachment:
    """Raises NotFound."""
    row = tx.execute(select(attachments).where(attachments.c.id == attachment_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no attachment {attachment_id}")
    return Attachment(**row._mapping)


def sealed_of(tx: Connection, attachment_id: str) -> bytes | None:
    query = select(contents.c.sealed).where(contents.c.attachment_id == attachment_id)
    found: str | None = tx.execute(query).scalar_one_or_none()
    return None if found is None else found.encode()


def of_ticket(tx: Connection, ticket_id: str, *, customer_only: bool) -> list[Attachment]:
    """The oldest first."""
    query = select(attachments).where(attachments.c.ticket_id == ticket_id).order_by(attachments.c.id)
    if customer_only:
        query = query.where(attachments.c.visibility == "customer")
    return [Attachment(**row._mapping) for row in tx.execute(query)]


def total(tx: Connection, ticket_id: str) -> int:
    """The bytes of all files of a ticket."""
    query = select(func.coalesce(func.sum(attachments.c.size), 0)).where(attachments.c.ticket_id == ticket_id)
    return int(tx.execute(query).scalar_one())
