"""How far samples have been sent to a remote store, what is owed to it, and what became of it all.

A cursor a spool says up to which batch its minute blocks were sent. Where an hour takes the place of minutes that were
not sent yet, the stretch of them is noted as owed in the same transaction: a sample that is stored waits behind a
cursor, or in what is owed, or was sent. One row says whether sending is on, and who sends (a lease, for it happens
outside of transactions). Not here: sending (`services.remote_write`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from sitewarden_collector.store.base import Id, Ns, metadata
from sitewarden_collector.store.sample_hours import hours
from sitewarden_collector.store.samples import blocks
from sitewarden_collector.store.spools import COLLECTOR_EPOCH, spools

NAME = "remote_write"
ERROR_MAX_CHARS = 1000
HOUR_NS = 3_600 * 1_000_000_000

cursors = Table(
    "export_cursors",
    metadata,
    Column("agent_id", Id, ForeignKey("agents.id"), primary_key=True),
    Column("epoch", String(32), primary_key=True),
    Column("sent_seq", BigInteger, nullable=False),
)

owed = Table(
    "export_owed",
    metadata,
    Column("agent_id", Id, ForeignKey("agents.id"), primary_key=True),
    Column("schema_id", String(16), primary_key=True),
    Column("hour", BigInteger, primary_key=True),
    Column("since_ns", Ns, nullable=False),  # of the hour: what is older was sent
    Column("samples", BigInteger, nullable=False),
    Column("times", BigInteger, nullable=False),  # it was noted
    Index("ix_export_owed_hour", "hour"),
)

state = Table(
    "export_state",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("active", Boolean, nullable=False),
    Column("worker", String(200), nullable=False),  # who sends, until then
    Column("until_ns", Ns, nullable=False),
    Column("complete_ns", Ns, nullable=False),  # all that had arrived by then was sent
    Column("sent", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("lost", BigInteger, nullable=False),
    Column("sent_ns", Ns, nullable=False),  # when last; 0: never
    Column("refused_ns", Ns, nullable=False),
    Column("lost_ns", Ns, nullable=False),
    Column("why", Text, nullable=False),  # what the store said to the last that it refused
    Column("error", Text, nullable=False),  # why nothing can be sent now; empty: it can
)


@dataclass(frozen=True, slots=True)
class Spool:
    """Batches whose blocks wait: after `sent_seq`, up to and with `last_seq`."""

    agent_id: str
    epoch: str
    sent_seq: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class Owed:
    """A stretch of a joined hour that waits. `times` guards against one that was widened meanwhile."""

    agent_id: str
    schema_id: str
    hour: int
    since_ns: int
    samples: int
    times: int


class Unsent(NamedTuple):
    """A minute block that an hour takes the place of, perhaps before it was sent. `first_ns`: its first time."""

    agent_id: str
    epoch: str
    seq: int
    schema_id: str
    hour: int
    first_ns: int
    samples: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """One block to be sent: what of it is not older than `since_ns`, once `shift_ns` was added to its times."""

    agent_id: str
    site_id: str
    schema_id: str
    shift_ns: int
    block: bytes
    since_ns: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How sending stands. `lag_s`: all that arrived before that long ago was sent. Counts are of samples."""

    active: bool
    lag_s: float
    sent: int
    refused: int
    lost: int
    sent_ns: int
    refused_ns: int
    lost_ns: int
    why: str
    error: str
    waiting_spools: int
    owed_hours: int
    given_up_lately: int
    """Whether samples were refused or lost within a day (1), or not."""


def switch(tx: Connection, *, active: bool, now_ns: int) -> None:
    """Switch sending on or off, for every collector on this database. What is joined while it is off is not owed."""
    row = {"name": NAME, "active": active, "worker": "", "until_ns": 0, "complete_ns": now_ns, "why": "", "error": ""}
    row |= dict.fromkeys(("sent", "refused", "lost", "sent_ns", "refused_ns", "lost_ns"), 0)
    if active:
        write = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
        tx.execute(write(state).values(row).on_conflict_do_nothing())
    mine = state.c.name == NAME
    tx.execute(update(state).where(mine, state.c.active != active).values(active=active, complete_ns=now_ns, error=""))
    if tx.dialect.name == "sqlite":  # one collector works on it: whoever had the lease is gone
        tx.execute(update(state).where(mine).values(worker="", until_ns=0))


