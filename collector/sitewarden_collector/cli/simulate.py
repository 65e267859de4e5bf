"""`sitewarden simulate`: many agents at once against the collector of this configuration, to size a machine.

They are enrolled as the customer `simulated`; `sitewarden privacy erase simulated` takes everything of them away again.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from contextlib import closing
from typing import Any

from sitewarden_collector import pki
from sitewarden_collector.cli import _common
from sitewarden_collector.config import Config
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.services import enrolment
from sitewarden_collector.store import settings
from sitewarden_collector.store.engine import Database


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("simulate", help="many agents at once, to size a machine")
    kinds = ("steady", "storm", "crash-loop", "renewal", "clock-skew", "bad-version")
    parser.add_argument("scenario", nargs="?", choices=kinds, default="steady", help="default: steady")
    parser.add_argument("--agents", type=int, default=100, metavar="N")
    parser.add_argument("--sites", type=int, default=10, metavar="N")
    parser.add_argument("--for", dest="seconds", default="30s", metavar="TIME", help="such as 30s or 5m")
    parser.add_argument("--batch-every", default="60s", metavar="TIME", help="each agent's (default: 60s)")
    parser.add_argument("--heartbeat-every", default="30s", metavar="TIME", help="each agent's (default: 30s)")
    parser.add_argument("--series", type=int, default=40, metavar="N", help="of a batch (default: 40)")
    parser.add_argument("--ticks", type=int, default=6, metavar="N", help="of each series in a batch (default: 6)")
    parser.add_argument("--connect-within", default="10s", metavar="TIME", help="the first connections (default: 10s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed: the same course")
    parser.set_defaults(run=run)
    _common.add_config_option(parser)
    _common.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    from sitewarden_collector.simulate import crowd, verdict  # gRPC: only where it is needed
    from sitewarden_collector.simulate.scenario import Kind, Scenario

    plan = Scenario(
        kind=Kind(arguments.scenario),
        agents=arguments.agents,
        sites=arguments.sites,
        seconds=_common.duration_s(arguments.seconds),
        batch_every_s=_common.duration_s(arguments.batch_every),
        heartbeat_s=_common.duration_s(arguments.heartbeat_every),
        series=arguments.series,
        ticks=arguments.ticks,
        connect_within_s=_common.duration_s(arguments.connect_within),
        seed=arguments.seed,
    )
    config = _common.load_config(arguments)
    with closing(_common.open_database(config)) as db:
        authority = db.write_now(enrolment.ensure_authority, config.data_path, now_ns=time.time_ns())
        streams, enrolments = _addresses(db, config)
        road = crowd.Road(streams, enrolments, pki.pem(authority.root))
        course = asyncio.run(crowd.simulate(plan, db, authority, road, say=_say))
        found = db.read_now(verdict.judge, plan, course)
    rows: list[dict[str, Any]] = [{"held": one.what, "ok": one.ok, "detail": one.detail} for one in found.held]
    if arguments.json:
        _common.print_json([*rows, {"figures": found.figures, "turned_away": found.turned_away}])
    else:
        _common.print_table(
            ("", "WHAT HAD TO HOLD", "FOUND"), [("ok" if r["ok"] else "NO", r["held"], r["detail"]) for r in rows]
        )
        print()
        _common.print_table(("FIGURE", "VALUE"), [(name, f"{value:g}") for name, value in found.figures.items()])
        for reason, times in found.turned_away.items():
            print(f"turned away {times} times: {reason}")
        print("\n`sitewarden privacy erase simulated` takes the simulated customer away again.")
    return 0 if found.ok else 1


def _addresses(db: Database, config: Config) -> tuple[str, str]:
    noted = db.read_now(settings.get, "endpoints")
    if noted is None:
        raise ConfigError("no collector has run on this database yet: start one with `sitewarden serve`")
    return str(noted["streams"][0]), str(noted["enrolment"][0])


def _say(text: str) -> None:
    print(text, file=sys.stderr)
