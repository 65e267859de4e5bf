"""Compaction: the minute blocks of an hour become one block, which is opened sixty times less often.

Samples rest as they came until their hour is over and rules have seen them; then the blocks of one agent and schema are
joined in time order, and summed up (`rollups`). What comes late is joined to its hour with the next round. Reading and
joining happen outside of the writer's transaction; `record` writes only if nothing changed meanwhile, so that what was
erased stays erased. Not here: the tables (`store.sample_hours`), when it runs (`app`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from sqlalchemy import Connection

from sitewarden_collector.services import rollups
from sitewarden_collector.store import lock, matrices, sample_hours
from sitewarden_collector.store.matrices import Matrix, Times
from sitewarden_collector.store.sample_hours import Hour, Minute

HOUR_NS = 3_600 * 1_000_000_000
REST_NS = 15 * 60 * 1_000_000_000
"""An hour is joined so long after its end: what comes a little late is in it at once."""
BLOCKS_AT_ONCE = 2_000
TICKS_MAX = 32_768
VALUES_MAX = 2_097_152
"""Of one joined block, half of what the codec takes: a minute that is joined never leads beyond that."""


class Outdated(Exception):
    """What was read has changed before it could be written: nothing was written, the next round reads it anew."""


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """One hour to be written, in place of `minutes` and of `ticks_before` ticks that were stored (None: none were)."""

    hour: Hour
    ticks_before: int | None
    minutes: tuple[sample_hours.BlockKey, ...]
    figures: Matrix
    """What the hour comes to, all its parts together; see `rollups`."""


Samples = tuple[Times, Matrix]


@dataclass(slots=True)
class _Open:
    """A block that is being joined."""

    part: int
    ticks_before: int | None
    ticks: int
    samples: list[Samples]
    minutes: list[sample_hours.BlockKey]

    def add(self, times: Times, matrix: Matrix) -> None:
        self.samples.append((times, matrix))
        self.ticks += len(times)


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
    before = [matrices.opened(part.block, series=first.width) for part in mine]
    being_joined: list[_Open] = []
    if mine and _has_room(mine[-1].ticks, first.width):
        being_joined.append(_Open(mine[-1].part, mine[-1].ticks, mine[-1].ticks, [before.pop()], []))
    next_part = parts[-1].part + 1 if parts else 0
    for minute in minutes:
        times, matrix = matrices.opened(minute.block, series=minute.width)
        if not being_joined or not _has_room(being_joined[-1].ticks + len(times), minute.width):
            being_joined.append(_Open(next_part, None, 0, [], []))
            next_part += 1
        being_joined[-1].add(times + minute.shift_ns, matrix)
        being_joined[-1].minutes.append(minute.key)
    closed = [_together(one.samples) for one in being_joined]
    figures = rollups.of_samples(_together([*before, *closed])[1])
    return [
        Joined(
            _hour(samples, agent_id, schema_id, hour, part=one.part, like=first),
            one.ticks_before,
            tuple(one.minutes),
            figures,
        )
        for one, samples in zip(being_joined, closed, strict=True)
        if one.minutes
    ]


def _has_room(ticks: int, width: int) -> bool:
    return ticks <= TICKS_MAX and ticks * width <= VALUES_MAX


def _together(parts: Sequence[Samples]) -> Samples:
    if len(parts) == 1:
        return matrices.in_order(*parts[0])
    times = np.concatenate([part[0] for part in parts])
    return matrices.in_order(times, np.concatenate([part[1] for part in parts], axis=1))


def _hour(samples: Samples, agent_id: str, schema_id: str, hour: int, *, part: int, like: Minute) -> Hour:
    times, matrix = samples
    return Hour(
        agent_id=agent_id,
        schema_id=schema_id,
        hour=hour,
        part=part,
        customer_id=like.customer_id,
        site_id=like.site_id,
        first_ns=int(times[0]),
        last_ns=int(times[-1]),
        ticks=len(times),
        block=matrices.closed(times, matrix),
    )
