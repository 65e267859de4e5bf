"""Which link processes of an agent took over from each other, and when: what tells a restart from a clone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Column, Connection, ForeignKey, String, Table, delete, insert, select

from sitewarden_collector.store.base import Id, Ns, RowId, metadata

takeovers = Table(
    "takeovers",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("agent_id", Id, ForeignKey("agents.id"), nullable=False, index=True),
    Column("session_id", String(32), nullable=False),
    Column("at_ns", Ns, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Takeover:
    session_id: str
    at_ns: int


def newest(tx: Connection, agent_id: str) -> str | None:
    """The session that an agent's newest hello named."""
    query = select(takeovers.c.session_id).where(takeovers.c.agent_id == agent_id).order_by(takeovers.c.id.desc())
    return tx.execute(query.limit(1)).scalar_one_or_none()


def since_of(tx: Connection, agent_ids: Collection[str], *, since_ns: int) -> dict[str, list[Takeover]]:
    """The takeovers since a time, by agent and in order; agents without any are left out."""
    query = select(takeovers.c.agent_id, takeovers.c.session_id, takeovers.c.at_ns)
    query = query.where(takeovers.c.agent_id.in_(list(agent_ids)), takeovers.c.at_ns >= since_ns)
    found: dict[str, list[Takeover]] = {}
    for agent_id, session_id, at_ns in tx.execute(query.order_by(takeovers.c.id)):
        found.setdefault(agent_id, []).append(Takeover(session_id, at_ns))
    return found


def add_all(tx: Connection, took: Iterable[tuple[str, str, int]]) -> None:
    """Write down who took over: agent, session, time."""
    rows = [{"agent_id": agent_id, "session_id": session_id, "at_ns": at_ns} for agent_id, session_id, at_ns in took]
    if rows:
        tx.execute(insert(takeovers), rows)


def forget_old(tx: Connection, *, before_ns: int) -> int:
    """Delete what happened before a time, but for each agent's newest; how many."""
    kept = select(takeovers.c.id).where(takeovers.c.at_ns >= before_ns)
    newer = takeovers.alias()
    superseded = (
        select(takeovers.c.id)
        .join(newer, (newer.c.agent_id == takeovers.c.agent_id) & (newer.c.id > takeovers.c.id))
        .where(takeovers.c.id.not_in(kept))
    )
    return tx.execute(delete(takeovers).where(takeovers.c.id.in_(superseded))).rowcount
