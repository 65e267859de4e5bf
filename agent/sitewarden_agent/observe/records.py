"""A log record to the event that may leave: read, redacted, fingerprinted, or kept back because it is not bad enough.

Promises: what `event` returns went through redaction; a record whose redaction fails is dropped and counted, and the
caller says so in a gap. The costly part runs only for records that are bad enough to be sent, and that are not merely
counted in a storm. The same reading as `sitewarden-agent scan`. Not here: where records come from (`logfile`), where
they go (`tail`), how a storm is told (`storms`).
"""

from __future__ import annotations

import contextlib
import os
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from sitewarden_agent.config import Log
from sitewarden_agent.model import LogEvent, RecordPart
from sitewarden_agent.observe.lookalikes import LookAlikes
from sitewarden_agent.observe.scanning.scanner import Scanner, scanner_of
from sitewarden_agent.observe.storms import Counted, Storms, sample_of
from sitewarden_alerting.reading import forms
from sitewarden_alerting.reading.familiar import Familiar, Memories, Seen
from sitewarden_alerting.reading.forms import AUTO, Form
from sitewarden_alerting.reading.lines import Record
from sitewarden_alerting.reading.redact import RedactionError
from sitewarden_alerting.reading.severity import Severity

_LOCAL = Path("/etc/localtime")
# What headquarters takes of one event. It refuses a batch for one that is over, and the lines beside it with it.
_TEXT_MAX = 65_536
_COMPONENT_MAX = 200
_LATEST_NS = 2**62  # the year 2116


def zone(name: str) -> tzinfo:
    """The zone of that name; `local` is this host's, with its summer times."""
    if name != "local":
        return zoneinfo.ZoneInfo(name)
    if "TZ" not in os.environ:
        with contextlib.suppress(OSError, ValueError), _LOCAL.open("rb") as file:
            return zoneinfo.ZoneInfo.from_file(file, key="local")
    return datetime.now(UTC).astimezone().tzinfo or UTC


@dataclass(slots=True)
class Reader:
    """Reads records of one log. `dropped` counts records that redaction failed on.

    `redact` is the site's Redactor, or any function.
    """

    source: str
    min_severity: Severity
    default_zone: tzinfo
    redact: Callable[[str], str]
    storm_per_minute: int = 0
    form: Form = AUTO
    scanner: Scanner | None = None
    """Searches blocks of this log, and says which records go whatever their severity."""
    dropped: int = 0
    _familiar: Familiar = field(init=False)
    _storms: Storms = field(init=False)
    _alike: LookAlikes = field(init=False)

    def __post_init__(self) -> None:
        # What is remembered of a shape holds for one form. Nearly all logs have the same.
        memories = _memories(self.redact) if self.form is AUTO else None
        self._familiar = Familiar(self.redact, default_zone=self.default_zone, memories=memories, form=self.form)
        self._storms = Storms(self.storm_per_minute)
        self._alike = LookAlikes()

    @classmethod
    def of(cls, log: Log, redact: Callable[[str], str]) -> Reader:
        least = Severity[log.min_severity.upper()]
        form = forms.of(log.format)
        scanner = scanner_of(least, log.keep)
        return cls(log.name, least, zone(log.zone), redact, log.storm_per_minute, form, scanner)

    def event(
        self, record: Record, part: RecordPart, *, file: str, file_id: str, now_ns: int, whatever: bool = False
    ) -> LogEvent | None:
        """The event of `record`, or None when it stays here. With `whatever` its severity does not matter.

        In a storm a WHOLE becomes Counted, and a HEAD waits for its WHOLE; a FULL always goes, for its HEAD went.
        """
        alike = self._alike.of(record.text, now_ns) if part is RecordPart.WHOLE else None
        if alike is not None and self._is_only_counted(alike, file_id, now_ns):
            return self._counted(record, alike, file=file, file_id=file_id)
        missed = self._familiar.missed
        seen = self._familiar.look(record.text, now_ns=now_ns)
        if seen.severity < self.min_severity and not whatever and not self._keeps(record):
            return None
        counts = part is not RecordPart.FULL
        if counts and seen.fingerprint is not None and self._storms.holds(seen.fingerprint, now_ns):
            if part is RecordPart.HEAD:
                return None
            if not self._storms.wants_sample(seen.fingerprint, file_id, now_ns):
                return self._counted(record, seen, file=file, file_id=file_id)
        try:
            read = self._familiar.read(record, seen, now_ns=now_ns)
        except RedactionError:
            self.dropped += 1
            return None
        if self._familiar.missed != missed:
            self._alike.learn(record.text, seen, now_ns)
        event = LogEvent(
            source=self.source,
            file=file,
            file_id=file_id,
            offset=record.offset,
            part=part,
            severity=int(read.severity),
            component=read.component[:_COMPONENT_MAX],
            message=read.message[:_TEXT_MAX],
            template=read.template[:_TEXT_MAX],
            fingerprint=read.fingerprint,
            # A stamp from before 1970 or from a year that nobody lives to see is no time: 0 says that there is none.
            logged_ns=read.time_ns if read.time_ns is not None and 0 < read.time_ns <= _LATEST_NS else 0,
            truncated=record.truncated > 0 or len(read.message) > _TEXT_MAX,
        )
        if not counts:
            return event
        if not self._storms.holds(read.fingerprint, now_ns):
            self._storms.told(read.fingerprint, now_ns)
            return event
        return None if part is RecordPart.HEAD else sample_of(event)

    def _keeps(self, record: Record) -> bool:
        return self.scanner is not None and self.scanner.keeps(record.text)

    def _is_only_counted(self, seen: Seen, file_id: str, now_ns: int) -> bool:
        """Whether a record like that goes into a count, and is not wanted as a sample."""
        return (
            seen.fingerprint is not None
            and self._storms.holds(seen.fingerprint, now_ns)
            and not self._storms.wants_sample(seen.fingerprint, file_id, now_ns)
        )

    def _counted(self, record: Record, seen: Seen, *, file: str, file_id: str) -> Counted:
        """One more, under the fingerprint that the last record of its shape had."""
        assert seen.fingerprint is not None
        return Counted(
            source=self.source,
            file=file,
            file_id=file_id,
            offset=record.offset,
            part=RecordPart.WHOLE,
            severity=int(seen.severity),
            component=seen.shown_component[:_COMPONENT_MAX],
            message=seen.template[:_TEXT_MAX],
            template=seen.template[:_TEXT_MAX],
            fingerprint=seen.fingerprint,
        )


_known: tuple[Callable[[str], str], Memories] | None = None


def forget_shapes() -> None:
    """Memory is short: let go of what was remembered of records. Not while one is read."""
    if _known is not None:
        _known[1].forget()


def _memories(redact: Callable[[str], str]) -> Memories:
    """The memories of all logs are the same: a process has one redactor, and bounded memory."""
    global _known
    if _known is None or _known[0] is not redact:
        _known = (redact, Memories())
    return _known[1]


def first_line(record: Record) -> Record:
    """The record's first line as a record of its own."""
    if record.lines == 1:
        return record
    return Record(record.offset, record.end, record.text.partition("\n")[0], 1, 0)
