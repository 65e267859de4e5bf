"""`sitewarden fault list | show | merge | split`: what counts as one fault, why, and correcting it."""

from __future__ import annotations

import argparse
import getpass
import time
from contextlib import closing
from typing import Any

from sitewarden_alerting.grouping import Alias
from sitewarden_alerting.wording import cut, severity_word
from sitewarden_collector.cli import _common
from sitewarden_collector.cli._common import iso
from sitewarden_collector.services import corrections, faults
from sitewarden_collector.services.faults import Member, Shown
from sitewarden_collector.store import faults as known
from sitewarden_collector.store.faults import Listed

TEMPLATE_CHARS = 100


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("fault", help="what counts as one fault and why; merge and split them")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = commands.add_parser("list", help="faults in logs, those with the newest events first")
    listing.add_argument("--site", default="", metavar="NAME", help="only those that have tickets at this site")
    listing.add_argument("--limit", type=int, default=200, metavar="N", help="at most so many (default: 200)")
    listing.set_defaults(run=_list)

    show = commands.add_parser("show", help="one fault: its fingerprints, what made them one, and its tickets")
    show.set_defaults(run=_show)

    merge = commands.add_parser("merge", help="say that two fingerprints are one fault; their tickets become one")
    merge.set_defaults(run=_merge)

    split = commands.add_parser("split", help="undo a merge; it is not learned again")
    split.set_defaults(run=_split)

    for one in (show, merge, split):
        one.add_argument("fingerprint", metavar="FINGERPRINT", help="as `ticket show` names it, or a ticket's number")
    merge.add_argument("into", metavar="INTO", help="the fault that remains, named in the same way")
    merge.add_argument("--reason", default="", metavar="TEXT", help="why, for whoever looks at it later")
    for one in (merge, split):
        one.add_argument("--by", default="", metavar="NAME", help="who says so (default: your login name)")
    for one in (listing, show, merge, split):
        _common.add_config_option(one)
        _common.add_json_option(one)


def _list(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(known.listing, site=arguments.site, limit=arguments.limit)
    if arguments.json:
        _common.print_json([_row(one) for one in found])
        return 0
    headers = ("FAULT", "SEVERITY", "EVENTS", "SITES", "OPEN", "FINGERPRINTS", "LAST", "TEMPLATE")
    rows = [
        (
            one.fault,
            severity_word(one.severity).lower(),
            one.events,
            one.sites,
            one.open_tickets,
            one.fingerprints,
            iso(one.last_ns),
            _short(one.template),
        )
        for one in found
    ]
    _common.print_table(headers, rows, empty="no fault was seen in any log yet")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        shown = db.read_now(faults.show, arguments.fingerprint)
    if arguments.json:
        _common.print_json(_whole(shown))
    else:
        _print(shown)
    return 0


def _merge(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        changed = db.write_now(
            corrections.merge,
            arguments.fingerprint,
            arguments.into,
            by=arguments.by or getpass.getuser(),
            reason=arguments.reason,
            now_ns=time.time_ns(),
        )
    fault = changed[0].fault
    return _say(arguments, changed, f"one fault now: {fault}\n  undo it with: sitewarden fault split {_first(changed)}")


def _split(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        who = arguments.by or getpass.getuser()
        changed = db.write_now(corrections.split, arguments.fingerprint, by=who, now_ns=time.time_ns())
    apart = ", ".join(sorted({alias.fault for alias in changed}))
    return _say(arguments, changed, f"on its own again: {apart}\n  what comes of it gets its own ticket from now on")


def _say(arguments: argparse.Namespace, changed: tuple[Alias, ...], text: str) -> int:
    if arguments.json:
        _common.print_json([_alias(one) for one in changed])
    else:
        print(text)
    return 0


def _first(changed: tuple[Alias, ...]) -> str:
    """The fingerprint whose split undoes all of it: the fault that was joined to the other."""
    return changed[0].fingerprint


def _row(one: Listed) -> dict[str, Any]:
    return {
        "fault": one.fault,
        "template": one.template,
        "severity": severity_word(one.severity).lower(),
        "fingerprints": one.fingerprints,
        "events": one.events,
        "sites": one.sites,
        "open_tickets": one.open_tickets,
        "first": iso(one.first_ns),
        "last": iso(one.last_ns),
    }


def _whole(shown: Shown) -> dict[str, Any]:
    return {
        "fault": shown.fault,
        "template": shown.template,
        "severity": severity_word(shown.severity).lower(),
        "fingerprints": [_member(one) for one in shown.members],
        "tickets": [
            {
                "number": one.ticket.number,
                "site": one.site,
                "customer": one.customer,
                "state": one.ticket.state.value,
                "count": one.ticket.count,
                "last": iso(one.ticket.last_ns),
            }
            for one in shown.tickets
        ],
    }


def _member(one: Member) -> dict[str, Any]:
    return {
        "fingerprint": one.fingerprint,
        "template": one.template,
        "first": iso(one.first_ns),
        "merges": [_alias(alias) for alias in one.merges],
        "apart_from": list(one.apart_from),
    }


def _alias(one: Alias) -> dict[str, str]:
    return {"fingerprint": one.fingerprint, "fault": one.fault, "by": one.by, "reason": one.reason}


def _print(shown: Shown) -> None:
    print(f"{shown.fault}  {severity_word(shown.severity)}  {shown.template}")
    print("\nStands for:")
    for one in shown.members:
        print(f"  {one.fingerprint}  since {iso(one.first_ns)}  {_short(one.template)}")
        for alias in one.merges:
            print(f"    {alias.fingerprint} -> {alias.fault} by {alias.by}: {alias.reason}")
        for other in one.apart_from:
            print(f"    kept apart from {other} by an engineer")
    if len(shown.members) > 1:
        print(f"  undo a merge with: sitewarden fault split {shown.members[-1].fingerprint}")
    print("\nTickets:" if shown.tickets else "\nNo ticket: nothing of it was bad enough for a rule.")
    rows = [
        (t.number, t.state.value, one.site, t.count, iso(t.last_ns), t.title)
        for one in shown.tickets
        for t in (one.ticket,)
    ]
    if rows:
        _common.print_table(("NUMBER", "STATE", "SITE", "COUNT", "LAST", "TITLE"), rows)


def _short(template: str) -> str:
    return cut(" ".join(template.split()), TEMPLATE_CHARS)
