"""Working time: what part of the time between two instants it is, and when some of it will be over.

Instants are UTC nanoseconds. The time line is cut into UTC days, those into pieces in which the zone's offset stays the
same, and in a piece the wall clock runs evenly: that is all there is to daylight saving. Works for zones whose offset
changes at most once in six hours, which is every zone that there is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from sitewarden_alerting.model import DAY_NS, SECOND_NS
from sitewarden_alerting.servicelevels.calendars import Calendar, Day, Timeline, day_of

DAY_S = 86_400
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_SAMPLE_S = DAY_S // 4
HORIZON_NS = 5 * 366 * DAY_NS  # what is not due by then is not due


class Sort(StrEnum):
    """What a stretch of the calendar is."""

    WORKING = "working"
    OUTSIDE = "outside_hours"
    HOLIDAY = "holiday"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time of one sort under one version of a calendar; `name` is a holiday's, or that of an extra working day."""

    from_ns: int
    until_ns: int
    sort: Sort
    name: str
    calendar: Calendar


def stretches(line: Timeline, from_ns: int, until_ns: int) -> Iterator[Stretch]:
    """The time between two instants, cut where its sort, its name or the version of the calendar changes, in order."""
    held: Stretch | None = None
    for one in _cut(line, from_ns, until_ns):
        if held is None:
            held = one
        elif (held.sort, held.name, held.calendar) == (one.sort, one.name, one.calendar):
            held = Stretch(held.from_ns, one.until_ns, held.sort, held.name, held.calendar)
        else:
            yield held
            held = one
    if held is not None:
        yield held


def working_ns(line: Timeline, from_ns: int, until_ns: int) -> int:
    """How much of the time between two instants is working time; 0 where the second is not later."""
    return sum(one.until_ns - one.from_ns for one in _cut(line, from_ns, until_ns) if one.sort is Sort.WORKING)


def is_working(line: Timeline, at_ns: int) -> bool:
    """Whether the nanosecond that begins at an instant is working time."""
    return working_ns(line, at_ns, at_ns + 1) == 1


def due_at(line: Timeline, start_ns: int, goal_ns: int, *, pauses: tuple[tuple[int, int], ...] = ()) -> int | None:
    """The first instant at which `goal_ns` of working time outside `pauses` have passed since the start.

    A goal that ends with the day's hours is due at their end, not at the beginning of the next day's. None where that
    lies beyond all planning (`HORIZON_NS`).
    """
    left_ns = goal_ns
    if left_ns <= 0:
        return start_ns
    for one in _cut(line, start_ns, start_ns + HORIZON_NS):
        if one.sort is not Sort.WORKING:
            continue
        for from_ns, until_ns in _without(one.from_ns, one.until_ns, pauses):
            if until_ns - from_ns >= left_ns:
                return from_ns + left_ns
            left_ns -= until_ns - from_ns
    return None


def _without(from_ns: int, until_ns: int, pauses: tuple[tuple[int, int], ...]) -> Iterator[tuple[int, int]]:
    for pause_ns, on_ns in sorted(pauses):
        if on_ns <= from_ns or pause_ns >= until_ns:
            continue
        if pause_ns > from_ns:
            yield from_ns, pause_ns
        from_ns = on_ns
    if from_ns < until_ns:
        yield from_ns, until_ns


def _cut(line: Timeline, from_ns: int, until_ns: int) -> Iterator[Stretch]:
    for i, (_, calendar) in enumerate(line.versions):
        since_ns = from_ns if i == 0 else max(from_ns, line.versions[i][0])
        ends_ns = line.versions[i + 1][0] if i + 1 < len(line.versions) else until_ns
        yield from _of_version(calendar, since_ns, min(until_ns, ends_ns))


def _of_version(calendar: Calendar, from_ns: int, until_ns: int) -> Iterator[Stretch]:
    if from_ns >= until_ns:
        return
    if calendar.always:
        yield Stretch(from_ns, until_ns, Sort.WORKING, "", calendar)
        return
    for number in range(from_ns // DAY_NS, (until_ns - 1) // DAY_NS + 1):
        for one in _utc_day(calendar, number):
            if one.until_ns <= from_ns:
                continue
            if one.from_ns >= until_ns:
                return
            inside = one.from_ns >= from_ns and one.until_ns <= until_ns
            yield (
                one
                if inside
                else Stretch(max(one.from_ns, from_ns), min(one.until_ns, until_ns), one.sort, one.name, calendar)
            )


@lru_cache(maxsize=16_384)
def _utc_day(calendar: Calendar, number: int) -> tuple[Stretch, ...]:
    """The stretches of one day of UTC, counted from 1970."""
    found: list[Stretch] = []
    for from_s, until_s, offset_s in _pieces(calendar.zone, number):
        wall_s, wall_end_s = from_s + offset_s, until_s + offset_s
        while wall_s < wall_end_s:
            midnight_s = wall_s - wall_s % DAY_S
            ends_s = min(wall_end_s, midnight_s + DAY_S)
            day = day_of(calendar, date.fromordinal(_EPOCH_DAY + midnight_s // DAY_S))
            found += _of_date(calendar, day, midnight_s, wall_s, ends_s, offset_s)
            wall_s = ends_s
    return tuple(found)


def _of_date(
    calendar: Calendar, day: Day, midnight_s: int, wall_s: int, ends_s: int, offset_s: int
) -> Iterator[Stretch]:
    """The stretches of a part of one date, whose wall clock runs from `wall_s` to `ends_s` evenly."""
    idle = Sort.HOLIDAY if day.holiday else Sort.OUTSIDE
    at_s = wall_s
    for hours in day.hours:
        open_s = max(at_s, midnight_s + hours.from_min * 60)
        close_s = min(ends_s, midnight_s + hours.until_min * 60)
        if open_s >= close_s:
            continue
        if at_s < open_s:
            yield _stretch(calendar, at_s, open_s, offset_s, idle, day.holiday)
        yield _stretch(calendar, open_s, close_s, offset_s, Sort.WORKING, day.extra)
        at_s = close_s
    if at_s < ends_s:
        yield _stretch(calendar, at_s, ends_s, offset_s, idle, day.holiday)


def _stretch(calendar: Calendar, from_s: int, until_s: int, offset_s: int, sort: Sort, name: str) -> Stretch:
    return Stretch((from_s - offset_s) * SECOND_NS, (until_s - offset_s) * SECOND_NS, sort, name, calendar)


@lru_cache(maxsize=16_384)
def _pieces(zone: str, number: int) -> tuple[tuple[int, int, int], ...]:
    """One day of UTC as pieces of constant offset: from, until, offset, in seconds."""
    where = ZoneInfo(zone)
    start_s = number * DAY_S
    cuts = [start_s]
    for from_s in range(start_s, start_s + DAY_S, _SAMPLE_S):
        until_s = from_s + _SAMPLE_S
        if _offset(where, from_s) != _offset(where, until_s):
            cuts.append(_change(where, from_s, until_s))
    edges = [*dict.fromkeys(cuts), start_s + DAY_S]
    return tuple((a, b, _offset(where, a)) for a, b in itertools.pairwise(edges) if a < b)


def _change(where: ZoneInfo, low_s: int, high_s: int) -> int:
    """The first second with the offset that holds at `high_s`."""
    before = _offset(where, low_s)
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        if _offset(where, middle_s) == before:
            low_s = middle_s
        else:
            high_s = middle_s
    return high_s


def _offset(where: ZoneInfo, at_s: int) -> int:
    offset = datetime.fromtimestamp(at_s, where).utcoffset()
    return 0 if offset is None else round(offset.total_seconds())
