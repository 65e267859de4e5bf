"""Samples: matrix blocks as they came (agent x minute), the series they are of, and each series' last value.

A block is written and read whole: a sample never becomes a row. The series of a block are kept once an agent and
schema. Last values are one row an agent and schema, for questions over many sites without opening blocks. Not here:
blocks of whole hours (`store.sample_hours`), samples of a stretch of time out of either (`store.tracks`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

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
    Select,
    String,
    Table,
    Text,
    and_,
    delete,
    func,
    select,
)

from sitewarden_alerting.observations import Key, Samples, Series
from sitewarden_collector.store import bulk, forgetting, zipped
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.base import Id, Ns, metadata
from sitewarden_collector.store.kept_samples import Around, needed
from sitewarden_collector.store.newest import looked_up
from sitewarden_protos import blocks as codec

SERIES_BYTES_MAX = 1 << 26  # of a schema, far more than any batch holds
LAST_SCHEMAS_MAX = 64  # of one agent: one an hour would be many
TOLD_AGENTS_MAX = 20_000  # whose schemas are remembered: some hundred bytes each

schemas = Table(
    "schemas",
    metadata,
    Column("agent_id", Id, ForeignKey("agents.id"), primary_key=True),
    Column("schema_id", String(16), primary_key=True),
    Column("series", LargeBinary, nullable=False),  # zstd of the JSON of a list of alerting.observations.Series
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

_TOLD = ("agent_id", "schema_id", "series")
_PLACED = (
    *("agent_id", "epoch", "seq", "idx", "customer_id", "site_id"),
    *("schema_id", "first_ns", "last_ns", "shift_ns", "early", "block"),
)
_LAST = ("agent_id", "schema_id", "site_id", "at_ns", "numbers")


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A block as it arrived, checked: it decodes to `columns`. `series` is empty where an earlier block told them."""

    schema_id: str
    series: tuple[Series, ...]
    block: bytes
    early: bool
    times_ns: tuple[int, ...]  # corrected
    shift_ns: int
    last: Sequence[float]  # the newest number of each series


class Placed(NamedTuple):
    """A block and where it belongs."""

    customer_id: str
    site_id: str
    agent_id: str
    epoch: str
    seq: int
    idx: int
    block: RawBlock


class Read(NamedTuple):
    """A block that was opened, and whose it is."""

    customer_id: str
    site_id: str
    key: Key
    last_ns: int
    samples: Samples


class Schema(NamedTuple):
    """What is remembered of a schema: how many series it has, and a digest of all that they say."""

    width: int
    digest: bytes


