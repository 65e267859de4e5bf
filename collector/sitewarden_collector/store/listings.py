"""Sites, risks, silences and notices page by page, as programs ask for them, narrowed to a customer where need be."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, case, func, literal, select

from sitewarden_alerting.model import RiskState
from sitewarden_collector.store import notices as outbox
from sitewarden_collector.store import risks as register
from sitewarden_collector.store import silences as held
from sitewarden_collector.store.agents import agents
from sitewarden_collector.store.pages import Window, cut, like
from sitewarden_collector.store.sites import customers, sites
from sitewarden_collector.store.tickets import OPEN, tickets


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What somebody may see: a customer's, and of it some sites. Empty: everything."""

    customer_id: str = ""
    site_ids: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site, how many active agents it has, when one was last heard (0: never), and its open tickets."""

    id: str
    name: str
    customer_id: str
    customer: str
    created_ns: int
    agents: int
    last_seen_ns: int
    open_tickets: int


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A customer, and how many sites it has."""

    id: str
    name: str
    tier: str
    locale: str
    sites: int


def site_names(tx: Connection, *, narrowed: Narrowed) -> dict[str, str]:
    """The names of all sites that may be seen, by id."""
    found = tx.execute(_narrowed(select(sites.c.id, sites.c.name, sites.c.customer_id), narrowed))
    return {row.id: row.name for row in found}


def sites_page(
    tx: Connection, window: Window, *, narrowed: Narrowed, customer: str = "", name: str = "", text: str = ""
) -> list[SiteRow]:
    """Sites by name; the one called `name`, those of a customer, those whose name holds a text."""
    heard = (
        select(
            agents.c.site_id,
            func.sum(case((agents.c.state == "active", 1), else_=0)).label("agents"),
            func.max(agents.c.last_seen_ns).label("last_seen_ns"),
        )
        .group_by(agents.c.site_id)
        .subquery()
    )
    burning = (
        select(tickets.c.site_id, func.count().label("open_tickets"))
        .where(tickets.c.state.in_(OPEN))
        .group_by(tickets.c.site_id)
        .subquery()
    )
    query: Select[Any] = select(
        sites.c.id,
        sites.c.name,
        sites.c.customer_id,
        customers.c.name.label("customer"),
        sites.c.created_ns,
        func.coalesce(heard.c.agents, literal(0)).label("agents"),
        func.coalesce(heard.c.last_seen_ns, literal(0)).label("last_seen_ns"),
        func.coalesce(burning.c.open_tickets, literal(0)).label("open_tickets"),
    ).select_from(
        sites.join(customers, sites.c.customer_id == customers.c.id)
        .outerjoin(heard, heard.c.site_id == sites.c.id)
        .outerjoin(burning, burning.c.site_id == sites.c.id)
    )
    query = _narrowed(query, narrowed)
    if customer:
        query = query.where(customers.c.name == customer)
    if name:
        query = query.where(sites.c.name == name)
    if text:
        query = query.where(func.lower(sites.c.name).like(like(text.lower()), escape="\\"))
    return [SiteRow(**row._mapping) for row in tx.execute(cut(query, (sites.c.name, sites.c.id), window))]


def customers_page(tx: Connection, window: Window, *, text: str = "") -> list[CustomerRow]:
    """Customers by name, or those whose name holds a text."""
    number = select(func.count()).where(sites.c.customer_id == customers.c.id).scalar_subquery()
    query: Select[Any] = select(
        customers.c.id, customers.c.name, customers.c.tier, customers.c.locale, number.label("sites")
    )
    if text:
        query = query.where(func.lower(customers.c.name).like(like(text.lower()), escape="\\"))
    return [CustomerRow(**row._mapping) for row in tx.execute(cut(query, (customers.c.name, customers.c.id), window))]


def risks_page(
    tx: Connection, window: Window, *, narrowed: Narrowed, site: str = "", lowered: bool = False
) -> list[register.Listed]:
    """Risks, those raised last first; active ones, or all."""
    risks = register.risks
    query = select(risks, sites.c.name.label("site_name"), customers.c.name.label("customer_name")).select_from(
        risks.join(sites, risks.c.site_id == sites.c.id).join(customers, risks.c.customer_id == customers.c.id)
    )
    query = _narrowed(query, narrowed)
    if not lowered:
        query = query.where(risks.c.state == RiskState.ACTIVE.value)
    if site:
        query = query.where(sites.c.name == site)
    rows = tx.execute(cut(query, (risks.c.raised_ns, risks.c.id), window))
    return [register.Listed(register._read(row), row.site_name, row.customer_name) for row in rows]


def silences_page(
    tx: Connection, window: Window, *, over_before_ns: int = 0, site: str = "", number: str = ""
) -> list[held.Listed]:
    """Silences, those that began last first; with `over_before_ns` only those that are not over then."""
    silences = held.silences
    query = (
        select(silences, sites.c.name.label("site_name"))
        .join_from(silences, sites, silences.c.site == sites.c.id, isouter=True)
        .where(silences.c.until_ns > over_before_ns)
    )
    if site:
        query = query.where(sites.c.name == site)
    if number:
        query = query.where(silences.c.number == number)
    rows = tx.execute(cut(query, (silences.c.from_ns, silences.c.id), window))
    return [held.Listed(held._read(row), row.site_name or row.site, row.held) for row in rows]


def notices_page(
    tx: Connection, window: Window, *, state: str = "", person: str = "", ticket_id: str = ""
) -> list[outbox.StoredNotice]:
    """Notices to people, the newest first."""
    notices = outbox.notices
    query = select(notices)
    for column, value in ((notices.c.state, state), (notices.c.person, person), (notices.c.ticket_id, ticket_id)):
        if value:
            query = query.where(column == value)
    rows = tx.execute(cut(query, (notices.c.created_ns, notices.c.id), window))
    return [outbox.StoredNotice(**row._mapping) for row in rows]


def _narrowed(query: Select[Any], to: Narrowed) -> Select[Any]:
    if to.customer_id:
        query = query.where(sites.c.customer_id == to.customer_id)
    return query.where(sites.c.id.in_(list(to.site_ids))) if to.site_ids else query
