"""What headquarters asks of agents: queued, sent (as often as it takes), and settled by the agent's outcome."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Column, Connection, ForeignKey, String, Table, Text, and_, insert, select, update

from sitewarden_collector.store import wakeups
from sitewarden_collector.store.base import Id, Ns, id_column, metadata

OPEN = ("queued", "sent")
SETTLED = ("done", "failed", "expired", "refused")
FEW = 100  # agents that are named one by one in a query

actions = Table(
    "actions",
    metadata,
    id_column(),
    Column("customer_id", Id, ForeignKey("customers.id"), nullable=False),
    Column("site_id", Id, ForeignKey("sites.id"), nullable=False, index=True),
    Column("agent_id", Id, ForeignKey("agents.id"), nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("payload", Text, nullable=False),  # JSON
    Column("state", String(16), nullable=False, index=True),
    Column("detail", Text, nullable=False),  # what the outcome said
    Column("created_ns", Ns, nullable=False),
    Column("expires_ns", Ns, nullable=False),
    Column("sent_ns", Ns),
    Column("settled_ns", Ns),
)


@dataclass(frozen=True, slots=True)
class Action:
    id: str
    customer_id: str
    site_id: str
    agent_id: str
    kind: str
    payload: str
    state: str
    detail: str
    created_ns: int
    expires_ns: int
    sent_ns: int | None = None
    settled_ns: int | None = None


def add(tx: Connection, action: Action) -> None:
    tx.execute(insert(actions).values({name: getattr(action, name) for name in Action.__slots__}))
    wakeups.tell(tx, wakeups.ACTIONS, action.agent_id)


def open_of(tx: Connection, agent_id: str) -> list[Action]:
    """What an agent that has just connected must be told (again), in the order in which it was asked."""
    query = select(actions).where(actions.c.agent_id == agent_id, actions.c.state.in_(OPEN)).order_by(actions.c.id)
    return [Action(**row._mapping) for row in tx.execute(query)]


def open_of_all(tx: Connection, agent_ids: Collection[str]) -> dict[str, list[Action]]:
    """The same for many agents; those that need not be told anything are left out."""
    query = select(actions).where(actions.c.agent_id.in_(list(agent_ids)), actions.c.state.in_(OPEN))
    found: dict[str, list[Action]] = {}
    for row in tx.execute(query.order_by(actions.c.id)):
        found.setdefault(row.agent_id, []).append(Action(**row._mapping))
    return found


def queued(tx: Connection, agent_ids: Collection[str], *, limit: int = 500) -> list[Action]:
    """What was never sent yet, for agents among `agent_ids`, oldest first."""
    # Most of what is queued may wait for agents that are not here: only keys are read of that.
    keys = select(actions.c.id, actions.c.agent_id).where(actions.c.state == "queued")
    if len(agent_ids) <= FEW:
        keys = keys.where(actions.c.agent_id.in_(list(agent_ids)))
    waiting = tx.execute(keys)
    wanted = sorted(row.id for row in waiting if row.agent_id in agent_ids)[:limit]
    rows = tx.execute(select(actions).where(actions.c.id.in_(wanted)).order_by(actions.c.id))
    return [Action(**row._mapping) for row in rows]


def mark_sent(tx: Connection, action_ids: Collection[str], *, now_ns: int) -> None:
    tx.execute(
        update(actions)
        .where(actions.c.id.in_(list(action_ids)), actions.c.state == "queued")
        .values(state="sent", sent_ns=now_ns)
    )


def settle(
    tx: Connection, action_id: str, *, agent_id: str, state: str, detail: str, now_ns: int, only_from: Collection[str]
) -> bool:
    """Write down an agent's outcome; False when this agent has no such action in one of the states `only_from`."""
    mine = and_(actions.c.id == action_id, actions.c.agent_id == agent_id, actions.c.state.in_(list(only_from)))
    done = tx.execute(update(actions).where(mine).values(state=state, detail=detail, settled_ns=now_ns))
    return done.rowcount == 1


def expire(tx: Connection, *, now_ns: int) -> int:
    """Give up what was not done in time; how many."""
    done = tx.execute(
        update(actions)
        .where(actions.c.state.in_(OPEN), actions.c.expires_ns <= now_ns)
        .values(state="expired", detail="no outcome came in time", settled_ns=now_ns)
    )
    return done.rowcount


def every(tx: Connection, *, site_id: str | None = None, limit: int = 200) -> list[Action]:
    """The newest actions first."""
    query = select(actions).order_by(actions.c.id.desc()).limit(limit)
    if site_id is not None:
        query = query.where(actions.c.site_id == site_id)
    return [Action(**row._mapping) for row in tx.execute(query)]
