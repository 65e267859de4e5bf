"""`sitewarden category list | set | remove`: what tickets can be about, and which components they can concern."""

from __future__ import annotations

import argparse

from sitewarden_collector.cli import _working
from sitewarden_collector.cli._working import command, show
from sitewarden_collector.store import categories
from sitewarden_collector.store.categories import KINDS, Category


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("category", help="categories and components of tickets")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    command(commands, "list", _list, "both lists", by=False).add_argument("--kind", choices=KINDS, default="")
    for name, run, help in (("set", _set, "add one or rename it"), ("remove", _remove, "take one out")):
        parser = command(commands, name, run, help, by=False)
        parser.add_argument("kind", choices=KINDS)
        parser.add_argument("name", metavar="NAME", help="what tickets keep, as database/replication")
        if name == "set":
            parser.add_argument("--en", default="", help="what it is called in English (default: the name)")
            parser.add_argument("--zh", default="", help="what it is called in Chinese (default: the name)")


def _list(arguments: argparse.Namespace) -> int:
    found = _working.read(arguments, categories.every, arguments.kind)
    columns = ("kind", "name", "en", "zh")
    return _working.listing(arguments, map(_working.row, found), empty="the lists are empty", columns=columns)


def _set(arguments: argparse.Namespace) -> int:
    name = arguments.name
    made = Category(arguments.kind, name, arguments.en or name, arguments.zh or name)
    _working.change(arguments, categories.put, made)
    return show(arguments, _working.row(made), f"{made.kind} {name} is in the list")


def _remove(arguments: argparse.Namespace) -> int:
    _working.change(arguments, categories.remove, arguments.kind, arguments.name)
    row = {"kind": arguments.kind, "name": arguments.name}
    return show(arguments, row, f"{arguments.kind} {arguments.name} is out of the list; tickets that have it keep it")
