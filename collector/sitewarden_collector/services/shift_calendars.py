"""Schedules as calendars: a feed of coming shifts for whoever has its secret address, and overrides read from a file.

Out: one entry a shift, with an identity that stays the same while the shift does, so that a subscribed calendar moves
entries instead of doubling them. In: each entry of a file puts the person whom it names on call for its time; read
again, an entry takes the place of what it was before. Both are bounded. Not here: the address itself (`web.one_tap`).
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from sitewarden_alerting import oncall
from sitewarden_alerting.model import DAY_NS, SECOND_NS
from sitewarden_alerting.oncall import Schedule, Shift
from sitewarden_alerting.oncall.local import zone_of
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import oncall as schedules_in_use
from sitewarden_collector.services import roster
from sitewarden_collector.store import schedules

if TYPE_CHECKING:
    import icalendar  # large, and few ever ask for a calendar

BACK_NS = 7 * DAY_NS
AHEAD_NS = 120 * DAY_NS
FILE_MAX_BYTES = 1024 * 1024
ENTRIES_MAX = 500
IMPORT_AHEAD_DAYS = 366
_FINE = re.compile(rb"FREQ=(SECOND|MINUTE)LY|BY(SECOND|MINUTE)=", re.IGNORECASE)  # years of seconds


def ical_of(tx: Connection, token: str, *, now_ns: int) -> str:
    """The calendar that a secret opens, as iCalendar text (RFC 5545). Raises NotFound."""
    name, person = schedules.by_feed(tx, token)
    if name:
        return ical(schedules.by_name(tx, name), now_ns=now_ns)
    calendar = _calendar(f"On call: {person}")
    for schedule in schedules.every(tx, since_ns=now_ns - BACK_NS):
        _fill(calendar, schedule, now_ns=now_ns, person=person)
    return str(calendar.to_ical().decode())


def ical(schedule: Schedule, *, now_ns: int) -> str:
    """The coming shifts of a schedule as iCalendar text."""
    calendar = _calendar(f"On call: {schedule.name}")
    _fill(calendar, schedule, now_ns=now_ns)
    return str(calendar.to_ical().decode())


def publish(tx: Connection, *, schedule: str = "", person: str = "") -> str:
    """Make a new secret address for the calendar of a schedule or a person; the old one ends. Raises NotFound."""
    token = secrets.token_urlsafe(24)
    schedule_id = schedules.by_name(tx, schedule).id if schedule else ""
    schedules.publish(tx, token, schedule_id=schedule_id, person=person)
    return f"{roster.public_url(tx)}/ical/{token}.ics"


def take_in(tx: Connection, schedule: str, content: bytes, *, by: str, now_ns: int) -> int:
    """Read the entries of a file as overrides, a person by the first word of each summary; how many.

    Entries that are over are left out; repeated ones count a year ahead. Raises NotFound, Invalid; then nothing is
    taken in.
    """
    if len(content) > FILE_MAX_BYTES:
        raise Invalid(f"the calendar is larger than {FILE_MAX_BYTES} bytes; take in a part of it")
    where = schedules.by_name(tx, schedule)
    known = {person for layer in where.layers for person in layer.people} | set(where.managers)
    taken = 0
    for uid, summary, begin_ns, end_ns in _entries(content, where.zone, now_ns=now_ns):
        words = summary.replace(",", " ").split()
        person = next((word for word in words if word in known), words[0] if len(words) == 1 else "")
        if not person:
            raise Invalid(f"{summary!r} names nobody of {schedule}: begin each summary with a person's name")
        schedules_in_use.override(
            tx,
            schedule,
            person,
            from_ns=begin_ns,
            until_ns=end_ns,
            reason="from a calendar",
            source=sha256(f"{uid}|{begin_ns}".encode()).hexdigest(),
            by=by,
            now_ns=now_ns,
        )
        taken += 1
    return taken


def _entries(content: bytes, zone: str, *, now_ns: int) -> list[tuple[str, str, int, int]]:
    """(uid, summary, from, until) of what is not over yet."""
    since = datetime.fromtimestamp(now_ns // SECOND_NS, UTC)
    if _FINE.search(content):
        raise Invalid("the calendar repeats something every minute, which no shift does; take in a part of it")
    import icalendar
    import recurring_ical_events

    try:
        calendar = icalendar.Calendar.from_ical(content)
        events = recurring_ical_events.of(calendar).between(since, since + timedelta(days=IMPORT_AHEAD_DAYS))
    except Exception as error:
        raise Invalid(f"this is no calendar that can be read ({type(error).__name__}); export it as .ics") from error
    if len(events) > ENTRIES_MAX:
        raise Invalid(f"the calendar has more than {ENTRIES_MAX} entries in the year to come; take in a part of it")
    found = []
    for event in events:
        begin, end = event.get("DTSTART"), event.get("DTEND")
        begin_ns = _instant(begin.dt, zone) if begin is not None else 0
        end_ns = _instant(end.dt, zone) if end is not None else begin_ns
        if end_ns > begin_ns:
            found.append((str(event.get("UID", "")), str(event.get("SUMMARY", "")), begin_ns, end_ns))
    return found


def _instant(when: object, zone: str) -> int:
    """A date is its midnight in the schedule's zone, and so is a time without a zone of its own."""
    if not isinstance(when, datetime):
        when = datetime.fromisoformat(f"{when}T00:00:00")
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone_of(zone))
    return round(when.timestamp()) * SECOND_NS


def _calendar(name: str) -> icalendar.Calendar:
    import icalendar

    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//Sitewarden//on call//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval;value=duration", "PT1H")
    return calendar


def _fill(calendar: icalendar.Calendar, schedule: Schedule, *, now_ns: int, person: str = "") -> None:
    import icalendar

    # From further back, so that a shift under way is whole: its identity is its beginning.
    for shift in oncall.shifts(schedule, now_ns - BACK_NS - 62 * DAY_NS, now_ns + AHEAD_NS):
        if shift.until_ns <= now_ns - BACK_NS or (person and shift.person != person):
            continue
        event = icalendar.Event()
        event.add("uid", _uid(schedule, shift))
        event.add("dtstamp", datetime.fromtimestamp(now_ns // SECOND_NS, UTC))
        event.add("dtstart", datetime.fromtimestamp(shift.from_ns // SECOND_NS, UTC))
        event.add("dtend", datetime.fromtimestamp(shift.until_ns // SECOND_NS, UTC))
        event.add("summary", f"{shift.person} on call ({schedule.name})")
        calendar.add_component(event)


def _uid(schedule: Schedule, shift: Shift) -> str:
    name = sha256(f"{schedule.id}|{shift.from_ns}|{shift.person}".encode()).hexdigest()[:24]
    return f"{name}@sitewarden"
