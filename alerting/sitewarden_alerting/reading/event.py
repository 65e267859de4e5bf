"""A record to an event: the one function that the agent's `scan` and `run` and the collector's `group` share, so that
they never disagree.

Promises: `read` finds header and message, redacts the message, and only then makes template and fingerprint, so that
nothing personal is in either. It is a function of its arguments alone.
Not here: cutting bytes into records (`lines`), what is secret (`redact`), which events are worth sending.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from sitewarden_alerting import fingerprint
from sitewarden_alerting.reading import header
from sitewarden_alerting.reading.forms import AUTO, Form
from sitewarden_alerting.reading.lines import Record
from sitewarden_alerting.reading.severity import Severity

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC by meaning


@dataclass(frozen=True, slots=True)
class Event:
    """One record, read. `offset`: its first byte in the file; `time_ns`: UTC nanoseconds, None when the record states
    no time; `message`: the redacted text without the header, further lines (a stack, a structured record's further
    members) after the first.
    """

    offset: int
    time_ns: int | None
    severity: Severity
    component: str
    message: str
    template: str
    fingerprint: str


def read(
    record: Record, *, redact: Callable[[str], str], default_zone: tzinfo, now_ns: int, form: Form = AUTO
) -> Event:
    """Read one record.

    `redact` runs over everything that leaves this function as text, before the fingerprint; what it raises is the
    caller's to handle. `default_zone` and `now_ns` complete stamps without zone or year.
    """
    found = header.read(record.text, default_zone=default_zone, now_ns=now_ns, form=form)
    message = redact(found.message)
    component = redact(found.component) if found.component else ""
    identity = fingerprint.of(message, component=component)
    if found.details:
        message = f"{message}\n{redact(found.details)}"
    return Event(record.offset, found.time_ns, found.severity, component, message, identity.template, identity.id)


def row(event: Event, *, file: str, count: int = 1) -> dict[str, object]:
    """The event as the listings of `scan` and `group` print it: every key always present, in this order."""
    return {
        "file": file,
        "offset": event.offset,
        "time": None if event.time_ns is None else iso(event.time_ns),
        "severity": event.severity.name.lower(),
        "component": event.component,
        "message": event.message,
        "template": event.template,
        "fingerprint": event.fingerprint,
        "count": count,
    }


def iso(time_ns: int) -> str:
    """UTC, exact to the nanosecond in the fewest digits: `2026-11-24T03:10:00Z`, `2026-11-24T03:10:00.5Z`.

    OverflowError beyond the years 1 to 9999, which `times.resolve` never leaves.
    """
    seconds, fraction = divmod(time_ns, 1_000_000_000)
    at = _EPOCH + timedelta(seconds=seconds)
    digits = f".{fraction:09d}".rstrip("0").rstrip(".")
    return f"{at.isoformat()}{digits}Z"
