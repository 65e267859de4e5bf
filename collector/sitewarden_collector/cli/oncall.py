"""`sitewarden oncall ...`: who is on call; schedules, layers, overrides, swaps, calendars, people, a test page.

Times are read on the wall of the schedule's zone unless they say their offset; `+2h` is from now.
"""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from typing import Any

from sitewarden_alerting.oncall import Schedule
from sitewarden_collector.cli import _common, _oncall_changes, _oncall_people
from sitewarden_collector.cli._common import iso
from sitewarden_collector.cli._times import clock, instant_ns
from sitewarden_collector.services import oncall
from sitewarden_collector.store import schedules

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("oncall", help="who is on call; schedules, overrides, escalation, people")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    who = commands.add_parser("who", help="who is on call now, or at a time")
    who.add_argument("--at", default="now", metavar="TIME", help="2026-11-24T09:00, or +2h (default: now)")
    who.set_defaults(run=_who)

    listing = commands.add_parser("list", help="the schedules")
    listing.set_defaults(run=_list)

    show = commands.add_parser("show", help="one schedule with its layers, overrides and escalation policy")
    show.add_argument("name", metavar="NAME")
    show.set_defaults(run=_show)

    shifts = commands.add_parser("shifts", help="the coming shifts of a schedule, and who carries how much")
    shifts.add_argument("name", metavar="NAME")
    shifts.add_argument("--days", type=int, default=28, metavar="N", help="so many days ahead (default: 28)")
    shifts.set_defaults(run=_shifts)

    gaps = commands.add_parser("gaps", help="when nobody is on call, and who cannot be reached")
    gaps.add_argument("--days", type=int, default=28, metavar="N", help="so many days ahead (default: 28)")
    gaps.set_defaults(run=_gaps)

    for one in (who, listing, show, shifts, gaps):
        _common.add_config_option(one)
        _common.add_json_option(one)
    _oncall_changes.register(commands)
    _oncall_people.register(commands)


def _who(arguments: argparse.Namespace) -> int:
    at_ns = instant_ns(arguments.at)
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(oncall.now, at_ns)
    if arguments.json:
        _common.print_json(
            {
                "schedule": one.schedule,
                "person": one.person,
                "until": iso(one.until_ns),
                "next": one.next_person,
                "next_from": iso(one.next_ns),
            }
            for one in found
        )
        return 0
    rows = [
        (
            one.schedule or "(configuration)",
            one.person or "NOBODY",
            iso(one.until_ns),
            one.next_person,
            iso(one.next_ns),
        )
        for one in found
    ]
    empty = "there is no schedule, and no [[on_call]] list is known; make one with `sitewarden oncall add`"
    _common.print_table(("SCHEDULE", "ON CALL", "UNTIL", "NEXT", "FROM"), rows, empty=empty)
    return 0


