"""Hours of samples: what the minute blocks of one agent hold, joined to one block an hour and schema.

An hour takes the place of its minutes in the transaction that writes it, so that every sample is in exactly one block
at any time. Minutes that rules have not seen yet, or that are parked for another try, are left as they came. Times in
an hour are corrected already. Not here: joining (`services.compaction`), reading (`store.tracks`, which reads both).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    and_,
    bindparam,
    delete,
    func,
    select,
    update,
)

from sitewarden_collector.store import bulk, forgetting, matrices
from sitewarden_collector.store.base import Id, Ns, metadata
from sitewarden_collector.store.evaluations import parked
from sitewarden_collector.store.kept_samples import Around, needed
from sitewarden_collector.store.samples import blocks, schemas
from sitewarden_collector.store.spools import spools

hours = Table(
    "sample_hours",
    metadata,
    Column("agent_id", Id, ForeignKey("agents.id"), primary_key=True),
    Column("schema_id", String(16), primary_key=True),
    Column("hour", BigInteger, primary_key=True),  # since 1970, in which its first minutes ended
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

HourKey = tuple[str, str, int]
"""Agent, schema and hour."""
BlockKey = tuple[str, int, int]
"""Epoch, sequence and index: with the agent they name a minute block."""


class Minute(NamedTuple):
    """A minute block that may be joined. `shift_ns` is to be added to its times."""

    agent_id: str
    epoch: str
    seq: int
    idx: int
    customer_id: str
    site_id: str
    schema_id: str
    first_ns: int
    last_ns: int
    shift_ns: int
    block: bytes
    series: int
    ticks: int


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


@dataclass(slots=True)
class Ripe:
    """Minute blocks that ended before a time and that nobody needs singly any more, and how to name them all: whole
    stretches of a spool (agent, epoch, first and last batch), and single blocks (agent, epoch, batch, index)."""

    before_ns: int
    minutes: list[Minute] = field(default_factory=list)
    stretches: list[tuple[str, str, int, int]] = field(default_factory=list)
    single: list[tuple[str, str, int, int]] = field(default_factory=list)


_MINE = (blocks.c.agent_id == bindparam("agent"), blocks.c.epoch == bindparam("spool"))
_TAKE_STRETCH = delete(blocks).where(
    *_MINE, blocks.c.seq.between(bindparam("first"), bindparam("last")), blocks.c.last_ns < bindparam("before_ns")
)
_TAKE_ONE = delete(blocks).where(*_MINE, blocks.c.seq == bindparam("batch"), blocks.c.idx == bindparam("place"))
_KEY = tuple(hours.primary_key.columns)
_GROW = (
    update(hours)
    .where(*(column == bindparam(f"its_{column.name}") for column in _KEY), hours.c.ticks == bindparam("ticks_before"))
    .values({name: bindparam(name) for name in ("first_ns", "last_ns", "ticks", "block")})
)


def waiting(tx: Connection, *, before_ns: int) -> list[tuple[str, int]]:
    """The agents with minute blocks that ended before a time, and how many each has."""
    query = select(blocks.c.agent_id, func.count()).where(blocks.c.last_ns < before_ns).group_by(blocks.c.agent_id)
    return sorted((agent_id, int(count)) for agent_id, count in tx.execute(query))


def oldest_waiting_ns(tx: Connection) -> int | None:
    """When the oldest minute block ended; None when there is none."""
    found = tx.execute(select(blocks.c.last_ns).order_by(blocks.c.last_ns).limit(1)).scalar_one_or_none()
    return None if found is None else int(found)


def ripe(tx: Connection, agent_ids: Collection[str], *, before_ns: int, limit: int, values: int) -> Ripe:
    """Blocks of some agents, about `limit` at most, which hold `values` numbers at most or are a single one."""
    dialect = tx.dialect.name
    agents = {"agents": bulk.list_value(dialect, agent_ids)}
    rows = tx.execute(_ripe(dialect), agents | {"before_ns": before_ns, "most": limit}).all()
    sizes = zip(rows, *matrices.sizes_of([row[-1] for row in rows]), strict=True)
    found = sorted([Minute._make((*row, series, ticks)) for row, series, ticks in sizes])
    known = {(row[0], row[1]) for row in tx.execute(_of(dialect, schemas, "schema_id"), agents)}
    again = {(row[0], row[1], row[2]) for row in tx.execute(_of(dialect, parked, "epoch", "seq"), agents)}
    made = Ripe(before_ns)
    # Batches of which something is left, or may be: their blocks are named one by one.
    left = {found[-1][:3]} if len(found) == limit else set()
    is_plain = not (again or left) and {(one.agent_id, one.schema_id) for one in found} <= known
    if is_plain and sum([one.series * one.ticks for one in found]) <= values:
        made.minutes = found
        _name_stretches(made, found, left)
        return made
    for one in found:
        values -= one.series * one.ticks
        if one[:3] in again or (one.agent_id, one.schema_id) not in known or (values < 0 and made.minutes):
            left.add(one[:3])
        else:
            made.minutes.append(one)
    for batch, some in groupby(made.minutes, key=lambda one: one[:3]):
        if batch in left:
            made.single += [one[:4] for one in some]
    _name_stretches(made, found, left)
    return made


def parts(tx: Connection, keys: Collection[HourKey]) -> dict[HourKey, list[Hour]]:
    """What there is of some hours, part by part."""
    if not keys:
        return {}
    asked = {(agent_id, schema_id) for agent_id, schema_id, _ in keys}
    given = bulk.pair_values(tx.dialect.name, asked) | {"hours": sorted({hour for _, _, hour in keys})}
    made: dict[HourKey, list[Hour]] = {}
    for row in tx.execute(_parts(tx.dialect.name), given):
        one = Hour(**row._mapping)
        made.setdefault((one.agent_id, one.schema_id, one.hour), []).append(one)
    for some in made.values():
        some.sort(key=lambda one: one.part)
    return {key: made[key] for key in keys if key in made}


def of(tx: Connection, agent_id: str, schema_id: str, hour: int) -> list[Hour]:
    """What there is of one hour, part by part."""
    key = (agent_id, schema_id, hour)
    return parts(tx, [key]).get(key, [])


def take(tx: Connection, found: Ripe) -> bool:
    """Delete these minute blocks; False when one was not there any more."""
    stretches = [
        {"agent": agent_id, "spool": epoch, "first": first, "last": last, "before_ns": found.before_ns}
        for agent_id, epoch, first, last in found.stretches
    ]
    single = [
        {"agent": agent_id, "spool": epoch, "batch": seq, "place": idx} for agent_id, epoch, seq, idx in found.single
    ]
    gone = tx.execute(_TAKE_STRETCH, stretches).rowcount if stretches else 0
    gone += tx.execute(_TAKE_ONE, single).rowcount if single else 0
    return gone == len(found.minutes)


def add(tx: Connection, fresh: Sequence[Hour]) -> bool:
    """Write hours that were not there; False when a schema of theirs is gone: erased since it was read."""
    if not fresh:
        return True
    dialect = tx.dialect.name
    agents = {"agents": bulk.list_value(dialect, {one.agent_id for one in fresh})}
    known = {(row[0], row[1]) for row in tx.execute(_of(dialect, schemas, "schema_id"), agents)}
    if any((one.agent_id, one.schema_id) not in known for one in fresh):
        return False
    bulk.insert(tx, hours, Hour.__slots__, [_values(one) for one in fresh])
    return True


def grow(tx: Connection, hour: Hour, *, ticks_before: int) -> bool:
    """Write an hour in place of one that held `ticks_before` of its ticks; False when that is not what is stored."""
    values = {name: getattr(hour, name) for name in ("first_ns", "last_ns", "ticks", "block")}
    values |= {f"its_{column.name}": getattr(hour, column.name) for column in _KEY}
    return tx.execute(_GROW, values | {"ticks_before": ticks_before}).rowcount == 1


def forget_old(tx: Connection, *, before_ns: int, limit: int, around: Around | None = None) -> int:
    """Delete hours whose newest sample is from before a time, `limit` at most; how many. Those `around` tickets that
    are not closed stay."""
    return forgetting.forget(
        tx, hours, lambda rows: and_(rows.c.last_ns < before_ns, ~needed(rows, around)), limit=limit
    )


_values = attrgetter(*Hour.__slots__)


@cache
def _parts(dialect: str) -> Select[Any]:
    asked = bulk.pairs(dialect)
    of_pair = (hours.c.agent_id == asked.first, hours.c.schema_id == asked.second)
    some = hours.c.hour.in_(bindparam("hours", expanding=True))
    return select(hours).select_from(asked.table).join(hours, and_(*of_pair, some))


def _name_stretches(made: Ripe, found: Sequence[Minute], left: Collection[tuple[Any, ...]]) -> None:
    """Between two batches of which something is left, a spool's batches are one stretch."""
    spool, begin = ("", ""), 0
    for one in found:
        if left and one[:3] in left:
            spool = ("", "")
        elif one.epoch == spool[1] and one.agent_id == spool[0]:
            made.stretches[-1] = (*spool, begin, one.seq)
        else:
            spool, begin = (one.agent_id, one.epoch), one.seq
            made.stretches.append((*spool, begin, begin))


@cache
def _ripe(dialect: str) -> Select[Any]:
    return (
        select(*(blocks.c[name] for name in Minute._fields[:-2]))
        .where(
            bulk.among(dialect, spools.c.agent_id, "agents"),
            blocks.c.agent_id == spools.c.agent_id,
            blocks.c.epoch == spools.c.epoch,
            blocks.c.seq <= spools.c.evaluated_seq,
            blocks.c.last_ns < bindparam("before_ns"),
        )
        .limit(bindparam("most"))
    )


@cache
def _of(dialect: str, table: Table, *names: str) -> Select[Any]:
    """Of some agents these columns beside the agent's."""
    columns = [table.c.agent_id, *(table.c[name] for name in names)]
    return select(*columns).where(bulk.among(dialect, table.c.agent_id, "agents"))
