"""The command line of the collector: one module a command, each with `register(subparsers)`.

A module's `register` adds its parser and sets `run` to a function that takes the parsed arguments and returns the exit
code. Errors that the collector raises on purpose are said in one line on stderr, with what to do next.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import pkgutil
import sys
from collections.abc import Sequence

from sitewarden_collector.cli import _terminal
from sitewarden_collector.cli._overview import COMMANDS
from sitewarden_collector.cli._typed import typed
from sitewarden_collector.errors import CollectorError

ALONE = {("ticket", "list"): "_ticket_list"}  # what is looked at all day waits for none of its neighbours' imports


def parser(argv: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """The parser of every command, or of the one that `argv` begins with alone: it need not wait for the others. Where
    `argv` begins with none, one that knows their names."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    wanted = argv[0].replace("-", "_") if argv else ""
    top = argparse.ArgumentParser(
        prog="sitewarden", description="Headquarters of Sitewarden: takes in, decides, tells, and remembers."
    )
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    if argv is not None and wanted not in names:
        for name, about in COMMANDS.items():
            commands.add_parser(name, help=about)
        return top
    if argv is not None and tuple(argv[:2]) in ALONE:
        importlib.import_module(f"{__name__}.{ALONE[argv[0], argv[1]]}").register_alone(commands)
        return top
    for name in [wanted] if wanted in names else names:
        importlib.import_module(f"{__name__}.{name}").register(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else list(argv)
    gc.set_threshold(10_000)  # a hundred thousand objects are imported, and none of them is garbage
    with _terminal.guarded():
        return _run(words)


def _run(words: Sequence[str]) -> int:
    arguments = parser(words).parse_args(words)
    typed.set(tuple(words))
    try:
        return int(arguments.run(arguments))
    except CollectorError as error:
        print(f"sitewarden: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe went away, as `| head` does: not worth a traceback
        return 0
