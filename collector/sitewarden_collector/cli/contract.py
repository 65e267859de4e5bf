"""`sitewarden contract list | show | add | edit | use`: what is promised, what is included, what is used up."""

from __future__ import annotations

import argparse
import getpass
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from sitewarden_collector.cli import _common
from sitewarden_collector.cli._common import iso
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import contracts as service
from sitewarden_collector.services import promises
from sitewarden_collector.services.contracts import Shown
from sitewarden_collector.store import contracts, sites
from sitewarden_collector.store.contracts import KINDS, Contract


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("contract", help="contracts: service levels, dates, what is included")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = commands.add_parser("list", help="contracts by customer")
    listing.add_argument("--customer", default="", metavar="NAME", help="only those of this customer")
    listing.add_argument("--ends-soon", action="store_true", help=f"only those that end in {service.SOON_DAYS} days")
    listing.set_defaults(run=_list)
    show = commands.add_parser("show", help="one contract with its goals and what is used up")
    show.set_defaults(run=_show)
    add = commands.add_parser("add", help="make a contract; what is not said is as without one: 2 h and 48 h, 24x7")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--customer", required=True, metavar="NAME", help="whose it is")
    add.set_defaults(run=_add)
    edit = commands.add_parser("edit", help="change a contract, for all of its time")
    edit.add_argument("--name", metavar="NAME")
    edit.set_defaults(run=_edit)
    use = commands.add_parser("use", help="write down that something included was used up")
    use.add_argument("number", metavar="NUMBER", help="as CON-1")
    use.add_argument("kind", choices=KINDS)
    use.add_argument("--amount", type=int, default=1, metavar="N", help="how many; below 0: given back (default: 1)")
    use.add_argument("--ticket", default="", metavar="NUMBER", help="for this ticket")
    use.add_argument("--note", default="", metavar="TEXT")
    use.add_argument("--by", default="", metavar="NAME", help="who used it (default: your login name)")
    use.set_defaults(run=_use)
    for one in (show, edit):
        one.add_argument("number", metavar="NUMBER", help="as CON-1")
    for one, needed in ((add, True), (edit, False)):
        one.add_argument("--from", dest="from_day", required=needed, metavar="DATE", help="its first day")
        one.add_argument("--until", dest="until_day", metavar="DATE", help="its last day; none: without end")
        one.add_argument("--calendar", metavar="NAME", help="whose hours count (default: 24x7)")
        goal_help = "as 1:resolution=4h, 2:first_response=30m@office, 3:solution=none"
        one.add_argument("--goal", action="append", default=[], metavar="GOAL", help=goal_help)
        pause_help = 'what stops clocks (default: "customer: solution resolution")'
        one.add_argument("--pauses", metavar="RULES", help=pause_help)
        one.add_argument("--include", action="append", default=[], metavar="KIND=N", help=f"of {', '.join(KINDS)}")
        one.add_argument("--notes", metavar="TEXT")
    for one in (listing, show, add, edit, use):
        _common.add_config_option(one)
        _common.add_json_option(one)


