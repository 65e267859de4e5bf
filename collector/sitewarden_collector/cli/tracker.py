"""`sitewarden tracker set URL`: where defects and feature requests go."""

from __future__ import annotations

import argparse

from sitewarden_collector import pki
from sitewarden_collector.cli import _common, _working
from sitewarden_collector.cli._working import command, show
from sitewarden_collector.services.desk import tracker


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("tracker", help="development's tracker")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    command(commands, "set", _set, "say where it takes reports; prints the secret that they are signed with", "url")


def _set(arguments: argparse.Namespace) -> int:
    secret = pki.secret_key(_common.load_config(arguments).data_path, create=True)
    made = _working.write(arguments, tracker.configure, secret, url=arguments.url)
    row = {"id": made.subscription.id, "secret": made.secret}
    text = f"reports go there, signed with {made.secret}\n  how they fare: sitewarden webhook deliveries"
    return show(arguments, row, text)
