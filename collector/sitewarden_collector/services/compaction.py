"""Compaction: the minute blocks of an hour become one block, which is opened sixty times less often.

Samples rest as they came until their hour is over and rules have seen them; then the blocks of one agent and schema are
joined in time order, and summed up (`rollups`). What comes late is joined to its hour with the next round, and added to
what the hour came to. A block counts to the hour in which it ended, which is when it became due. Many agents
are joined at a time: a statement costs as much as a block. Reading and joining happen outside of the writer's
transaction; `record` writes only if nothing changed meanwhile, so that what was erased stays erased. Not here: the
tables (`store.sample_hours`), the block of an hour (`store.resting`), when it runs (`app`).
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import starmap

import numpy as np
from sqlalchemy import Connection

from sitewarden_collector.services import rollups
from sitewarden_collector.store import export_cursors, lock, matrices, resting, sample_days, sample_hours
from sitewarden_collector.store.day_hours import HOURS_A_DAY
from sitewarden_collector.store.matrices import Matrix, Samples, Times
from sitewarden_collector.store.sample_days import Day, DayKey
from sitewarden_collector.store.sample_hours import Hour, HourKey, Minute, Ripe

HOUR_NS = 3_600 * 1_000_000_000
REST_NS = 15 * 60 * 1_000_000_000
"""An hour is joined so long after its end: what comes a little late is in it at once."""
BLOCKS_AT_ONCE = 2_000
VALUES_AT_ONCE = 8_388_608
LITTLE_TICKS = 360
"""Of hosts that tick seldom several hours make one block, of no more ticks than an hour of others has, as far as they
are due together."""
OPEN_VALUES_MAX = 65_536
"""That are joined and not packed yet: as many as stay in the processor's cache."""
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
    open: list[tuple[Samples, Hour, int | None]] = field(default_factory=list)
    open_values: int = 0
    places: list[tuple[Minute, int]] = field(default_factory=list)
    """Every minute with the hour under which it rests then."""
    summed: dict[DayKey, rollups.Summed] = field(default_factory=dict)
    days: list[Day] = field(default_factory=list)

    def sum_up(self, of: Minute, hour: int, part: rollups.Part) -> None:
        key = (of.agent_id, of.schema_id, of.site_id, hour // HOURS_A_DAY)
        self.summed.setdefault(key, rollups.Summed(of.customer_id)).hours.setdefault(hour, []).append(part)

    def add(self, samples: Samples, hour: int, *, part: int, like: Minute, ticks_before: int | None = None) -> Hour:
        """Have these samples written, as one block, once `close` has made it."""
        times, _ = samples
        made = Hour(
            agent_id=like.agent_id,
            schema_id=like.schema_id,
            hour=hour,
            part=part,
            customer_id=like.customer_id,
            site_id=like.site_id,
            first_ns=int(times[0]),
            last_ns=int(times[-1]),
            ticks=len(times),
            block=b"",
        )
        self.open.append((samples, made, ticks_before))
        self.open_values += samples[1].size
        if self.open_values >= OPEN_VALUES_MAX:
            self.close()
        return made

    def close(self) -> None:
        for (_, hour, ticks_before), block in zip(
            self.open, resting.closed_all([samples for samples, _, _ in self.open]), strict=True
        ):
            if ticks_before is None:
                self.fresh.append(replace(hour, block=block))
            else:
                self.grown.append((replace(hour, block=block), ticks_before))
        self.open.clear()
        self.open_values = 0

    def __len__(self) -> int:
        return len(self.fresh) + len(self.grown)


@dataclass(slots=True)
class _Open:
    """A block that is being joined. `there`: as it is stored."""

    part: int
    there: Hour | None = None
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
        groups += [[agent_id] for _ in range(-(room // BLOCKS_AT_ONCE))]
    return groups


def join(tx: Connection, agent_ids: Collection[str], *, now_ns: int) -> Joined:
    """The hours that some agents' due blocks make; reads only."""
    before_ns = due_before_ns(now_ns)
    due = sample_hours.ripe(tx, agent_ids, before_ns=before_ns, limit=2 * BLOCKS_AT_ONCE, values=VALUES_AT_ONCE)
    by_hour: dict[tuple[str, str, str, int], list[Minute]] = {}
    for one in due.minutes:
        by_hour.setdefault((one.agent_id, one.schema_id, one.site_id, one.last_ns // HOUR_NS), []).append(one)
    there = sample_hours.parts(tx, {(agent_id, schema_id, hour) for agent_id, schema_id, _, hour in by_hour})
    made = Joined(due)
    for run in _runs(by_hour, there):
        _join_run(made, run, there.setdefault((run[0].agent_id, run[0].schema_id, run[0].last_ns // HOUR_NS), []))
    made.close()
    made.days += rollups.days(tx, made.summed)
    return made


def _runs(
    by_hour: Mapping[tuple[str, str, str, int], list[Minute]], there: Mapping[HourKey, object]
) -> Iterator[list[Minute]]:
    """What is joined to one block: an hour, or several fresh ones of a day that hold little together."""
    run: list[Minute] = []
    run_key: tuple[object, ...] = ()
    ticks = 0
    for agent_id, schema_id, site_id, hour in sorted(by_hour):
        minutes = sorted(by_hour[agent_id, schema_id, site_id, hour], key=_first_ns)
        is_fresh = (agent_id, schema_id, hour) not in there
        key = (agent_id, schema_id, site_id, hour // HOURS_A_DAY, is_fresh or hour)
        more = sum(minute.ticks for minute in minutes)
        if run and (key != run_key or ticks + more > LITTLE_TICKS):
            yield run
            run, ticks = [], 0
        run += minutes
        run_key, ticks = key, ticks + more
    if run:
        yield run


def record(tx: Connection, joined: Joined) -> int:
    """Write hours in place of their minutes; how many. Raises Outdated when what they were made of has changed."""
    if not joined.minutes.minutes or not lock.alone(tx, "compaction"):
        return 0
    export_cursors.owe(tx, starmap(_unsent, joined.places))
    done = sample_hours.take(tx, joined.minutes) and sample_hours.add(tx, joined.fresh)
    for hour, ticks_before in joined.grown:
        done = done and sample_hours.grow(tx, hour, ticks_before=ticks_before)
    if not done or not sample_days.put(tx, joined.days):
        raise Outdated("samples changed while they were being joined")
    return len(joined)


def _join_run(made: Joined, minutes: Sequence[Minute], parts: list[Hour]) -> None:
    """Join minutes beside `parts` that are there of their first hour, and sum them up."""
    first = minutes[0]
    hour = first.last_ns // HOUR_NS
    mine = [part for part in parts if part.site_id == first.site_id]
    newest_ns = max((part.last_ns for part in mine), default=sys.maxsize)  # forgotten ones stay the newest
    being_joined: list[_Open] = []
    if mine and _has_room(mine[-1].ticks, first.series):
        being_joined.append(_Open(mine[-1].part, mine[-1], mine[-1].ticks))
    next_part = parts[-1].part + 1 if parts else 0
    if not mine and _has_room(sum(minute.ticks for minute in minutes), first.series):
        being_joined.append(_Open(next_part, minutes=list(minutes)))
        minutes = ()
    for minute in minutes:
        if not being_joined or not _has_room(being_joined[-1].ticks + minute.ticks, first.series):
            being_joined.append(_Open(next_part))
            next_part += 1
        being_joined[-1].minutes.append(minute)
        being_joined[-1].ticks += minute.ticks
    for one in being_joined:
        if not one.minutes:
            continue
        times, matrix, hours = _opened(one.minutes)
        for at_hour, figures in rollups.by_hour(matrix, hours):
            made.sum_up(first, at_hour, rollups.Part(figures, is_newest=int(times[-1]) >= newest_ns))
        if one.there is None:
            parts.append(made.add((times, matrix), hour, part=one.part, like=first))
        else:
            before = matrices.opened(one.there.block, series=first.series)
            whole = matrices.in_order(np.concatenate([before[0], times]), np.concatenate([before[1], matrix], axis=1))
            made.add(whole, hour, part=one.part, like=first, ticks_before=one.there.ticks)
        made.places += [(minute, hour) for minute in one.minutes]


def _opened(minutes: Sequence[Minute]) -> tuple[Times, Matrix, Times]:
    """Times and values in time order, and the hour to which each tick counts: that of its block, which the agent may
    have begun shortly before it."""
    blocks, shifts_ns = [minute.block for minute in minutes], [minute.shift_ns for minute in minutes]
    times, matrix = matrices.joined(blocks, shifts_ns, series=minutes[0].series)
    hours = np.repeat([minute.last_ns // HOUR_NS for minute in minutes], [minute.ticks for minute in minutes])
    in_order, matrix = matrices.in_order(times, matrix)
    return in_order, matrix, hours if in_order is times else in_order // HOUR_NS


def _has_room(ticks: int, width: int) -> bool:
    return ticks <= TICKS_MAX and ticks * width <= VALUES_MAX


def _first_ns(minute: Minute) -> int:
    return minute.first_ns


def _unsent(one: Minute, hour: int) -> export_cursors.Unsent:
    return export_cursors.Unsent(
        one.agent_id, one.epoch, one.seq, one.schema_id, hour, one.first_ns, one.series * one.ticks
    )
