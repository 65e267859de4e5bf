"""`sitewarden health`: how the collector of this configuration is, in words, and every queue and lag in numbers.

It reads the database and the disk, so it works while the collector runs and when it does not. What only the running
process knows (open streams, its queue of writes) stands on its console's page and at /metrics.
"""

from __future__ import annotations

import argparse
import shutil
import time
from contextlib import closing
from dataclasses import asdict
from typing import Any

from sitewarden_collector import pki
from sitewarden_collector.cli import _common
from sitewarden_collector.services import enrolment, health


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("health", help="how the collector is, in words")
    parser.description = (
        "How the collector is, by its database and its disk, whether it runs or not. What a running process knows "
        "besides stands at /healthz and on the console's page."
    )
    parser.set_defaults(run=run)
    _common.add_config_option(parser)
    _common.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    config, now_ns = _common.load_config(arguments), time.time_ns()
    with closing(_common.open_database(config)) as db:
        facts = db.read_now(health.examine, now_ns=now_ns)
        authority = db.write_now(enrolment.ensure_authority, config.data_path, now_ns=now_ns)
    local = health.Local(
        free_bytes=shutil.disk_usage(config.data_path).free, authority_days=pki.days_left(authority, now_ns=now_ns)
    )
    verdict = health.judge(facts, local)
    numbers = _flat(asdict(facts)) | {"free_bytes": local.free_bytes, "authority_days": local.authority_days}
    if arguments.json:
        said = {"status": verdict.status, "failing": verdict.failing, "attention": verdict.attention}
        _common.print_json(said | {"facts": numbers})
    else:
        print(f"status: {verdict.status}")
        for kind in ("failing", "attention"):
            for sentence in getattr(verdict, kind):
                print(f"{kind}: {sentence}")
        print()
        _common.print_table(("FIGURE", "VALUE"), [(name, _short(value)) for name, value in numbers.items()])
    return 1 if verdict.failing else 0


def _flat(facts: dict[str, Any]) -> dict[str, Any]:
    """The counts by state as figures of their own."""
    flat: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{state}": count for state, count in value.items()}
        else:
            flat[name] = value
    return flat


def _short(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
