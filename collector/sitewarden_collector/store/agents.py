"""The agents: who they are, when they were last heard, and whether they are still welcome.

State: active; quarantined (the same identity was seen in two places); revoked (by a person); retired (the same machine
enrolled again).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Column, Connection, ForeignKey, String, Table, Text, bindparam, func, insert, select, update

from sitewarden_alerting.model import AgentSeen
from sitewarden_collector.errors import NotFound
from sitewarden_collector.store import prepared
from sitewarden_collector.store.base import Id, Ns, id_column, metadata
from sitewarden_collector.store.evaluations import rule_states

agents = Table(
    "agents",
    metadata,
    id_column(),
    Column("customer_id", Id, ForeignKey("customers.id"), nullable=False),
    Column("site_id", Id, ForeignKey("sites.id"), nullable=False, index=True),
    Column("hostname", String(255), nullable=False),
    Column("machine_fingerprint", String(128), nullable=False),
    Column("version", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("state_why", Text, nullable=False),
    Column("enrolled_ns", Ns, nullable=False),
    Column("last_seen_ns", Ns, nullable=False),
    Column("clock_offset_ns", Ns, nullable=False),  # to be added to the agent's wall time
    Column("spool", Text, nullable=False),  # JSON of the last heartbeat's SpoolState; empty: none yet
    Column("capabilities", Text, nullable=False),  # words of the last hello, between them spaces
)


@dataclass(frozen=True, slots=True)
class Agent:
    id: str
    customer_id: str
    site_id: str
    hostname: str
    machine_fingerprint: str
    version: str
    state: str
    state_why: str
    enrolled_ns: int
    last_seen_ns: int
    clock_offset_ns: int
    spool: str
    capabilities: str = ""


def add(tx: Connection, agent: Agent) -> None:
    tx.execute(insert(agents).values({column: getattr(agent, column) for column in Agent.__slots__}))


def find(tx: Connection, agent_id: str) -> Agent | None:
    row = tx.execute(select(agents).where(agents.c.id == agent_id)).one_or_none()
    return None if row is None else Agent(**row._mapping)


def by_id(tx: Connection, agent_id: str) -> Agent:
    """The agent with this id; raises NotFound."""
    found = find(tx, agent_id)
    if found is None:
        raise NotFound(f"there is no agent {agent_id}; `sitewarden site show NAME` lists a site's agents")
    return found


def of_site(tx: Connection, site_id: str) -> list[Agent]:
    """Every agent that a site ever had, the newest last."""
    rows = tx.execute(select(agents).where(agents.c.site_id == site_id).order_by(agents.c.id))
    return [Agent(**row._mapping) for row in rows]


_HOSTNAMES = select(agents.c.id, agents.c.hostname).where(agents.c.id.in_(bindparam("some", expanding=True)))


def hostnames(tx: Connection, agent_ids: Collection[str]) -> dict[str, str]:
    """What the hosts of these agents are called, by agent."""
    return {row.id: row.hostname for row in prepared.rows(tx, _HOSTNAMES, {"some": list(agent_ids)})}


def active(tx: Connection) -> list[Agent]:
    """Every agent that should be heard from."""
    rows = tx.execute(select(agents).where(agents.c.state == "active").order_by(agents.c.id))
    return [Agent(**row._mapping) for row in rows]


def listened_for(tx: Connection, *, unheard_ns: int | None = None) -> list[AgentSeen]:
    """The same, with no more than the rules of silence ask for; with `unheard_ns` only those of sites where somebody
    was not heard of since then, or where rules remember something. There may be thousands of whom nothing is wanted."""
    one = agents.c
    columns = (one.site_id, one.customer_id, one.id, one.hostname, one.last_seen_ns)
    query = select(*columns).where(one.state == "active").order_by(one.id)
    if unheard_ns is not None:
        silent = select(one.site_id).where(one.state == "active", one.last_seen_ns < unheard_ns)
        query = query.where(one.site_id.in_(silent.union(select(rule_states.c.site_id))))
    return [AgentSeen(*row) for row in tx.execute(query)]


def sites_listened_for(tx: Connection) -> int:
    """How many sites have an agent that should be heard from."""
    query = select(func.count(func.distinct(agents.c.site_id))).where(agents.c.state == "active")
    return int(tx.execute(query).scalar_one())


def heard(tx: Connection, seen: Mapping[str, int], *, spools: Mapping[str, str] | None = None) -> None:
    """Move `last_seen_ns` of each agent in `seen` (agent id -> ns) forward, and keep what their spools told."""
    if seen:
        tx.execute(
            update(agents)
            .where(agents.c.id == bindparam("its_id"), agents.c.last_seen_ns < bindparam("its_time"))
            .values(last_seen_ns=bindparam("its_time")),
            [{"its_id": agent_id, "its_time": at_ns} for agent_id, at_ns in sorted(seen.items())],
        )
    if spools:
        tx.execute(
            update(agents).where(agents.c.id == bindparam("its_id")).values(spool=bindparam("its_spool")),
            [{"its_id": agent_id, "its_spool": state} for agent_id, state in sorted(spools.items())],
        )


def set_state(tx: Connection, agent_id: str, state: str, *, why: str, only_from: str = "active") -> bool:
    """Move an agent from one state to another; False when it was not in the first (any more)."""
    done = tx.execute(
        update(agents).where(agents.c.id == agent_id, agents.c.state == only_from).values(state=state, state_why=why)
    )
    return done.rowcount == 1
