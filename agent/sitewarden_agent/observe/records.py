"""A log record to the event that may leave: read, redacted, fingerprinted, or kept back because it is not bad enough.

Promises: what `event` returns went through redaction; a record whose redaction fails is dropped and counted, and the
caller says so in a gap. The costly part runs only for records that are bad enough to be sent. The same reading as
`sitewarden-agent scan`. Not here: where records come from (`logfile`), where they go (`tail`).
"""

from __future__ import annotations

import contextlib
import os
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from sitewarden_agent.config import Log
from sitewarden_agent.model import LogEvent, RecordPart
from sitewarden_alerting.reading import event, header
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
    """Reads records of one log. `dropped` counts records that redaction failed on."""

    source: str
    min_severity: Severity
    default_zone: tzinfo
    redact: Callable[[str], str]
    dropped: int = 0

    @classmethod
    def of(cls, log: Log, redact: Callable[[str], str]) -> Reader:
        return cls(log.name, Severity[log.min_severity.upper()], zone(log.zone), redact)

    def event(
        self, record: Record, part: RecordPart, *, file: str, file_id: str, now_ns: int, whatever: bool = False
    ) -> LogEvent | None:
        """The event of `record`, or None when it stays here. With `whatever` its severity does not matter."""
        severity = header.read(record.text, default_zone=self.default_zone, now_ns=now_ns).severity
        if severity < self.min_severity and not whatever:
            return None
        try:
            read = event.read(record, redact=self.redact, default_zone=self.default_zone, now_ns=now_ns)
        except RedactionError:
            self.dropped += 1
            return None
        return LogEvent(
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