def hold(tx: Connection, worker: str, *, until_ns: int, now_ns: int) -> bool:
    """Be the one who sends until then, or stay it; False when another one is, or sending is off."""
    free = or_(state.c.worker == worker, state.c.until_ns < now_ns)
    mine = update(state).where(state.c.name == NAME, state.c.active, free)
    return tx.execute(mine.values(worker=worker, until_ns=until_ns)).rowcount == 1


def let_go(tx: Connection, worker: str) -> None:
    tx.execute(update(state).where(state.c.name == NAME, state.c.worker == worker).values(worker="", until_ns=0))


def owed_first(tx: Connection, limit: int) -> list[Owed]:
    """What is owed, the oldest hours first."""
    rows = tx.execute(select(owed).order_by(owed.c.hour, owed.c.agent_id, owed.c.schema_id).limit(limit))
    return [Owed(**row._mapping) for row in rows]


def owing_to(tx: Connection, agent_ids: Sequence[str]) -> set[str]:
    """Those of the agents of whom something is owed: it goes before what came later."""
    return set(tx.execute(select(owed.c.agent_id).distinct().where(owed.c.agent_id.in_(agent_ids))).scalars())


def waiting(tx: Connection, limit: int) -> list[Spool]:
    """Spools with batches that were not looked at for sending, those that wait longest first."""
    sent = func.coalesce(cursors.c.sent_seq, 0)
    same = and_(cursors.c.agent_id == spools.c.agent_id, cursors.c.epoch == spools.c.epoch)
    query = (
        select(spools.c.agent_id, spools.c.epoch, sent.label("sent_seq"), spools.c.last_seq)
        .select_from(spools.outerjoin(cursors, same))
        .where(spools.c.last_seq > sent, spools.c.epoch != COLLECTOR_EPOCH)
        .order_by(spools.c.last_ns)
        .limit(limit)
    )
    return [Spool(**row._mapping) for row in tx.execute(query)]


def minutes(tx: Connection, spool: Spool, *, limit: int) -> tuple[list[Stretch], int]:
    """The blocks of the first batches that wait, `limit` of them or all of one batch, and the last of these batches."""
    of_spool = (blocks.c.agent_id == spool.agent_id, blocks.c.epoch == spool.epoch)
    within = (*of_spool, blocks.c.seq > spool.sent_seq, blocks.c.seq <= spool.last_seq)
    rows = tx.execute(select(blocks).where(*within).order_by(blocks.c.seq, blocks.c.idx).limit(limit + 1)).all()
    to_seq = spool.last_seq
    if len(rows) > limit:
        cut = rows[-1].seq
        whole = [row for row in rows if row.seq < cut]
        to_seq = cut - 1 if whole else cut
        rows = whole or tx.execute(select(blocks).where(*of_spool, blocks.c.seq == cut).order_by(blocks.c.idx)).all()
    return [Stretch(row.agent_id, row.site_id, row.schema_id, row.shift_ns, row.block) for row in rows], to_seq


def of_hour(tx: Connection, one: Owed) -> list[Stretch]:
    """The blocks that hold what is owed of an hour; none when it is not kept any more."""
    mine = (hours.c.agent_id == one.agent_id, hours.c.schema_id == one.schema_id, hours.c.hour == one.hour)
    names = (hours.c.agent_id, hours.c.site_id, hours.c.schema_id, literal(0), hours.c.block, literal(one.since_ns))
    rows = tx.execute(select(*names).where(*mine, hours.c.last_ns >= one.since_ns).order_by(hours.c.part))
    return [Stretch(*row) for row in rows]


def owe(tx: Connection, joined: Iterable[Unsent]) -> None:
    """Note what of these minute blocks, which hours are about to take the place of, was not sent yet. Does nothing
    while sending is off."""
    if not tx.execute(select(state.c.active).where(state.c.name == NAME)).scalar_one_or_none():
        return
    by_spool: dict[tuple[str, str], list[Unsent]] = {}
    for one in joined:
        by_spool.setdefault((one.agent_id, one.epoch), []).append(one)
    agents = {agent_id for agent_id, _ in by_spool}
    sent = {(row.agent_id, row.epoch): row.sent_seq for row in tx.execute(select(cursors).where(_among(agents)))}
    stretches: dict[tuple[str, str, int], list[Unsent]] = {}
    for spool, some in by_spool.items():
        for one in some:
            if one.seq > sent.get(spool, 0):
                stretches.setdefault((one.agent_id, one.schema_id, one.hour), []).append(one)
    for key, some in stretches.items():
        _add(tx, key, since_ns=min(one.first_ns for one in some), samples=sum(one.samples for one in some))


