"""`sitewarden group`: which records of log files are the same fault, as the collector groups them after its learned
merges.

It reads the files twice: first to learn which fingerprints are one fault, then to print every record with its final
fault. Reading and redaction are those of the agent's `scan --all`. Where a configuration is named (--config or
$SITEWARDEN_CONFIG) and its database is there, it begins with what the collector learned from all sites and with
engineers' corrections; the database is only read. Otherwise the files stand for themselves.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import zoneinfo
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from sitewarden_alerting import grouping, reading
from sitewarden_alerting.reading import event, redact_rules
from sitewarden_alerting.reading.event import Event
from sitewarden_alerting.reading.lines import Assembler, Record
from sitewarden_alerting.reading.redact import RedactionError, Redactor
from sitewarden_collector.cli._common import (
    CONFIG_VARIABLE,
    add_config_option,
    add_json_option,
    load_config,
    print_json,
    print_table,
)
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.services import faults
from sitewarden_collector.store import migrate

_CHUNK_BYTES = 1 << 20
_SHOWN_CHARS = 160


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = subparsers.add_parser("group", help="show which records of log files are the same fault")
    group.add_argument("files", metavar="FILE", nargs="+", type=Path, help="log files of any common format")
    group.add_argument(
        "--zone", default="local", metavar="ZONE", help="zone of times without one, as Asia/Shanghai (default: local)"
    )
    add_config_option(group)
    add_json_option(group)
    group.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print one line a record (`--json`), or one row a fault, most frequent first."""
    zone, now_ns = _zone(arguments.zone), time.time_ns()
    sizes = {path: _size(path) for path in arguments.files}
    state = _begin(arguments)
    counts: dict[str, int] = {}
    for path in arguments.files:
        for found in _events(path, size=sizes[path], zone=zone, now_ns=now_ns, complain=True):
            grouping.observe(state, found.fingerprint, found.template, severity=found.severity)
            counts[found.fingerprint] = counts.get(found.fingerprint, 0) + 1
    if not arguments.json:
        _table(state, counts)
        return 0
    for path in arguments.files:
        print_json(
            {**event.row(found, file=str(path)), "fault": grouping.fault_of(state, found.fingerprint)}
            for found in _events(path, size=sizes[path], zone=zone, now_ns=now_ns, complain=False)
        )
    return 0


def _begin(arguments: argparse.Namespace) -> grouping.Grouping:
    """What the collector has learned, where one is named; nothing otherwise."""
    if arguments.config is None and not os.environ.get(CONFIG_VARIABLE):
        return grouping.Grouping()
    url = load_config(arguments).database_url
    path = migrate.sqlite_path(url)
    if path is None or path.exists():
        with closing(migrate.open_checked(url)) as db:
            if migrate.revision(db) is not None:
                migrate.prepare(db)  # it is not empty: looked at, and refused where its version is another
                return db.read_now(faults.learned)
    print("sitewarden: the collector's database is empty so far; the files stand for themselves", file=sys.stderr)
    return grouping.Grouping()


def _table(state: grouping.Grouping, counts: dict[str, int]) -> None:
    faults: dict[str, int] = {}
    for fingerprint, count in counts.items():
        fault = grouping.fault_of(state, fingerprint)
        faults[fault] = faults.get(fault, 0) + count
    ordered = sorted(faults.items(), key=lambda entry: (-entry[1], entry[0]))
    rows = ((fault, count, grouping.template_of(state, fault)[:_SHOWN_CHARS]) for fault, count in ordered)
    print_table(("fault", "count", "template"), rows, empty="no records")


def _zone(name: str) -> tzinfo:
    if name == "local":
        return datetime.now(UTC).astimezone().tzinfo or UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"zone {name!r} is not known; use local, UTC or a name like Asia/Shanghai") from None


def _size(path: Path) -> int:
    try:
        with path.open("rb"):
            return path.stat().st_size
    except OSError as error:
        raise ConfigError(f"{path} can't be read ({error.strerror}); name a log file that this user may read") from None


def _events(path: Path, *, size: int, zone: tzinfo, now_ns: int, complain: bool) -> Iterator[Event]:
    """Every event of the first `size` bytes, so that both passes see the same although the file grows."""
    shapes = Path(reading.__file__).with_name("secret_rules.toml").read_text(encoding="utf-8")
    redactor = Redactor(rules=redact_rules.parse(shapes))
    for record in _records(path, size):
        try:
            yield event.read(record, redact=redactor.redact, default_zone=zone, now_ns=now_ns)
        except RedactionError as error:
            if complain:
                print(f"sitewarden: {path}, byte {record.offset}: {error}", file=sys.stderr)


def _records(path: Path, size: int) -> Iterator[Record]:
    assembler = Assembler()
    with path.open("rb") as log:
        while size > 0 and (data := log.read(min(_CHUNK_BYTES, size))):
            size -= len(data)
            yield from assembler.feed(data)
    while (record := assembler.flush(partial=True)) is not None:
        yield record
