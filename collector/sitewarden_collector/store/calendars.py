"""Calendars and their versions.

A version is only ever added, and what it says of holidays is kept with it: what was computed by it is computed the same
for ever.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import msgspec
from sqlalchemy import Column, Connection, ForeignKey, Integer, String, Table, Text, insert, select

from sitewarden_alerting.servicelevels.calendars import (
    AROUND_THE_CLOCK,
    Calendar,
    NamedDay,
    Timeline,
    parse_hours,
    parse_week,
    timeline,
    write_hours,
    write_week,
)
from sitewarden_collector.errors import NotFound
from sitewarden_collector.store import append_only
from sitewarden_collector.store.base import Id, Ns, id_column, metadata, new_id

BUILT_IN = AROUND_THE_CLOCK.latest.name

calendars = Table(
    "calendars",
    metadata,
    id_column(),
    Column("name", String(100), nullable=False, unique=True),
    Column("created_ns", Ns, nullable=False),
)

calendar_versions = Table(
    "calendar_versions",
    metadata,
    Column("calendar_id", Id, ForeignKey("calendars.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("from_ns", Ns, nullable=False),  # in force from here on
    Column("zone", String(64), nullable=False),
    Column("week", Text, nullable=False),
    Column("holidays", Text, nullable=False),  # JSON: [["2026-12-24", "Christmas Eve", "09:00-12:00"]]
    Column("workdays", Text, nullable=False),
    Column("source", Text, nullable=False),  # where the holidays came from: CN 2026,2027 holidays 0.109
    Column("by", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_ns", Ns, nullable=False),
)
append_only.guard(calendar_versions)


@dataclass(frozen=True, slots=True)
class Version:
    """One version with where it came from."""

    calendar: Calendar
    from_ns: int
    source: str
    by: str
    reason: str
    made_ns: int


def add(tx: Connection, name: str, *, now_ns: int) -> str:
    """A new calendar without versions; its id. The name must be free."""
    made = new_id()
    tx.execute(insert(calendars).values(id=made, name=name, created_ns=now_ns))
    return made


def find(tx: Connection, name: str) -> str | None:
    """The id of the calendar of that name."""
    found = tx.execute(select(calendars.c.id).where(calendars.c.name == name)).scalar_one_or_none()
    return None if found is None else str(found)


def add_version(tx: Connection, calendar_id: str, version: Version) -> None:
    one = version.calendar
    tx.execute(
        insert(calendar_versions).values(
            calendar_id=calendar_id,
            version=one.version,
            from_ns=version.from_ns,
            zone=one.zone,
            week=write_week(one.week),
            holidays=_pack(one.holidays),
            workdays=_pack(one.workdays),
            source=version.source,
            by=version.by,
            reason=version.reason,
            made_ns=version.made_ns,
        )
    )


def versions(tx: Connection, name: str) -> list[Version]:
    """The versions of a calendar in the order in which they were made; raises NotFound."""
    if name == BUILT_IN:
        return [Version(AROUND_THE_CLOCK.latest, 0, "", "", "built in", 0)]
    found = _versions(tx, [name]).get(name)
    if not found:
        raise NotFound(f"there is no calendar {name!r}; `sitewarden calendar list` shows those that are there")
    return found


def every(tx: Connection) -> dict[str, list[Version]]:
    """All calendars by name, with their versions."""
    names = [str(name) for name in tx.execute(select(calendars.c.name).order_by(calendars.c.name)).scalars()]
    return {BUILT_IN: versions(tx, BUILT_IN), **_versions(tx, names)}


def timelines(tx: Connection, names: Collection[str]) -> dict[str, Timeline]:
    """Calendars by name, ready to compute with. A name that is not there is missing."""
    found = _versions(tx, [name for name in names if name != BUILT_IN])
    made = {name: timeline((one.from_ns, one.calendar) for one in all_of) for name, all_of in found.items()}
    return {BUILT_IN: AROUND_THE_CLOCK, **made}


def _versions(tx: Connection, names: Collection[str]) -> dict[str, list[Version]]:
    if not names:
        return {}
    query = (
        select(calendars.c.name, calendar_versions)
        .join_from(calendars, calendar_versions)
        .where(calendars.c.name.in_(list(names)))
        .order_by(calendars.c.name, calendar_versions.c.version)
    )
    found: dict[str, list[Version]] = {}
    for row in tx.execute(query):
        days = _unpack(row.holidays), _unpack(row.workdays)
        one = Calendar(row.name, row.version, row.zone, parse_week(row.week), *days)
        found.setdefault(row.name, []).append(Version(one, row.from_ns, row.source, row.by, row.reason, row.made_ns))
    return found


def _pack(days: tuple[NamedDay, ...]) -> str:
    return msgspec.json.encode([(one.day.isoformat(), one.name, write_hours(one.hours)) for one in days]).decode()


def _unpack(text: str) -> tuple[NamedDay, ...]:
    found = msgspec.json.decode(text, type=list[tuple[str, str, str]])
    return tuple(NamedDay(date.fromisoformat(day), name, parse_hours(hours)) for day, name, hours in found)
