"""Observations as they were stored, each under the key that it keeps for ever.

The payload is the JSON of the dataclass in `alerting.observations`. Samples have no row here: they rest as blocks under
keys of the same kind (`store.samples`), and what a batch holds is read out of both. All of a batch is written in the
transaction that claimed its key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Row,
    Select,
    String,
    Table,
    Text,
    and_,
    func,
    or_,
    select,
    union_all,
)

from sitewarden_alerting.observations import (
    Change,
    Gap,
    Key,
    LogEvent,
    Observation,
    Outcome,
    Place,
    ProbeResult,
    Unknown,
    What,
)
from sitewarden_collector.store import bulk, forgetting, samples
from sitewarden_collector.store.agents import Agent, agents, hostnames
from sitewarden_collector.store.base import Id, Ns, metadata
from sitewarden_collector.store.samples import Placed, RawBlock

observations = Table(
    "observations",
    metadata,
    Column("agent_id", Id, ForeignKey("agents.id"), primary_key=True),
    Column("epoch", String(32), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("customer_id", Id, nullable=False),
    Column("site_id", Id, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("wall_ns", Ns, nullable=False),
    Column("received_ns", Ns, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("fingerprint", String(128), nullable=False),
    Column("file_id", String(128), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("part", String(8), nullable=False),
    Column("payload", Text, nullable=False),
    Index("ix_observations_site_wall", "site_id", "wall_ns"),
    Index("ix_observations_received", "received_ns"),
)

_COLUMNS = (
    *("agent_id", "epoch", "seq", "idx", "customer_id", "site_id", "kind", "wall_ns", "received_ns"),
    *("severity", "fingerprint", "file_id", "offset", "part", "payload"),
)
_TABLES: tuple[Table, ...] = (observations, samples.blocks)

KEYS_AT_ONCE = 100  # in one query

_KINDS: dict[str, type[Any]] = {
    "log": LogEvent,
    "probe": ProbeResult,
    "change": Change,
    "outcome": Outcome,
    "gap": Gap,
    "unknown": Unknown,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


@dataclass(frozen=True, slots=True)
class Arrived:
    """One observation of a batch, as the edge decoded it; `wall_ns` is corrected already."""

    index: int
    wall_ns: int
    what: What | RawBlock


class Filed(NamedTuple):
    """What is to be written of one batch, and whose it is."""

    customer_id: str
    site_id: str
    agent_id: str
    epoch: str
    seq: int
    received_ns: int
    arrived: Sequence[Arrived]


def add(tx: Connection, agent: Agent, *, epoch: str, seq: int, arrived: Sequence[Arrived], received_ns: int) -> None:
    """Write the rows and blocks of one batch, whose key the caller has claimed in this transaction."""
    add_all(tx, [Filed(agent.customer_id, agent.site_id, agent.id, epoch, seq, received_ns, arrived)], fresh={agent.id})


def add_all(tx: Connection, filed: Iterable[Filed], *, fresh: Collection[str]) -> None:
    """Write the rows and blocks of many batches. `fresh` are the agents that may speak of new series."""
    rows: list[tuple[Any, ...]] = []
    placed: list[Placed] = []
    for one in filed:
        for item in one.arrived:
            if isinstance(item.what, RawBlock):
                place = (one.customer_id, one.site_id, one.agent_id, one.epoch, one.seq)
                placed.append(Placed(*place, item.index, item.what))
            else:
                rows.append(_row(one, item, item.what))
    bulk.insert(tx, observations, _COLUMNS, rows)
    samples.add_all(tx, placed, fresh=fresh)


def tally(tx: Connection, agent_id: str, epoch: str) -> tuple[int, int]:
    """How many batches and how many observations of one spool are stored. Samples that were joined to hours are no
    batch's any more."""
    seqs = union_all(
        *(select(table.c.seq).where(table.c.agent_id == agent_id, table.c.epoch == epoch) for table in _TABLES)
    ).subquery()
    row = tx.execute(select(func.count(func.distinct(seqs.c.seq)), func.count()).select_from(seqs)).one()
    return int(row[0]), int(row[1])


