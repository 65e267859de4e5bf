"""`notices`: what headquarters told this site: patches, warnings, advice. The newest last."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from sitewarden_agent import app
from sitewarden_agent import config as configuration
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.model import SiteNotice

LOOK_EVERY_S = 0.5


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "notices",
        help="show what headquarters told this site",
        description="Show the notices of headquarters: patches, warnings, advice.",
    )
    default = configuration.DEFAULT_PATH
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"configuration file (default {default})")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--follow", action="store_true", help="wait for further ones until interrupted")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    config = configuration.load_or_defaults(arguments.config)
    shown: set[str] = set()
    if not arguments.follow and not app.spool_path(config).exists():
        print("No notices yet: this agent never ran. Start it with `sitewarden-agent run`.", file=sys.stderr)
        return 0
    with app.opened_spool(config, SystemClock()) as spool:
        try:
            while True:
                for notice in spool.notices():
                    if notice.action_id not in shown:
                        shown.add(notice.action_id)
                        _show(notice, as_json=arguments.json)
                if not arguments.follow:
                    break
                time.sleep(LOOK_EVERY_S)
        except KeyboardInterrupt:
            return 0
    if not shown and not arguments.json:
        print("No notices yet.", file=sys.stderr)
    return 0


def _show(notice: SiteNotice, *, as_json: bool) -> None:
    if as_json:
        print(
            json.dumps(
                {
                    "id": notice.action_id,
                    "received": _time(notice.received_ns),
                    "expires": _time(notice.expires_ns),
                    "category": notice.category,
                    "reference": notice.reference,
                    "subject": notice.subject,
                    "body": notice.body,
                },
                ensure_ascii=False,
            ),
            flush=True,
        )
        return
    reference = f" ({notice.reference})" if notice.reference else ""
    print(f"{_time(notice.received_ns)}  {notice.category or 'notice'}: {notice.subject}{reference}")
    for line in notice.body.splitlines():
        print(f"    {line}")
    sys.stdout.flush()


def _time(time_ns: int) -> str | None:
    if time_ns <= 0:
        return None
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
