"""How far each agent's spool has arrived, and how far it has been evaluated.

A batch is claimed by moving `last_seq` in the transaction that stores its rows: the guard is the batch that it follows,
so that of two that follow the same one only the first is stored. Evaluation moves `evaluated_seq` the same way in the
transaction of its decisions. Because the cursor is per spool, the order in which several writers commit never matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    String,
    Table,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from sitewarden_collector.store.base import Id, Ns, metadata

COLLECTOR_EPOCH = "collector"  # the spool of what headquarters itself notes about an agent

spools = Table(
    "spools",
    metadata,
    Column("agent_id", Id, ForeignKey("agents.id"), primary_key=True),
    Column("epoch", String(32), primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
    Column("passed_seq", BigInteger, nullable=False),  # the newest batch refused for good; matters while > last_seq
    Column("evaluated_seq", BigInteger, nullable=False),
    Column("created_ns", Ns, nullable=False),
    Column("last_ns", Ns, nullable=False),  # when the newest batch was stored
)
_UNEVALUATED = text("evaluated_seq < last_seq")
Index("ix_spools_pending", spools.c.last_ns, sqlite_where=_UNEVALUATED, postgresql_where=_UNEVALUATED)


@dataclass(frozen=True, slots=True)
class Pending:
    """Batches of one spool that wait for evaluation: after `evaluated_seq`, up to and with `last_seq`."""

    agent_id: str
    epoch: str
    evaluated_seq: int
    last_seq: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What became of a batch's key. With "ahead" the batch is not the one that follows `last_seq`."""

    verdict: Literal["new", "repeat", "ahead"]
    last_seq: int


def claim(tx: Connection, agent_id: str, epoch: str, *, seq: int, previous_seq: int, now_ns: int) -> Claim:
    """Take the batch `seq`, which follows `previous_seq`, for this transaction alone."""
    return _claim(tx, agent_id, epoch, seq=seq, previous_seq=previous_seq, now_ns=now_ns, stores=True)


def pass_over(tx: Connection, agent_id: str, epoch: str, *, seq: int, previous_seq: int, now_ns: int) -> Claim:
    """Let the next batch follow `seq`, which is refused for good, without counting `seq` as stored.

    Should the refusal be lost on its way, the agent is told an older batch at its next hello, and sends this one again.
    """
    return _claim(tx, agent_id, epoch, seq=seq, previous_seq=previous_seq, now_ns=now_ns, stores=False)


def last_seq(tx: Connection, agent_id: str, epoch: str) -> int:
    """The newest batch stored of this spool; 0: none."""
    where = (spools.c.agent_id == agent_id, spools.c.epoch == epoch)
    return int(tx.execute(select(spools.c.last_seq).where(*where)).scalar_one_or_none() or 0)


def pending(tx: Connection, limit: int) -> list[Pending]:
    """The spools with batches that wait for evaluation, those that wait longest first."""
    query = (
        select(spools.c.agent_id, spools.c.epoch, spools.c.evaluated_seq, spools.c.last_seq, spools.c.last_ns)
        .where(_UNEVALUATED)
        .order_by(spools.c.last_ns)
        .limit(limit)
    )
    return [Pending(**row._mapping) for row in tx.execute(query)]


def mark_evaluated(tx: Connection, agent_id: str, epoch: str, *, from_seq: int, to_seq: int) -> bool:
    """Move the cursor from `from_seq` to `to_seq`; False when somebody else moved it: then undo everything."""
    done = tx.execute(
        update(spools)
        .where(
            spools.c.agent_id == agent_id,
            spools.c.epoch == epoch,
            spools.c.evaluated_seq == from_seq,
            spools.c.last_seq >= to_seq,
        )
        .values(evaluated_seq=to_seq)
    )
    return done.rowcount == 1


def lag(tx: Connection) -> tuple[int, int]:
    """How many spools wait for evaluation, and since when the longest does (ns; 0: none waits)."""
    row = tx.execute(select(func.count(), func.min(spools.c.last_ns)).select_from(spools).where(_UNEVALUATED)).one()
    return int(row[0]), int(row[1] or 0)


def _claim(
    tx: Connection, agent_id: str, epoch: str, *, seq: int, previous_seq: int, now_ns: int, stores: bool
) -> Claim:
    if previous_seq < seq:
        values = {"last_seq": seq, "last_ns": now_ns} if stores else {"passed_seq": seq}
        if _moved(tx, agent_id, epoch, previous_seq=previous_seq, values=values):
            return Claim("new", seq)
        if previous_seq == 0 and _begun(tx, agent_id, epoch, values=values, now_ns=now_ns):
            return Claim("new", seq)
    stored = last_seq(tx, agent_id, epoch)
    return Claim("repeat" if seq <= stored else "ahead", stored)


def _moved(tx: Connection, agent_id: str, epoch: str, *, previous_seq: int, values: Mapping[str, int]) -> bool:
    follows_stored = spools.c.last_seq == previous_seq
    follows_passed = (spools.c.passed_seq == previous_seq) & (spools.c.passed_seq > spools.c.last_seq)
    moved = tx.execute(
        update(spools)
        .where(spools.c.agent_id == agent_id, spools.c.epoch == epoch, follows_stored | follows_passed)
        .values(**values)
    )
    return moved.rowcount == 1


def _begun(tx: Connection, agent_id: str, epoch: str, *, values: Mapping[str, int], now_ns: int) -> bool:
    """Begin a spool; False when it has begun already."""
    if tx.execute(select(spools.c.epoch).where(spools.c.agent_id == agent_id, spools.c.epoch == epoch)).first():
        return False
    first = {"last_seq": 0, "passed_seq": 0, "evaluated_seq": 0, "created_ns": now_ns, "last_ns": now_ns}
    try:
        with tx.begin_nested():
            tx.execute(insert(spools).values(agent_id=agent_id, epoch=epoch, **(first | dict(values))))
    except IntegrityError:
        return False  # another writer began it in between
    return True
