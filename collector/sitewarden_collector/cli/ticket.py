"""`sitewarden ticket show | ack | resolve`, and what `_ticket_list`, `_ticket_work` and `_ticket_ties` add: the list,
and work on tickets."""

from __future__ import annotations

import argparse
import getpass
import sys
import time
from contextlib import closing
from typing import Any

from sitewarden_alerting.model import Evidence, Ticket
from sitewarden_collector.cli import _common, _ticket_list, _ticket_overview, _ticket_page, _ticket_ties, _ticket_work
from sitewarden_collector.cli._common import iso
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.desk import overview
from sitewarden_collector.services.surroundings import Health
from sitewarden_collector.services.tickets import Shown
from sitewarden_collector.store.tickets import Listed


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    commands = _ticket_list.group(subparsers)
    _ticket_list.register(commands)
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
    for one in (show, ack, resolve):
        _common.add_config_option(one)
        _common.add_json_option(one)
    _ticket_work.register(commands)
    _ticket_ties.register(commands)


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


def _whole(shown: Shown) -> dict[str, Any]:
    return _ticket_list.row(Listed(shown.ticket, shown.site, shown.customer)) | {
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
