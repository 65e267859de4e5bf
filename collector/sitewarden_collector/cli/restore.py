"""`sitewarden restore FILE [--force]`: put a backup into the configured database, of either engine."""

from __future__ import annotations

import argparse
from pathlib import Path

from sitewarden_collector.cli import _common
from sitewarden_collector.services import backup


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("restore", help="put a backup back; the collector must be stopped")
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--force", action="store_true", help="replace what is there (a SQLite file is set aside)")
    _common.add_config_option(parser)
    _common.add_json_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    config.data_path.mkdir(parents=True, exist_ok=True, mode=0o700)
    copied = backup.restore(config.database_url, arguments.file, force=arguments.force)
    if arguments.json:
        _common.print_json({"file": str(arguments.file), "rows": dict(copied.rows)})
        return 0
    print(
        f"{sum(copied.rows.values())} rows are back. Start the collector: agents send again what came after the backup."
    )
    return 0
