"""`sitewarden major`: major incidents, from the declaration to the review's actions."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import Connection

from sitewarden_alerting.majors import MajorPolicy
from sitewarden_collector.cli import _common, _working
from sitewarden_collector.cli._common import iso
from sitewarden_collector.cli._times import instant_ns
from sitewarden_collector.cli._working import command, read, show, write
from sitewarden_collector.services.desk import majors
from sitewarden_collector.services.desk.majors import ShownMajor
from sitewarden_collector.store.majors import Major


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("major", help="major incidents: declare, tell customers, review")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    command(commands, "list", _list, "major incidents, the newest first", by=False).add_argument(
        "--open", action="store_true", help="only those that have not ended"
    )
    shown = command(commands, "show", _show, "one, with its review and actions", "number", by=False)
    shown.add_argument("--markdown", action="store_true", help="the review as Markdown, to hand on")
    declare = command(commands, "declare", _declare, "a ticket is a major incident: pages once", "number", "reason")
    declare.add_argument("--expert", action="append", default=[], metavar="NAME", help="call in; can be repeated")
    declare.add_argument("--every", metavar="DURATION", help="how often customers are told (default: 30m)")
    command(commands, "call-in", _call_in, "page further experts", "number").add_argument("experts", nargs="+")
    command(commands, "tell", _tell, "tell every customer that is concerned", "number", "text")
    command(commands, "end", _end, "it is over", "number")
    command(commands, "review", _review, "write the review", "number", "text")
    policy = command(commands, "policy", _policy, "show, or say, when incidents become major by themselves", by=False)
    policy.add_argument("--customers", type=int, metavar="N", help="one fault at so many customers")
    policy.add_argument("--sites", type=int, metavar="N", help="or at so many sites")
    policy.add_argument("--update-every", metavar="DURATION", help="how often customers are told, as 30m")
    policy.add_argument("--automatic", choices=("on", "off"), help="off: people alone declare them")
    action = command(commands, "action", _action, "an action of the review", "number", "text", "owner")
    action.add_argument("due", metavar="DUE", help="as 2026-12-01T09:00 or +7d")


def _list(arguments: argparse.Namespace) -> int:
    found = read(arguments, majors.listing, going_on=arguments.open)
    columns = ("number", "declared", "ended", "next_update", "reviewed", "reason")
    return _working.listing(arguments, map(_row, found), empty="no major incident", columns=columns)


def _show(arguments: argparse.Namespace) -> int:
    shown = read(arguments, majors.show, arguments.number)
    if arguments.json:
        actions = [_working.row(one, "ref_id", "customer_id") for one in shown.actions]
        more = {"title": shown.ticket.title, "concerned": list(shown.concerned), "actions": actions}
        _common.print_json(_row(shown.major) | more)
    else:
        print("\n".join(_markdown(shown) if arguments.markdown else _lines(shown)))
    return 0


def _declare(arguments: argparse.Namespace) -> int:
    every_s = _common.duration_s(arguments.every) if arguments.every else None
    words = (arguments.number, arguments.reason)
    return _said(arguments, write(arguments, majors.declare, *words, experts=arguments.expert, update_every_s=every_s))


def _call_in(arguments: argparse.Namespace) -> int:
    return _said(arguments, write(arguments, majors.call_in, arguments.number, arguments.experts))


def _tell(arguments: argparse.Namespace) -> int:
    told = write(arguments, majors.tell_customers, arguments.number, arguments.text)
    return show(arguments, {"tickets": len(told)}, f"written to the customers of {len(told)} tickets")


def _end(arguments: argparse.Namespace) -> int:
    return _said(arguments, write(arguments, majors.end, arguments.number))


def _review(arguments: argparse.Namespace) -> int:
    return _said(arguments, write(arguments, majors.review, arguments.number, arguments.text))


def _action(arguments: argparse.Namespace) -> int:
    words = (arguments.number, arguments.text, arguments.owner, instant_ns(arguments.due))
    task = write(arguments, majors.add_action, *words)
    return show(arguments, _working.row(task, "ref_id", "customer_id"), f"{task.owner} is to do it: {task.id}")


def _policy(arguments: argparse.Namespace) -> int:
    wanted, automatic = read(arguments, majors.policy), read(arguments, majors.is_automatic)
    asked: dict[str, object] = {"customers": arguments.customers, "sites": arguments.sites}
    if arguments.update_every:
        asked["update_every_s"] = _common.duration_s(arguments.update_every)
    given = {name: value for name, value in asked.items() if value is not None}
    if given or arguments.automatic:
        wanted = replace(wanted, **given)  # type: ignore[arg-type]
        automatic = automatic if arguments.automatic is None else arguments.automatic == "on"
        _working.change(arguments, _set_policy, wanted, automatic)
    row = {name: getattr(wanted, name) for name in MajorPolicy.__slots__} | {"automatic": automatic}
    how = f"at {wanted.customers} customers or {wanted.sites} sites" if automatic else "by people alone"
    text = f"incidents are declared major {how}; customers are told every {wanted.update_every_s / 60:g} min"
    return show(arguments, row, text)


def _set_policy(tx: Connection, wanted: MajorPolicy, automatic: bool) -> None:
    majors.set_policy(tx, wanted, automatic=automatic)


def _said(arguments: argparse.Namespace, major: Major) -> int:
    if major.ended_ns:
        text = f"{major.number} is over; " + ("reviewed" if major.reviewed_ns else "its review is to be held")
    else:
        text = f"{major.number} is a major incident; customers are told next {iso(major.next_update_ns)}"
    return show(arguments, _row(major), text)


def _row(major: Major) -> dict[str, object]:
    return _working.row(major, "ticket_id", "customer_id", "warned_ns")


def _lines(shown: ShownMajor) -> Iterator[str]:
    major = shown.major
    yield f"{major.number}  {shown.ticket.title}"
    yield f"  {major.reason}; declared {iso(major.declared_ns)} by {major.declared_by}"
    yield f"  over since {iso(major.ended_ns)}" if major.ended_ns else f"  next update due {iso(major.next_update_ns)}"
    if major.experts:
        yield f"  called in: {', '.join(major.experts)}"
    yield f"  concerned: {', '.join(shown.concerned)}"
    if major.review:
        yield from ("  " + line for line in major.review.splitlines())
    for one in shown.actions:
        done = f"done {iso(one.done_ns)}" if one.done_ns else f"due {iso(one.due_ns)}"
        yield f"  action {one.id} of {one.owner}, {done}: {one.text}"


def _markdown(shown: ShownMajor) -> Iterator[str]:
    major = shown.major
    yield f"# Review of {major.number}: {shown.ticket.title}"
    yield ""
    yield f"- Why major: {major.reason}"
    yield f"- Declared: {iso(major.declared_ns)} by {major.declared_by}"
    yield f"- Ended: {iso(major.ended_ns) or 'it goes on'}"
    yield f"- Called in: {', '.join(major.experts) or 'nobody'}"
    yield ""
    yield major.review or "The review was not written yet."
    yield ""
    yield "| Action | Owner | Due | Done |"
    yield "|---|---|---|---|"
    for one in shown.actions:
        text = one.text.replace("|", "\\|").replace("\n", " ")
        yield f"| {text} | {one.owner} | {iso(one.due_ns)} | {iso(one.done_ns)} |"
