"""`sitewarden-agent renew`: a new certificate for this agent. The supervisor runs it by itself when it is due."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from sitewarden_agent import config
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.link import identity


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "renew",
        help="renew this agent's certificate (done by itself while `run` runs)",
        description="Asks headquarters for a new certificate, also with one that has just expired.",
    )
    parser.add_argument("--if-due", action="store_true", help="only when two thirds of its life are over")
    parser.add_argument("--serial", metavar="HEX", help="only while the certificate in use has this serial")
    parser.add_argument("--collector", metavar="HOST:PORT", action="append", default=[], help="enrolment port to use")
    parser.add_argument("--config", type=Path, help=f"configuration file (default {config.DEFAULT_PATH})")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings, clock = config.load_or_defaults(arguments.config), SystemClock()
    current = identity.load(settings.state_dir)
    is_due = not arguments.if_due or clock.wall_ns() >= identity.renewal_due_ns(current)
    renewed = is_due and arguments.serial in (None, current.serial)  # else it was renewed meanwhile
    if renewed:
        # Loaded here, so that no other command loads cryptography.
        from sitewarden_agent.link import renewal

        current = renewal.renew(
            settings.state_dir, clock, endpoints=tuple(arguments.collector), proxy=settings.link.proxy
        )
    until = datetime.fromtimestamp(current.not_after_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if arguments.json:
        print(
            json.dumps({"renewed": renewed, "serial": current.serial, "certificate_expires_ns": current.not_after_ns})
        )
    else:
        print(f"{'Renewed' if renewed else 'Not due yet'}; the certificate is good until {until}.")
    return 0
