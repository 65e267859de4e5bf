"""The part of `sitewarden oncall` that changes schedules."""

from __future__ import annotations

import argparse
import getpass
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from sitewarden_alerting.escalation import EscalationPolicy, Step, Target
from sitewarden_alerting.oncall import Layer, Unit
from sitewarden_collector.cli import _common
from sitewarden_collector.cli._common import iso
from sitewarden_collector.cli._times import instant_ns, minute_of
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.services import oncall, shift_calendars
from sitewarden_collector.store import schedules, sites
from sitewarden_collector.store.engine import Database

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    add = commands.add_parser("add", help="a new schedule")
    edit = commands.add_parser("edit", help="change a schedule's zone, managers or name")
    remove = commands.add_parser("remove", help="delete a schedule")
    layer = commands.add_parser("layer", help="add a layer to a schedule, or change it; the newest lies on top")
    drop = commands.add_parser("drop-layer", help="take a layer out")
    override = commands.add_parser("override", help="put somebody on call for a time")
    undo = commands.add_parser("drop-override", help="take an override or a swap out")
    swap = commands.add_parser("swap", help="let two people take each other's shifts")
    policy = commands.add_parser("policy", help="say how a schedule escalates")
    export = commands.add_parser("export", help="print a schedule as a calendar, or publish it under a secret address")
    take = commands.add_parser("import", help="read the entries of a calendar file as overrides")

    for one in (add, edit, remove, layer, drop, override, swap, policy, export, take):
        one.add_argument("name", metavar="NAME", help="the schedule")
    add.add_argument("--zone", required=True, metavar="ZONE", help="as Europe/Berlin")
    edit.add_argument("--zone", metavar="ZONE", help="as Europe/Berlin")
    edit.add_argument("--rename", metavar="NAME", help="the new name")
    for one in (add, edit):
        one.add_argument("--manager", action="append", metavar="PERSON", help="told of gaps, asked last; repeatable")
    add.add_argument("--customer", default="", metavar="NAME", help="serves only this customer (default: everybody)")
    layer.add_argument("layer", metavar="LAYER")
    layer.add_argument("--people", required=True, metavar="A,B,C", help="in the order of their turns")
    layer.add_argument("--start", required=True, metavar="TIME", help="the first handoff on the wall, 2026-11-23T09:00")
    layer.add_argument("--every", type=int, default=1, metavar="N", help="length of a turn (default: 1)")
    layer.add_argument("--unit", choices=[unit.value for unit in Unit], default="weeks")
    layer.add_argument("--days", default="", metavar="mon,tue", help="only on these days")
    layer.add_argument("--hours", default="00:00-24:00", metavar="FROM-UNTIL", help="as 18:00-08:00")
    layer.add_argument("--place", type=int, metavar="N", help="0 is the lowest (default: on top, or where it was)")
    drop.add_argument("layer", metavar="LAYER")
    override.add_argument("person", metavar="PERSON")
    override.add_argument("--from", dest="begin", default="now", metavar="TIME", help="default: now")
    override.add_argument("--until", required=True, metavar="TIME", help="2026-11-24T09:00 or +8h")
    override.add_argument("--instead-of", default="", metavar="PERSON", help="only where that person would be")
    undo.add_argument("id", metavar="ID", help="as `sitewarden oncall show` lists it")
    swap.add_argument("--first", required=True, metavar="TIME", help="a time in the one shift")
    swap.add_argument("--second", required=True, metavar="TIME", help="a time in the other one")
    policy.add_argument(
        "--step",
        action="append",
        required=True,
        metavar="AFTER:WHOM",
        help="as 0s:on_call, 5m:next, 10m:manager, 10m:person=bob; repeatable, in order",
    )
    policy.add_argument("--repeats", type=int, default=3, metavar="N", help="how many more times (default: 3)")
    policy.add_argument("--repeat-after", default="15m", metavar="TIME", help="default: 15m")
    export.add_argument("--publish", action="store_true", help="make a new secret address; the old one ends")
    take.add_argument("file", metavar="FILE", type=Path, help=".ics; each summary begins with a person's name")
    for one in (override, swap):
        one.add_argument("--reason", default="", metavar="TEXT")
    for one in (override, swap, take):
        one.add_argument("--by", default="", metavar="NAME", help="who does it (default: your login name)")

    runs = {
        add: _add,
        edit: _edit,
        remove: _remove,
        layer: _layer,
        drop: _drop,
        override: _override,
        undo: _undo,
        swap: _swap,
        policy: _policy,
        export: _export,
        take: _import,
    }
    for parser, run in runs.items():
        parser.set_defaults(run=_with_database, change=run)
        _common.add_config_option(parser)
        _common.add_json_option(parser)


