"""`sitewarden privacy export | erase | expire`: what is kept of a customer, in one file, or gone."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from pathlib import Path

from sitewarden_collector import pki
from sitewarden_collector.cli import _common
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import privacy
from sitewarden_collector.store import migrate

BY = "command line"


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("privacy", help="what is kept of a customer: export it, erase it")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    export = actions.add_parser("export", help="write everything of a customer into a zip file")
    export.add_argument("--to", metavar="FILE", type=Path, required=True)
    export.set_defaults(run=run_export)
    erase = actions.add_parser("erase", help="delete everything of a customer, for good")
    erase.add_argument("--yes", action="store_true", help="really do it")
    erase.set_defaults(run=run_erase)
    for one in (export, erase):
        one.add_argument("customer", metavar="CUSTOMER")
        one.add_argument("--reason", metavar="TEXT", required=True, help="for the audit log; it names no person")
    expire = actions.add_parser("expire", help="let go now of what is past its time, as [retention] says")
    expire.set_defaults(run=run_expire)
    for one in (export, erase, expire):
        _common.add_config_option(one)
        _common.add_json_option(one)


def run_export(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    key = pki.secret_key(config.data_path, create=True)
    asked = {"by": BY, "reason": arguments.reason, "now_ns": time.time_ns()}
    if arguments.to.exists():
        raise Invalid(f"{arguments.to} is there already; name a new file")
    with closing(_common.open_database(config)) as db:
        counts = db.write_now(privacy.export, arguments.customer, arguments.to, key, **asked)
    return _tell(arguments, counts, f"{sum(counts.values())} rows are in {arguments.to}.")


def run_erase(arguments: argparse.Namespace) -> int:
    if not arguments.yes:
        raise Invalid("this cannot be taken back: export first, then say --yes")
    config = _common.load_config(arguments)
    asked = {"by": BY, "reason": arguments.reason, "now_ns": time.time_ns()}
    with closing(_common.open_database(config)) as db:
        counts = db.write_now(privacy.erase, arguments.customer, **asked)
        migrate.compact(db)
    return _tell(arguments, counts, f"{sum(counts.values())} rows are gone. Backups hold them until they are deleted.")


def run_expire(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    total = 0
    with closing(_common.open_database(config)) as db:
        while count := db.write_now(privacy.expire, config.retention, now_ns=time.time_ns()):
            total += count
    return _tell(arguments, {"rows": total}, f"{total} rows were past their time.")


def _tell(arguments: argparse.Namespace, counts: dict[str, int], text: str) -> int:
    if arguments.json:
        _common.print_json(counts)
    else:
        print(text)
    return 0
