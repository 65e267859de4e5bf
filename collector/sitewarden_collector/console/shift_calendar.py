"""A schedule's weeks as they are drawn: each a row of seven days with a bar for each shift and each gap.

Places are percentages of the row's width, for SVG attributes: no page of ours has styles in it. A day on which clocks
change is an hour narrower or wider than others. Not here: who is on call (`alerting.oncall`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from babel.dates import format_skeleton

from sitewarden_alerting.oncall import Schedule, Shift
from sitewarden_alerting.oncall.local import instant, wall, zone_of
from sitewarden_collector.services.oncall_view import Period

COLOURS = 8


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    left: float
    today: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """One shift, or with an empty `person` a gap, as far as it lies in the week; the times are its whole ones."""

    person: str
    source: str
    from_ns: int
    until_ns: int
    left: float
    width: float
    colour: int


@dataclass(frozen=True, slots=True)
class Week:
    """`now` is where the present lies; negative when it lies elsewhere."""

    days: tuple[Day, ...]
    bars: tuple[Bar, ...]
    now: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A schedule's weeks, and its people with their colours."""

    schedule: Schedule
    serves: str
    weeks: list[Week]
    people: dict[str, int]


def draw(period: Period, *, zone: str, from_ns: int, weeks: int, now_ns: int) -> Drawn:
    """A schedule's weeks from a Monday on."""
    colour_of = colours(one.person for one in period.shifts)
    drawn = rows(
        period.shifts, period.gaps, zone=zone, from_ns=from_ns, weeks=weeks, colour_of=colour_of, now_ns=now_ns
    )
    return Drawn(period.schedule, period.serves, drawn, colour_of)


def day_label(day: date, *, locale: str) -> str:
    """`Tue 24`, in the language; the month too on its first days and on Mondays."""
    return str(format_skeleton("MMMd" if day.weekday() == 0 or day.day == 1 else "Ed", day, locale=locale))


def colours(names: Iterable[str]) -> dict[str, int]:
    """A colour for each person, the same on every page that shows the same people."""
    return {name: place % COLOURS for place, name in enumerate(sorted(set(names)))}


def span_of(zone: str, *, weeks: int, skip: int, now_ns: int) -> tuple[int, int]:
    """From the Monday of this week, `skip` weeks on, for some weeks."""
    where = zone_of(zone)
    monday = _monday(zone, now_ns) + timedelta(weeks=skip)
    return instant(where, monday, 0), instant(where, monday + timedelta(weeks=weeks), 0)


def rows(
    shifts: Sequence[Shift],
    gaps: Sequence[tuple[int, int]],
    *,
    zone: str,
    from_ns: int,
    weeks: int,
    colour_of: dict[str, int],
    now_ns: int,
) -> list[Week]:
    """The weeks from a Monday on."""
    where = zone_of(zone)
    monday = wall(where, from_ns).date()
    whole = [(one.person, one.source, one.from_ns, one.until_ns) for one in shifts]
    whole += [("", "gap", begin, end) for begin, end in gaps if end > now_ns]
    today = wall(where, now_ns).date()
    found = []
    for _ in range(weeks):
        midnights = [instant(where, monday + timedelta(days=day), 0) for day in range(8)]
        begin, end = midnights[0], midnights[-1]
        bars = []
        for person, source, starts, stops in whole:
            left, right = _part(max(starts, begin), begin, end), _part(min(stops, end), begin, end)
            if right > left:
                colour = colour_of.get(person, 0)
                bars.append(Bar(person, source, starts, stops, left, round(right - left, 3), colour))
        days = tuple(
            Day(monday + timedelta(days=day), _part(midnights[day], begin, end), monday + timedelta(days=day) == today)
            for day in range(7)
        )
        now = _part(now_ns, begin, end) if begin <= now_ns < end else -1.0
        found.append(Week(days, tuple(sorted(bars, key=lambda bar: bar.left)), now))
        monday += timedelta(weeks=1)
    return found


def _part(at_ns: int, begin: int, end: int) -> float:
    return round(100 * (at_ns - begin) / (end - begin), 3)


def _monday(zone: str, now_ns: int) -> date:
    today = wall(zone_of(zone), now_ns).date()
    return today - timedelta(days=today.weekday())
