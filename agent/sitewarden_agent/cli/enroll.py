"""`sitewarden-agent enroll`: spend a token of the vendor, and be an agent of a site from then on."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from pathlib import Path

from sitewarden_agent import config
from sitewarden_agent.clock import SystemClock


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "enroll",
        help="make this host an agent of a site, with a token of the vendor",
        description="Makes a key on this host, spends the one-time token, and stores the certificate that comes back.",
    )
    parser.add_argument(
        "--token",
        default="-",
        help="the token, swt1_...; without this, or with -, it is asked for or read from standard input, and stands in "
        "no list of processes",
    )
    parser.add_argument(
        "--collector",
        metavar="HOST:PORT",
        action="append",
        default=[],
        help="the collector's enrolment port, instead of the one in the token; may be repeated",
    )
    parser.add_argument("--config", type=Path, help=f"configuration file (default {config.DEFAULT_PATH})")
    parser.add_argument("--force", action="store_true", help="replace the identity that is there")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    # Loaded here, so that no other command loads cryptography.
    from sitewarden_agent.link import enrol

    settings = config.load_or_defaults(arguments.config)
    text = _read_token() if arguments.token == "-" else arguments.token  # noqa: S105
    enrolled = enrol.enroll(
        text,
        settings.state_dir,
        SystemClock(),
        endpoints=tuple(arguments.collector),
        proxy=settings.link.proxy,
        force=arguments.force,
    )
    identity, behind_s = enrolled.identity, enrolled.clock_behind_ns / 1e9
    if arguments.json:
        print(
            json.dumps(
                {
                    "agent_id": identity.agent_id,
                    "site_id": identity.site_id,
                    "site_name": identity.site_name,
                    "endpoints": identity.endpoints,
                    "certificate_expires_ns": identity.not_after_ns,
                    "clock_behind_s": round(behind_s, 3),
                }
            )
        )
    else:
        print(f"Enrolled as agent {identity.agent_id} of site {identity.site_name}.")
        print("Start it with `sitewarden-agent run`; look at it with `sitewarden-agent status`.")
    if abs(enrolled.clock_behind_ns) > enrol.CLOCK_OFF_NS:
        way = "behind" if behind_s > 0 else "ahead of"
        print(
            f"This host's clock is {abs(behind_s):.0f} s {way} headquarters'. Set it (look at `timedatectl`).",
            file=sys.stderr,
        )
    return 0


def _read_token() -> str:
    return getpass.getpass("Token (it is not shown): ") if sys.stdin.isatty() else sys.stdin.read()
