"""Sites as a list that people look through: how each is, which versions run there, when it was last heard of, what is
open. One question for a page of them, whatever the number of sites.

Health: `down` when no active agent was heard of for `SILENT_NS`, `attention` when one of several was not, one is
quarantined, or a serious ticket is open, `unknown` where no agent enrolled yet, else `ok`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Select, and_, case, func, literal, or_, select

from sitewarden_alerting.model import MINUTE_NS
from sitewarden_collector.store.agents import agents
from sitewarden_collector.store.risks import risks
from sitewarden_collector.store.sites import customers, sites
from sitewarden_collector.store.tickets import tickets

SILENT_NS = 3 * MINUTE_NS
SERIOUS = 4  # severity
HEALTHS = ("down", "attention", "unknown", "ok")  # the worst first
SORTS = ("health", "site", "customer", "version", "seen", "tickets", "risks")


@dataclass(frozen=True, slots=True)
class Row:
    """One site. `seen_ns` is when any of its agents was last heard of, 0: never; `silent` of its `agents` are not."""

    site_id: str
    site: str
    customer_id: str
    customer: str
    health: str
    version: str  # the oldest that runs there
    versions: int
    agents: int
    silent: int
    seen_ns: int
    tickets: int
    priority: int  # of its most urgent open ticket; 0 where none is open
    risks: int


def page(
    tx: Connection,
    *,
    now_ns: int,
    customer_id: str = "",
    site_ids: Collection[str] = (),
    customer: str = "",
    health: str = "",
    version: str = "",
    text: str = "",
    sort: str = "health",
    down: bool = False,
    offset: int = 0,
    limit: int = 50,
) -> list[Row]:
    """A page of sites. `customer_id` and `site_ids` narrow to what an account may see; the rest are filters."""
    query, columns = _query(now_ns)
    query = _narrowed(query, customer_id, site_ids)
    if customer:
        query = query.where(customers.c.name == customer)
    if text:
        like = f"%{text.replace('%', '').replace('_', '')}%"
        query = query.where(or_(sites.c.name.ilike(like), customers.c.name.ilike(like)))
    if version:
        query = query.where(columns["version"] == version)
    if health:
        query = query.where(columns["health"] == HEALTHS.index(health))
    order = {
        "health": columns["health"],
        "site": sites.c.name,
        "customer": customers.c.name,
        "version": columns["version"],
        "seen": columns["seen_ns"],
        "tickets": columns["tickets"],
        "risks": columns["risks"],
    }[sort]
    query = query.order_by(order.desc() if down else order.asc(), sites.c.name).offset(offset).limit(limit)
    return [_read(row) for row in tx.execute(query)]


def counts(tx: Connection, *, now_ns: int, customer_id: str = "", site_ids: Collection[str] = ()) -> dict[str, int]:
    """How many sites are how; every health is there. Their risks, which say nothing of it, are not looked at."""
    query, columns = _query(now_ns, with_risks=False)
    query = _narrowed(query, customer_id, site_ids)
    inner = query.with_only_columns(columns["health"].label("health")).subquery()
    found = dict.fromkeys(HEALTHS, 0)
    for health, number in tx.execute(select(inner.c.health, func.count()).group_by(inner.c.health)):
        found[HEALTHS[health]] = int(number)
    return found


def versions(tx: Connection) -> list[str]:
    """Every version that an active agent runs."""
    wanted = select(agents.c.version).where(agents.c.state == "active").distinct().order_by(agents.c.version)
    return [str(version) for version in tx.execute(wanted).scalars() if version]


def _narrowed(query: Select[Any], customer_id: str, site_ids: Collection[str]) -> Select[Any]:
    if customer_id:
        query = query.where(sites.c.customer_id == customer_id)
    return query.where(sites.c.id.in_(list(site_ids))) if site_ids else query


def _query(now_ns: int, *, with_risks: bool = True) -> tuple[Select[Any], dict[str, ColumnElement[Any]]]:
    silent_before_ns = now_ns - SILENT_NS
    active = agents.c.state == "active"
    here = (
        select(
            agents.c.site_id,
            func.sum(case((active, 1), else_=0)).label("agents"),
            func.sum(case((and_(active, agents.c.last_seen_ns < silent_before_ns), 1), else_=0)).label("silent"),
            func.sum(case((agents.c.state == "quarantined", 1), else_=0)).label("quarantined"),
            func.max(case((active, agents.c.last_seen_ns), else_=0)).label("seen_ns"),
            func.min(case((active, agents.c.version))).label("version"),
            func.count(case((active, agents.c.version)).distinct()).label("versions"),
        )
        .group_by(agents.c.site_id)
        .subquery()
    )
    work = (
        select(
            tickets.c.site_id,
            func.count().label("tickets"),
            func.min(tickets.c.priority).label("priority"),
            func.max(tickets.c.severity).label("severity"),
        )
        .where(tickets.c.open_key.is_not(None))
        .group_by(tickets.c.site_id)
        .subquery()
    )
    ahead = (
        select(risks.c.site_id, func.count().label("risks"))
        .where(risks.c.open_key.is_not(None))
        .group_by(risks.c.site_id)
        .subquery()
    )
    count, quiet = func.coalesce(here.c.agents, 0), func.coalesce(here.c.silent, 0)
    health: ColumnElement[int] = case(
        (and_(count == 0, func.coalesce(here.c.quarantined, 0) == 0), literal(2, Integer)),
        (and_(count > 0, quiet == count), literal(0, Integer)),
        (or_(quiet > 0, here.c.quarantined > 0, work.c.severity >= SERIOUS), literal(1, Integer)),
        else_=literal(3, Integer),
    )
    columns: dict[str, ColumnElement[Any]] = {
        "health": health,
        "version": func.coalesce(here.c.version, ""),
        "versions": func.coalesce(here.c.versions, 0),
        "agents": count,
        "silent": quiet,
        "seen_ns": func.coalesce(here.c.seen_ns, 0),
        "tickets": func.coalesce(work.c.tickets, 0),
        "priority": func.coalesce(work.c.priority, 0),
        "risks": func.coalesce(ahead.c.risks, 0),
    }
    query = (
        select(
            sites.c.id.label("site_id"),
            sites.c.name.label("site"),
            sites.c.customer_id,
            customers.c.name.label("customer"),
            *(column.label(name) for name, column in columns.items()),
        )
        .join_from(sites, customers, sites.c.customer_id == customers.c.id)
        .join(here, here.c.site_id == sites.c.id, isouter=True)
        .join(work, work.c.site_id == sites.c.id, isouter=True)
    )
    if with_risks:
        query = query.join(ahead, ahead.c.site_id == sites.c.id, isouter=True)
    return query, columns


def _read(row: Any) -> Row:
    values = dict(row._mapping)
    values["health"] = HEALTHS[values["health"]]
    return Row(**{name: values[name] for name in Row.__slots__})
