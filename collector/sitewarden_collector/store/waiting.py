"""What waits for evaluation, read for many spools at once.

A lane is a stretch of one spool's batches that wait. Its blocks of samples are read apart from everything else that it
holds: most lanes hold samples alone, most samples concern no rule, and thousands of them come in a second. Whoever
evaluates asks for the lanes with how much they hold, then for their blocks, and for the rest only of the lanes that it
takes on. Only evaluation moves a lane's cursor, so what was read stays true; batches that other collectors store in
between lie behind a lane's end and are left out. Not here: what any of it means.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    BindParameter,
    Connection,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    case,
    func,
    select,
)

from sitewarden_alerting.observations import Key, Observation, Place, Samples, Series
from sitewarden_collector.store import bulk, prepared, samples
from sitewarden_collector.store.agents import agents, hostnames
from sitewarden_collector.store.evaluations import rule_states
from sitewarden_collector.store.observations import _KINDS, observations
from sitewarden_collector.store.samples import blocks
from sitewarden_collector.store.spools import spools
from sitewarden_protos import blocks as codec

SMALL_BYTES = 32_768  # a block beyond that is no host's minute: it is read alone
SCHEMAS_MAX = 50_000
_PLACE = attrgetter("seq", "at")


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """Batches of one spool that wait: after `first`, up to `last`, of what has arrived up to `arrived`. `state` is what
    the rules remember of its site, as it rests; `told` how many observations other than samples each batch holds, where
    it holds any. A lane is known by its identity."""

    agent_id: str
    site_id: str
    epoch: str
    first: int
    last: int
    arrived: int
    state: str | None = None
    told: tuple[tuple[int, int], ...] = ()


class Waiting(NamedTuple):
    """A block of samples that waits. `block` is None where it is too large to be read with others."""

    agent_id: str
    epoch: str
    seq: int
    at: int  # its index in the batch
    customer_id: str
    site_id: str
    schema_id: str
    last_ns: int
    shift_ns: int
    early: bool
    block: bytes | None


@dataclass(slots=True)
class Schemas:
    """The series of schemas that were read before: told once, they hold for ever. Equal ones are one tuple."""

    known: dict[tuple[str, str], tuple[Series, ...]] = field(default_factory=dict)
    alike: dict[tuple[Series, ...], tuple[Series, ...]] = field(default_factory=dict)

    def need(self, tx: Connection, wanted: Iterable[tuple[str, str]]) -> None:
        """Read those that are not known yet."""
        new: dict[str, set[str]] = {}
        for agent_id, schema_id in wanted:
            if (agent_id, schema_id) not in self.known:
                new.setdefault(agent_id, set()).add(schema_id)
        if new and len(self.known) > SCHEMAS_MAX:
            self.known.clear()
            self.alike.clear()
        for agent_id, schema_ids in new.items():
            for schema_id, series in samples.series_of(tx, agent_id, schema_ids).items():
                self.known[agent_id, schema_id] = self.alike.setdefault(series, series)


_WAITS = spools.c.evaluated_seq < spools.c.last_seq
_AT_ONCE: BindParameter[int] = bindparam("batches", type_=BigInteger)
SEQ_MAX, BATCHES_MAX = (1 << 63) - 1, 1 << 20

_LANES = (
    select(
        *(spools.c.agent_id, agents.c.site_id, spools.c.epoch, spools.c.evaluated_seq, spools.c.last_seq),
        rule_states.c.state,
    )
    .select_from(
        spools.join(agents, spools.c.agent_id == agents.c.id).join(
            rule_states, rule_states.c.site_id == agents.c.site_id, isouter=True
        )
    )
    .where(_WAITS)
    .order_by(spools.c.last_ns)
    .limit(bindparam("lanes", type_=Integer))
)


def _behind(dialect: str, table: Table, columns: Iterable[Any]) -> Select[Any]:
    """Columns of the rows that the next batches of some spools left in a table."""
    asked = bulk.pairs(dialect)
    mine = and_(spools.c.agent_id == asked.first, spools.c.epoch == asked.second)
    # An agent may count as far as a number goes, and PostgreSQL refuses to add to the last ones.
    last = case((spools.c.evaluated_seq > SEQ_MAX - BATCHES_MAX, SEQ_MAX), else_=spools.c.evaluated_seq + _AT_ONCE)
    here = and_(
        table.c.agent_id == spools.c.agent_id,
        table.c.epoch == spools.c.epoch,
        table.c.seq > spools.c.evaluated_seq,
        table.c.seq <= last,
    )
    query = select(*columns).select_from(asked.table).join(spools, mine).join(table, here)
    return query if table is blocks else query.where(table.c.kind != "samples")


@cache
def _told(dialect: str) -> Select[Any]:
    by = (observations.c.agent_id, observations.c.epoch, observations.c.seq)
    return _behind(dialect, observations, (*by, func.count())).group_by(*by)


@cache
def _blocks(dialect: str) -> Select[Any]:
    names = ("agent_id", "epoch", "seq", "idx", "customer_id", "site_id", "schema_id", "last_ns", "shift_ns", "early")
    small = case((func.length(blocks.c.block) <= SMALL_BYTES, blocks.c.block))
    return _behind(dialect, blocks, (*(blocks.c[name] for name in names), small))


@cache
def _others(dialect: str) -> Select[Any]:
    names = ("agent_id", "epoch", "seq", "idx", "customer_id", "site_id", "wall_ns", "received_ns", "kind", "payload")
    columns = (*(observations.c[name] for name in names), agents.c.hostname)
    return _behind(dialect, observations, columns).join(agents, agents.c.id == spools.c.agent_id)


_NEXT = tuple(
    select(func.min(table.c.seq)).where(
        table.c.agent_id == bindparam("its_agent"),
        table.c.epoch == bindparam("its_epoch"),
        table.c.seq > bindparam("its_last"),
    )
    for table in (observations, blocks)
)


def lanes(tx: Connection, *, most: int, batches: int) -> list[Lane]:
    """The lanes that wait longest, `most` of them with so many batches each; those first whose newest batch is oldest,
    so that whoever sends without end waits for the others."""
    rows = prepared.rows(tx, _LANES, {"lanes": most})
    if not rows:
        return []
    told: dict[tuple[str, str], list[tuple[int, int]]] = {}
    spools_ = ((agent_id, epoch) for agent_id, _, epoch, *_ in rows)
    for agent_id, epoch, seq, count in _ask(tx, _told, spools_, batches):
        told.setdefault((agent_id, epoch), []).append((seq, count))
    found = []
    for agent_id, site_id, epoch, first, arrived, state in rows:
        last = min(arrived, first + batches)
        held = told.get((agent_id, epoch))
        counts = () if held is None else tuple(sorted(one for one in held if one[0] <= last))
        found.append(Lane(agent_id, site_id, epoch, first, last, arrived, state, counts))
    return found


def blocks_of(tx: Connection, some: Sequence[Lane], *, batches: int) -> dict[Lane, list[Waiting]]:
    """The blocks of those lanes, in the order in which they came; lanes without any are left out."""
    by_spool = {(lane.agent_id, lane.epoch): lane for lane in some}
    found: dict[Lane, list[Waiting]] = {}
    for row in _ask(tx, _blocks, by_spool, batches):
        lane = by_spool[row[0], row[1]]
        if row[2] <= lane.last:
            found.setdefault(lane, []).append(Waiting._make(row))
    for held in found.values():
        if len(held) > 1:
            held.sort(key=_PLACE)
    return found


def others_of(tx: Connection, some: Sequence[Lane], *, batches: int) -> dict[Lane, list[Observation]]:
    """What those lanes hold besides samples, in the order in which it came."""
    by_spool = {(lane.agent_id, lane.epoch): lane for lane in some}
    found: dict[Lane, list[Observation]] = {}
    for agent_id, epoch, seq, idx, customer_id, site_id, wall_ns, received_ns, kind, payload, hostname in _ask(
        tx, _others, by_spool, batches
    ):
        lane = by_spool[agent_id, epoch]
        if seq <= lane.last:
            what = msgspec.json.decode(payload, type=_KINDS[kind])
            place = Place(customer_id, site_id, agent_id, hostname)
            found.setdefault(lane, []).append(Observation(place, Key(epoch, seq, idx), wall_ns, received_ns, what))
    for held in found.values():
        held.sort(key=lambda one: one.key)
    return found


def _ask(
    tx: Connection, query: Callable[[str], Select[Any]], some: Iterable[tuple[str, str]], batches: int
) -> Sequence[tuple[Any, ...]]:
    dialect = tx.dialect.name
    asked = bulk.pair_values(dialect, some)
    return prepared.rows(tx, query(dialect), asked | {"batches": batches})


def opened(tx: Connection, some: Sequence[Waiting], known: Schemas) -> list[Observation]:
    """Blocks as observations; those whose series never came are left out. Raises BlockError.

    A block's own newest time stands for when it was seen.
    """
    hosts = hostnames(tx, {one.agent_id for one in some})
    found = []
    for one in some:
        series = known.known.get((one.agent_id, one.schema_id))
        if series is None or one.block is None:
            continue
        times_ns, columns = codec.decode(one.block, series=len(series))
        shifted = tuple(at_ns + one.shift_ns for at_ns in times_ns)
        place = Place(one.customer_id, one.site_id, one.agent_id, hosts.get(one.agent_id, ""))
        key = Key(one.epoch, one.seq, one.at)
        what = Samples(one.schema_id, series, shifted, tuple(columns), one.early)
        found.append(Observation(place, key, one.last_ns, one.last_ns, what))
    return found


def move(tx: Connection, some: Collection[Lane]) -> bool:
    """Move the cursors of lanes to their ends; False when somebody else moved one: then undo everything."""
    rows = [(lane.last, lane.agent_id, lane.epoch, lane.first) for lane in some]
    return bulk.update(tx, spools, ("evaluated_seq",), ("agent_id", "epoch", "evaluated_seq"), rows) == len(rows)


def next_seq(tx: Connection, lane: Lane) -> int | None:
    """The first batch behind a lane's end that left anything; None when there is none. An agent may leave out as many
    numbers as it likes."""
    found = [
        tx.execute(query, {"its_agent": lane.agent_id, "its_epoch": lane.epoch, "its_last": lane.last}).scalar_one()
        for query in _NEXT
    ]
    return min((int(seq) for seq in found if seq is not None), default=None)
