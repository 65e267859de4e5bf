"""`sitewarden ticket list`, apart from what works on tickets: looking at the list waits for nothing of it."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import Any

from sitewarden_alerting.model import PRIORITIES, TicketState, TicketType
from sitewarden_alerting.wording import severity_word
from sitewarden_collector.cli import _common
from sitewarden_collector.cli._common import iso
from sitewarden_collector.store import ticket_pages
from sitewarden_collector.store.pages import Window
from sitewarden_collector.store.ticket_pages import Wanted
from sitewarden_collector.store.tickets import OPEN, Listed

STATES = ("open", *(state.value for state in TicketState), "all")


def register_alone(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    register(group(subparsers))


def group(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> Any:
    """`sitewarden ticket`, without its commands."""
    made = subparsers.add_parser("ticket", help="open, list, show and work on tickets")
    return made.add_subparsers(title="commands", metavar="COMMAND", required=True)


def register(commands: Any) -> None:
    listing = commands.add_parser("list", help="tickets, the newest first")
    listing.add_argument("--state", choices=STATES, default="all", help="only those in this state (default: all)")
    listing.add_argument("--site", default="", metavar="NAME", help="only those of this site")
    listing.add_argument("--customer", default="", metavar="NAME", help="only those of this customer")
    listing.add_argument("--type", choices=[one.value for one in TicketType], help="only this kind")
    listing.add_argument("--priority", type=int, choices=PRIORITIES, help="only this priority")
    listing.add_argument("--assignee", metavar="NAME", help="only those that this person has; empty: that nobody has")
    listing.add_argument("--text", default="", help="only those whose title, number or component holds it")
    listing.add_argument(
        "--sort", choices=ticket_pages.ORDERS, default="opened", help="(default: opened, newest first)"
    )
    listing.add_argument("--limit", type=int, default=200, metavar="N", help="at most so many (default: 200)")
    listing.set_defaults(run=run)
    _common.add_config_option(listing)
    _common.add_json_option(listing)


def run(arguments: argparse.Namespace) -> int:
    states = {"all": (), "open": OPEN}.get(arguments.state, (arguments.state,))
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        window = Window(arguments.limit, descending=not arguments.sort.startswith("-"))
        wanted = Wanted(
            states=states,
            types=[arguments.type] if arguments.type else (),
            priorities=[arguments.priority] if arguments.priority else (),
            site=arguments.site,
            customer=arguments.customer,
            assignee=arguments.assignee,
            text=arguments.text,
        )
        found = db.read_now(ticket_pages.find, wanted, window, order=arguments.sort)[: arguments.limit]
    if arguments.json:
        _common.print_json([row(one) for one in found])
        return 0
    headers = ("NUMBER", "P", "STATE", "SITE", "COUNT", "LAST", "ASSIGNEE", "TITLE")
    rows = [
        (t.number, t.priority, t.state.value, one.site, t.count, iso(t.last_ns), t.assignee, t.title)
        for one in found
        for t in (one.ticket,)
    ]
    _common.print_table(headers, rows, empty="no tickets: nothing is wrong that a rule looks for")
    return 0


def row(one: Listed) -> dict[str, Any]:
    """A ticket as JSON says it."""
    ticket = one.ticket
    return {
        "number": ticket.number,
        "state": ticket.state.value,
        "severity": severity_word(ticket.severity).lower(),
        "site": one.site,
        "customer": one.customer,
        "title": ticket.title,
        "kind": ticket.kind.value,
        "type": ticket.type.value,
        "priority": ticket.priority,
        "waiting": ticket.waiting,
        "category": ticket.category,
        "component": ticket.component,
        "reporter": ticket.reporter,
        "reported": iso(ticket.reported_ns),
        "major": ticket.major,
        "rule": ticket.rule,
        "fault": ticket.fault,
        "count": ticket.count,
        "opened": iso(ticket.opened_ns),
        "last": iso(ticket.last_ns),
        "assignee": ticket.assignee,
        "acknowledged": iso(ticket.acknowledged_ns),
        "recovered": iso(ticket.recovered_ns),
        "resolved": iso(ticket.resolved_ns),
        "resolution": ticket.resolution,
        "reopenings": ticket.reopenings,
        "suppressed": ticket.suppressed,
        "id": ticket.id,
    }
