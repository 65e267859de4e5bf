"""The header of a log line, found without configuration: when, how bad, by which part of the program, and where the
message starts.

The method is one small grammar instead of a list of formats. A header is a run of elements at the start of a line:
priority, time stamps, hosts, levels, threads, process numbers, loggers and tags, in any order that programs use. An
element counts as header only when something stronger (a stamp, a level, a tag) vouches for it, so that a message's
own first words stay in the message.

Promises: `read` never fails, is a function of its arguments alone, and never takes a whole line for header unless
nothing else is there.
Not here: the grammar (`peel`, `elements`), the forms of stamps (`times`), JSON and logfmt (`structured`), what varies
within a message (`fingerprint`).
"""

import re
from dataclasses import dataclass
from datetime import tzinfo

from sitewarden_alerting.reading import peel, structured, telling, times
from sitewarden_alerting.reading import severity as severities
from sitewarden_alerting.reading.elements import Cursor
from sitewarden_alerting.reading.forms import AUTO, Form
from sitewarden_alerting.reading.severity import Severity

MAX_HEADER_CHARS = 400
"""No header reaches further into a line than this."""

COLOURS = re.compile(r"\x1b\[[0-9;:?]{0,32}[ -/]{0,4}[@-~]")
"""What a terminal is told between the words of a line; no reader wants it."""

# java.util.logging: stamp, class and method on one line, level and message on the next.
_JUL = re.compile(r"(?P<level>SEVERE|WARNING|INFO|CONFIG|FINE|FINER|FINEST): ")
_JUL_PLACE = re.compile(r"[\w$.]+ [\w$<>]+\s*$")

_STATUS = re.compile(
    r"\bstatus(?:[ _]?code)?[\"']?\s?[:=]\s?[\"']?(?P<status>5[0-9]{2})\b"
    r"|HTTP/\d(?:\.\d)?\"[ \t](?P<access>5[0-9]{2})\s"
)


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before a message, and the message.

    `severity_stated` tells a level that the program wrote from one that was inferred. `details` are the further
    members of a structured record; they are evidence, but not part of what identifies the message.
    """

    time_ns: int | None
    severity: Severity
    severity_stated: bool
    component: str
    message: str
    details: str = ""


def read(
    text: str,
    *,
    default_zone: tzinfo,
    now_ns: int,
    stamps: list[tuple[int, int, str]] | None = None,
    form: Form = AUTO,
) -> Header:
    """Read the header of a record (of its first line).

    `default_zone` holds for stamps without a zone; `now_ns` (UTC nanoseconds) settles the year of stamps without one.
    Start, end and form of each stamp are added to `stamps`; `form` says what is tried.
    """
    if "\x1b" in text:
        text = COLOURS.sub("", text)
    line, newline, rest = text.partition("\n")
    fields = structured.read(line) if form.structured else None
    if fields is None and form.structured and line.startswith("{") and newline:
        fields = structured.read(text)  # pretty-printed over several lines
        rest = newline = ""
    if fields is not None:
        return _structured(fields, newline + rest, default_zone, now_ns)
    cursor = Cursor(severities.whole_words(line, MAX_HEADER_CHARS), default_zone, now_ns)
    peel.peel(cursor)
    if not form.text:  # a level that is there is seen, but it stays in the message
        stated = cursor.severity is not None
        return Header(None, cursor.severity or _inferred(line, rest), stated, "", text.strip())
    if stamps is not None:
        stamps += cursor.stamps
    start = cursor.pos
    message = line[start:].strip()
    if not message:
        message = rest.lstrip("\n") if rest.strip() else line.strip()
        newline = rest = ""
    if rest and (found := _JUL.match(rest)) is not None and _JUL_PLACE.match(message) is not None:
        cursor.severity = severities.of_word(found["level"])
        cursor.component = message.partition(" ")[0]
        message, newline, rest = rest[found.end() :].partition("\n")
    stated = cursor.severity is not None
    severity = cursor.severity
    if severity is None:
        severity = _inferred(message, rest)
    severity = _at_least(severity, message + newline + rest, stated=stated)
    return Header(cursor.time_ns, severity, stated, cursor.component, message + newline + rest)


def _inferred(message: str, rest: str) -> Severity:
    found = severities.evident(message)
    if found is None and rest:
        found = severities.evident(rest)
    if found is None and ("HTTP/" in message or "status" in message) and _STATUS.search(message) is not None:
        found = Severity.ERROR
    return found if found is not None else Severity.INFO


def _at_least(severity: Severity, message: str, *, stated: bool) -> Severity:
    """The severity, or a worse one that the message tells of though its level does not."""
    if severity >= Severity.ERROR:
        return severity
    told = telling.least(message, stated=stated)
    return severity if told is None else max(severity, told)


def _structured(fields: structured.Fields, rest: str, zone: tzinfo, now_ns: int) -> Header:
    level = fields.level.strip().strip('"')
    severity = severities.of_word(level)
    if severity is None and len(level) <= 4 and level.isascii() and level.isdigit():
        severity = severities.of_number(int(level))
    if severity is None and len(level) == 1:
        severity = severities.of_letter(level)
    time_ns = None
    stamp = fields.time.strip()
    if len(stamp) in (16, 19) and stamp.isascii() and stamp.isdigit():
        time_ns = int(stamp.ljust(19, "0"))
    else:
        found = times.STAMP.match(stamp)
        if found is not None and found.lastgroup is not None:
            time_ns = times.resolve(found.lastgroup, found[0], default_zone=zone, now_ns=now_ns)
    stated = severity is not None
    if severity is None:
        severity = _inferred(fields.message, "")
    severity = _at_least(severity, fields.message, stated=stated)
    return Header(time_ns, severity, stated, fields.component, fields.message + rest, fields.details)
