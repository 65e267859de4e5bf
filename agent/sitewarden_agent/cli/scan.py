"""`scan`: the dry run. Reads files as the agent would and prints what it would send, and sends nothing.

Promises: the agent's whole path less the spool; JSON lines on stdout and nothing else there; memory does not grow with
the size of a file. Findings are no failure: the exit code is 1 only when no file could be read.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import BinaryIO, cast

from sitewarden_agent import config as configuration
from sitewarden_agent.config import Config, Log
from sitewarden_agent.observe import discovery, redaction, sitekey
from sitewarden_agent.observe.decoding import assembler_for
from sitewarden_agent.observe.records import zone
from sitewarden_alerting.reading import event, forms, header
from sitewarden_alerting.reading.event import Event
from sitewarden_alerting.reading.lines import Record
from sitewarden_alerting.reading.redact import RedactionError, Redactor
from sitewarden_alerting.reading.severity import Severity

CHUNK_BYTES = 256 * 1024
FOLDED_MAX = 100_000
"""Different fingerprints that are folded in one file; what comes after these is printed record by record."""
_GZIP = b"\x1f\x8b"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "scan",
        help="show what the agent would send of log files; sends nothing",
        description="Read log files as the agent would and show what it would send. Nothing is sent or stored.",
    )
    parser.add_argument(
        "--all", action="store_true", help="every record, also those that would not be sent; no folding"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the agent's configuration")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("files", nargs="+", metavar="FILE", help="log files; .gz is read, too")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    config = configuration.load_or_defaults(arguments.config)
    redactor = redaction.redactor(config.redact, key=sitekey.read(config.state_dir) or b"")
    show = _show_json if arguments.json else _show_text
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # file names may be any bytes
    readable = 0
    for name in arguments.files:
        scan = Scan(name, _log_of(config, name), redactor, now_ns=time.time_ns())
        try:
            for found in scan.every() if arguments.all else scan.folded():
                show(name, found)
            readable += 1
        except (OSError, EOFError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            print(f"sitewarden-agent: {name} cannot be read: {reason}", file=sys.stderr)
        if scan.dropped:
            print(f"sitewarden-agent: {name}: redaction failed on {scan.dropped} records", file=sys.stderr)
    sys.stdout.flush()
    return 0 if readable else 1


@dataclass(slots=True)
class Found:
    """An event and how many records of its file it stands for."""

    event: Event
    count: int = 1


class Scan:
    """One file, read record by record. `dropped` counts records that redaction failed on."""

    def __init__(self, name: str, log: Log | None, redactor: Redactor, *, now_ns: int) -> None:
        self._name = name
        self._redactor = redactor
        self._now_ns = now_ns
        self._min_severity = Severity[log.min_severity.upper()] if log else Severity.WARNING
        self._zone: tzinfo = zone(log.zone if log else "local")
        self._encoding = log.encoding if log else "auto"
        self._form = forms.of(log.format if log else "auto")
        self.dropped = 0

    def every(self) -> Iterator[Found]:
        """Every record, in file order."""
        for record in self._records():
            if (read := self._read(record)) is not None:
                yield Found(read)

    def folded(self) -> Iterator[Found]:
        """What would be sent, one for each fingerprint, in the order of their first records."""
        by_fingerprint: dict[str, Found] = {}
        late: list[Found] = []
        for record in self._records():
            found = header.read(record.text, default_zone=self._zone, now_ns=self._now_ns, form=self._form)
            if found.severity < self._min_severity or (read := self._read(record)) is None:
                continue
            known = by_fingerprint.get(read.fingerprint)
            if known is not None:
                known.count += 1
            elif len(by_fingerprint) < FOLDED_MAX:
                by_fingerprint[read.fingerprint] = Found(read)
            else:
                late.append(Found(read))
        yield from by_fingerprint.values()
        yield from late

    def _read(self, record: Record) -> Event | None:
        try:
            return event.read(
                record,
                redact=self._redactor.redact,
                default_zone=self._zone,
                now_ns=self._now_ns,
                form=self._form,
            )
        except RedactionError:
            self.dropped += 1
            return None

    def _records(self) -> Iterator[Record]:
        assembler = assembler_for(self._encoding, 0, joins=self._form.joins)
        with _opened(self._name) as file:
            while data := file.read(CHUNK_BYTES):
                yield from assembler.feed(data)
        while (record := assembler.flush(partial=True)) is not None:
            yield record


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    """The file, unpacked when it is gzip. Opened once, so that a pipe will do."""
    with open(name, "rb") as file:
        if file.peek(2)[:2] == _GZIP:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield cast(BinaryIO, unpacked)
        else:
            yield file


def _log_of(config: Config, name: str) -> Log | None:
    """The [[logs]] section that names this file."""
    path = str(Path(name).absolute())
    return next((log for log in config.logs if discovery.names(log, path)), None)


def _show_json(name: str, found: Found) -> None:
    print(json.dumps(event.row(found.event, file=name, count=found.count), ensure_ascii=False))


def _show_text(name: str, found: Found) -> None:
    read = found.event
    first, _, rest = read.message.partition("\n")
    at = "-" if read.time_ns is None else event.iso(read.time_ns)
    times = f" (x{found.count})" if found.count > 1 else ""
    print(f"{name}:{read.offset} {read.severity.name:8} {at} {first}{times}")
    for line in rest.splitlines():
        print(f"    {line}")
