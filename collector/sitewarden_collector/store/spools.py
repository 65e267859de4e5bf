"""How far each agent's spool has arrived, and how far it has been evaluated.

A batch is claimed by moving `last_seq` in the transaction that stores its rows: a transaction holds the spools that it
moves, so that of two batches that follow the same one only the first is stored. Evaluation moves `evaluated_seq` in the
transaction of its decisions, guarded by where it found it. Because the cursor is per spool, the order in which several
writers commit never matters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Select,
    String,
    Table,
    func,
    select,
    text,
    update,
)

from sitewarden_collector.store import bulk
from sitewarden_collector.store.agents import agents
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
_COLUMNS = ("agent_id", "epoch", "last_seq", "passed_seq", "evaluated_seq", "created_ns", "last_ns")
_MOVED, _FOUND = ("last_seq", "passed_seq", "last_ns"), ("agent_id", "epoch", "last_seq")
Index("ix_spools_pending", spools.c.last_ns, sqlite_where=_UNEVALUATED, postgresql_where=_UNEVALUATED)


Verdict = Literal["new", "repeat", "ahead"]


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

    verdict: Verdict
    last_seq: int


@dataclass(slots=True)
class Head:
    """Where a spool stands, and whose it is. Held by the transaction that took it; `move` writes what became of it."""

    agent_id: str
    epoch: str
    customer_id: str
    site_id: str
    last_seq: int
    passed_seq: int
    last_ns: int
    found_seq: int | None
    """`last_seq` as it was taken; None: it has not begun."""
    moved: bool = False

    def claim(self, seq: int, *, previous_seq: int, now_ns: int) -> Verdict:
        """Take the batch `seq`, which says that it follows `previous_seq`."""
        if self.follows(seq, previous_seq=previous_seq):
            self.last_seq, self.last_ns, self.moved = seq, now_ns, True
            return "new"
        return "repeat" if seq <= self.last_seq else "ahead"

    def pass_over(self, seq: int, *, previous_seq: int) -> Verdict:
        """Let the next batch follow `seq`, which is refused for good, without counting `seq` as stored.

        Should the refusal be lost on its way, the agent is told an older batch at its next hello, and sends this one
        again.
        """
        if self.follows(seq, previous_seq=previous_seq):
            self.passed_seq, self.moved = seq, True
            return "new"
        return "repeat" if seq <= self.last_seq else "ahead"

    def follows(self, seq: int, *, previous_seq: int) -> bool:
        """Whether `seq` is the next batch of this spool: it follows the newest that is stored, or that was refused."""
        return previous_seq < seq and previous_seq in (self.last_seq, max(self.last_seq, self.passed_seq))


def hold(tx: Connection, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Head]:
    """The spools (agent, epoch), which nobody else can move until this transaction ends. One that has not begun stands
    at 0; those of agents that are not known are left out."""
    found = _held(tx, keys)
    missing = [key for key in keys if key not in found]
    if missing:
        known = select(agents.c.id, agents.c.customer_id, agents.c.site_id)
        owners = {row.id: row for row in tx.execute(known.where(agents.c.id.in_({key[0] for key in missing})))}
        for agent_id, epoch in missing:
            if (owner := owners.get(agent_id)) is not None:
                found[agent_id, epoch] = Head(agent_id, epoch, owner.customer_id, owner.site_id, 0, 0, 0, None)
    return found


def begin(tx: Connection, heads: Iterable[Head], *, now_ns: int) -> bool:
    """Begin those of the held spools that were moved and have no row; False when somebody else just began one: then
    hold them anew, nothing was moved."""
    fresh = [head for head in heads if head.moved and head.found_seq is None]
    rows = [(head.agent_id, head.epoch, 0, 0, 0, now_ns, now_ns) for head in fresh]
    return bulk.insert_new(tx, spools, _COLUMNS, rows) == len(rows)


def move(tx: Connection, heads: Iterable[Head]) -> None:
    """Write where the held spools stand now."""
    rows = [
        (head.last_seq, head.passed_seq, head.last_ns, head.agent_id, head.epoch, head.found_seq or 0)
        for head in heads
        if head.moved
    ]
    # The statement looks again at what it moves: a guard against whatever the lock did not stop.
    if bulk.update(tx, spools, _MOVED, _FOUND, rows) != len(rows):
        raise RuntimeError("somebody else moved a spool that was held")


def claim(tx: Connection, agent_id: str, epoch: str, *, seq: int, previous_seq: int, now_ns: int) -> Claim:
    """Take the batch `seq`, which follows `previous_seq`, for this transaction alone."""
    while True:
        head = hold(tx, [(agent_id, epoch)])[agent_id, epoch]
        verdict = head.claim(seq, previous_seq=previous_seq, now_ns=now_ns)
        if begin(tx, [head], now_ns=now_ns):
            move(tx, [head])
            return Claim(verdict, head.last_seq)


def last_seq(tx: Connection, agent_id: str, epoch: str) -> int:
    """The newest batch stored of this spool; 0: none."""
    where = (spools.c.agent_id == agent_id, spools.c.epoch == epoch)
    return int(tx.execute(select(spools.c.last_seq).where(*where)).scalar_one_or_none() or 0)


def last_seqs(tx: Connection, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The same of many spools, by agent and epoch; those of which nothing came are left out."""
    agent_ids = sorted({agent_id for agent_id, _ in wanted})
    query = select(spools.c.agent_id, spools.c.epoch, spools.c.last_seq).where(spools.c.agent_id.in_(agent_ids))
    rows = tx.execute(query) if agent_ids else ()
    return {(agent_id, epoch): last_seq for agent_id, epoch, last_seq in rows if (agent_id, epoch) in wanted}


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


def _held(tx: Connection, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Head]:
    dialect = tx.dialect.name
    found = tx.execute(_holding(dialect), bulk.pair_values(dialect, sorted(keys)))
    return {
        (agent_id, epoch): Head(agent_id, epoch, customer_id, site_id, last, passed, last_ns, last)
        for agent_id, epoch, customer_id, site_id, last, passed, last_ns in found
    }


@cache
def _holding(dialect: str) -> Select[Any]:
    asked = bulk.pairs(dialect)
    mine = (spools.c.agent_id == asked.first) & (spools.c.epoch == asked.second)
    return (
        select(
            *(spools.c.agent_id, spools.c.epoch, agents.c.customer_id, agents.c.site_id),
            *(spools.c.last_seq, spools.c.passed_seq, spools.c.last_ns),
        )
        .select_from(asked.table)
        .join(spools, mine)
        .join(agents, agents.c.id == spools.c.agent_id)
        .order_by(spools.c.agent_id, spools.c.epoch)
        .with_for_update(of=spools)
    )
