"""`sitewarden engineer list | set | remove | policy`: who can be given tickets, and whether that happens by itself."""

from __future__ import annotations

import argparse
from dataclasses import replace

from sitewarden_collector.cli import _working
from sitewarden_collector.cli._times import instant_ns
from sitewarden_collector.cli._working import command, show
from sitewarden_collector.services.desk import assigning
from sitewarden_collector.store import engineers
from sitewarden_collector.store.engineers import Engineer

LISTS = ("skills", "languages", "products")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("engineer", help="who can be given tickets")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    command(commands, "list", _list, "engineers with their load", by=False)
    made = command(commands, "set", _set, "add an engineer, or change what is said", "name", by=False)
    made.add_argument("--skills", metavar="A,B", help="components and categories")
    made.add_argument("--languages", metavar="A,B", help="as en,zh")
    made.add_argument("--products", metavar="A,B")
    made.add_argument("--capacity", type=int, metavar="N", help="open tickets at most (default: 10)")
    made.add_argument("--away", metavar="TIME", help="until when, as 2026-12-01T09:00 or +7d; `no`: back")
    command(commands, "remove", _remove, "take an engineer out", "name", by=False)
    policy = command(commands, "policy", _policy, "whether new tickets are given out by themselves", by=False)
    policy.add_argument("wanted", nargs="?", choices=assigning.POLICIES)


def _list(arguments: argparse.Namespace) -> int:
    found = _working.read(arguments, engineers.candidates)
    columns = ("name", "open_tickets", "capacity", "skills", "languages", "products", "away_until")
    empty = "no engineers; `sitewarden engineer set NAME` adds one"
    return _working.listing(arguments, map(_working.row, found), empty=empty, columns=columns)


def _set(arguments: argparse.Namespace) -> int:
    one = _working.read(arguments, engineers.find, arguments.name) or Engineer(arguments.name)
    for name in LISTS:
        given = getattr(arguments, name)
        if given is not None:
            words = tuple(word.strip() for word in given.split(",") if word.strip())
            one = replace(one, **{name: words})  # type: ignore[arg-type]
    if arguments.capacity is not None:
        one = replace(one, capacity=max(1, arguments.capacity))
    if arguments.away is not None:
        one = replace(one, away_until_ns=None if arguments.away == "no" else instant_ns(arguments.away))
    _working.change(arguments, engineers.put, one)
    return show(arguments, _working.row(one), f"{one.name} can be given up to {one.capacity} tickets")


def _remove(arguments: argparse.Namespace) -> int:
    _working.change(arguments, engineers.remove, arguments.name)
    return show(arguments, {"name": arguments.name}, f"{arguments.name} is given no more tickets")


def _policy(arguments: argparse.Namespace) -> int:
    if arguments.wanted:
        _working.change(arguments, assigning.set_policy, arguments.wanted)
    now = _working.read(arguments, assigning.policy)
    return show(arguments, {"policy": now}, f"new tickets: {now}")
