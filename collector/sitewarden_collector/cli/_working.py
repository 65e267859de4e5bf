"""What the commands that work on tickets share: declaring one in a line, doing it, and saying what came of it."""

from __future__ import annotations

import argparse
import getpass
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, Concatenate, TypeVar

from sqlalchemy import Connection

from sitewarden_alerting.model import Ticket
from sitewarden_collector.cli import _common
from sitewarden_collector.cli._common import iso

T = TypeVar("T")
Run = Callable[[argparse.Namespace], int]


def command(commands: Any, name: str, run: Run, help: str, *names: str, by: bool = True) -> argparse.ArgumentParser:
    """A command with the given positional arguments, --by where it changes something, --config and --json."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help)
    for one in names:
        parser.add_argument(one, metavar=one.upper())
    if by:
        parser.add_argument("--by", default="", metavar="NAME", help="who does it (default: your login name)")
    _common.add_config_option(parser)
    _common.add_json_option(parser)
    parser.set_defaults(run=run)
    return parser


def write(
    arguments: argparse.Namespace, service: Callable[Concatenate[Connection, ...], T], *words: Any, **named: Any
) -> T:
    """Call a use case as whoever is named, now."""
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        return db.write_now(service, *words, by=arguments.by or getpass.getuser(), now_ns=time.time_ns(), **named)


def change(arguments: argparse.Namespace, function: Callable[Concatenate[Connection, ...], None], *words: Any) -> None:
    """Call what changes a setting or a list of the desk."""
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        db.write_now(function, *words)


def read(
    arguments: argparse.Namespace, function: Callable[Concatenate[Connection, ...], T], *words: Any, **named: Any
) -> T:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        return db.read_now(function, *words, **named)


def say(arguments: argparse.Namespace, ticket: Ticket, text: str = "") -> int:
    """What a ticket is now."""
    if arguments.json:
        _common.print_json(
            {
                "number": ticket.number,
                "state": ticket.state.value,
                "assignee": ticket.assignee,
                "waiting": ticket.waiting,
            }
        )
    else:
        print(text or f"{ticket.number} is {ticket.state.value.replace('_', ' ')}")
    return 0


def show(arguments: argparse.Namespace, row: Mapping[str, Any], text: str) -> int:
    """One thing: its row as JSON, or a line about it."""
    if arguments.json:
        _common.print_json(row)
    else:
        print(text)
    return 0


def listing(
    arguments: argparse.Namespace, rows: Iterable[Mapping[str, Any]], *, empty: str, columns: Sequence[str]
) -> int:
    """Rows as JSON, or some of their columns as a table."""
    found = list(rows)
    if arguments.json:
        _common.print_json(found)
    else:
        headers = [name.upper().replace("_", " ") for name in columns]
        _common.print_table(headers, ([_cell(row[name]) for name in columns] for row in found), empty=empty)
    return 0


def row(thing: Any, *left_out: str) -> dict[str, Any]:
    """A frozen record as a row: times in ISO 8601, without some of its fields."""
    made: dict[str, Any] = {}
    for name in type(thing).__slots__:
        if name in left_out:
            continue
        value = getattr(thing, name)
        if name.endswith("_ns"):
            made[name.removesuffix("_ns")] = iso(value)
        else:
            made[name] = list(value) if isinstance(value, tuple) else value
    return made


def _cell(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
