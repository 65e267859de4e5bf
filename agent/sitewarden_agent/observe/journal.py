"""Entries of the systemd journal to records as those of a log file.

Promises: what a program writes line by line to the journal, such as a stack trace, is one record again when the lines
come together; an entry's priority, program and time are those of the record; a record is named by its first entry for
ever. Pure. Not here: where entries come from (`journalctl`), what goes into the spool (`jobs.journals`).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from sitewarden_agent.observe.decoding import either
from sitewarden_alerting.reading import continuation
from sitewarden_alerting.reading.lines import DEFAULT_MAX_RECORD_BYTES, Record

FIELDS = ("MESSAGE", "PRIORITY", "SYSLOG_FACILITY", "SYSLOG_IDENTIFIER", "_COMM", "_PID", "_SYSTEMD_UNIT", "_TRANSPORT")
"""What is asked for of each entry, besides its cursor and time."""
_INFO = 6
_OPEN_MAX = 64
_NAME_MAX = 64


@dataclass(frozen=True, slots=True)
class Entry:
    cursor: str
    number: int
    """Its name for ever: the sequence number, below a trace of which sequence that is."""
    time_us: int
    priority: int
    facility: int
    program: str
    pid: str
    unit: str
    transport: str
    message: str
    truncated: int


@dataclass(slots=True)
class _Open:
    """A record that may go on: `state` knows what continues it."""

    first: Entry
    state: continuation.Open
    lines: list[str]
    size: int
    truncated: int


@dataclass(slots=True)
class Joining:
    """Takes entries in their order. What is open is closed by `close`: it is complete, or its writer has paused."""

    closed: list[tuple[Entry, Record]] = field(default_factory=list)
    _open: dict[tuple[str, str], _Open] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return bool(self._open)

    def add(self, entry: Entry) -> None:
        line, newline, _ = entry.message.partition("\n")
        stream = (entry.program, entry.pid)
        if entry.transport != "stdout" or newline or not line.strip():
            if line.strip():
                self._give(_opened(entry))
            return
        open_record = self._open.get(stream)
        if open_record is not None and continuation.continues(open_record.state, line):
            room = DEFAULT_MAX_RECORD_BYTES - open_record.size
            open_record.lines.append(line[: max(0, room)])
            open_record.size += len(line) + 1
            open_record.truncated += max(0, len(line) - max(0, room)) + entry.truncated
            return
        if open_record is not None:
            self._give(self._open.pop(stream))
        if len(self._open) >= _OPEN_MAX:
            self._give(self._open.pop(next(iter(self._open))))
        self._open[stream] = _opened(entry)

    def close(self) -> list[tuple[Entry, Record]]:
        """Everything there is, in the order in which it began."""
        for each in self._open.values():
            self._give(each)
        self._open.clear()
        closed, self.closed = sorted(self.closed, key=lambda pair: pair[1].offset), []
        return closed

    def _give(self, done: _Open) -> None:
        first = done.first
        text = _header(first) + "\n".join(done.lines)
        self.closed.append((first, Record(first.number, first.number, text, len(done.lines), done.truncated)))


def fields_of(line: bytes) -> Mapping[str, Any] | None:
    """What journalctl says of one entry; None when the line is none, however deep it nests."""
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def entry_of(raw: Mapping[str, Any]) -> Entry | None:
    """An entry as `journalctl -o json` writes it; None when it has no cursor, time or text."""
    cursor, time_us = raw.get("__CURSOR"), _number(raw.get("__REALTIME_TIMESTAMP"), -1)
    message = _text(raw.get("MESSAGE"))
    if not isinstance(cursor, str) or time_us < 0 or message is None:
        return None
    unit = _text(raw.get("_SYSTEMD_UNIT")) or ""
    program = _text(raw.get("SYSLOG_IDENTIFIER")) or _text(raw.get("_COMM")) or unit or "journal"
    kept = message[:DEFAULT_MAX_RECORD_BYTES]
    return Entry(
        cursor=cursor,
        number=number_of(cursor),
        time_us=time_us,
        priority=min(7, _number(raw.get("PRIORITY"), _INFO)),
        facility=min(23, _number(raw.get("SYSLOG_FACILITY"), 3)),
        program="_".join(program.split())[:_NAME_MAX],
        pid=str(_number(raw.get("_PID"), -1)),
        unit=unit,
        transport=_text(raw.get("_TRANSPORT")) or "",
        message=kept.rstrip(),
        truncated=len(message) - len(kept),
    )


def number_of(cursor: str) -> int:
    """A name for the entry at `cursor`, in ascending order within one sequence of the journal."""
    parts = dict(part.partition("=")[::2] for part in cursor.split(";"))
    sequence = zlib.crc32(parts.get("s", "").encode()) & 0x3FFFFF
    try:
        place = int(parts.get("i", ""), 16)
    except ValueError:
        place = zlib.crc32(cursor.encode())
    return sequence << 40 | place & 0xFF_FFFF_FFFF


def _opened(entry: Entry) -> _Open:
    lines = entry.message.split("\n")
    return _Open(entry, continuation.opened(lines[0]), lines, len(entry.message), entry.truncated)


def _header(entry: Entry) -> str:
    """What a syslog server would write before the message. A program that only prints has no priority of its own: its
    lines say by themselves how bad they are."""
    at = datetime.fromtimestamp(entry.time_us // 1_000_000, UTC).replace(microsecond=entry.time_us % 1_000_000)
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if entry.priority == _INFO:
        pid = f"[{entry.pid}]" if entry.pid != "-1" else ""
        return f"{stamp} localhost {entry.program}{pid}: "
    pid = entry.pid if entry.pid != "-1" else "-"
    return f"<{entry.facility * 8 + entry.priority}>1 {stamp} localhost {entry.program} {pid} - - "


def _text(value: object) -> str | None:
    """A field's value: text, bytes that are none, or several of these."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        if all(isinstance(each, int) and 0 <= each < 256 for each in value):
            return either(bytes(value))
        return "\n".join(_text(each) or "" for each in value)
    return None


def _number(value: object, default: int) -> int:
    text = _text(value) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else default
