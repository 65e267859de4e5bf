"""The command line of the agent: one module a command, each with `register(subparsers)`.

A module's `register` adds its parser and sets `run` to a function that takes the parsed arguments and returns the exit
code. Errors that the agent raises on purpose are said in one line on stderr, with what to do next.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence

from sitewarden_agent.cli import _terminal
from sitewarden_agent.errors import AgentError


def parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser of every command, or only of the one that `argv` begins with: it need not wait for the others."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    wanted = argv[0].replace("-", "_") if argv else ""
    top = argparse.ArgumentParser(
        prog="sitewarden-agent", description="Watches this installation and tells its vendor what matters."
    )
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in [wanted] if wanted in names else names:
        importlib.import_module(f"{__name__}.{name}").register(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else list(argv)
    with _terminal.guarded():
        return _run(words)


def _run(words: Sequence[str]) -> int:
    arguments = parser(words).parse_args(words)
    try:
        return int(arguments.run(arguments))
    except AgentError as error:
        print(f"sitewarden-agent: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe went away, as `| head` does: not worth a traceback
        return 0