def _add(tx: Connection, key: tuple[str, str, int], *, since_ns: int, samples: int) -> None:
    named = dict(zip(("agent_id", "schema_id", "hour"), key, strict=True))
    mine = [owed.c[name] == value for name, value in named.items()]
    known = tx.execute(select(owed).where(*mine).with_for_update()).one_or_none()
    if known is None:
        tx.execute(insert(owed).values(**named, since_ns=since_ns, samples=samples, times=1))
        return
    since_ns = min(since_ns, known.since_ns)
    values = {"since_ns": since_ns, "samples": known.samples + samples, "times": known.times + 1}
    tx.execute(update(owed).where(*mine).values(values))


def _among(agent_ids: Iterable[str]) -> ColumnElement[bool]:
    return cursors.c.agent_id.in_(sorted(agent_ids))


def moved(tx: Connection, spool: Spool, to_seq: int) -> None:
    """All blocks of the spool up to `to_seq` were sent. Nothing is written of an agent that was erased meanwhile."""
    write = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    there = select(spools.c.agent_id, spools.c.epoch, literal(to_seq)).where(
        spools.c.agent_id == spool.agent_id, spools.c.epoch == spool.epoch
    )
    new = write(cursors).from_select(["agent_id", "epoch", "sent_seq"], there)
    follows = cursors.c.sent_seq == spool.sent_seq
    key = [cursors.c.agent_id, cursors.c.epoch]
    tx.execute(new.on_conflict_do_update(index_elements=key, set_={"sent_seq": to_seq}, where=follows))


def paid(tx: Connection, one: Owed) -> None:
    """What was owed of an hour was sent, unless more became owed of it meanwhile."""
    key = {"agent_id": one.agent_id, "schema_id": one.schema_id, "hour": one.hour, "times": one.times}
    tx.execute(delete(owed).where(*(owed.c[name] == value for name, value in key.items())))


def count(
    tx: Connection, *, sent: int = 0, refused: int = 0, lost: int = 0, why: str = "", complete_ns: int = 0, now_ns: int
) -> None:
    """Write down what became of samples. `complete_ns`, if any: all that had arrived by then was sent."""
    values: dict[str, object] = {"error": ""}
    if complete_ns:
        values["complete_ns"] = complete_ns
    if sent:
        values |= {"sent": state.c.sent + sent, "sent_ns": now_ns}
    if refused:
        values |= {"refused": state.c.refused + refused, "refused_ns": now_ns, "why": why[:ERROR_MAX_CHARS]}
    if lost:
        values |= {"lost": state.c.lost + lost, "lost_ns": now_ns}
    tx.execute(update(state).where(state.c.name == NAME).values(values))


def failed(tx: Connection, error: str) -> None:
    """Write down why nothing can be sent now."""
    tx.execute(update(state).where(state.c.name == NAME).values(error=error[:ERROR_MAX_CHARS]))


def standing(tx: Connection, *, now_ns: int) -> Standing | None:
    """How sending stands; None when it never was on."""
    row = tx.execute(select(state).where(state.c.name == NAME)).one_or_none()
    if row is None:
        return None
    sent = func.coalesce(cursors.c.sent_seq, 0)
    same = and_(cursors.c.agent_id == spools.c.agent_id, cursors.c.epoch == spools.c.epoch)
    behind = select(func.count()).select_from(spools.outerjoin(cursors, same))
    behind = behind.where(spools.c.last_seq > sent, spools.c.epoch != COLLECTOR_EPOCH)
    told = ("active", "sent", "refused", "lost", "sent_ns", "refused_ns", "lost_ns", "why", "error")
    return Standing(
        **{name: getattr(row, name) for name in told},
        lag_s=max(0.0, (now_ns - row.complete_ns) / 1e9) if row.active else 0.0,
        waiting_spools=int(tx.execute(behind).scalar_one()),
        owed_hours=int(tx.execute(select(func.count()).select_from(owed)).scalar_one()),
        given_up_lately=int(max(row.refused_ns, row.lost_ns) > now_ns - 24 * HOUR_NS),
    )
