"""`run`: be the agent. Without a name it supervises; with one it is that process, as the service units start it.

These processes stay: what they import is chosen here, before the rest of the agent is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sitewarden_agent import lean, supervise

DEFAULT_PATH = Path("/etc/sitewarden-agent/agent.toml")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "run",
        help="run the agent",
        description="Run the agent: one process that observes and one that speaks to headquarters, supervised.",
    )
    parser.add_argument(
        "process", nargs="?", choices=["observe", "link"], help="only this one of the two, in this process"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"configuration file (default {DEFAULT_PATH})")
    parser.add_argument("--supervised", type=int, metavar="PID", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    if arguments.supervised:
        supervise.end_with_parent(arguments.supervised)
    if arguments.process is not None:
        # Link waits for nothing short but what others end; gRPC's threads look around several times a second.
        slack_ns = lean.LONG_SLACK_NS if arguments.process == "link" else lean.SLACK_NS
        lean.begin(tls=_speaks_tls(arguments.config or DEFAULT_PATH), slack_ns=slack_ns)
    from sitewarden_agent import app, config

    settings = config.load_or_defaults(arguments.config)
    match arguments.process:
        case "observe":
            return app.observe(settings)
        case "link":
            return app.link(settings)
        case _:
            from sitewarden_agent.clock import SystemClock

            with app.opened_spool(settings, SystemClock()):
                pass  # what is wrong with it is said here and now, not by a child again and again
            supervise.become(str(arguments.config or ""), str(settings.state_dir))
            return 0


def _speaks_tls(path: Path) -> bool:
    """Whether anything in the configuration could need Python's own TLS: a probe, a dead-man's switch."""
    try:
        text = path.read_text(encoding="utf-8").lower()
        return "https" in text or "tls" in text
    except (OSError, UnicodeDecodeError):
        return False  # whoever loads it says what is wrong with it
