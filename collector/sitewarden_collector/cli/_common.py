"""What the commands share: the options --config and --json, the database, and how lists and times are shown."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sitewarden_alerting.reading import plain
from sitewarden_collector import config as configuration
from sitewarden_collector.cli._audited import Audited
from sitewarden_collector.config import Config
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.store import migrate
from sitewarden_collector.store.engine import Database

CONFIG_VARIABLE = "SITEWARDEN_CONFIG"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the option --config, read by `load_config`."""
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help=f"configuration, TOML (default: ${CONFIG_VARIABLE}, else built in)"
    )


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the option --json, as every listing has it."""
    parser.add_argument("--json", action="store_true", help="print JSON, one object a line")


def load_config(arguments: argparse.Namespace) -> Config:
    """The configuration that the arguments name, or the defaults."""
    path = arguments.config
    if path is None and os.environ.get(CONFIG_VARIABLE):
        path = Path(os.environ[CONFIG_VARIABLE])
    return configuration.load(path)


def open_database(config: Config) -> Database:
    """The database, ready for use: an empty one gets its tables, one of another version is refused with what to do.

    Close it (`contextlib.closing`). Commands may write by short transactions while `sitewarden serve` runs.
    """
    config.data_path.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = migrate.open_checked(config.database_url, make=Audited)
    try:
        migrate.prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def print_json(rows: Iterable[Mapping[str, Any]] | Mapping[str, Any]) -> None:
    """One JSON object a line; a single mapping is one line."""
    for row in [rows] if isinstance(rows, Mapping) else rows:
        print(json.dumps(row, ensure_ascii=False, default=str))


def print_table(headers: Sequence[str], rows: Iterable[Iterable[object]], *, empty: str = "nothing to show") -> None:
    """Columns as wide as their widest cell, a line a row; `empty` where there is no row."""
    cells = [["" if cell is None else plain.line(str(cell)) for cell in row] for row in rows]
    if not cells:
        print(empty)
        return
    widths = [max(len(header), *(len(row[i]) for row in cells)) for i, header in enumerate(headers)]
    for line in [list(headers), *cells]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def iso(ns: int | None) -> str:
    """UTC, to the second, as `2026-11-24T03:10:00Z`; empty for None and 0."""
    if not ns:
        return ""
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def duration_s(text: str) -> int:
    """Seconds of `90s`, `15m`, `24h`, `7d` or `2w`; raises ConfigError."""
    found = re.fullmatch(r"(\d+)([smhdw])", text.strip())
    if found is None or int(found[1]) == 0:
        raise ConfigError(f"{text!r} is not a duration; write a number and a unit, as 90s, 15m, 24h, 7d or 2w")
    return int(found[1]) * _UNITS[found[2]]
