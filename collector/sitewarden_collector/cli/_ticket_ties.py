"""The commands of `sitewarden ticket` about several tickets, visits, tasks and the tracker."""

from __future__ import annotations

import argparse
import time
from typing import Any

from sitewarden_collector.cli import _working
from sitewarden_collector.cli._times import instant_ns
from sitewarden_collector.cli._working import command, say, show, write
from sitewarden_collector.services.desk import linking, merging, tasks, tracker, visits
from sitewarden_collector.store import tickets
from sitewarden_collector.store.visits import Visit


def register(commands: Any) -> None:
    merge = command(commands, "merge", _merge, "let a ticket go into another; the next observation follows", "number")
    merge.add_argument("into", metavar="INTO")
    merge.add_argument("--reason", default="")
    command(commands, "unmerge", _unmerge, "take a merged ticket out again", "number")
    split = command(commands, "split", _split, "give a fingerprint of a ticket's fault a ticket of its own", "number")
    split.add_argument("fingerprint", metavar="FINGERPRINT", help="as `sitewarden fault show NUMBER` names it")
    link = command(commands, "link", _link, "say how two tickets belong together", "number")
    unlink = command(commands, "unlink", _unlink, "take a link back", "number")
    for one in (link, unlink):
        one.add_argument("kind", choices=tuple(linking.KINDS))
        one.add_argument("to", metavar="TO")
    parent = command(commands, "parent", _parent, "make a ticket a part of another", "number")
    parent.add_argument("parent", nargs="?", default="", metavar="PARENT", help="(default: of none)")

    listing = command(commands, "tasks", _tasks, "what is to be done, by whom, until when", by=False)
    listing.add_argument("--person", default="", metavar="NAME", help="only what this person is to do")
    listing.add_argument("--ticket", default="", metavar="NUMBER", help="only of this ticket or problem")
    listing.add_argument("--overdue", action="store_true", help="only what is overdue")
    command(commands, "task-done", _done, "a task of maintenance or of a review is done", "task")

    visit = commands.add_parser("visit", help="visits at the site")
    acts = visit.add_subparsers(title="commands", metavar="COMMAND", required=True)
    plan = command(acts, "plan", _visit_plan, "plan a visit", "number", "engineer")
    plan.add_argument("when", metavar="TIME", help="as 2026-11-24T09:00 or +2h")
    command(acts, "list", _visit_list, "the visits of a ticket", "number", by=False)
    command(acts, "arrive", _visit_arrive, "the engineer is there", "visit").add_argument("--at", default="now")
    command(acts, "leave", _visit_leave, "the engineer left", "visit", "findings").add_argument("--at", default="now")
    command(acts, "sign", _visit_sign, "somebody there signs it off", "visit", "name")
    command(acts, "cancel", _visit_cancel, "it does not take place", "visit", "why")

    command(commands, "to-development", _send, "report it to development's tracker", "number", "text").add_argument(
        "--kind", choices=tracker.KINDS, default="defect"
    )


def _merge(arguments: argparse.Namespace) -> int:
    ticket = write(arguments, merging.merge, arguments.number, arguments.into, reason=arguments.reason)
    undo = f"\n  undo it with: sitewarden ticket unmerge {arguments.number}"
    return say(arguments, ticket, f"{arguments.number} goes on as {ticket.number}{undo}")


def _unmerge(arguments: argparse.Namespace) -> int:
    return say(arguments, write(arguments, merging.unmerge, arguments.number))


def _split(arguments: argparse.Namespace) -> int:
    ticket = write(arguments, merging.split, arguments.number, arguments.fingerprint)
    undo = f"\n  undo it with: sitewarden ticket merge {ticket.number} {arguments.number}"
    return say(arguments, ticket, f"{arguments.fingerprint} has {ticket.number} now{undo}")


def _link(arguments: argparse.Namespace) -> int:
    ticket = write(arguments, linking.link, arguments.number, arguments.kind, arguments.to)
    return say(arguments, ticket, f"{ticket.number} {linking.KINDS[arguments.kind]} {arguments.to}")


def _unlink(arguments: argparse.Namespace) -> int:
    ticket = write(arguments, linking.unlink, arguments.number, arguments.kind, arguments.to)
    return say(arguments, ticket, f"{ticket.number} and {arguments.to} are no longer linked so")


def _parent(arguments: argparse.Namespace) -> int:
    ticket = write(arguments, linking.set_parent, arguments.number, arguments.parent)
    return say(arguments, ticket, f"{ticket.number} is a part of {arguments.parent or 'nothing'}")


def _tasks(arguments: argparse.Namespace) -> int:
    now_ns = time.time_ns()
    overdue_ns = now_ns if arguments.overdue else None
    found = _working.read(arguments, tasks.of, person=arguments.person, ref=arguments.ticket, overdue_ns=overdue_ns)
    rows = [_working.row(one, "customer_id") | {"overdue": one.overdue(now_ns)} for one in found]
    columns = ("due", "overdue", "owner", "ref", "kind", "text")
    return _working.listing(arguments, rows, empty="nothing is to be done", columns=columns)


def _done(arguments: argparse.Namespace) -> int:
    done = write(arguments, tasks.finish, arguments.task)
    return show(arguments, _working.row(done, "customer_id", "ref_id"), f"done: {done.text}")


def _visit_plan(arguments: argparse.Namespace) -> int:
    when_ns = instant_ns(arguments.when)
    return _visited(arguments, write(arguments, visits.plan, arguments.number, arguments.engineer, when_ns))


def _visit_list(arguments: argparse.Namespace) -> int:
    ticket = _working.read(arguments, tickets.by_number, arguments.number)
    rows = [visit_row(one) for one in _working.read(arguments, visits.of_ticket, ticket.id)]
    columns = ("id", "state", "engineer", "planned", "arrived", "left", "signed_by")
    return _working.listing(arguments, rows, empty="no visit is planned", columns=columns)


def _visit_arrive(arguments: argparse.Namespace) -> int:
    return _visited(arguments, write(arguments, visits.arrive, arguments.visit, at_ns=instant_ns(arguments.at)))


def _visit_leave(arguments: argparse.Namespace) -> int:
    words = (arguments.visit, arguments.findings)
    return _visited(arguments, write(arguments, visits.leave, *words, at_ns=instant_ns(arguments.at)))


def _visit_sign(arguments: argparse.Namespace) -> int:
    return _visited(arguments, write(arguments, visits.sign, arguments.visit, arguments.name))


def _visit_cancel(arguments: argparse.Namespace) -> int:
    return _visited(arguments, write(arguments, visits.cancel, arguments.visit, arguments.why))


def _visited(arguments: argparse.Namespace, visit: Visit) -> int:
    return show(arguments, visit_row(visit), f"the visit of {visit.engineer} is {visit.state}: {visit.id}")


def visit_row(visit: Visit) -> dict[str, Any]:
    return _working.row(visit, "ticket_id", "customer_id")


def _send(arguments: argparse.Namespace) -> int:
    item = write(arguments, tracker.send, arguments.number, arguments.kind, arguments.text)
    return show(arguments, _working.row(item, "ticket_id", "customer_id"), f"on its way to development as {item.id}")
