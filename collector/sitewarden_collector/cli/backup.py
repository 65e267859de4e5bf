"""`sitewarden backup FILE`: the whole database as one file, while the collector runs."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from sitewarden_collector import pki
from sitewarden_collector.cli import _common
from sitewarden_collector.services import backup


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("backup", help="copy the whole database to one file; the collector may run")
    parser.add_argument("file", metavar="FILE", type=Path)
    _common.add_config_option(parser)
    _common.add_json_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    with closing(_common.open_database(config)) as db:
        copied = backup.backup(db, arguments.file)
    if arguments.json:
        _common.print_json({"file": str(arguments.file), "bytes": copied.bytes, "rows": dict(copied.rows)})
        return 0
    print(f"{arguments.file}: {sum(copied.rows.values())} rows, {copied.bytes} bytes.")
    print(f"Not in it: the secret key ({config.data_path / pki.SECRET_FILE} or ${pki.SECRET_VARIABLE}). Keep that too.")
    return 0
