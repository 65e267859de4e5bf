"""Customers and their sites."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Column, Connection, ForeignKey, String, Table, Text, bindparam, insert, select, update

from sitewarden_collector.errors import NotFound
from sitewarden_collector.store import prepared
from sitewarden_collector.store.base import Id, Ns, id_column, metadata, new_id

NAMES_AT_ONCE = 500

customers = Table(
    "customers",
    metadata,
    id_column(),
    Column("name", String(200), nullable=False, unique=True),
    Column("created_ns", Ns, nullable=False),
    Column("tier", String(16), nullable=False, default="silver"),  # bronze, silver, gold
    Column("locale", String(8), nullable=False, default="en"),  # in which they are written to
    Column("notes", Text, nullable=False, default=""),
)

sites = Table(
    "sites",
    metadata,
    id_column(),
    Column("customer_id", Id, ForeignKey("customers.id"), nullable=False, index=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("created_ns", Ns, nullable=False),
    Column("address", Text, nullable=False, default=""),
    Column("timezone", String(64), nullable=False, default="UTC"),
)


@dataclass(frozen=True, slots=True)
class Site:
    id: str
    name: str
    customer_id: str
    customer_name: str
    created_ns: int
    address: str = ""
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Customer:
    id: str
    name: str
    tier: str = "silver"
    locale: str = "en"
    notes: str = ""
    created_ns: int = 0


_SITE = (
    select(
        *(sites.c.id, sites.c.name, sites.c.customer_id, customers.c.name.label("customer_name"), sites.c.created_ns),
        *(sites.c.address, sites.c.timezone),
    )
    .join_from(sites, customers)
    .order_by(sites.c.name)
)


def ensure_customer(tx: Connection, name: str, *, now_ns: int) -> str:
    """The id of the customer called `name`, made when it is new."""
    found = tx.execute(select(customers.c.id).where(customers.c.name == name)).scalar_one_or_none()
    if found is not None:
        return str(found)
    made = new_id()
    tx.execute(insert(customers).values(id=made, name=name, created_ns=now_ns))
    return made


def customer_id_of(tx: Connection, name: str) -> str:
    """The id of the customer called `name`; raises NotFound."""
    found = tx.execute(select(customers.c.id).where(customers.c.name == name)).scalar_one_or_none()
    if found is None:
        raise NotFound(f"there is no customer {name!r}; `sitewarden site list` shows those that have sites")
    return str(found)


def customer_name_of(tx: Connection, customer_id: str) -> str:
    """The name of a customer; raises NotFound."""
    found = tx.execute(select(customers.c.name).where(customers.c.id == customer_id)).scalar_one_or_none()
    if found is None:
        raise NotFound(f"there is no customer with id {customer_id}")
    return str(found)


def add(tx: Connection, name: str, *, customer_id: str, now_ns: int) -> Site:
    """A new site of a customer; the name must be free."""
    tx.execute(insert(sites).values(id=new_id(), customer_id=customer_id, name=name, created_ns=now_ns))
    return by_name(tx, name)


def find(tx: Connection, name: str) -> Site | None:
    row = tx.execute(_SITE.where(sites.c.name == name)).one_or_none()
    return None if row is None else Site(**row._mapping)


def named(tx: Connection, names: Collection[str]) -> dict[str, Site]:
    """Those sites of these names that there are."""
    found: dict[str, Site] = {}
    wanted = sorted(names)
    for at in range(0, len(wanted), NAMES_AT_ONCE):
        query = _SITE.where(sites.c.name.in_(wanted[at : at + NAMES_AT_ONCE]))
        found |= {row.name: Site(**row._mapping) for row in tx.execute(query)}
    return found


def by_name(tx: Connection, name: str) -> Site:
    """The site called `name`; raises NotFound."""
    found = find(tx, name)
    if found is None:
        raise NotFound(f"there is no site {name!r}; `sitewarden site list` shows those that are there")
    return found


def by_id(tx: Connection, site_id: str) -> Site:
    """The site with this id; raises NotFound."""
    row = tx.execute(_SITE.where(sites.c.id == site_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no site with id {site_id}")
    return Site(**row._mapping)


def every(tx: Connection) -> list[Site]:
    """All sites by name."""
    return [Site(**row._mapping) for row in tx.execute(_SITE)]


def save(tx: Connection, site: Site) -> None:
    """Write what people may change of a site."""
    values = {"name": site.name, "address": site.address, "timezone": site.timezone}
    tx.execute(update(sites).where(sites.c.id == site.id).values(values))


def of_customer(tx: Connection, customer_id: str) -> list[Site]:
    """The sites of a customer by name."""
    return [Site(**row._mapping) for row in tx.execute(_SITE.where(sites.c.customer_id == customer_id))]


def customer(tx: Connection, name: str) -> Customer:
    """The customer called `name`; raises NotFound."""
    row = tx.execute(select(customers).where(customers.c.name == name)).one_or_none()
    if row is None:
        raise NotFound(f"there is no customer {name!r}; `sitewarden customer list` shows those that are there")
    return Customer(**row._mapping)


def every_customer(tx: Connection) -> list[Customer]:
    """All customers by name."""
    return [Customer(**row._mapping) for row in tx.execute(select(customers).order_by(customers.c.name))]


def save_customer(tx: Connection, one: Customer) -> None:
    """Write what people may change of a customer."""
    values = {"name": one.name, "tier": one.tier, "locale": one.locale, "notes": one.notes}
    tx.execute(update(customers).where(customers.c.id == one.id).values(values))


_TIERS = select(customers.c.id, customers.c.tier).where(customers.c.id.in_(bindparam("some", expanding=True)))


def tiers(tx: Connection, customer_ids: Collection[str]) -> dict[str, str]:
    """The tiers of some customers."""
    rows = prepared.rows(tx, _TIERS, {"some": list(customer_ids)})
    return {str(customer_id): str(tier) for customer_id, tier in rows}


def locales(tx: Connection, customer_ids: Collection[str]) -> dict[str, str]:
    """In which language customers are written to, by their ids."""
    query = select(customers.c.id, customers.c.locale).where(customers.c.id.in_(list(customer_ids)))
    return {str(customer_id): str(locale) for customer_id, locale in tx.execute(query)}
