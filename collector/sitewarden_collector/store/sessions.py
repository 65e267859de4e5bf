"""Which link processes of an agent took over from each other, and when: what tells a restart from a clone."""

from __future__ import annotations

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


def since(tx: Connection, agent_id: str, *, since_ns: int) -> list[Takeover]:
    """The takeovers of an agent since a time, in order."""
    query = select(takeovers.c.session_id, takeovers.c.at_ns).where(takeovers.c.agent_id == agent_id)
    rows = tx.execute(query.where(takeovers.c.at_ns >= since_ns).order_by(takeovers.c.id))
    return [Takeover(**row._mapping) for row in rows]


def add(tx: Connection, agent_id: str, session_id: str, *, now_ns: int) -> None:
    tx.execute(insert(takeovers).values(agent_id=agent_id, session_id=session_id, at_ns=now_ns))


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
