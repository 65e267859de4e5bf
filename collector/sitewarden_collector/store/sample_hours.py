"""Hours of samples: what the minute blocks of one agent hold, joined to one block an hour and schema.

An hour takes the place of its minutes in the transaction that writes it, so that every sample is in exactly one block
at any time. Minutes that rules have not seen yet, or that are parked for another try, are left as they came. Times in
an hour are corrected already. Not here: joining (`services.compaction`), reading (`store.tracks`, which reads both).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    and_,
    delete,
    exists,
    insert,
    select,
    tuple_,
    update,
)

from sitewarden_collector.store.base import Id, Ns, metadata
from sitewarden_collector.store.evaluations import parked
from sitewarden_collector.store.samples import blocks, schemas, series_of
from sitewarden_collector.store.spools import spools

KEYS_AT_ONCE = 200  # in one statement

hours = Table(
    "sample_hours",
    metadata,
    Column("agent_id", Id, ForeignKey("agents.id"), primary_key=True),
    Column("schema_id", String(16), primary_key=True),
    Column("hour", BigInteger, primary_key=True),  # since 1970, of the first sample's corrected time
    Column("part", Integer, primary_key=True),  # an hour that would be too large for one block has several
    Column("customer_id", Id, nullable=False),
    Column("site_id", Id, nullable=False),
    Column("first_ns", Ns, nullable=False),
    Column("last_ns", Ns, nullable=False),
    Column("ticks", Integer, nullable=False),
    Column("block", LargeBinary, nullable=False),
    Index("ix_sample_hours_site_last", "site_id", "last_ns"),
    Index("ix_sample_hours_last", "last_ns"),
)

BlockKey = tuple[str, int, int]
"""Epoch, sequence and index: with the agent they name a minute block."""


@dataclass(frozen=True, slots=True)
class Minute:
    """A minute block that may be joined. `shift_ns` is to be added to its times."""

    key: BlockKey
    customer_id: str
    site_id: str
    schema_id: str
    width: int  # series
    first_ns: int
    shift_ns: int
    block: bytes


@dataclass(frozen=True, slots=True)
class Hour:
    """A joined block. `ticks` is how many samples each of its series has."""

    agent_id: str
    schema_id: str
    hour: int
    part: int
    customer_id: str
    site_id: str
    first_ns: int
    last_ns: int
    ticks: int
    block: bytes


def waiting(tx: Connection, *, before_ns: int) -> list[str]:
    """The agents with minute blocks that ended before a time."""
    found = tx.execute(select(blocks.c.agent_id).distinct().where(blocks.c.last_ns < before_ns))
    return sorted(found.scalars())


def oldest_waiting_ns(tx: Connection) -> int | None:
    """When the oldest minute block ended; None when there is none."""
    found = tx.execute(select(blocks.c.last_ns).order_by(blocks.c.last_ns).limit(1)).scalar_one_or_none()
    return None if found is None else int(found)


def ripe(tx: Connection, agent_id: str, *, before_ns: int, limit: int) -> list[Minute]:
    """Minute blocks of an agent that ended before a time and that nobody needs singly any more, in time order."""
    seen = and_(spools.c.agent_id == blocks.c.agent_id, spools.c.epoch == blocks.c.epoch)
    again = exists().where(
        parked.c.agent_id == blocks.c.agent_id, parked.c.epoch == blocks.c.epoch, parked.c.seq == blocks.c.seq
    )
    rows = tx.execute(
        select(blocks)
        .join(spools, and_(seen, spools.c.evaluated_seq >= blocks.c.seq))
        .where(blocks.c.agent_id == agent_id, blocks.c.last_ns < before_ns, ~again)
        .order_by(blocks.c.first_ns)
        .limit(limit)
    ).all()
    known = series_of(tx, agent_id, {row.schema_id for row in rows})
    return [
        Minute(
            key=(row.epoch, row.seq, row.idx),
            customer_id=row.customer_id,
            site_id=row.site_id,
            schema_id=row.schema_id,
            width=len(known[row.schema_id]),
            first_ns=row.first_ns,
            shift_ns=row.shift_ns,
            block=row.block,
        )
        for row in rows
        if row.schema_id in known
    ]


def of(tx: Connection, agent_id: str, schema_id: str, hour: int) -> list[Hour]:
    """What there is of one hour, part by part."""
    mine = (hours.c.agent_id == agent_id, hours.c.schema_id == schema_id, hours.c.hour == hour)
    rows = tx.execute(select(hours).where(*mine).order_by(hours.c.part))
    return [Hour(**row._mapping) for row in rows]


def take(tx: Connection, agent_id: str, keys: Sequence[BlockKey]) -> bool:
    """Delete these minute blocks; False when one of them was not there any more."""
    gone = 0
    for at in range(0, len(keys), KEYS_AT_ONCE):
        named = tuple_(blocks.c.epoch, blocks.c.seq, blocks.c.idx).in_(keys[at : at + KEYS_AT_ONCE])
        gone += tx.execute(delete(blocks).where(blocks.c.agent_id == agent_id, named)).rowcount
    return gone == len(keys)


def put(tx: Connection, hour: Hour, *, ticks_before: int | None) -> bool:
    """Write an hour. `ticks_before`: what the stored one held that this one holds as well; None: there was none. False
    when that is not what is stored."""
    values = {name: getattr(hour, name) for name in Hour.__slots__}
    if ticks_before is None:
        known = select(schemas.c.schema_id).where(
            schemas.c.agent_id == hour.agent_id, schemas.c.schema_id == hour.schema_id
        )
        if tx.execute(known).first() is None:
            return False  # erased since it was read
        tx.execute(insert(hours).values(values))
        return True
    mine = [hours.c[name] == values[name] for name in ("agent_id", "schema_id", "hour", "part")]
    return tx.execute(update(hours).where(*mine, hours.c.ticks == ticks_before).values(values)).rowcount == 1


def forget_old(tx: Connection, *, before_ns: int, limit: int) -> int:
    """Delete hours whose newest sample is from before a time, `limit` at most; how many."""
    keys: Collection[Column[object]] = list(hours.primary_key.columns)
    old = select(*keys).where(hours.c.last_ns < before_ns).limit(limit)
    return tx.execute(delete(hours).where(tuple_(*keys).in_(old))).rowcount
