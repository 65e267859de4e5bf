"""`sitewarden maintenance add | list | end`: planned times in which a site's pages wait."""

from __future__ import annotations

import argparse
import getpass
import time
from contextlib import closing
from typing import Any

from sitewarden_collector.cli import _common
from sitewarden_collector.cli._common import iso
from sitewarden_collector.cli._times import instant_ns
from sitewarden_collector.services import maintenance
from sitewarden_collector.store.maintenance import Window


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("maintenance", help="planned times in which a site's pages wait")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add = commands.add_parser("add", help="plan a window; what still needs somebody at its end is paged then")
    add.add_argument("--site", required=True, metavar="NAME")
    add.add_argument("--from", dest="begin", default="now", metavar="TIME", help="default: now")
    add.add_argument("--until", required=True, metavar="TIME", help="2026-11-24T09:00 or +2h")
    add.add_argument("--zone", default="UTC", metavar="ZONE", help="of these times (default: UTC)")
    add.add_argument("--every-days", type=int, default=0, metavar="N", help="again after so many days")
    add.add_argument("--reason", required=True, metavar="TEXT")
    add.set_defaults(run=_add)
    listing = commands.add_parser("list", help="the windows to come, the next first")
    listing.add_argument("--all", action="store_true", help="also those that are over")
    listing.set_defaults(run=_list)
    end = commands.add_parser("end", help="end a window now, with all that was to follow")
    end.add_argument("number", metavar="ID", help="as MNT-1")
    end.set_defaults(run=_end)
    for one in (add, end):
        one.add_argument("--by", default="", metavar="NAME", help="who does it (default: your login name)")
    for one in (add, listing, end):
        _common.add_config_option(one)
        _common.add_json_option(one)


def _add(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        made = db.write_now(
            maintenance.plan,
            arguments.site,
            from_ns=instant_ns(arguments.begin, arguments.zone),
            until_ns=instant_ns(arguments.until, arguments.zone),
            every_days=arguments.every_days,
            reason=arguments.reason,
            by=arguments.by or getpass.getuser(),
            now_ns=time.time_ns(),
        )
    if arguments.json:
        _common.print_json(_row(made, arguments.site))
    else:
        print(f"{made.number}: {arguments.site} from {iso(made.from_ns)} until {iso(made.until_ns)}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(maintenance.listing, over=arguments.all, now_ns=time.time_ns())
    if arguments.json:
        _common.print_json(_row(*one) for one in found)
        return 0
    rows = [(w.number, site, iso(w.from_ns), iso(w.until_ns), w.every_days or "", w.by, w.reason) for w, site in found]
    headers = ("ID", "SITE", "FROM", "UNTIL", "EVERY DAYS", "BY", "REASON")
    _common.print_table(headers, rows, empty="no maintenance is planned")
    return 0


def _end(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        who = arguments.by or getpass.getuser()
        ended = db.write_now(maintenance.end, arguments.number, by=who, now_ns=time.time_ns())
    if arguments.json:
        _common.print_json({"number": ended.number, "ended_by": who})
    else:
        print(f"{ended.number} is over; what still needs somebody is paged now")
    return 0


def _row(window: Window, site: str) -> dict[str, Any]:
    return {
        "number": window.number,
        "site": site,
        "from": iso(window.from_ns),
        "until": iso(window.until_ns),
        "every_days": window.every_days,
        "last": iso(window.last_ns),
        "reason": window.reason,
        "by": window.by,
    }
