"""Compaction: the minute blocks of an hour become one block, which is opened sixty times less often.

Samples rest as they came until their hour is over and rules have seen them; then the blocks of one agent and schema are
joined in time order, and summed up (`rollups`). What comes late is joined to its hour with the next round. Many agents
are joined at a time: a statement costs as much as a block. Reading and joining happen outside of the writer's
transaction; `record` writes only if nothing changed meanwhile, so that what was erased stays erased. Not here: the
tables (`store.sample_hours`), the block of an hour (`store.resting`), when it runs (`app`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Connection

from sitewarden_collector.services import rollups
from sitewarden_collector.store import export_cursors, lock, matrices, resting, sample_days, sample_hours
from sitewarden_collector.store.day_hours import HOURS_A_DAY
from sitewarden_collector.store.matrices import Samples
from sitewarden_collector.store.sample_days import Day, DayKey
from sitewarden_collector.store.sample_hours import Hour, Minute, Ripe

HOUR_NS = 3_600 * 1_000_000_000
REST_NS = 15 * 60 * 1_000_000_000
"""An hour is joined so long after its end: what comes a little late is in it at once."""
BLOCKS_AT_ONCE = 2_000
VALUES_AT_ONCE = 8_388_608
TICKS_MAX = 32_768
VALUES_MAX = 2_097_152
"""Of one joined block, half of what the codec takes: a minute that is joined never leads beyond that."""


class Outdated(Exception):
    """What was read has changed before it could be written: nothing was written, the next round reads it anew."""


@dataclass(slots=True)
class Joined:
    """Hours to be written in place of the minutes that they hold: fresh ones, and those that took more in, with how
    many ticks each held before. And the days that they are part of."""

    minutes: Ripe
    fresh: list[Hour] = field(default_factory=list)
    grown: list[tuple[Hour, int]] = field(default_factory=list)
    days: list[Day] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.fresh) + len(self.grown)


@dataclass(slots=True)
class _Open:
    """A block that is being joined. `there`: what it held before."""

    part: int
    there: Samples | None = None
    ticks: int = 0
    minutes: list[Minute] = field(default_factory=list)


def due_before_ns(now_ns: int) -> int:
    """Blocks that ended before that time are due to be joined."""
    return (now_ns - REST_NS) // HOUR_NS * HOUR_NS


def waiting(tx: Connection, *, now_ns: int) -> list[list[str]]:
    """The agents whose blocks are due, as many together as have about `BLOCKS_AT_ONCE`; one with more comes again."""
    groups: list[list[str]] = []
    room = 0
    for agent_id, count in sample_hours.waiting(tx, before_ns=due_before_ns(now_ns)):
        if count > room:
            groups.append([])
            room = BLOCKS_AT_ONCE
        groups[-1].append(agent_id)
        room -= count
        groups += [[agent_id] for _ in range(-room // BLOCKS_AT_ONCE)]
    return groups


def join(tx: Connection, agent_ids: Collection[str], *, now_ns: int) -> Joined:
    """The hours that some agents' due blocks make; reads only."""
    before_ns = due_before_ns(now_ns)
    due = sample_hours.ripe(tx, agent_ids, before_ns=before_ns, limit=2 * BLOCKS_AT_ONCE, values=VALUES_AT_ONCE)
    by_hour: dict[tuple[str, str, str, int], list[Minute]] = {}
    for one in due.minutes:
        by_hour.setdefault((one.agent_id, one.schema_id, one.site_id, one.first_ns // HOUR_NS), []).append(one)
    there = sample_hours.parts(tx, {(agent_id, schema_id, hour) for agent_id, schema_id, _, hour in by_hour})
    made = Joined(due)
    summed: dict[DayKey, dict[int, rollups.Hour]] = {}
    customers: dict[DayKey, str] = {}
    for (agent_id, schema_id, site_id, hour), minutes in by_hour.items():
        minutes.sort(key=_first_ns)
        parts = there.setdefault((agent_id, schema_id, hour), [])
        day = (agent_id, schema_id, site_id, hour // HOURS_A_DAY)
        summed.setdefault(day, {})[hour] = _join_hour(made, hour, minutes, parts)
        customers[day] = minutes[0].customer_id
    made.days += rollups.days(tx, summed, customers)
    return made


def record(tx: Connection, joined: Joined) -> int:
    """Write hours in place of their minutes; how many. Raises Outdated when what they were made of has changed."""
    if not joined.minutes.minutes or not lock.alone(tx, "compaction"):
        return 0
    export_cursors.owe(tx, map(_unsent, joined.minutes.minutes))
    done = sample_hours.take(tx, joined.minutes) and sample_hours.add(tx, joined.fresh)
    for hour, ticks_before in joined.grown:
        done = done and sample_hours.grow(tx, hour, ticks_before=ticks_before)
    if not done or not sample_days.put(tx, joined.days):
        raise Outdated("samples changed while they were being joined")
    return len(joined)


def _join_hour(made: Joined, hour: int, minutes: Sequence[Minute], parts: list[Hour]) -> rollups.Hour:
    """Join what is due of an hour, beside `parts` that are there; what all of it comes to."""
    first = minutes[0]
    series = first.series
    mine = [part for part in parts if part.site_id == first.site_id]
    before = [matrices.opened(part.block, series=series) for part in mine]
    being_joined: list[_Open] = []
    if mine and _has_room(mine[-1].ticks, series):
        being_joined.append(_Open(mine[-1].part, before.pop(), mine[-1].ticks))
    next_part = parts[-1].part + 1 if parts else 0
    for minute in minutes:
        if not being_joined or not _has_room(being_joined[-1].ticks + minute.ticks, series):
            being_joined.append(_Open(next_part))
            next_part += 1
        being_joined[-1].minutes.append(minute)
        being_joined[-1].ticks += minute.ticks
    for one in being_joined:
        samples = _together(one, series)
        before.append(samples)
        if one.minutes:
            block = _hour(samples, hour, part=one.part, like=first)
            if one.there is None:
                made.fresh.append(block)
                parts.append(block)
            else:
                made.grown.append((block, len(one.there[0])))
    return rollups.Hour(rollups.of_samples(_all(before)[1]), whole=bool(mine))


def _has_room(ticks: int, width: int) -> bool:
    return ticks <= TICKS_MAX and ticks * width <= VALUES_MAX


def _together(one: _Open, series: int) -> Samples:
    found = [] if one.there is None else [one.there]
    if one.minutes:
        found.append(
            matrices.joined(
                [minute.block for minute in one.minutes], [minute.shift_ns for minute in one.minutes], series=series
            )
        )
    return _all(found)


def _all(found: Sequence[Samples]) -> Samples:
    if len(found) == 1:
        return matrices.in_order(*found[0])
    times = np.concatenate([part[0] for part in found])
    return matrices.in_order(times, np.concatenate([part[1] for part in found], axis=1))


def _hour(samples: Samples, hour: int, *, part: int, like: Minute) -> Hour:
    times, matrix = samples
    return Hour(
        agent_id=like.agent_id,
        schema_id=like.schema_id,
        hour=hour,
        part=part,
        customer_id=like.customer_id,
        site_id=like.site_id,
        first_ns=int(times[0]),
        last_ns=int(times[-1]),
        ticks=len(times),
        block=resting.closed(times, matrix),
    )


def _first_ns(minute: Minute) -> int:
    return minute.first_ns


def _unsent(one: Minute) -> export_cursors.Unsent:
    return export_cursors.Unsent(one.agent_id, one.epoch, one.seq, one.schema_id, one.first_ns, one.series * one.ticks)
