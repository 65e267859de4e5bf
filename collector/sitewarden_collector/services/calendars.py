"""Calendars in use: made, and changed by a further version that holds from an instant on.

What lies before that instant goes on being counted by the version before. Every open ticket that the change concerns
has its clocks brought up to date in the same transaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import Connection

from sitewarden_alerting.servicelevels.calendars import BadCalendar, Calendar, NamedDay, parse_hours, parse_week
from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.services import service_levels
from sitewarden_collector.services.holidays_of import Snapshot
from sitewarden_collector.store import calendars, contracts
from sitewarden_collector.store.calendars import BUILT_IN, Version

_SPAN = re.compile(r"\d{1,2}:\d{2}-\d{1,2}:\d{2}")


@dataclass(frozen=True, slots=True)
class Summary:
    """A calendar's newest version, how many contracts count by it, and the next day that is another."""

    name: str
    last: Version
    contracts: int
    next: NamedDay | None


def summaries(tx: Connection, *, today: date) -> list[Summary]:
    """All calendars by name, the built-in one first."""
    found = []
    for name, versions in calendars.every(tx).items():
        last = versions[-1].calendar
        ahead = [one for one in (*last.holidays, *last.workdays) if one.day >= today]
        coming = min(ahead, key=lambda one: one.day, default=None)
        found.append(Summary(name, versions[-1], len(contracts.with_calendar(tx, name)), coming))
    return found


def add(
    tx: Connection,
    name: str,
    *,
    zone: str,
    week: str,
    days: Snapshot | None = None,
    holidays: Iterable[NamedDay] = (),
    workdays: Iterable[NamedDay] = (),
    by: str,
    now_ns: int,
) -> Version:
    """A new calendar. Raises Invalid, Conflict."""
    name = name.strip()
    if not name or len(name) > 100 or "@" in name:
        raise Invalid("a calendar's name has 1 to 100 characters and no @")
    if name == BUILT_IN or calendars.find(tx, name) is not None:
        raise Conflict(f"there is a calendar {name!r} already; `sitewarden calendar change` makes a new version of it")
    try:
        made = _with(Calendar(name, 1, zone, parse_week(week)), days, holidays, workdays)
    except BadCalendar as error:
        raise Invalid(str(error)) from error
    version = Version(made, 0, days.source if days else "", by, "new", now_ns)
    calendars.add_version(tx, calendars.add(tx, name, now_ns=now_ns), version)
    return version


def change(
    tx: Connection,
    name: str,
    *,
    zone: str = "",
    week: str = "",
    days: Snapshot | None = None,
    holidays: Iterable[NamedDay] = (),
    workdays: Iterable[NamedDay] = (),
    without: Iterable[str] = (),
    from_ns: int,
    by: str,
    reason: str,
    now_ns: int,
) -> Version:
    """A further version, in force from `from_ns` on: what is not named stays; a snapshot takes the place of the days of
    its years; `without` names dates (ISO) that are days as any other. Raises NotFound, Invalid, Conflict."""
    if name == BUILT_IN:
        raise Conflict(f"{BUILT_IN} counts every minute and does not change; `sitewarden calendar add` makes another")
    last = calendars.versions(tx, name)[-1]
    old = last.calendar
    gone = set(without)
    kept = replace(
        old,
        holidays=tuple(one for one in old.holidays if one.day.isoformat() not in gone),
        workdays=tuple(one for one in old.workdays if one.day.isoformat() not in gone),
    )
    try:
        made = replace(
            kept, version=old.version + 1, zone=zone or old.zone, week=parse_week(week) if week else old.week
        )
        made = _with(made, days, holidays, workdays)
    except BadCalendar as error:
        raise Invalid(str(error)) from error
    source = "; ".join(filter(None, (last.source, days.source if days else "")))
    version = Version(made, from_ns, source, by, reason, now_ns)
    calendar_id = calendars.find(tx, name)
    assert calendar_id is not None
    calendars.add_version(tx, calendar_id, version)
    for customer_id in {one.customer_id for one in contracts.with_calendar(tx, name)}:
        service_levels.refresh_customer(tx, customer_id, now_ns=now_ns)
    return version


def named_day(day: date, said: str) -> NamedDay:
    """A day as people write it: what it is called, with the hours in which it is worked where it has its own, as
    `Christmas Eve 09:00-12:00`. Raises Invalid."""
    hours = [word for word in said.split() if _SPAN.fullmatch(word)]
    name = " ".join(word for word in said.split() if word not in hours)
    try:
        return NamedDay(day, name, parse_hours(" ".join(hours)))
    except BadCalendar as error:
        raise Invalid(str(error)) from error


def demand(tx: Connection, names: Iterable[str]) -> None:
    """Raise NotFound unless there are calendars of these names."""
    for name in set(names):
        calendars.versions(tx, name)


def _with(
    calendar: Calendar, days: Snapshot | None, holidays: Iterable[NamedDay], workdays: Iterable[NamedDay]
) -> Calendar:
    free = {one.day: one for one in calendar.holidays}
    worked = {one.day: one for one in calendar.workdays}
    if days is not None:
        years = {one.day.year for one in days.holidays}
        free = {day: one for day, one in free.items() if day.year not in years}
        worked = {day: one for day, one in worked.items() if day.year not in years}
        free |= {one.day: one for one in days.holidays}
        worked |= {one.day: one for one in days.workdays}
    for one in holidays:
        free[one.day] = one
        worked.pop(one.day, None)
    for one in workdays:
        worked[one.day] = one
        free.pop(one.day, None)
    return replace(
        calendar,
        holidays=tuple(free[day] for day in sorted(free)),
        workdays=tuple(worked[day] for day in sorted(worked)),
    )
