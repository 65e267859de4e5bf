"""Samples: matrix blocks as they came (agent x minute), the series they are of, and each series' last value.

A block is written and read whole: a sample never becomes a row. The series of a block are kept once an agent and
schema. Last values are one row an agent and schema, for questions over many sites without opening blocks. Not here:
blocks of whole hours (`store.sample_hours`), samples of a stretch of time out of either (`store.tracks`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    and_,
    delete,
    insert,
    select,
    tuple_,
    update,
)

from sitewarden_alerting.observations import Key, Samples, Series
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.base import Id, Ns, metadata
from sitewarden_protos import blocks as codec

SEQS_AT_ONCE = 500  # in one query
LAST_SCHEMAS_MAX = 64  # of one agent: one an hour would be many

schemas = Table(
    "schemas",
    metadata,
    Column("agent_id", Id, ForeignKey("agents.id"), primary_key=True),
    Column("schema_id", String(16), primary_key=True),
    Column("series", Text, nullable=False),  # JSON of a list of alerting.observations.Series
)

blocks = Table(
    "blocks",
    metadata,
    Column("agent_id", Id, ForeignKey("agents.id"), primary_key=True),
    Column("epoch", String(32), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("customer_id", Id, nullable=False),
    Column("site_id", Id, nullable=False),
    Column("schema_id", String(16), nullable=False),
    Column("first_ns", Ns, nullable=False),
    Column("last_ns", Ns, nullable=False),
    Column("shift_ns", Ns, nullable=False),  # added to the block's times: the agent's measured clock offset
    Column("early", Boolean, nullable=False),
    Column("block", LargeBinary, nullable=False),
    Index("ix_blocks_site_last", "site_id", "last_ns"),
    Index("ix_blocks_last", "last_ns", "agent_id"),
)

last_values = Table(
    "last_values",
    metadata,
    Column("agent_id", Id, ForeignKey("agents.id"), primary_key=True),
    Column("schema_id", String(16), primary_key=True),
    Column("site_id", Id, nullable=False, index=True),
    Column("at_ns", Ns, nullable=False),
    Column("numbers", Text, nullable=False),  # JSON, in the order of the schema's series; null: none
)


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A block as it arrived, checked: it decodes to `columns`. `series` is empty where an earlier block told them."""

    schema_id: str
    series: tuple[Series, ...]
    block: bytes
    early: bool
    times_ns: tuple[int, ...]  # corrected
    shift_ns: int
    last: tuple[float, ...]  # the newest number of each series


@dataclass(frozen=True, slots=True)
class Last:
    """The newest number of one series of one agent."""

    agent_id: str
    site_id: str
    series: Series
    at_ns: int
    number: float


def add(
    tx: Connection,
    agent: Agent,
    *,
    epoch: str,
    seq: int,
    blocks: Iterable[tuple[int, RawBlock]],
    received_ns: int,
) -> None:
    """Write the blocks of one batch, told by their index in it."""
    for index, block in blocks:
        if block.series:
            _know(tx, agent.id, block)
        _insert(tx, agent, epoch=epoch, seq=seq, index=index, block=block)
        _set_last(tx, agent, block)


def series_of(tx: Connection, agent_id: str, schema_ids: Collection[str]) -> dict[str, tuple[Series, ...]]:
    """The series of those schemas that this agent has told."""
    if not schema_ids:
        return {}
    query = select(schemas).where(schemas.c.agent_id == agent_id, schemas.c.schema_id.in_(list(schema_ids)))
    return {row.schema_id: _parse(row.series) for row in tx.execute(query)}


def told_by(tx: Connection, name: str) -> dict[tuple[str, str], tuple[int, tuple[tuple[int, Series], ...]]]:
    """By agent and schema: how many series it has, and those called `name` with their places. Equal texts of schemas
    are read once: hosts of one kind tell the same."""
    read: dict[str, tuple[int, tuple[tuple[int, Series], ...]]] = {}
    found = {}
    for agent_id, schema_id, text in tx.execute(select(schemas.c.agent_id, schemas.c.schema_id, schemas.c.series)):
        if text not in read:
            told = _parse(text) if name in text else ()
            read[text] = len(told), tuple((place, one) for place, one in enumerate(told) if one.name == name)
        found[agent_id, schema_id] = read[text]
    return found


def of_rows(tx: Connection, rows: Sequence[Row[Any]]) -> Mapping[tuple[str, Key], Samples]:
    """The samples that belong to observations' rows, by agent and key."""
    wanted: dict[tuple[str, str], set[int]] = {}
    for row in rows:
        wanted.setdefault((row.agent_id, row.epoch), set()).add(row.seq)
    made = {}
    for (agent_id, epoch), seqs in wanted.items():
        found = _of_spool(tx, agent_id, epoch, sorted(seqs))
        known = series_of(tx, agent_id, {row.schema_id for row in found})
        for row in found:
            if row.schema_id in known:
                made[agent_id, Key(epoch, row.seq, row.idx)] = _decode(row, known[row.schema_id])
    return made