def _with_database(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        text, said = arguments.change(db, arguments)
    if arguments.json:
        _common.print_json(said)
    else:
        print(text)
    return 0


def _add(db: Database, arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    customer_id = ""
    if arguments.customer:
        known = {site.customer_name: site.customer_id for site in db.read_now(sites.every)}
        if arguments.customer not in known:
            raise ConfigError(f"no site belongs to a customer {arguments.customer!r}")
        customer_id = known[arguments.customer]
    made = db.write_now(
        oncall.add,
        arguments.name,
        zone=arguments.zone,
        managers=arguments.manager or (),
        customer_id=customer_id,
        now_ns=time.time_ns(),
    )
    next_one = f"sitewarden oncall layer {made.name} LAYER --people A,B --start TIME"
    text = f"{made.name} is there; give it people with: {next_one}"
    return text, {"name": made.name, "id": made.id}


def _edit(db: Database, arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    made = db.write_now(
        oncall.edit,
        arguments.name,
        zone=arguments.zone,
        managers=arguments.manager,
        rename=arguments.rename,
        now_ns=time.time_ns(),
    )
    return f"{made.name} is changed", {"name": made.name, "zone": made.zone, "managers": list(made.managers)}


def _remove(db: Database, arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    db.write_now(oncall.remove, arguments.name, now_ns=time.time_ns())
    return f"{arguments.name} is gone", {"removed": arguments.name}


def _layer(db: Database, arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    days = [day.strip().lower()[:3] for day in arguments.days.split(",") if day.strip()]
    if any(day not in DAYS for day in days):
        raise ConfigError(f"--days {arguments.days!r}: write some of {', '.join(DAYS)}")
    begin, _, end = arguments.hours.partition("-")
    made = Layer(
        arguments.layer,
        tuple(name.strip() for name in arguments.people.split(",") if name.strip()),
        arguments.start,
        every=arguments.every,
        unit=Unit(arguments.unit),
        weekdays=tuple(sorted(DAYS.index(day) for day in days)),
        from_minute=minute_of(begin),
        until_minute=minute_of(end),
    )
    db.write_now(oncall.set_layer, arguments.name, made, place=arguments.place, now_ns=time.time_ns())
    return f"{arguments.name} has the layer {made.name}", {"schedule": arguments.name, "layer": made.name}


def _drop(db: Database, arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    db.write_now(oncall.drop_layer, arguments.name, arguments.layer, now_ns=time.time_ns())
    return f"{arguments.name} has no layer {arguments.layer} any more", {"removed": arguments.layer}


def _override(db: Database, arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    zone = db.read_now(schedules.by_name, arguments.name).zone
    made = db.write_now(
        oncall.override,
        arguments.name,
        arguments.person,
        from_ns=instant_ns(arguments.begin, zone),
        until_ns=instant_ns(arguments.until, zone),
        instead_of=arguments.instead_of,
        reason=arguments.reason,
        by=arguments.by or getpass.getuser(),
        now_ns=time.time_ns(),
    )
    text = f"{made.person} is on call from {iso(made.from_ns)} until {iso(made.until_ns)} ({made.id})"
    return text, {"id": made.id, "person": made.person, "from": iso(made.from_ns), "until": iso(made.until_ns)}


def _undo(db: Database, arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    db.write_now(oncall.drop_override, arguments.id, now_ns=time.time_ns())
    return f"{arguments.id} is taken out", {"removed": arguments.id}


def _swap(db: Database, arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    zone = db.read_now(schedules.by_name, arguments.name).zone
    halves = db.write_now(
        oncall.swap,
        arguments.name,
        first_ns=instant_ns(arguments.first, zone),
        second_ns=instant_ns(arguments.second, zone),
        reason=arguments.reason,
        by=arguments.by or getpass.getuser(),
        now_ns=time.time_ns(),
    )
    lines = [f"{one.person} takes {iso(one.from_ns)} until {iso(one.until_ns)}" for one in halves]
    return "\n".join(lines), {"swap": halves[0].swap, "ids": [one.id for one in halves]}


def _policy(db: Database, arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    steps = []
    for text in arguments.step:
        after, _, whom = text.partition(":")
        word, _, person = whom.partition("=")
        if word not in {one.value for one in Target}:
            raise ConfigError(f"--step {text!r}: whom is one of {', '.join(Target)}, as 5m:next or 10m:person=bob")
        after_s = 0 if after in ("0", "0s") else _common.duration_s(after)
        steps.append(Step(float(after_s), Target(word), person))
    wait_s = float(_common.duration_s(arguments.repeat_after))
    made = EscalationPolicy(arguments.name, tuple(steps), arguments.repeats, wait_s)
    db.write_now(oncall.set_policy, arguments.name, made, now_ns=time.time_ns())
    return f"{arguments.name} escalates in {len(steps)} steps from the next page on", {"steps": len(steps)}


def _export(db: Database, arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    if arguments.publish:
        address = db.write_now(shift_calendars.publish, schedule=arguments.name)
        return f"subscribe to {address} (whoever has this address can read it)", {"address": address}
    text = shift_calendars.ical(db.read_now(schedules.by_name, arguments.name), now_ns=time.time_ns())
    return text.rstrip(), {"ics": text}


def _import(db: Database, arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    try:
        content = arguments.file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{arguments.file} cannot be read ({error.strerror})") from error
    who = arguments.by or getpass.getuser()
    taken = db.write_now(shift_calendars.take_in, arguments.name, content, by=who, now_ns=time.time_ns())
    return f"{taken} entries are overrides of {arguments.name} now", {"taken": taken}
