"""`sitewarden problem`: the causes behind incidents, from the suspicion to the maintenance that removes them."""

from __future__ import annotations

import argparse

from sitewarden_alerting.problems import ProblemPolicy, ProblemState
from sitewarden_collector.cli import _common, _working
from sitewarden_collector.cli._common import iso
from sitewarden_collector.cli._times import instant_ns
from sitewarden_collector.cli._working import command, read, say, show, write
from sitewarden_collector.services.desk import problems
from sitewarden_collector.store import problems as kept
from sitewarden_collector.store.problems import Problem

STATES = ("open", *(state.value for state in ProblemState), "all")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("problem", help="the causes behind incidents")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = command(commands, "list", _list, "problems, the newest first", by=False)
    listing.add_argument("--state", choices=STATES, default="open", help="(default: open)")
    listing.add_argument("--limit", type=int, default=200, metavar="N")
    command(commands, "show", _show, "one problem with its incidents, tasks and history", "number", by=False)
    made = command(commands, "open", _open, "open a problem over some tickets", "title")
    made.add_argument("tickets", nargs="*", metavar="TICKET")
    for name, run, help in (
        ("link", _link, "a ticket is an incident of a problem"),
        ("unlink", _unlink, "a ticket is none after all"),
    ):
        command(commands, name, run, help, "number", "ticket")
    edit = command(commands, "edit", _edit, "write down title, owner, cause or workaround", "number")
    for name in problems.EDITABLE:
        edit.add_argument(f"--{name}")
    move = command(commands, "move", _move, "say how far it is", "number")
    move.add_argument("state", choices=("investigating", "known_error", "closed"))
    resolve = command(commands, "resolve", _resolve, "the cause is gone", "number", "how")
    resolve.add_argument("--incidents", action="store_true", help="resolve its open incidents with it")
    task = command(commands, "task", _task, "maintenance with an owner and a date", "number", "text", "owner")
    task.add_argument("due", metavar="DUE", help="as 2026-11-24T09:00 or +7d")
    rule = command(commands, "policy", _policy, "when incidents make a problem by themselves", by=False)
    rule.add_argument("--sites", type=int, metavar="N", help="one fault at so many sites")
    rule.add_argument("--times", type=int, metavar="N", help="or so often at one")
    rule.add_argument("--within", metavar="DURATION", help="within this, as 7d")


def _list(arguments: argparse.Namespace) -> int:
    every = [state.value for state in ProblemState]
    states = {"all": every, "open": every[:3]}.get(arguments.state, [arguments.state])
    found = read(arguments, kept.listing, states=states, limit=arguments.limit)
    columns = ("number", "state", "owner", "opened", "title")
    return _working.listing(arguments, map(_row, found), empty="no problem is known", columns=columns)


def _show(arguments: argparse.Namespace) -> int:
    shown = read(arguments, problems.show, arguments.number)
    problem = shown.problem
    if arguments.json:
        more = {
            "incidents": [
                {"number": one.ticket.number, "site": one.site, "state": one.ticket.state.value}
                for one in shown.incidents
            ],
            "tasks": [_working.row(one, "ref_id", "customer_id") for one in shown.tasks],
            "history": [_working.row(one) for one in shown.history],
        }
        _common.print_json(_row(problem) | more)
        return 0
    print(f"{problem.number}  {problem.title}")
    print(f"  {problem.state.value.replace('_', ' ')}, opened {iso(problem.opened_ns)} by {problem.opened_by}")
    for name in ("fault", "owner", "cause", "workaround", "resolution"):
        if getattr(problem, name):
            print(f"  {name}: {getattr(problem, name)}")
    for one in shown.incidents:
        print(f"  {one.ticket.number} {one.site} {one.ticket.state.value}: {one.ticket.title}")
    for task in shown.tasks:
        done = f"done {iso(task.done_ns)} by {task.done_by}" if task.done_ns else f"due {iso(task.due_ns)}"
        print(f"  task {task.id} of {task.owner}, {done}: {task.text}")
    for event in shown.history:
        print(f"  {iso(event.at_ns)} {event.what} by {event.by}: {event.text}")
    return 0


def _open(arguments: argparse.Namespace) -> int:
    return _said(arguments, write(arguments, problems.open_problem, arguments.title, arguments.tickets))


def _link(arguments: argparse.Namespace) -> int:
    ticket = write(arguments, problems.include, arguments.number, arguments.ticket)
    return say(arguments, ticket, f"{ticket.number} is an incident of {arguments.number}")


def _unlink(arguments: argparse.Namespace) -> int:
    ticket = write(arguments, problems.exclude, arguments.number, arguments.ticket)
    return say(arguments, ticket, f"{ticket.number} is no incident of {arguments.number}")


def _edit(arguments: argparse.Namespace) -> int:
    said = {name: getattr(arguments, name) for name in problems.EDITABLE if getattr(arguments, name) is not None}
    return _said(arguments, write(arguments, problems.edit, arguments.number, **said))


def _move(arguments: argparse.Namespace) -> int:
    return _said(arguments, write(arguments, problems.move, arguments.number, arguments.state))


def _resolve(arguments: argparse.Namespace) -> int:
    words = (arguments.number, arguments.how)
    problem, there = write(arguments, problems.resolve, *words, resolve_incidents=arguments.incidents)
    if there and not arguments.incidents:
        left = f"{problem.number} is resolved; still open: {', '.join(there)} (--incidents resolves them with it)"
        return show(arguments, _row(problem) | {"open_incidents": list(there)}, left)
    return _said(arguments, problem)


def _task(arguments: argparse.Namespace) -> int:
    words = (arguments.number, arguments.text, arguments.owner, instant_ns(arguments.due))
    task = write(arguments, problems.add_task, *words)
    return show(arguments, _working.row(task, "ref_id", "customer_id"), f"{task.owner} is to do it: {task.id}")


def _policy(arguments: argparse.Namespace) -> int:
    now = read(arguments, problems.policy)
    wanted = ProblemPolicy(
        sites=arguments.sites or now.sites,
        times=arguments.times or now.times,
        window_s=_common.duration_s(arguments.within) if arguments.within else now.window_s,
    )
    if wanted != now:
        _working.change(arguments, problems.set_policy, wanted)
    text = f"{wanted.sites} sites, or {wanted.times} times at one, within {wanted.window_s / 86_400:g} days"
    return show(arguments, _working.row(wanted), text)


def _said(arguments: argparse.Namespace, problem: Problem) -> int:
    return show(arguments, _row(problem), f"{problem.number} is {problem.state.value.replace('_', ' ')}")


def _row(problem: Problem) -> dict[str, object]:
    return _working.row(problem, "id", "site_id")
