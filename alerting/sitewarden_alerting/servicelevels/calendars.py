"""Working hours: a week of them in a time zone, the holidays on which nobody works, the extra days on which they do.

The wall clock decides: an instant is working time when a clock on the wall of the zone reads a time within the hours of
that wall's date. So an hour that a spring night leaves out does not count, one that an autumn night repeats counts
twice, and a day of 23 or 25 hours counts what it really has.

A calendar never changes. A change makes another version of it, valid from an instant on (`Timeline`); what lies before
goes on being computed by the version that was in force then. Holidays are part of the value: nothing is looked up.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from sitewarden_alerting.oncall.local import zone_of

DAY_MINUTES = 24 * 60
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class BadCalendar(ValueError):
    """The hours, days or zone make no calendar; the message says which and what would."""


@dataclass(frozen=True, slots=True, order=True)
class Hours:
    """From one minute of the day to another, as 540 to 1080 for 09:00 to 18:00; 1440 is midnight at the day's end."""

    from_min: int
    until_min: int

    def __str__(self) -> str:
        return f"{_clock(self.from_min)}-{_clock(self.until_min)}"


ALL_DAY = (Hours(0, DAY_MINUTES),)
Week = tuple[tuple[Hours, ...], ...]  # seven days from Monday, each with its hours in order


@dataclass(frozen=True, slots=True)
class NamedDay:
    """A date with what people call it, and the hours that it has where it is worked for a part of it."""

    day: date
    name: str
    hours: tuple[Hours, ...] = ()


@dataclass(frozen=True, slots=True)
class Calendar:
    """One version of a calendar. `workdays` are worked whatever the week or the holidays say, as on the Sundays that
    make up for a long holiday in China; without hours of its own such a day has those of its weekday, else of the first
    day with hours. A holiday with hours is half a one: worked within them."""

    name: str
    version: int
    zone: str
    week: Week
    holidays: tuple[NamedDay, ...] = ()
    workdays: tuple[NamedDay, ...] = ()

    def __post_init__(self) -> None:
        _check(self)

    def __hash__(self) -> int:  # the holidays of many years are not hashed at every look into a cache
        return hash((self.name, self.version, self.zone, self.week))

    @property
    def always(self) -> bool:
        """Whether every minute counts."""
        whole = not self.holidays and not any(one.hours for one in self.workdays)
        return whole and all(day == ALL_DAY for day in self.week)


@dataclass(frozen=True, slots=True)
class Day:
    """The hours of one date, and why it has those: `holiday` or `extra` is its name where it is one."""

    hours: tuple[Hours, ...]
    holiday: str = ""
    extra: str = ""


