"""The people at a customer: whom to call about what."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Column, Connection, ForeignKey, String, Table, Text, delete, insert, select, update

from sitewarden_collector.errors import NotFound
from sitewarden_collector.store.base import Id, Ns, id_column, metadata, new_id
from sitewarden_collector.store.sites import customers, sites

NEWS = ("outages", "solutions", "maintenance", "reports", "contract")  # what a contact can be told of

contacts = Table(
    "contacts",
    metadata,
    id_column(),
    Column("customer_id", Id, ForeignKey("customers.id"), nullable=False, index=True),
    Column("site_id", Id, nullable=False),  # empty: of the customer as a whole
    Column("name", String(200), nullable=False),
    Column("role", String(100), nullable=False),
    Column("phone", String(64), nullable=False),
    Column("mail", String(254), nullable=False, index=True),
    Column("language", String(8), nullable=False),
    Column("told_of", Text, nullable=False),  # some of NEWS, by commas
    Column("created_ns", Ns, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Contact:
    customer_id: str
    name: str
    site_id: str = ""
    role: str = ""
    phone: str = ""
    mail: str = ""
    language: str = "en"
    told_of: tuple[str, ...] = ()
    id: str = ""
    created_ns: int = 0


@dataclass(frozen=True, slots=True)
class Named:
    """A contact with the names of its customer and site."""

    contact: Contact
    customer: str
    site: str


def add(tx: Connection, contact: Contact, *, now_ns: int) -> Contact:
    made = replace(contact, id=new_id(), created_ns=now_ns)
    tx.execute(insert(contacts).values(_values(made)))
    return made


def save(tx: Connection, contact: Contact) -> None:
    tx.execute(update(contacts).where(contacts.c.id == contact.id).values(_values(contact)))


def remove(tx: Connection, contact_id: str) -> None:
    tx.execute(delete(contacts).where(contacts.c.id == contact_id))


def find(tx: Connection, customer_id: str, name: str) -> Contact | None:
    """The contact of that name at a customer."""
    query = select(contacts).where(contacts.c.customer_id == customer_id, contacts.c.name == name)
    row = tx.execute(query.order_by(contacts.c.id).limit(1)).one_or_none()
    return None if row is None else _read(row)


def by_name(tx: Connection, customer_id: str, name: str) -> Contact:
    """The contact of that name at a customer; raises NotFound."""
    found = find(tx, customer_id, name)
    if found is None:
        raise NotFound(f"there is no contact {name!r}; `sitewarden contact list` shows those that are there")
    return found


def by_mail(tx: Connection, mail: str) -> list[Contact]:
    """Whoever writes from an address."""
    return [_read(row) for row in tx.execute(select(contacts).where(contacts.c.mail == mail.strip().lower()))]


def every(tx: Connection, *, customer_id: str = "", site_id: str = "") -> list[Named]:
    """Contacts by customer and name. Of a site: its own and those of the customer as a whole."""
    query = (
        select(contacts, customers.c.name.label("customer"), sites.c.name.label("site"))
        .join_from(contacts, customers)
        .outerjoin(sites, sites.c.id == contacts.c.site_id)
        .order_by(customers.c.name, contacts.c.name, contacts.c.id)
    )
    if customer_id:
        query = query.where(contacts.c.customer_id == customer_id)
    if site_id:
        query = query.where(contacts.c.site_id.in_((site_id, "")))
    return [Named(_read(row), row.customer, row.site or "") for row in tx.execute(query)]


def _values(one: Contact) -> dict[str, Any]:
    return asdict(one) | {"told_of": ",".join(one.told_of), "mail": one.mail.strip().lower()}


def _read(row: Any) -> Contact:
    return Contact(
        id=row.id,
        customer_id=row.customer_id,
        site_id=row.site_id,
        name=row.name,
        role=row.role,
        phone=row.phone,
        mail=row.mail,
        language=row.language,
        told_of=tuple(filter(None, row.told_of.split(","))),
        created_ns=row.created_ns,
    )
