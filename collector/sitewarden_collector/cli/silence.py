"""`sitewarden silence add | list | end`: hold tickets and pages back for a time, with a reason."""

from __future__ import annotations

import argparse
import getpass
import time
from contextlib import closing
from typing import Any

from sitewarden_alerting.model import Silence
from sitewarden_collector.cli import _common
from sitewarden_collector.cli._common import iso
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.services import rulepacks
from sitewarden_collector.services import silences as silencing
from sitewarden_collector.store.silences import Listed


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("silence", help="hold tickets and pages of a site back for a time")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    add = commands.add_parser(
        "add",
        help="begin a silence: new tickets and pages are held back, what open tickets count goes on",
        description="What still goes on when the silence ends is told then.",
    )
    where = add.add_mutually_exclusive_group(required=True)
    where.add_argument("--site", default="", metavar="NAME", help="the site, as `sitewarden site list` shows it")
    where.add_argument("--customer", default="", metavar="NAME", help="all sites of a customer")
    where.add_argument("--everywhere", action="store_true", help="all sites of all customers")
    what = add.add_mutually_exclusive_group(required=True)
    what.add_argument("--fault", default="", metavar="ID", help="one fault: its fingerprint, or a ticket's number")
    what.add_argument("--rule", default="", metavar="NAME", help="a rule; * stands for anything, as 'disk-*'")
    what.add_argument("all", nargs="?", choices=["all"], metavar="all", help="everything at the site")
    add.add_argument("--for", dest="length", required=True, metavar="TIME", help="how long, as 30m, 2h or 1d")
    add.add_argument("--reason", required=True, metavar="TEXT", help="why: whoever wonders about the quiet reads it")
    add.set_defaults(run=_add)

    listing = commands.add_parser("list", help="the silences that hold now, the newest first")
    listing.add_argument("--all", action="store_true", help="also those that are over")
    listing.add_argument("--site", default="", metavar="NAME", help="only those of this site")
    listing.set_defaults(run=_list)

    end = commands.add_parser("end", help="end a silence now")
    end.add_argument("number", metavar="ID", help="as SIL-1")
    end.set_defaults(run=_end)

    extend = commands.add_parser("extend", help="let a silence end at another time")
    extend.add_argument("number", metavar="ID", help="as SIL-1")
    extend.add_argument("--for", dest="length", required=True, metavar="TIME", help="from now on, as 30m, 2h or 1d")
    extend.add_argument("--reason", default="", metavar="TEXT", help="a new reason (default: as it was)")
    extend.set_defaults(run=_extend)

    for one in (add, end, extend):
        one.add_argument("--by", default="", metavar="NAME", help="who does it (default: your login name)")
    for one in (add, listing, end, extend):
        _common.add_config_option(one)
        _common.add_json_option(one)


def _add(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    if not arguments.reason.strip():
        raise ConfigError("--reason is empty; say why, for whoever wonders about the quiet")
    for_s = _common.duration_s(arguments.length)
    with closing(_common.open_database(config)) as db:
        made = db.write_now(
            silencing.add,
            arguments.site,
            customer=arguments.customer,
            fault=arguments.fault,
            rule=arguments.rule,
            for_s=for_s,
            reason=arguments.reason,
            by=arguments.by or getpass.getuser(),
            now_ns=time.time_ns(),
            rules=[rule.name for rule in rulepacks.load(config.rules).rules],
        )
    if arguments.json:
        _common.print_json(_row(Listed(made, arguments.site, 0)))
    else:
        where = arguments.site or arguments.customer or "all sites"
        print(f"{made.number}: {_what(made)} at {where} is silent until {iso(made.until_ns)}")
        print(f"  end it early with: sitewarden silence end {made.number}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        now_ns = time.time_ns()
        found = db.read_now(silencing.listing, over=arguments.all, site=arguments.site, now_ns=now_ns)
    if arguments.json:
        _common.print_json([_row(one) for one in found])
        return 0
    headers = ("ID", "SITE", "WHAT", "FROM", "UNTIL", "HELD BACK", "BY", "REASON")
    rows = [
        (s.number, one.site, _what(s), iso(s.from_ns), iso(s.until_ns), one.held, s.by, s.reason)
        for one in found
        for s in (one.silence,)
    ]
    _common.print_table(headers, rows, empty="nothing is silenced")
    return 0


def _extend(arguments: argparse.Namespace) -> int:
    for_s = _common.duration_s(arguments.length)
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        who = arguments.by or getpass.getuser()
        changed = db.write_now(
            silencing.extend,
            arguments.number,
            for_s=for_s,
            reason=arguments.reason,
            by=who,
            now_ns=time.time_ns(),
        )
    if arguments.json:
        _common.print_json(_row(Listed(changed, changed.site, 0)))
    else:
        print(f"{changed.number} lasts until {iso(changed.until_ns)}")
    return 0


def _end(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        who = arguments.by or getpass.getuser()
        ended = db.write_now(silencing.end, arguments.number, by=who, now_ns=time.time_ns())
    if arguments.json:
        _common.print_json({"number": ended.number, "ended_by": who})
    else:
        print(f"{ended.number} is over; what still goes on gets its ticket and its page")
    return 0


def _what(silence: Silence) -> str:
    if silence.fault:
        return f"fault {silence.fault}"
    return f"rule {silence.rule}" if silence.rule else "everything"


def _row(one: Listed) -> dict[str, Any]:
    silence = one.silence
    return {
        "number": silence.number,
        "site": one.site,
        "fault": silence.fault,
        "rule": silence.rule,
        "from": iso(silence.from_ns),
        "until": iso(silence.until_ns),
        "reason": silence.reason,
        "by": silence.by,
        "held": one.held,
        "id": silence.id,
    }
