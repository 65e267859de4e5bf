"""Run the agent or the collector so that it dies by SIGKILL at its n-th durable step.

`DIE_AT=n DIE_SIDE=before|after python -m tests.torture.dying agent|collector WORDS...`. The commit is an argument of
the spool and of the database for just this; here the default of that argument is replaced before the program starts.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any


def dying(commit: Callable[..., Any], *, at: int, side: str) -> Callable[..., Any]:
    """`commit`, and death right before or right after its `at`-th call."""
    calls = 0

    def dies(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at and side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = commit(*arguments, **named)
        if calls == at and side == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return dies


def _replace_default(function: Any, at: int, side: str) -> None:
    function.__kwdefaults__["commit"] = dying(function.__kwdefaults__["commit"], at=at, side=side)


def main(argv: list[str]) -> int:
    at, side = int(os.environ.get("DIE_AT", "0")), os.environ.get("DIE_SIDE", "before")
    if argv[0] == "agent":
        from sitewarden_agent.cli import main as program
        from sitewarden_agent.spool.spool import Spool

        if at:
            _replace_default(Spool.open.__func__, at, side)  # type: ignore[attr-defined]
    else:
        from sitewarden_collector.app import Collector
        from sitewarden_collector.cli import main as program

        if at:
            _replace_default(Collector.__init__, at, side)
    return program(argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