def of_batches(tx: Connection, agent_id: str, epoch: str, from_seq: int, to_seq: int) -> list[Observation]:
    """What the batches `from_seq` to `to_seq` (both included) of one spool hold, in the order in which they came.

    The newest time of a block stands for when it was seen and received.
    """
    found = _read(
        tx.execute(
            _joined()
            .where(observations.c.agent_id == agent_id, observations.c.epoch == epoch)
            .where(observations.c.seq.between(from_seq, to_seq))
        )
    )
    hosts = hostnames(tx, [agent_id])
    for customer_id, site_id, key, last_ns, what in samples.of_batches(tx, agent_id, epoch, from_seq, to_seq):
        place = Place(customer_id, site_id, agent_id, hosts.get(agent_id, ""))
        found.append(Observation(place, key, last_ns, last_ns, what))
    return sorted(found, key=lambda one: one.key)


def by_keys(tx: Connection, agent_id: str, keys: Iterable[Key]) -> list[Observation]:
    """Single observations of one agent, as evidence names them, in the order of their wall time.

    Those that are gone are left out, and so are samples.
    """
    wanted = list(keys)
    found: list[Observation] = []
    for at in range(0, len(wanted), KEYS_AT_ONCE):
        one_of = (
            and_(observations.c.epoch == key.epoch, observations.c.seq == key.seq, observations.c.idx == key.index)
            for key in wanted[at : at + KEYS_AT_ONCE]
        )
        found += _read(tx.execute(_joined().where(observations.c.agent_id == agent_id, or_(*one_of))))
    return sorted(found, key=lambda one: one.wall_ns)


def of_site(
    tx: Connection,
    site_id: str,
    *,
    since_ns: int,
    until_ns: int,
    kind: str = "",
    limit: int = 1000,
    agent_id: str = "",
    newest: bool = True,
) -> list[Observation]:
    """What a site, or one agent of it, saw in a span of corrected wall time, samples left out, of one kind (`log`,
    `change`, ...) or of all: the newest `limit` of it in order, or the oldest."""
    query = (
        _joined()
        .where(observations.c.site_id == site_id, observations.c.wall_ns.between(since_ns, until_ns))
        .order_by(observations.c.wall_ns.desc() if newest else observations.c.wall_ns)
        .limit(limit)
    )
    if kind:
        query = query.where(observations.c.kind == kind)
    if agent_id:
        query = query.where(observations.c.agent_id == agent_id)
    found = _read(tx.execute(query))
    return found[::-1] if newest else found


def forget_old(tx: Connection, *, before_ns: int, limit: int) -> int:
    """Delete what was received before a time, `limit` at most; how many. Tickets hold copies of their evidence."""
    return forgetting.forget(tx, observations, lambda rows: rows.c.received_ns < before_ns, limit=limit)


def _joined() -> Select[Any]:
    return select(observations, agents.c.hostname).join_from(
        observations, agents, observations.c.agent_id == agents.c.id
    )


def _row(one: Filed, item: Arrived, what: What) -> tuple[Any, ...]:
    key = (one.agent_id, one.epoch, one.seq, item.index, one.customer_id, one.site_id)
    of_log = (0, "", "", 0, "")
    if isinstance(what, LogEvent):
        of_log = (what.severity, what.fingerprint, what.file_id, what.offset, what.part)
    payload = msgspec.json.encode(what).decode()
    return (*key, _NAMES[type(what)], item.wall_ns, one.received_ns, *of_log, payload)


def _read(rows: Iterable[Row[Any]]) -> list[Observation]:
    made = []
    for row in rows:
        place = Place(row.customer_id, row.site_id, row.agent_id, row.hostname)
        what: What = msgspec.json.decode(row.payload, type=_KINDS[row.kind])
        made.append(Observation(place, Key(row.epoch, row.seq, row.idx), row.wall_ns, row.received_ns, what))
    return made
