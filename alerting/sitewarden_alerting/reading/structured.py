"""Records that say what their parts are: one JSON object a line, and logfmt.

Promises: `read` finds message, level, time and logger under the names which common loggers use, and renders the rest
as `key=value` details; it returns None for a line that is not of these forms. Texts of errors and stacks count as
part of the message, because they say what happened.
Not here: lines whose parts are told by their place (`header`).
"""

import json
import re
from dataclasses import dataclass

_MESSAGE = ("msg", "message", "event", "short_message", "text", "log", "MESSAGE", "@m", "@mt", "body", "textPayload")
_LEVEL = (
    "level",
    "severity",
    "lvl",
    "levelname",
    "log.level",
    "log_level",
    "loglevel",
    "severity_text",
    "PRIORITY",
    "@l",
    "s",
    "l",
)
_TIME = (
    "time",
    "ts",
    "timestamp",
    "@timestamp",
    "t",
    "date",
    "datetime",
    "asctime",
    "@t",
    "_SOURCE_REALTIME_TIMESTAMP",
    "__REALTIME_TIMESTAMP",
    "eventTime",
    "t.$date",
    "time.$date",
)
_COMPONENT = (
    "logger",
    "component",
    "name",
    "logger_name",
    "module",
    "service",
    "subsystem",
    "SYSLOG_IDENTIFIER",
    "SourceContext",
    "c",
    "log.logger",
    "system",
    "app",
    "caller_name",
    "target",
    "category",
)
_ERROR = (
    "error",
    "err",
    "exception",
    "exc_info",
    "stack",
    "stack_trace",
    "stacktrace",
    "traceback",
    "@x",
    "errorVerbose",
    "error.stack_trace",
)
_PAIR = re.compile(r"""([A-Za-z_][\w.@/-]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)""")
_LOGFMT = re.compile(
    r"""\s*(?:[A-Za-z_][\w.@/-]*=(?:"(?:[^"\\]|\\.)*"|[^\s"]*)\s+)*?(?:level|lvl|severity)=\S+(?:\s|$)"""
)


@dataclass(frozen=True, slots=True)
class Fields:
    """The parts of a structured record, each as text; empty when the record does not have it."""

    message: str
    details: str
    level: str
    time: str
    component: str


def read(line: str) -> Fields | None:
    """The parts of a JSON or logfmt line, or None when it is neither."""
    if line.startswith("{"):
        return _json(line)
    if "=" in line and _LOGFMT.match(line) is not None:
        return _fields({key: _unquote(value) for key, value in _PAIR.findall(line)})
    return None


def _json(line: str) -> Fields | None:
    if not line.rstrip().endswith("}"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not record:
        return None
    return _fields(_flat(record))


def _flat(record: dict[str, object]) -> dict[str, str]:
    """Members as text; a nested object's members under dotted names, one level deep (`error.message`)."""
    flat: dict[str, str] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            flat.update((f"{key}.{name}", _text(inner)) for name, inner in value.items())
        else:
            flat[key] = _text(value)
    return flat


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    return json.dumps(value, ensure_ascii=False)


def _unquote(value: str) -> str:
    if not value.startswith('"'):
        return value
    return value[1:-1].replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")


def _take(fields: dict[str, str], names: tuple[str, ...]) -> str:
    for name in names:
        if fields.get(name):
            return fields.pop(name)
    return ""


def _is_error(name: str) -> bool:
    return name in _ERROR or name.startswith(("error.", "err.", "exception."))


def _told(errors: list[str], message: str) -> str:
    """What the members about an error add to the message: the stack, which has type and text too, or else what they
    say.
    """
    stack = next((error for error in errors if "\n" in error), "")
    if stack:
        return f"\n{stack}"
    new = (error for error in errors if error not in ("", "null") and error not in message)
    return "".join(f" error={error}" for error in new)


def _fields(fields: dict[str, str]) -> Fields | None:
    names = len(fields)
    level = _take(fields, _LEVEL)
    time = _take(fields, _TIME)
    message = _take(fields, _MESSAGE) or _take(
        fields, ("attr.message", "error.message", "fields.message", "fields.msg")
    )
    component = _take(fields, _COMPONENT)
    if not message and not (level and time):
        return None
    if names == len(fields) + 1 and message and not level:
        return None  # one member that happens to be called message does not make a log record
    errors = [fields.pop(name) for name in list(fields) if _is_error(name)]
    shown = _told(errors, message)
    details = " ".join(f"{key}={value}" for key, value in fields.items())
    if not message:
        # No message at all: the names of the members are what stays the same from record to record.
        return Fields(details + shown, "", level, time, component)
    return Fields(message + shown, details, level, time, component)