def _list(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(schedules.every, since_ns=time.time_ns())
    if arguments.json:
        _common.print_json(_row(one) for one in found)
        return 0
    rows = [(one.name, one.zone, len(one.layers), len(one.overrides), ", ".join(one.managers)) for one in found]
    empty = "no schedules; the [[on_call]] list of the configuration is used"
    _common.print_table(("NAME", "ZONE", "LAYERS", "OVERRIDES", "MANAGERS"), rows, empty=empty)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(schedules.by_name, arguments.name)
        policy = db.read_now(schedules.policy_of, found.id)
    steps = [{"after_s": one.after_s, "whom": one.whom.value, "person": one.person} for one in policy.steps]
    if arguments.json:
        more = {"repeats": policy.repeats, "repeat_after_s": policy.repeat_after_s}
        _common.print_json(_row(found) | {"steps": steps} | more)
        return 0
    print(f"{found.name} ({found.zone}); managers: {', '.join(found.managers) or 'none'}\n")
    rows = [
        (
            one.name,
            ", ".join(one.people),
            f"every {one.every} {one.unit.value} from {one.start}",
            ",".join(DAYS[day] for day in one.weekdays) or "every day",
            f"{clock(one.from_minute)}-{clock(one.until_minute)}",
        )
        for one in reversed(found.layers)
    ]
    _common.print_table(("LAYER", "PEOPLE", "TURNS", "DAYS", "HOURS"), rows, empty="no layers: nobody is on call")
    print("\nnobody acknowledges:")
    for one in policy.steps:
        print(f"  after {one.after_s:g} s more: {one.person or one.whom.value.replace('_', ' ')}")
    print(f"  again {policy.repeats} times, each after {policy.repeat_after_s:g} s")
    coming = [one for one in found.overrides if one.until_ns > time.time_ns()]
    if coming:
        print()
        cells = [(o.id, o.person, o.instead_of, iso(o.from_ns), iso(o.until_ns), o.reason, o.by) for o in coming]
        _common.print_table(("OVERRIDE", "PERSON", "INSTEAD OF", "FROM", "UNTIL", "REASON", "BY"), cells)
    return 0


def _shifts(arguments: argparse.Namespace) -> int:
    now_ns = time.time_ns()
    until_ns = now_ns + arguments.days * 86_400 * 10**9
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(oncall.shifts, arguments.name, now_ns, until_ns)
        carried = db.read_now(oncall.loads, arguments.name, now_ns, until_ns)
    if arguments.json:
        _common.print_json(
            {"person": one.person, "from": iso(one.from_ns), "until": iso(one.until_ns), "source": one.source}
            for one in found
        )
        return 0
    rows = [(one.person, iso(one.from_ns), iso(one.until_ns), one.source) for one in found]
    _common.print_table(("PERSON", "FROM", "UNTIL", "BY"), rows, empty="nobody is on call in that time")
    print()
    cells = [
        (one.person, one.shifts, f"{one.hours:.0f}", f"{one.night_hours:.0f}", f"{one.weekend_hours:.0f}")
        for one in carried
    ]
    _common.print_table(("PERSON", "SHIFTS", "HOURS", "AT NIGHT", "AT WEEKENDS"), cells, empty="")
    return 0


def _gaps(arguments: argparse.Namespace) -> int:
    now_ns = time.time_ns()
    until_ns = now_ns + arguments.days * 86_400 * 10**9
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(oncall.gaps, now_ns, until_ns)
        mute = db.read_now(oncall.unreachable, now_ns=now_ns)
    if arguments.json:
        _common.print_json(
            {"schedule": one.schedule, "from": iso(one.from_ns), "until": iso(one.until_ns), "person": ""}
            for one in found
        )
        _common.print_json({"schedule": name, "from": "", "until": "", "person": person} for name, person in mute)
        return 0
    rows = [(one.schedule, iso(one.from_ns), iso(one.until_ns)) for one in found]
    _common.print_table(("SCHEDULE", "NOBODY FROM", "UNTIL"), rows, empty="somebody is on call all the time")
    for name, person in mute:
        print(f"no channel reaches {person}, who is on {name}: sitewarden oncall person set {person} --road CHANNEL")
    return 0


def _row(one: Schedule) -> dict[str, Any]:
    return {
        "name": one.name,
        "zone": one.zone,
        "managers": list(one.managers),
        "layers": [
            {
                "name": layer.name,
                "people": list(layer.people),
                "start": layer.start,
                "every": layer.every,
                "unit": layer.unit.value,
                "weekdays": list(layer.weekdays),
                "from_minute": layer.from_minute,
                "until_minute": layer.until_minute,
            }
            for layer in one.layers
        ],
        "overrides": [
            {
                "id": o.id,
                "person": o.person,
                "from": iso(o.from_ns),
                "until": iso(o.until_ns),
                "instead_of": o.instead_of,
            }
            for o in one.overrides
        ],
        "id": one.id,
    }