def day_of(calendar: Calendar, day: date) -> Day:
    """The hours of a date."""
    holidays, workdays = _named(calendar)
    usual = calendar.week[day.weekday()]
    if (extra := workdays.get(day)) is not None:
        hours = extra.hours or usual or next(hours for hours in calendar.week if hours)
        return Day(hours, extra=extra.name or "working day")
    if (holiday := holidays.get(day)) is not None:
        return Day(holiday.hours, holiday=holiday.name or "holiday")
    return Day(usual)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The versions of a calendar, each with the instant from which on it is in force, in that order."""

    versions: tuple[tuple[int, Calendar], ...]

    @property
    def latest(self) -> Calendar:
        return self.versions[-1][1]

    def at(self, at_ns: int) -> Calendar:
        """The version in force at an instant; before the first there is the first."""
        found = self.versions[0][1]
        for from_ns, calendar in self.versions:
            if from_ns <= at_ns:
                found = calendar
        return found


def timeline(versions: Iterable[tuple[int, Calendar]]) -> Timeline:
    """Versions in the order in which they were made: each holds from its instant on, whatever was planned before."""
    made: list[tuple[int, Calendar]] = []
    for from_ns, calendar in versions:
        made = [*((ns, one) for ns, one in made if ns < from_ns), (from_ns, calendar)]
    if not made:
        raise BadCalendar("a calendar has at least one version")
    return Timeline(tuple(made))


def parse_week(text: str) -> Week:
    """A week as people write it: `mon-fri 09:00-12:30 13:30-18:00; sat 10:00-14:00`, or `24x7`; raises BadCalendar."""
    if text.strip().lower() in ("24x7", "7x24"):
        return (ALL_DAY,) * 7
    week: list[tuple[Hours, ...]] = [()] * 7
    for part in filter(None, (part.strip() for part in text.lower().split(";"))):
        days, *spans = part.split()
        if not spans:
            raise BadCalendar(f"{part!r} names no hours; write it as `mon-fri 09:00-18:00`")
        hours = tuple(sorted(_hours(span) for span in spans))
        for day in _days(days):
            week[day] = tuple(sorted({*week[day], *hours}))
    return tuple(week)


def parse_hours(text: str) -> tuple[Hours, ...]:
    """The hours of one day, as `09:00-12:00 13:00-15:00`; raises BadCalendar."""
    return tuple(sorted(_hours(span) for span in text.split()))


def write_hours(hours: tuple[Hours, ...]) -> str:
    """Hours as `parse_hours` reads them."""
    return " ".join(map(str, hours))


def write_week(week: Week) -> str:
    """A week as `parse_week` reads it."""
    if all(day == ALL_DAY for day in week):
        return "24x7"
    parts = []
    first = 0
    for last in range(7):
        if last < 6 and week[last + 1] == week[first]:
            continue
        if week[first]:
            days = DAYS[first] if first == last else f"{DAYS[first]}-{DAYS[last]}"
            parts.append(f"{days} {' '.join(map(str, week[first]))}")
        first = last + 1
    return "; ".join(parts)


def _days(text: str) -> Iterable[int]:
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last and last not in DAYS):
            raise BadCalendar(f"{part!r} is no day; write mon, tue, wed, thu, fri, sat, sun, or mon-fri")
        start, end = DAYS.index(first), DAYS.index(last or first)
        found += [(start + i) % 7 for i in range((end - start) % 7 + 1)]
    return found


def _hours(text: str) -> Hours:
    first, _, last = text.partition("-")
    try:
        made = Hours(_minute(first), _minute(last))
    except ValueError:
        raise BadCalendar(f"{text!r} is no span of hours; write it as 09:00-18:00") from None
    if not made.from_min < made.until_min:
        raise BadCalendar(
            f"{text} ends before it begins; split what goes over midnight into 22:00-24:00 and 00:00-06:00"
        )
    return made


def _minute(text: str) -> int:
    hour, minute = text.split(":")
    found = int(hour) * 60 + int(minute)
    if not (0 <= found <= DAY_MINUTES and 0 <= int(minute) < 60):
        raise ValueError
    return found


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


@lru_cache(maxsize=256)
def _named(calendar: Calendar) -> tuple[dict[date, NamedDay], dict[date, NamedDay]]:
    return {one.day: one for one in calendar.holidays}, {one.day: one for one in calendar.workdays}


def _check(calendar: Calendar) -> None:
    try:
        zone_of(calendar.zone)
    except ValueError:
        raise BadCalendar(f"{calendar.zone!r} is no time zone; write one as Europe/Berlin or Asia/Shanghai") from None
    if len(calendar.week) != 7 or not any(calendar.week):
        raise BadCalendar("a week has seven days, and hours on at least one of them: no clock would ever move")
    for hours in (*calendar.week, *(one.hours for one in (*calendar.holidays, *calendar.workdays) if one.hours)):
        edges = [edge for one in hours for edge in (one.from_min, one.until_min)]
        if edges != sorted(set(edges)) and any(a.until_min > b.from_min for a, b in itertools.pairwise(hours)):
            raise BadCalendar(f"the hours {' '.join(map(str, hours))} overlap; write each hour once, in order")
        if any(not 0 <= one.from_min < one.until_min <= DAY_MINUTES for one in hours):
            raise BadCalendar("hours lie between 00:00 and 24:00 and end after they begin")


AROUND_THE_CLOCK = timeline([(0, Calendar("24x7", 1, "UTC", (ALL_DAY,) * 7))])
