"""Configurations of agents: every version by what it is for, and what became of it at each agent.

A version is never changed and never taken away. The newest of an agent, else of its site, else of its customer counts;
one that `inherits` says nothing of its own. A delivery has the id of the action that carries it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Boolean, Column, Connection, ForeignKey, Integer, String, Table, Text, insert, select, update
from sqlalchemy import UniqueConstraint as Unique

from sitewarden_collector.store.base import Id, Ns, id_column, metadata

SCOPES = ("customer", "site", "agent")
UNDER_WAY = ("queued", "received", "applying")
SETTLED = ("applied", "failed", "refused", "expired", "superseded")

site_configs = Table(
    "site_configs",
    metadata,
    id_column(),
    Column("customer_id", Id, ForeignKey("customers.id"), nullable=False, index=True),
    Column("scope", String(16), nullable=False),
    Column("scope_id", Id, nullable=False),  # of the customer, the site or the agent
    Column("version", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("inherits", Boolean, nullable=False),
    Column("author", String(200), nullable=False),
    Column("note", Text, nullable=False),
    Column("created_ns", Ns, nullable=False),
    Unique("scope_id", "version"),
)

deliveries = Table(
    "site_config_deliveries",
    metadata,
    id_column(),
    Column("customer_id", Id, ForeignKey("customers.id"), nullable=False, index=True),
    Column("agent_id", Id, ForeignKey("agents.id"), nullable=False, index=True),
    Column("config_id", Id, ForeignKey("site_configs.id"), nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("asked_ns", Ns, nullable=False),
    Column("changed_ns", Ns, nullable=False),
)


@dataclass(frozen=True, slots=True)
class SiteConfig:
    id: str
    customer_id: str
    scope: str
    scope_id: str
    version: int
    document: str
    inherits: bool
    author: str
    note: str
    created_ns: int


@dataclass(frozen=True, slots=True)
class Delivery:
    id: str
    customer_id: str
    agent_id: str
    config_id: str
    state: str
    detail: str
    asked_ns: int
    changed_ns: int


def add(tx: Connection, config: SiteConfig) -> None:
    tx.execute(insert(site_configs).values({name: getattr(config, name) for name in SiteConfig.__slots__}))


def is_anything_said(tx: Connection) -> bool:
    """Whether there is a configuration of anybody: most installations have none."""
    return tx.execute(select(site_configs.c.id).limit(1)).first() is not None


def history(tx: Connection, scope_id: str) -> list[SiteConfig]:
    """Every version for one customer, site or agent, the newest first."""
    query = select(site_configs).where(site_configs.c.scope_id == scope_id).order_by(site_configs.c.version.desc())
    return [SiteConfig(**row._mapping) for row in tx.execute(query)]


def newest(tx: Connection, scope_ids: Collection[str]) -> dict[str, SiteConfig]:
    """The newest version of each of these, by what it is for."""
    query = select(site_configs).where(site_configs.c.scope_id.in_(list(scope_ids))).order_by(site_configs.c.version)
    return {row.scope_id: SiteConfig(**row._mapping) for row in tx.execute(query)}


def by_ids(tx: Connection, ids: Collection[str]) -> dict[str, SiteConfig]:
    rows = tx.execute(select(site_configs).where(site_configs.c.id.in_(list(ids))))
    return {row.id: SiteConfig(**row._mapping) for row in rows}


def deliver(tx: Connection, delivery: Delivery) -> None:
    tx.execute(insert(deliveries).values({name: getattr(delivery, name) for name in Delivery.__slots__}))


def last_deliveries(tx: Connection, agent_ids: Collection[str]) -> dict[str, Delivery]:
    """What each of these agents was sent last."""
    query = select(deliveries).where(deliveries.c.agent_id.in_(list(agent_ids))).order_by(deliveries.c.id)
    return {row.agent_id: Delivery(**row._mapping) for row in tx.execute(query)}


def tell(
    tx: Connection, delivery_id: str, *, agent_id: str, state: str, detail: str, now_ns: int, only_from: Collection[str]
) -> bool:
    """Write down how far a delivery is; False when this agent has none of that id in one of the states `only_from`."""
    mine = (deliveries.c.id == delivery_id) & (deliveries.c.agent_id == agent_id)
    done = tx.execute(
        update(deliveries)
        .where(mine, deliveries.c.state.in_(list(only_from)))
        .values(state=state, detail=detail, changed_ns=now_ns)
    )
    return done.rowcount == 1


def supersede(tx: Connection, agent_id: str, *, now_ns: int) -> None:
    """What this agent was sent before and has not begun, something newer takes the place of."""
    waiting = (deliveries.c.agent_id == agent_id) & deliveries.c.state.in_(("queued", "received"))
    tx.execute(update(deliveries).where(waiting).values(state="superseded", changed_ns=now_ns))
