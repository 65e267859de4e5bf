"""`sitewarden ticket list | show | ack | resolve`, and what `_ticket_work` and `_ticket_ties` add: work on tickets."""

from __future__ import annotations

import argparse
import getpass
import sys
import time
from contextlib import closing
from typing import Any

from sitewarden_alerting.model import PRIORITIES, Evidence, Ticket, TicketState, TicketType
from sitewarden_alerting.wording import severity_word
from sitewarden_collector.cli import _common, _ticket_overview, _ticket_page, _ticket_ties, _ticket_work
from sitewarden_collector.cli._common import iso
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.desk import overview
from sitewarden_collector.services.surroundings import Health
from sitewarden_collector.services.tickets import Shown
from sitewarden_collector.store import ticket_pages
from sitewarden_collector.store.pages import Window
from sitewarden_collector.store.ticket_pages import Wanted
from sitewarden_collector.store.tickets import OPEN, Listed

STATES = ("open", *(state.value for state in TicketState), "all")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("ticket", help="open, list, show and work on tickets")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

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
    listing.set_defaults(run=_list)

    show = commands.add_parser("show", help="one ticket with its evidence and history")
    show.set_defaults(run=_show)

    ack = commands.add_parser("ack", help="take a ticket: no further page goes out for it")
    ack.set_defaults(run=_ack)

    resolve = commands.add_parser("resolve", help="say that a ticket is solved, and how")
    resolve.add_argument("--how", default="", metavar="TEXT", help="what solved it")
    resolve.set_defaults(run=_resolve)

    for one in (show, ack, resolve):
        one.add_argument("number", metavar="NUMBER", help="as INC-1001")
    for one in (ack, resolve):
        one.add_argument("--by", default="", metavar="NAME", help="who does it (default: your login name)")
    for one in (listing, show, ack, resolve):
        _common.add_config_option(one)
        _common.add_json_option(one)
    _ticket_work.register(commands)
    _ticket_ties.register(commands)


def _list(arguments: argparse.Namespace) -> int:
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
        _common.print_json([_row(one) for one in found])
        return 0
    headers = ("NUMBER", "P", "STATE", "SITE", "COUNT", "LAST", "ASSIGNEE", "TITLE")
    rows = [
        (t.number, t.priority, t.state.value, one.site, t.count, iso(t.last_ns), t.assignee, t.title)
        for one in found
        for t in (one.ticket,)
    ]
    _common.print_table(headers, rows, empty="no tickets: nothing is wrong that a rule looks for")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        now_ns = time.time_ns()
        shown = db.read_now(ticketing.show, arguments.number, now_ns=now_ns)
        work = db.read_now(overview.of, shown.ticket)
    if arguments.json:
        _common.print_json(_whole(shown) | _ticket_overview.row(work))
    else:
        sys.stdout.write("\n".join(_ticket_page.lines(shown, work, now_ns=now_ns)) + "\n")
    return 0


def _ack(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        who = arguments.by or getpass.getuser()
        ticket = db.write_now(ticketing.acknowledge, arguments.number, who, now_ns=time.time_ns())
    return _say(arguments, ticket, f"{ticket.number} is {ticket.assignee}'s now; no further page goes out")


def _resolve(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        who = arguments.by or getpass.getuser()
        ticket = db.write_now(ticketing.resolve, arguments.number, who, arguments.how, now_ns=time.time_ns())
    return _say(arguments, ticket, f"{ticket.number} is resolved; it reopens by itself should the fault come back")


def _say(arguments: argparse.Namespace, ticket: Ticket, text: str) -> int:
    if arguments.json:
        _common.print_json({"number": ticket.number, "state": ticket.state.value, "assignee": ticket.assignee})
    else:
        print(text)
    return 0


def _row(one: Listed) -> dict[str, Any]:
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


def _whole(shown: Shown) -> dict[str, Any]:
    return _row(Listed(shown.ticket, shown.site, shown.customer)) | {
        "merged_into": shown.merged_into,
        "previous": shown.ticket.previous,
        "silence": shown.silence.number if shown.silence else "",
        **_around(shown),
        "evidence": [_evidence(one) for one in shown.evidence],
        "history": [
            {"at": iso(event.at_ns), "what": event.what, "by": event.by, "text": event.text} for event in shown.history
        ],
    }


def _around(shown: Shown) -> dict[str, Any]:
    around = shown.around
    return {
        "agents": [
            {"host": one.hostname, "state": one.state, "version": one.version, "last_seen": iso(one.last_seen_ns)}
            for one in around.agents
        ],
        "health": [_health(one) for one in around.health],
        "health_last": [_health(one) for one in around.health_last],
        "changes": [_ticket_page.change(one) for one in around.changes],
        "also_open": [one.ticket.number for one in around.also_open],
        "risks": [one.risk.number for one in around.risks],
        "elsewhere": [
            {"number": one.ticket.number, "site": one.site, "state": one.ticket.state.value, "count": one.ticket.count}
            for one in around.elsewhere
        ],
    }


def _health(one: Health) -> dict[str, Any]:
    numbers = [{"name": r.name, "series": r.series, "value": r.value, "peak": r.peak} for r in one.readings]
    return {"host": one.hostname, "at": iso(one.at_ns), "readings": numbers}


def _evidence(one: Evidence) -> dict[str, Any]:
    return {
        "at": iso(one.at_ns),
        "host": one.hostname,
        "text": one.text,
        "agent": one.agent_id,
        "epoch": one.epoch,
        "seq": one.seq,
        "index": one.index,
    }
