"""`sitewarden sla show | correct | verify`: the clocks of a ticket, explained by the minute, corrected and proved."""

from __future__ import annotations

import argparse
import getpass
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from sitewarden_alerting.model import SECOND_NS, Ticket
from sitewarden_alerting.servicelevels import explain
from sitewarden_alerting.servicelevels.clock import Clock
from sitewarden_alerting.servicelevels.targets import Target
from sitewarden_collector.cli import _common
from sitewarden_collector.cli._common import iso
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import clock_corrections, service_levels
from sitewarden_collector.services.customers import zone
from sitewarden_collector.services.service_levels import Clocks
from sitewarden_collector.store import tickets


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("sla", help="the contract's clocks of a ticket: explained, corrected, proved")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    show = commands.add_parser("show", help="what each clock did, minute by minute")
    show.add_argument("number", metavar="NUMBER", help="as INC-1001")
    show.add_argument("--zone", default="", metavar="ZONE", help="times in this zone (default: that of the calendar)")
    show.set_defaults(run=_show)
    correct = commands.add_parser("correct", help="say how a time should have been counted; the history keeps both")
    correct.add_argument("number", metavar="NUMBER", help="as INC-1001")
    correct.add_argument("effect", choices=("pause", "count"), help="whether it counts")
    correct.add_argument(
        "--from", dest="since", required=True, metavar="TIME", help="as 2026-11-24T16:10 (UTC) or +01:00"
    )
    correct.add_argument("--until", required=True, metavar="TIME")
    correct.add_argument("--target", choices=tuple(Target), help="of this clock alone (default: of all)")
    correct.add_argument("--reason", required=True, metavar="TEXT")
    correct.add_argument("--by", default="", metavar="NAME", help="who says so (default: your login name)")
    correct.set_defaults(run=_correct)
    verify = commands.add_parser("verify", help="compute everything anew from the histories and compare")
    verify.set_defaults(run=_verify)
    for one in (show, correct, verify):
        _common.add_config_option(one)
        _common.add_json_option(one)


def _show(arguments: argparse.Namespace) -> int:
    if arguments.zone:
        zone(arguments.zone)
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        ticket, found = db.read_now(_clocks, arguments.number, now_ns=time.time_ns())
    if arguments.json:
        _common.print_json([_row(ticket, found, one) for one in found.clocks])
        return 0
    print(f"{ticket.number}: {found.level_name}")
    if not found.clocks:
        print("nothing is promised for it")
    for one in found.clocks:
        print(f"\n{one.target.value.replace('_', ' ')}")
        for line in explain.lines(one, zone=arguments.zone):
            print(f"  {line}")
    return 0


def _correct(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        now_ns = time.time_ns()
        ticket = db.write_now(
            clock_corrections.correct,
            arguments.number,
            from_ns=_instant(arguments.since),
            until_ns=_instant(arguments.until),
            counts=arguments.effect == "count",
            target=Target(arguments.target) if arguments.target else None,
            reason=arguments.reason,
            by=arguments.by or getpass.getuser(),
            now_ns=now_ns,
        )
        _, found = db.read_now(_clocks, ticket.number, now_ns=now_ns)
    if arguments.json:
        _common.print_json([_row(ticket, found, one) for one in found.clocks])
    else:
        for one in found.clocks:
            print(f"{one.target.value.replace('_', ' ')}: {explain.standing(one)}")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        looked, different = db.read_now(service_levels.verify)
    rows = [
        {"number": one.number, "field": one.field, "stored": one.stored, "computed": one.computed} for one in different
    ]
    if arguments.json:
        _common.print_json({"tickets": looked, "differences": rows})
    elif rows:
        _common.print_table(("NUMBER", "FIELD", "STORED", "COMPUTED"), [row.values() for row in rows])
    else:
        print(f"{looked} tickets computed anew: all as stored")
    return 1 if rows else 0


def _clocks(tx: Connection, number: str, *, now_ns: int) -> tuple[Ticket, Clocks]:
    ticket = tickets.by_number(tx, number)
    return ticket, service_levels.clocks(tx, ticket, now_ns=now_ns)


def _instant(text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is no time; write it as 2026-11-24T16:10 (UTC) or 2026-11-24T17:10+01:00") from None
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found
    return int(found.timestamp()) * SECOND_NS


def _row(ticket: Ticket, found: Clocks, one: Clock) -> dict[str, Any]:
    return {
        "number": ticket.number,
        "level": found.level_name,
        "target": one.target.value,
        "state": one.state.value,
        "goal_s": one.goal_s,
        "elapsed_s": one.elapsed_s,
        "remaining_s": one.remaining_s,
        "share": round(one.share, 4),
        "due": iso(one.due_ns),
        "breached": iso(one.breached_ns),
        "ended": iso(one.ended_ns),
        "spans": [
            {
                "from": iso(span.from_ns),
                "until": iso(span.until_ns),
                "counts": span.counts,
                "why": span.why.value,
                "detail": span.detail,
                "by": span.by,
                "calendar": span.calendar,
                "version": span.version,
            }
            for span in one.spans
        ],
    }
