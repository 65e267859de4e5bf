"""`run`: be the agent. Without a name it supervises; with one it is that process, as the service units start it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
from pathlib import Path

from sitewarden_agent import app, supervise
from sitewarden_agent import config as configuration
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.config import Config
from sitewarden_agent.link import identity


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "run",
        help="run the agent",
        description="Run the agent: one process that observes and one that speaks to headquarters, supervised.",
    )
    parser.add_argument(
        "process", nargs="?", choices=["observe", "link"], help="only this one of the two, in this process"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help=f"configuration file (default {configuration.DEFAULT_PATH})"
    )
    parser.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    config = configuration.load_or_defaults(arguments.config)
    if arguments.supervised:
        supervise.end_with_parent()
    match arguments.process:
        case "observe":
            return app.observe(config)
        case "link":
            return app.link(config)
        case _:
            return _supervise(config, arguments.config)


def _supervise(config: Config, path: Path | None) -> int:
    logging.basicConfig(level=logging.INFO, format="agent: %(levelname)s %(message)s")
    with app.opened_spool(config, SystemClock()) as spool:

        def renewal_due() -> str | None:
            note = spool.notes().get("renew_due", {})
            serial = identity.load(config.state_dir).serial
            return serial if note.get("due") and note.get("serial") == serial else None  # else it was renewed since

        asyncio.run(_until_told(path, renewal_due))
    return 0


async def _until_told(path: Path | None, renewal_due: supervise.RenewalDue) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with contextlib.suppress(asyncio.CancelledError):
        await supervise.run(path, renewal_due, stop)