def _list(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(_found, arguments.customer, now_ns=time.time_ns())
    if arguments.ends_soon:
        found = [one for one in found if one.status == "ends_soon"]
    if arguments.json:
        _common.print_json([_row(one) for one in found])
        return 0
    rows = [
        (c.number, c.customer, c.name, c.from_day, c.until_day, one.status.replace("_", " "), _left(one))
        for one in found
        for c in (one.contract,)
    ]
    headers = ("NUMBER", "CUSTOMER", "NAME", "FROM", "UNTIL", "STATUS", "LEFT")
    _common.print_table(headers, rows, empty="no contracts: without one, 2 h to answer and 48 h to propose hold")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(_one, arguments.number, now_ns=time.time_ns())
    return _say(arguments, found)


def _add(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        return _say(arguments, db.write_now(_make, arguments, now_ns=time.time_ns()))


def _edit(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        return _say(arguments, db.write_now(_remake, arguments, now_ns=time.time_ns()))


def _use(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        left = db.write_now(
            service.use,
            arguments.number.upper(),
            arguments.kind,
            amount=arguments.amount,
            ticket=arguments.ticket,
            by=arguments.by or getpass.getuser(),
            note=arguments.note,
            now_ns=time.time_ns(),
        )
    if arguments.json:
        _common.print_json({"number": arguments.number, "kind": left.kind, "total": left.total, "used": left.used})
    else:
        print(f"{left.left} of {left.total} {left.kind} left")
    return 0


def _found(tx: Connection, customer: str, *, now_ns: int) -> list[Shown]:
    customer_id = sites.customer(tx, customer).id if customer else ""
    return service.listed(tx, contracts.every(tx, customer_id=customer_id), now_ns=now_ns)


def _one(tx: Connection, number: str, *, now_ns: int) -> Shown:
    return service.shown(tx, contracts.by_number(tx, number.upper()), now_ns=now_ns)


def _make(tx: Connection, arguments: argparse.Namespace, *, now_ns: int) -> Shown:
    customer = sites.customer(tx, arguments.customer)
    blank = Contract(
        customer_id=customer.id,
        customer=customer.name,
        name=arguments.name,
        from_day="",
        until_day="",
        calendar="24x7",
        goals=promises.DEFAULT_GOALS,
        pauses=promises.DEFAULT_PAUSES,
    )
    made = service.add(tx, _with(blank, arguments), now_ns=now_ns)
    return service.shown(tx, made, now_ns=now_ns)


def _remake(tx: Connection, arguments: argparse.Namespace, *, now_ns: int) -> Shown:
    made = _with(contracts.by_number(tx, arguments.number.upper()), arguments)
    if arguments.name:
        made = replace(made, name=arguments.name)
    return service.shown(tx, service.change(tx, made, now_ns=now_ns), now_ns=now_ns)


def _with(contract: Contract, arguments: argparse.Namespace) -> Contract:
    until = contract.until_day
    if arguments.until_day:
        until = "" if arguments.until_day == "none" else promises.read_day(arguments.until_day, "--until")
    return replace(
        contract,
        from_day=promises.read_day(arguments.from_day, "--from") if arguments.from_day else contract.from_day,
        until_day=until,
        calendar=arguments.calendar or contract.calendar,
        goals=promises.read_goals(arguments.goal, contract.goals),
        pauses=contract.pauses if arguments.pauses is None else promises.read_pauses(arguments.pauses),
        included={**contract.included, **_included(arguments.include)},
        notes=contract.notes if arguments.notes is None else arguments.notes,
    )


def _included(texts: list[str]) -> Mapping[str, int]:
    found = {}
    for text in texts:
        kind, _, number = text.partition("=")
        if kind not in KINDS or not number.isdecimal():
            raise Invalid(f"--include {text!r}: write KIND=N with a kind of {', '.join(KINDS)}")
        found[kind] = int(number)
    return found


def _say(arguments: argparse.Namespace, found: Shown) -> int:
    if arguments.json:
        _common.print_json(_row(found))
        return 0
    c = found.contract
    until = f"until {c.until_day}" if c.until_day else "without end"
    print(f"{c.number} {c.name}, {c.customer}: from {c.from_day} {until}, {found.status.replace('_', ' ')}")
    print(f"counts by the calendar {c.calendar}; pauses: {promises.write_pauses(c.pauses) or 'never'}")
    for priority, level in sorted(c.goals.items()):
        goals = ", ".join(f"{target.replace('_', ' ')} {promises.write_goal(goal)}" for target, goal in level.items())
        print(f"  priority {priority}: {goals}")
    for one in found.entitlements:
        print(f"  {one.kind}: {one.left} of {one.total} left")
    for used in found.uses:
        print(f"    {iso(used.at_ns)}  {used.amount} {used.kind} by {used.by}  {used.note}".rstrip())
    return 0


def _row(one: Shown) -> dict[str, Any]:
    c = one.contract
    return {
        "number": c.number,
        "customer": c.customer,
        "name": c.name,
        "from": c.from_day,
        "until": c.until_day,
        "status": one.status,
        "calendar": c.calendar,
        "goals": {str(p): {t: promises.write_goal(g) for t, g in level.items()} for p, level in c.goals.items()},
        "pauses": {reason: list(targets) for reason, targets in c.pauses.items()},
        "entitlements": {e.kind: {"total": e.total, "used": e.used} for e in one.entitlements},
        "notes": c.notes,
    }


def _left(one: Shown) -> str:
    return ", ".join(f"{e.left} {e.kind}" for e in one.entitlements)
