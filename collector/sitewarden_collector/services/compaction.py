"""Compaction: the minute blocks of an hour become one block, which is opened sixty times less often.

Samples rest as they came until their hour is over and rules have seen them; then the blocks of one agent and schema are
joined in time order, and summed up (`rollups`). What comes late is joined to its hour with the next round. Reading and
joining happen outside of the writer's transaction; `record` writes only if nothing changed meanwhile, so that what was
erased stays erased. Not here: the tables (`store.sample_hours`), when it runs (`app`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from sqlalchemy import Connection

from sitewarden_collector.services import rollups
from sitewarden_collector.store import lock, sample_hours
from sitewarden_collector.store.sample_hours import Hour, Minute
from sitewarden_protos import blocks as codec

HOUR_NS = 3_600 * 1_000_000_000
REST_NS = 15 * 60 * 1_000_000_000
"""An hour is joined so long after its end: what comes a little late is in it at once."""
BLOCKS_AT_ONCE = 2_000
TICKS_MAX = 32_768
VALUES_MAX = 2_097_152
"""Of one joined block, half of what the codec takes: a minute that is joined never leads beyond that."""


class Outdated(Exception):
    """What was read has changed before it could be written: nothing was written, the next round reads it anew."""


@dataclass(frozen=True, slots=True)
class Joined:
    """One hour to be written, in place of `minutes` and of `ticks_before` ticks that were stored (None: none were)."""

    hour: Hour
    ticks_before: int | None
    minutes: tuple[sample_hours.BlockKey, ...]
    figures: array[float]
    """What the hour comes to, all its parts together; see `rollups`."""


@dataclass(slots=True)
class _Open:
    """A block that is being joined."""

    part: int
    ticks_before: int | None
    times_ns: list[int]
    columns: list[array[float]]
    minutes: list[sample_hours.BlockKey]

    def add(self, times_ns: Iterable[int], columns: Sequence[array[float]]) -> None:
        self.times_ns += times_ns
        for mine, more in zip(self.columns, columns, strict=True):
            mine.extend(more)


def due_before_ns(now_ns: int) -> int:
    """Blocks that ended before that time are due to be joined."""
    return (now_ns - REST_NS) // HOUR_NS * HOUR_NS


def waiting(tx: Connection, *, now_ns: int) -> list[str]:
    """The agents whose blocks are due."""
    return sample_hours.waiting(tx, before_ns=due_before_ns(now_ns))


def join(tx: Connection, agent_id: str, *, now_ns: int) -> list[Joined]:
    """The hours that an agent's due blocks make; reads only."""
    found = sample_hours.ripe(tx, agent_id, before_ns=due_before_ns(now_ns), limit=BLOCKS_AT_ONCE)

    def group(one: Minute) -> tuple[str, str, int]:
        return one.schema_id, one.site_id, one.first_ns // HOUR_NS

    joined = []
    for (schema_id, _, hour), minutes in groupby(sorted(found, key=group), key=group):
        joined += _join_hour(tx, agent_id, schema_id, hour, list(minutes))
    return joined


def record(tx: Connection, joined: Sequence[Joined]) -> int:
    """Write hours in place of their minutes; how many. Raises Outdated when what they were made of has changed."""
    if not lock.alone(tx, "compaction"):
        return 0
    for one in joined:
        there = sample_hours.take(tx, one.hour.agent_id, one.minutes)
        if not there or not sample_hours.put(tx, one.hour, ticks_before=one.ticks_before):
            raise Outdated(f"samples of agent {one.hour.agent_id} changed while they were being joined")

    def group(one: Joined) -> tuple[str, str, str, str]:
        return one.hour.agent_id, one.hour.schema_id, one.hour.site_id, one.hour.customer_id

    for (agent_id, schema_id, site_id, customer_id), some in groupby(sorted(joined, key=group), key=group):
        hours = [(one.hour.hour, one.figures) for one in some]
        rollups.add(tx, agent_id, schema_id, site_id, customer_id=customer_id, hours=hours)
    return len(joined)


def _join_hour(tx: Connection, agent_id: str, schema_id: str, hour: int, minutes: Sequence[Minute]) -> list[Joined]:
    first = minutes[0]
    parts = sample_hours.of(tx, agent_id, schema_id, hour)
    mine = [part for part in parts if part.site_id == first.site_id]
    open_: list[_Open] = []
    if mine and _has_room(mine[-1].ticks, first.width):
        newest = mine[-1]
        times_ns, columns = codec.decode(newest.block, series=first.width)
        open_.append(_Open(newest.part, newest.ticks, list(times_ns), [array("d", one) for one in columns], []))
    next_part = parts[-1].part + 1 if parts else 0
    for minute in minutes:
        times_ns, columns = codec.decode(minute.block, series=minute.width)
        if not open_ or not _has_room(len(open_[-1].times_ns) + len(times_ns), minute.width):
            open_.append(_Open(next_part, None, [], [array("d") for _ in range(minute.width)], []))
            next_part += 1
        open_[-1].add((at_ns + minute.shift_ns for at_ns in times_ns), columns)
        open_[-1].minutes.append(minute.key)
    closed = [_in_order(one.times_ns, one.columns) for one in open_]
    rest = [part for part in mine if not open_ or part.part != open_[0].part]
    whole = _in_order(
        *_together([*(codec.decode(part.block, series=first.width) for part in rest), *closed], first.width)
    )
    figures = rollups.of_columns(whole[1])
    return [
        _closed(one, in_order, agent_id, schema_id, hour, like=first, figures=figures)
        for one, in_order in zip(open_, closed, strict=True)
        if one.minutes
    ]


def _has_room(ticks: int, width: int) -> bool:
    return ticks <= TICKS_MAX and ticks * width <= VALUES_MAX


def _closed(
    one: _Open,
    in_order: tuple[list[int], list[array[float]]],
    agent_id: str,
    schema_id: str,
    hour: int,
    *,
    like: Minute,
    figures: array[float],
) -> Joined:
    times_ns, columns = in_order
    joined = Hour(
        agent_id=agent_id,
        schema_id=schema_id,
        hour=hour,
        part=one.part,
        customer_id=like.customer_id,
        site_id=like.site_id,
        first_ns=times_ns[0],
        last_ns=times_ns[-1],
        ticks=len(times_ns),
        block=codec.encode(times_ns, columns),
    )
    return Joined(joined, one.ticks_before, tuple(one.minutes), figures)


def _together(
    parts: Sequence[tuple[Sequence[int], Sequence[array[float]]]], width: int
) -> tuple[list[int], list[array[float]]]:
    """One part as it is, mostly; several behind each other."""
    times_ns: list[int] = []
    columns = [array("d") for _ in range(width)]
    for part_times_ns, part_columns in parts:
        times_ns += part_times_ns
        for mine, more in zip(columns, part_columns, strict=True):
            mine.extend(more)
    return times_ns, columns


def _in_order(times_ns: list[int], columns: list[array[float]]) -> tuple[list[int], list[array[float]]]:
    """By time; what has the same time stays in the order in which it came."""
    if all(before <= after for before, after in pairwise(times_ns)):
        return times_ns, columns
    order = sorted(range(len(times_ns)), key=times_ns.__getitem__)
    return [times_ns[at] for at in order], [array("d", [column[at] for at in order]) for column in columns]
