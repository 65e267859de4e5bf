"""`sitewarden export`: how samples get to a remote store."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from dataclasses import asdict

from sitewarden_collector.cli import _common
from sitewarden_collector.cli._common import iso
from sitewarden_collector.store import export_cursors

OFF = "no samples are sent: give export.remote_write.url in the configuration, and restart the collector"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("export", help="samples on their way to a remote store")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    status = commands.add_parser("status", help="how far they were sent, what the store refused, what waits")
    status.set_defaults(run=_status)
    _common.add_config_option(status)
    _common.add_json_option(status)


def _status(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(export_cursors.standing, now_ns=time.time_ns())
    if arguments.json:
        _common.print_json({"active": False} if found is None else asdict(found))
        return 0
    if found is None or not found.active:
        print(OFF)
    if found is None:
        return 0
    rows = [
        ("sent", f"{found.sent} samples, last at {iso(found.sent_ns) or 'no time yet'}"),
        ("refused for good", f"{found.refused} samples" + _last(found.refused_ns, found.why)),
        ("no longer kept", f"{found.lost} samples" + _last(found.lost_ns, "")),
        ("waiting", f"{found.waiting_spools} agents, and {found.owed_hours} hours of samples"),
        ("behind by", f"{found.lag_s:.0f} s"),
        ("last trouble", found.error or "none: the store takes samples"),
    ]
    _common.print_table(("WHAT", "HOW"), rows)
    return 0


def _last(at_ns: int, why: str) -> str:
    return f", last at {iso(at_ns)}" + (f": {why}" if why else "") if at_ns else ""