class Told:
    """The schemas that agents have told, as far as they were read. One that is stored never changes, so what was read
    stays true; and what was erased since then is not asked for, for its agent is gone. Used by one writer at a time."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Schema]] = {}

    def read(self, tx: Connection, asked: Collection[tuple[str, str]]) -> set[str]:
        """Get to know those schemas (agent, schema); the agents of those that were not known."""
        unknown = [(agent_id, schema_id) for agent_id, schema_id in asked if not self.of(agent_id, schema_id)]
        if not unknown:
            return set()
        if len(self._known) > TOLD_AGENTS_MAX:
            self._known.clear()
        dialect = tx.dialect.name
        for agent_id, schema_id, data in tx.execute(_telling(dialect), bulk.pair_values(dialect, unknown)):
            text = _opened(data)
            mine = self._known.setdefault(agent_id, {})
            if len(mine) >= LAST_SCHEMAS_MAX:
                mine.clear()
            mine[schema_id] = Schema(len(msgspec.json.decode(text, type=list[msgspec.Raw])), _digest(text))
        return {agent_id for agent_id, _ in unknown}

    def of(self, agent_id: str, schema_id: str) -> Schema | None:
        mine = self._known.get(agent_id)
        return None if mine is None else mine.get(schema_id)


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
    place = (agent.customer_id, agent.site_id, agent.id, epoch, seq)
    add_all(tx, [Placed(*place, index, block) for index, block in blocks], fresh={agent.id})


def add_all(tx: Connection, placed: Sequence[Placed], *, fresh: Collection[str]) -> None:
    """Write blocks. `fresh` are the agents that may speak of something for the first time."""
    if not placed:
        return
    told: dict[tuple[str, str], bytes] = {}
    last: dict[tuple[str, str], tuple[str, int, Sequence[float]]] = {}
    rows = []
    for customer_id, site_id, agent_id, epoch, seq, index, block in placed:
        key = (agent_id, block.schema_id)
        times_ns = block.times_ns
        if block.series:
            told[key] = zipped.closed(_text(block.series))
        if key not in last or last[key][1] <= times_ns[-1]:
            last[key] = site_id, times_ns[-1], block.last
        # A clock may be set back within a minute.
        span = (min(times_ns), max(times_ns), block.shift_ns)
        rows.append(
            (agent_id, epoch, seq, index, customer_id, site_id, block.schema_id, *span, block.early, block.block)
        )
    bulk.insert_new(tx, schemas, _TOLD, [(*key, data) for key, data in sorted(told.items())])
    bulk.insert(tx, blocks, _PLACED, rows)
    # What is sent again after a restore is not the newest.
    ordered = sorted(last)
    numbers = looked_up([last[key][2] for key in ordered])
    newest = [(*key, *last[key][:2], _numbers(its)) for key, its in zip(ordered, numbers, strict=True)]
    bulk.upsert(tx, last_values, _LAST, newest, newest_by="at_ns")
    for agent_id in _talkative(tx, fresh):
        _keep_newest(tx, agent_id)


def schema(series: Sequence[Series]) -> Schema:
    """The schema of series as they are told."""
    return Schema(len(series), _digest(_text(series)))


def series_of(tx: Connection, agent_id: str, schema_ids: Collection[str]) -> dict[str, tuple[Series, ...]]:
    """The series of those schemas that this agent has told."""
    if not schema_ids:
        return {}
    query = select(schemas).where(schemas.c.agent_id == agent_id, schemas.c.schema_id.in_(list(schema_ids)))
    return {row.schema_id: parsed(row.series) for row in tx.execute(query)}


def parsed(data: bytes) -> tuple[Series, ...]:
    """Series as they rest in `schemas`."""
    return msgspec.json.decode(_opened(data), type=tuple[Series, ...])


def text_of(data: bytes) -> str:
    """Series as they rest in `schemas`, as JSON for people."""
    return _opened(data).decode()


def told_by(tx: Connection, name: str) -> dict[tuple[str, str], tuple[int, tuple[tuple[int, Series], ...]]]:
    """By agent and schema: how many series it has, and those called `name` with their places. Equal texts of schemas
    are read once: hosts of one kind tell the same."""
    read: dict[bytes, tuple[int, tuple[tuple[int, Series], ...]]] = {}
    found = {}
    for agent_id, schema_id, data in tx.execute(select(schemas.c.agent_id, schemas.c.schema_id, schemas.c.series)):
        if data not in read:
            told = parsed(data) if name.encode() in _opened(data) else ()
            read[data] = len(told), tuple((place, one) for place, one in enumerate(told) if one.name == name)
        found[agent_id, schema_id] = read[data]
    return found


def of_batches(tx: Connection, agent_id: str, epoch: str, from_seq: int, to_seq: int) -> list[Read]:
    """The blocks of the batches `from_seq` to `to_seq` (both included) of one spool; those whose series never came are
    left out."""
    mine = (blocks.c.agent_id == agent_id, blocks.c.epoch == epoch, blocks.c.seq.between(from_seq, to_seq))
    found = tx.execute(select(blocks).where(*mine)).all()
    known = series_of(tx, agent_id, {row.schema_id for row in found})
    return [
        Read(
            row.customer_id, row.site_id, Key(epoch, row.seq, row.idx), row.last_ns, _decode(row, known[row.schema_id])
        )
        for row in found
        if row.schema_id in known
    ]


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
        for one, number in zip(parsed(row.series), numbers, strict=True):
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


def forget_old(tx: Connection, *, before_ns: int, limit: int, around: Around | None = None) -> int:
    """Delete blocks whose newest sample is from before a time, `limit` at most; how many. Those `around` tickets that
    are not closed stay."""
    return forgetting.forget(
        tx, blocks, lambda rows: and_(rows.c.last_ns < before_ns, ~needed(rows, around)), limit=limit
    )


def _talkative(tx: Connection, agent_ids: Collection[str]) -> list[str]:
    """Those that have spoken of more schemas than are looked at."""
    if not agent_ids:
        return []
    counted = select(last_values.c.agent_id).where(last_values.c.agent_id.in_(agent_ids))
    many = func.count() > LAST_SCHEMAS_MAX
    return list(tx.execute(counted.group_by(last_values.c.agent_id).having(many)).scalars())


def _keep_newest(tx: Connection, agent_id: str) -> None:
    """What an agent no longer speaks of is not looked at for ever, and new names without end cost nobody."""
    mine = last_values.c.agent_id == agent_id
    newest = select(last_values.c.schema_id).where(mine).order_by(last_values.c.at_ns.desc()).limit(LAST_SCHEMAS_MAX)
    tx.execute(delete(last_values).where(mine, last_values.c.schema_id.not_in(newest)))


def _decode(row: Row[Any], series: tuple[Series, ...]) -> Samples:
    times_ns, columns = codec.decode(row.block, series=len(series))
    shifted = tuple(at_ns + row.shift_ns for at_ns in times_ns)
    return Samples(row.schema_id, series, shifted, tuple(columns), row.early)


@cache
def _telling(dialect: str) -> Select[Any]:
    asked = bulk.pairs(dialect)
    mine = (schemas.c.agent_id == asked.first) & (schemas.c.schema_id == asked.second)
    return select(*(schemas.c[name] for name in _TOLD)).select_from(asked.table).join(schemas, mine)


def _text(series: Sequence[Series]) -> bytes:
    return msgspec.json.encode(series)


def _numbers(numbers: list[float]) -> str:
    """What is no number, infinite ones included, becomes null."""
    return msgspec.json.encode(numbers).decode()


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).digest()


def _opened(data: bytes) -> bytes:
    return zipped.opened(data, SERIES_BYTES_MAX, what="series")
