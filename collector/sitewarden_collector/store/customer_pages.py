"""Customers as a list that people look through: tier, sites, open tickets, until when a contract holds. One question
for a page of them, whatever their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select

from sitewarden_collector.store.contracts import contracts
from sitewarden_collector.store.pages import like
from sitewarden_collector.store.sites import customers, sites
from sitewarden_collector.store.tickets import OPEN, tickets

SORTS = ("name", "tier", "sites", "tickets", "until")
ENDLESS = "9999-12-31"
TIERS = ("gold", "silver", "bronze")


@dataclass(frozen=True, slots=True)
class Row:
    """`until` is the day to which the last of the customer's contracts holds: empty without one, ENDLESS without end.
    `priority` is that of the most urgent open ticket, 0 where none is open."""

    id: str
    name: str
    tier: str
    locale: str
    sites: int
    tickets: int
    priority: int
    until: str


def page(
    tx: Connection,
    *,
    text: str = "",
    tier: str = "",
    sort: str = "name",
    down: bool = False,
    offset: int = 0,
    limit: int = 50,
) -> list[Row]:
    """A page of customers."""
    installed = _counted(select(sites.c.customer_id, func.count().label("number")).group_by(sites.c.customer_id))
    work = _counted(
        select(tickets.c.customer_id, func.count().label("number"), func.min(tickets.c.priority).label("priority"))
        .where(tickets.c.state.in_(OPEN))
        .group_by(tickets.c.customer_id)
    )
    ends = func.max(case((contracts.c.until_day == "", ENDLESS), else_=contracts.c.until_day))
    agreed = _counted(select(contracts.c.customer_id, ends.label("until")).group_by(contracts.c.customer_id))
    columns: dict[str, ColumnElement[Any]] = {
        "sites": func.coalesce(installed.c.number, 0),
        "tickets": func.coalesce(work.c.number, 0),
        "priority": func.coalesce(work.c.priority, 0),
        "until": func.coalesce(agreed.c.until, ""),
    }
    query = (
        select(
            customers.c.id,
            customers.c.name,
            customers.c.tier,
            customers.c.locale,
            *(column.label(name) for name, column in columns.items()),
        )
        .outerjoin(installed, installed.c.customer_id == customers.c.id)
        .outerjoin(work, work.c.customer_id == customers.c.id)
        .outerjoin(agreed, agreed.c.customer_id == customers.c.id)
    )
    if text:
        query = query.where(customers.c.name.ilike(like(text), escape="\\"))
    if tier:
        query = query.where(customers.c.tier == tier)
    rank = case({name: place for place, name in enumerate(TIERS)}, value=customers.c.tier, else_=len(TIERS))
    order: ColumnElement[Any] = {"name": func.lower(customers.c.name), "tier": rank}.get(sort, columns.get(sort, rank))
    query = query.order_by(order.desc() if down else order.asc(), customers.c.name).offset(offset).limit(limit)
    return [Row(**row._mapping) for row in tx.execute(query)]


def _counted(query: Any) -> Any:
    return query.subquery()
