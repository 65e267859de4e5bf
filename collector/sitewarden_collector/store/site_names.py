"""The names of sites and customers, for fields that people choose from."""

from __future__ import annotations

from sqlalchemy import Connection, select

from sitewarden_collector.store.sites import customers, sites

MOST = 5000


def every(tx: Connection, *, customer_id: str = "") -> list[str]:
    """Sites by name, of one customer or of all."""
    query = select(sites.c.name).order_by(sites.c.name).limit(MOST)
    if customer_id:
        query = query.where(sites.c.customer_id == customer_id)
    return [str(name) for name in tx.execute(query).scalars()]


def of_ids(tx: Connection, site_ids: list[str]) -> dict[str, str]:
    """The names of some sites by their ids."""
    query = select(sites.c.id, sites.c.name).where(sites.c.id.in_(site_ids))
    return {row.id: row.name for row in tx.execute(query)}


def customers_every(tx: Connection) -> list[str]:
    """Customers by name."""
    return [str(name) for name in tx.execute(select(customers.c.name).order_by(customers.c.name).limit(MOST)).scalars()]


def customer_names(tx: Connection) -> dict[str, str]:
    """The names of all customers by their ids."""
    return {row.id: row.name for row in tx.execute(select(customers.c.id, customers.c.name).limit(MOST))}
