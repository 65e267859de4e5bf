"""`sitewarden calendar list | show | add | change`: working hours, holidays, and their versions."""

from __future__ import annotations

import argparse
import getpass
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sitewarden_alerting.model import SECOND_NS
from sitewarden_alerting.servicelevels.calendars import NamedDay, write_hours, write_week
from sitewarden_collector.cli import _common
from sitewarden_collector.cli._common import iso
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import calendars as service
from sitewarden_collector.services.holidays_of import Snapshot, snapshot
from sitewarden_collector.services.promises import read_day
from sitewarden_collector.store import calendars
from sitewarden_collector.store.calendars import Version


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("calendar", help="working hours and holidays by which contracts count")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = commands.add_parser("list", help="all calendars, each in its latest version")
    listing.set_defaults(run=_list)
    show = commands.add_parser("show", help="every version of a calendar, with its holidays")
    show.set_defaults(run=_show)
    add = commands.add_parser("add", help="make a calendar")
    add.set_defaults(run=_add)
    change = commands.add_parser("change", help="make a new version, in force from an instant on")
    change.add_argument("--from", dest="since", default="", metavar="DATE", help="from its midnight on (default: now)")
    change.add_argument("--without", action="append", default=[], metavar="DATE", help="is a day as any other")
    change.add_argument("--reason", required=True, metavar="TEXT", help="why it changes")
    change.set_defaults(run=_change)
    for one in (show, add, change):
        one.add_argument("name", metavar="NAME")
    for one, needed in ((add, True), (change, False)):
        one.add_argument("--zone", required=needed, default="", metavar="ZONE", help="as Europe/Berlin")
        one.add_argument(
            "--week",
            required=needed,
            default="",
            metavar="HOURS",
            help='as "mon-fri 09:00-18:00; sat 10:00-14:00", 24x7',
        )
        one.add_argument("--country", default="", metavar="CODE", help="take the holidays of a country, as CN or DE")
        one.add_argument("--subdivision", default="", metavar="CODE", help="and of a part of it, as BY")
        one.add_argument("--years", default="", metavar="YEARS", help="of these years, as 2026 or 2026-2028")
        holiday = 'nobody works on this day, or within hours alone: "2026-12-24=Christmas Eve 09:00-12:00"'
        one.add_argument("--holiday", action="append", default=[], metavar="DATE=NAME", help=holiday)
        one.add_argument("--workday", action="append", default=[], metavar="DATE=NAME", help="this day is worked")
        one.add_argument("--by", default="", metavar="NAME", help="who does it (default: your login name)")
    for one in (listing, show, add, change):
        _common.add_config_option(one)
        _common.add_json_option(one)


def _list(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(calendars.every)
    if arguments.json:
        _common.print_json([_row(versions[-1]) for versions in found.values()])
        return 0
    rows = [
        (c.name, c.version, c.zone, write_week(c.week), len(c.holidays), len(c.workdays))
        for versions in found.values()
        for c in (versions[-1].calendar,)
    ]
    _common.print_table(("NAME", "VERSION", "ZONE", "HOURS", "HOLIDAYS", "EXTRA DAYS"), rows)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(calendars.versions, arguments.name)
    if arguments.json:
        _common.print_json([_row(one) for one in found])
        return 0
    for one in found:
        c = one.calendar
        since = f"from {iso(one.from_ns)}" if one.from_ns else "from the beginning"
        print(f"{c.name} version {c.version}, {since}: {write_week(c.week)} in {c.zone}")
        if one.by:
            print(f"  made {iso(one.made_ns)} by {one.by}: {one.reason}" + (f" ({one.source})" if one.source else ""))
        for day in c.holidays:
            print(f"  {day.day} {day.day:%a}  {day.name} {write_hours(day.hours)}".rstrip())
        for day in c.workdays:
            print(f"  {day.day} {day.day:%a}  works: {day.name} {write_hours(day.hours)}".rstrip())
    return 0


def _add(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        made = db.write_now(
            service.add,
            arguments.name,
            zone=arguments.zone,
            week=arguments.week,
            days=_days(arguments),
            holidays=_named(arguments.holiday),
            workdays=_named(arguments.workday),
            by=arguments.by or getpass.getuser(),
            now_ns=time.time_ns(),
        )
    return _say(arguments, made)


def _change(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        zone = arguments.zone or db.read_now(calendars.versions, arguments.name)[-1].calendar.zone
        now_ns = time.time_ns()
        made = db.write_now(
            service.change,
            arguments.name,
            zone=arguments.zone,
            week=arguments.week,
            days=_days(arguments),
            holidays=_named(arguments.holiday),
            workdays=_named(arguments.workday),
            without=[read_day(text, "--without") for text in arguments.without],
            from_ns=_midnight_ns(arguments.since, zone) if arguments.since else now_ns,
            by=arguments.by or getpass.getuser(),
            reason=arguments.reason,
            now_ns=now_ns,
        )
    return _say(arguments, made)


def _say(arguments: argparse.Namespace, made: Version) -> int:
    if arguments.json:
        _common.print_json(_row(made))
    else:
        c = made.calendar
        print(f"{c.name} version {c.version}: {len(c.holidays)} holidays, {len(c.workdays)} extra working days")
    return 0


def _row(one: Version) -> dict[str, Any]:
    c = one.calendar
    return {
        "name": c.name,
        "version": c.version,
        "from": iso(one.from_ns),
        "zone": c.zone,
        "week": write_week(c.week),
        "holidays": {day.day.isoformat(): _said(day) for day in c.holidays},
        "workdays": {day.day.isoformat(): _said(day) for day in c.workdays},
        "source": one.source,
        "by": one.by,
        "reason": one.reason,
        "made": iso(one.made_ns),
    }


def _said(day: NamedDay) -> str:
    return f"{day.name} {write_hours(day.hours)}".strip()


def _days(arguments: argparse.Namespace) -> Snapshot | None:
    if not arguments.country:
        return None
    return snapshot(arguments.country, _years(arguments.years), subdivision=arguments.subdivision)


def _years(text: str) -> Sequence[int]:
    first, _, last = text.partition("-")
    if not first.isdecimal() or (last and not last.isdecimal()) or int(last or first) - int(first) > 50:
        raise Invalid(f"--years {text!r} are no years; write 2026 or 2026-2028")
    return range(int(first), int(last or first) + 1)


def _named(texts: Iterable[str]) -> list[NamedDay]:
    found = []
    for text in texts:
        day, _, name = text.partition("=")
        found.append(service.named_day(date.fromisoformat(read_day(day, "a day")), name))
    return found


def _midnight_ns(text: str, zone: str) -> int:
    day = date.fromisoformat(read_day(text, "--from"))
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp()) * SECOND_NS