def last(tx: Connection, *, site_id: str | None = None, name: str | None = None) -> list[Last]:
    """The newest numbers, of one site or of all, of one series' name or of all."""
    query = select(last_values, schemas.c.series).join_from(
        last_values,
        schemas,
        and_(last_values.c.agent_id == schemas.c.agent_id, last_values.c.schema_id == schemas.c.schema_id),
    )
    if site_id is not None:
        query = query.where(last_values.c.site_id == site_id)
    newest: dict[tuple[str, Series], Last] = {}
    for row in tx.execute(query.order_by(last_values.c.at_ns)):
        numbers = msgspec.json.decode(row.numbers, type=list[float | None])
        for one, number in zip(_parse(row.series), numbers, strict=True):
            if number is not None and name in (None, one.name):
                newest[row.agent_id, one] = Last(row.agent_id, row.site_id, one, row.at_ns, number)
    return list(newest.values())


def last_of(tx: Connection, name: str, *, since_ns: int) -> list[Last]:
    """The newest numbers of one series' name over all sites, not older than a time."""
    told = told_by(tx, name)
    newest: dict[tuple[str, Series], Last] = {}
    columns = (last_values.c.agent_id, last_values.c.schema_id, last_values.c.site_id, last_values.c.at_ns)
    query = select(*columns, last_values.c.numbers).where(last_values.c.at_ns >= since_ns)
    for agent_id, schema_id, site_id, at_ns, text in tx.execute(query.order_by(last_values.c.at_ns)):
        _, places = told.get((agent_id, schema_id), (0, ()))
        if not places:
            continue
        numbers = msgspec.json.decode(text, type=list[float | None])
        for place, one in places:
            number = numbers[place]
            if number is not None:
                newest[agent_id, one] = Last(agent_id, site_id, one, at_ns, number)
    return list(newest.values())


def forget_old(tx: Connection, *, before_ns: int, limit: int) -> int:
    """Delete blocks whose newest sample is from before a time, `limit` at most; how many."""
    old = select(*blocks.primary_key.columns).where(blocks.c.last_ns < before_ns).limit(limit)
    return tx.execute(delete(blocks).where(tuple_(*blocks.primary_key.columns).in_(old))).rowcount


def _of_spool(tx: Connection, agent_id: str, epoch: str, seqs: Sequence[int]) -> list[Row[Any]]:
    found: list[Row[Any]] = []
    for at in range(0, len(seqs), SEQS_AT_ONCE):
        some = blocks.c.seq.in_(seqs[at : at + SEQS_AT_ONCE])
        found += tx.execute(select(blocks).where(blocks.c.agent_id == agent_id, blocks.c.epoch == epoch, some))
    return found


def _know(tx: Connection, agent_id: str, block: RawBlock) -> None:
    text = msgspec.json.encode(block.series).decode()
    key = (schemas.c.agent_id == agent_id, schemas.c.schema_id == block.schema_id)
    if tx.execute(select(schemas.c.schema_id).where(*key)).first() is None:
        tx.execute(insert(schemas).values(agent_id=agent_id, schema_id=block.schema_id, series=text))


def _insert(tx: Connection, agent: Agent, *, epoch: str, seq: int, index: int, block: RawBlock) -> None:
    tx.execute(
        insert(blocks).values(
            agent_id=agent.id,
            epoch=epoch,
            seq=seq,
            idx=index,
            customer_id=agent.customer_id,
            site_id=agent.site_id,
            schema_id=block.schema_id,
            first_ns=min(block.times_ns),
            last_ns=max(block.times_ns),  # a clock may be set back within a minute
            shift_ns=block.shift_ns,
            early=block.early,
            block=block.block,
        )
    )


def _set_last(tx: Connection, agent: Agent, block: RawBlock) -> None:
    numbers = msgspec.json.encode([n if math.isfinite(n) else None for n in block.last]).decode()
    at_ns = block.times_ns[-1]
    key = (last_values.c.agent_id == agent.id, last_values.c.schema_id == block.schema_id)
    stored = tx.execute(select(last_values.c.at_ns).where(*key)).scalar_one_or_none()
    if stored is None:
        row = {"agent_id": agent.id, "schema_id": block.schema_id, "site_id": agent.site_id}
        tx.execute(insert(last_values).values(**row, at_ns=at_ns, numbers=numbers))
        _keep_newest(tx, agent.id)
    elif stored <= at_ns:  # what is sent again after a restore is not the newest
        tx.execute(update(last_values).where(*key).values(at_ns=at_ns, numbers=numbers))


def _keep_newest(tx: Connection, agent_id: str) -> None:
    """What an agent no longer speaks of is not looked at for ever, and new names without end cost nobody."""
    mine = last_values.c.agent_id == agent_id
    newest = select(last_values.c.schema_id).where(mine).order_by(last_values.c.at_ns.desc()).limit(LAST_SCHEMAS_MAX)
    tx.execute(delete(last_values).where(mine, last_values.c.schema_id.not_in(newest)))


def _decode(row: Row[Any], series: tuple[Series, ...]) -> Samples:
    times_ns, columns = codec.decode(row.block, series=len(series))
    shifted = tuple(at_ns + row.shift_ns for at_ns in times_ns)
    return Samples(row.schema_id, series, shifted, tuple(columns), row.early)


def _parse(text: str) -> tuple[Series, ...]:
    return msgspec.json.decode(text, type=tuple[Series, ...])
