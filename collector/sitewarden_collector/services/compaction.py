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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Connection

from sitewarden_collector.services import rollups
from sitewarden_collector.store import export_cursors, lock, matrices, resting, sample_days, sample_hours
from sitewarden_collector.store.day_hours import HOURS_A_DAY
from sitewarden_collector.store.matrices import Matrix, Times
from sitewarden_collector.store.sample_days import Day, DayKey
from sitewarden_collector.store.sample_hours import Hour, HourKey, Minute, Ripe

HOUR_NS = 3_600 * 1_000_000_000
REST_NS = 15 * 60 * 1_000_000_000
"""An hour is joined so long after its end: what comes a little late is in it at once."""
BLOCKS_AT_ONCE = 2_000
VALUES_AT_ONCE = 8_388_608
LITTLE_TICKS = 540
"""Of hosts that tick seldom several hours make one block, of no more ticks than one and a half of others have, as far
as they are due together."""
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
    places: list[tuple[int, Sequence[Minute]]] = field(default_factory=list)
    """Hours, and the minutes that rest under them then."""
    summed: dict[DayKey, rollups.Summed] = field(default_factory=dict)
    days: list[Day] = field(default_factory=list)

    def sum_up(self, of: Minute, hours: Iterable[tuple[int, Matrix]], *, is_newest: bool) -> None:
        """Add what came of some hours; figures x series of each."""
        for hour, figures in hours:
            key = (of.agent_id, of.schema_id, of.site_id, hour // HOURS_A_DAY)
            if key not in self.summed:
                self.summed[key] = rollups.Summed(of.customer_id, of.series)
            self.summed[key].hours.setdefault(hour, []).append(rollups.Part(figures, is_newest))

    def __len__(self) -> int:
        return len(self.fresh) + len(self.grown)


@dataclass(slots=True)
class _Open:
    """A block that is being joined. `there`: as it is stored. What ends at `newest_ns` or later is the newest."""

    hour: int
    part: int
    newest_ns: int
    there: Hour | None = None
    ticks: int = 0
    minutes: list[Minute] = field(default_factory=list)

    def made(self, times: Times, block: bytes) -> Hour:
        first = self.minutes[0]
        return Hour(
            agent_id=first.agent_id,
            schema_id=first.schema_id,
            hour=self.hour,
            part=self.part,
            customer_id=first.customer_id,
            site_id=first.site_id,
            first_ns=int(times[0]),
            last_ns=int(times[-1]),
            ticks=len(times),
            block=block,
        )


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
    for some in _alike(_opened(list(_runs(by_hour, there)), there)):
        _join_alike(made, some)
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
    export_cursors.owe(tx, (_unsent(one, hour) for hour, some in joined.places for one in some))
    done = sample_hours.take(tx, joined.minutes) and sample_hours.add(tx, joined.fresh)
    for hour, ticks_before in joined.grown:
        done = done and sample_hours.grow(tx, hour, ticks_before=ticks_before)
    if not done or not sample_days.put(tx, joined.days):
        raise Outdated("samples changed while they were being joined")
    return len(joined)


def _opened(runs: Sequence[list[Minute]], there: Mapping[HourKey, Sequence[Hour]]) -> Iterator[_Open]:
    """The blocks to which minutes are joined: what is there of their first hour, and fresh ones."""
    next_parts = {key: parts[-1].part + 1 for key, parts in there.items()}
    for minutes in runs:
        first = minutes[0]
        hour = first.last_ns // HOUR_NS
        key = (first.agent_id, first.schema_id, hour)
        mine = [part for part in there.get(key, ()) if part.site_id == first.site_id]
        newest_ns = max((part.last_ns for part in mine), default=sys.maxsize)  # forgotten ones stay the newest
        one: _Open | None = None
        ticks = sum([minute.ticks for minute in minutes])
        if not mine and _has_room(ticks, first.series):
            yield _Open(hour, next_parts.get(key, 0), newest_ns, ticks=ticks, minutes=minutes)
            next_parts[key] = next_parts.get(key, 0) + 1
            continue
        if mine and _has_room(mine[-1].ticks, first.series):
            one = _Open(hour, mine[-1].part, newest_ns, mine[-1], mine[-1].ticks)
        for minute in minutes:
            if one is None or not _has_room(one.ticks + minute.ticks, first.series):
                if one is not None and one.minutes:
                    yield one
                next_parts[key] = next_parts.get(key, 0) + 1
                one = _Open(hour, next_parts[key] - 1, newest_ns)
            one.minutes.append(minute)
            one.ticks += minute.ticks
        if one is not None:
            yield one


def _alike(blocks: Iterable[_Open]) -> Iterator[list[_Open]]:
    """Those that are made of as many minutes of one shape together, as far as they are worked on together."""
    waiting: dict[tuple[int, int, int], list[_Open]] = {}
    for one in blocks:
        first = one.minutes[0]
        together = resting.VALUES_TOGETHER // (first.series * first.ticks * len(one.minutes))
        if together < 2 or {minute.ticks for minute in one.minutes} != {first.ticks}:
            yield [one]
            continue
        some = waiting.setdefault((first.series, first.ticks, len(one.minutes)), [])
        some.append(one)
        if len(some) >= together:
            yield some.copy()
            some.clear()
    yield from filter(None, waiting.values())


def _join_alike(made: Joined, some: Sequence[_Open]) -> None:
    """Join the minutes of each of some blocks, and sum them up."""
    times, stack, hours = _stacked(some)
    for one, its_times, its_hours in zip(some, times, rollups.by_hour(stack, hours), strict=True):
        made.sum_up(one.minutes[0], its_hours, is_newest=int(its_times[-1]) >= one.newest_ns)
        made.places.append((one.hour, one.minutes))
    if all(one.there is None for one in some):
        blocks = resting.closed_all(times, stack)
        made.fresh += [one.made(*its) for one, *its in zip(some, times, blocks, strict=True)]
        return
    for one, its_times, matrix in zip(some, times, stack, strict=True):
        if one.there is None:
            made.fresh.append(one.made(its_times, resting.closed(its_times, matrix)))
        else:
            before = matrices.opened(one.there.block, series=len(matrix))
            whole = matrices.in_order(
                np.concatenate([before[0], its_times]), np.concatenate([before[1], matrix], axis=1)
            )
            made.grown.append((one.made(whole[0], resting.closed(*whole)), one.there.ticks))


def _stacked(some: Sequence[_Open]) -> tuple[Times, Matrix, Times]:
    """Of each block times and values in time order, and the hour to which each tick counts: that of its minute, which
    the agent may have begun shortly before it."""
    minutes = [minute for one in some for minute in one.minutes]
    blocks, shifts_ns = [minute.block for minute in minutes], [minute.shift_ns for minute in minutes]
    if len(some) > 1:
        times, stack = matrices.stacked(blocks, shifts_ns, hosts=len(some), series=minutes[0].series)
    else:
        only = matrices.joined(blocks, shifts_ns, series=minutes[0].series)
        times, stack = only[0][np.newaxis], only[1][np.newaxis]
    of_minute = [minute.last_ns // HOUR_NS for minute in minutes]
    hours = np.repeat(of_minute, [minute.ticks for minute in minutes]).reshape(times.shape)
    for host in np.flatnonzero((times[:, 1:] < times[:, :-1]).any(axis=1)).tolist():
        times[host], stack[host] = matrices.in_order(times[host], stack[host])
        hours[host] = times[host] // HOUR_NS
    return times, stack, hours


def _has_room(ticks: int, width: int) -> bool:
    return ticks <= TICKS_MAX and ticks * width <= VALUES_MAX


def _first_ns(minute: Minute) -> int:
    return minute.first_ns


def _unsent(one: Minute, hour: int) -> export_cursors.Unsent:
    return export_cursors.Unsent(
        one.agent_id, one.epoch, one.seq, one.schema_id, hour, one.first_ns, one.series * one.ticks
    )
