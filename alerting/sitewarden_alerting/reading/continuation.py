"""Which lines evidently continue the record before them: stack traces of every common language, indented blocks,
closing brackets.

Promises: `continues` decides from one line and what is known of the open record. In doubt a line starts a record,
because two records taken for one hide a fault, while one taken for two only shows it twice.
Not here: bytes, offsets and limits (`lines`).
"""

import re
from dataclasses import dataclass

from sitewarden_alerting.reading import severity, times
from sitewarden_alerting.reading.severity import Severity

# A line that starts like a header is a record, however deep it is indented.
_HEADED = re.compile(
    rf"\s*[\[(<]?(?:{times.STAMP_PATTERN}|\d{{1,3}}>(?:1 )?\S"
    r"|(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL|SEVERE|NOTICE)(?:\]|:?\s+\S))"
)

_ALWAYS = re.compile(
    r"""\.\.\.\ \d+\ (?:more|common\ frames\ omitted)
    |at\ (?:async\ |new\ )?[^\s(]+(?:\ \[as\ \S+\])?\s?\([^)]*\)\s*$  # a frame without its indent
    |(?:Caused\ by|Suppressed|Wrapped\ by|Nested\ exception):\ ?\S
    |--->\ |---\ End\ of\ (?:inner\ exception\ )?stack\ trace
    |During\ handling\ of\ the\ above\ exception,\ another|The\ above\ exception\ was\ the\ direct\ cause\ of
    |Stack\ trace:\s*$|stack\ backtrace:\s*$|note:\ (?:run\ with|[Ss]ome\ details\ are)
    |\#\d+\s+(?:\{main\}|\S+\(\d+\):\ |\[internal\ function\]|0x[0-9a-f]+\ |[\w:~]+\s?\()
    |[^\s:]+\.(?:rb|erb|rake):\d+:in\ [`'][^'`]*'\s*$  # a frame of Ruby; with a message after it, it is a head
    |goroutine\ \d+\ \[|created\ by\ [\w./]+|exit\ status\ \d+\s*$|\[signal\ SIG
    |[\]})]+[,;]?\s*$|</[\w:.-]+>\s*$
    |\[SQL:\ |\[parameters:\ |\(Background\ on\ this\ error\ at:
    |Node\.js\ v\d""",
    re.VERBOSE,
)
_STARTS_TRACE = re.compile(r"Traceback \(most recent call last\):\s*$|\s*\+ Exception Group Traceback")
_EXCEPTION = re.compile(
    # A dollar is a letter here, never a border: as both it makes the search exponential.
    r"(?:[A-Za-z_$][\w$]*(?:\.|::|\\))*[A-Z][\w$]*(?:Exception|Error|Throwable|Failure|Fault)(?:: |\s*$)"
)
_QUALIFIED = re.compile(r"[A-Za-z_$][\w$]*(?:\.|::|\\)[A-Za-z]")
_NODE_ERROR = re.compile(r"(?:Uncaught )?[A-Z]\w*(?:Error|Exception)?(?: \[\w+\])?: |throw |[A-Z]\w*Error\s*$")
_NODE_HEAD = re.compile(r"(?:/|file://|node:|[A-Za-z]:\\)\S*:\d+\s*$")
_CLOSING = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?::\s.*|:?\s*)$")
_PYTHON_FRAME = re.compile(r'[\s|]+File "')
_RUST_PANIC = re.compile(r"thread '[^']*'(?: \(\d+\))? panicked at .*:$")
_GO_FRAME = re.compile(r"[\w./~-]+\.[\w.()*\[\]{}·]+\(.*\)\s*$|created by |runtime\.|main\.")
_GO_HEAD = re.compile(r"(?:panic|fatal error|runtime|SIG[A-Z]+)\b|goroutine \d+ \[")
_JUL_HEAD = re.compile(r"[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M [\w$.]+ [\w$<>]+\s*$")
_JUL_LEVEL = re.compile(r"(?:SEVERE|WARNING|INFO|CONFIG|FINE|FINER|FINEST): ")
_ARMOUR = re.compile(r"[A-Za-z0-9+/=]{1,76}\s*$|[A-Za-z-]+: \S|-----END ")  # RFC 7468, and OpenPGP's headers
_ARMOUR_MAX_LINES = 200
_HINT = re.compile(r"err|fail|exception|fatal|critical|crash|unhandled|unexpected|uncaught", re.IGNORECASE)
_LEVEL = re.compile(
    r"(?<![A-Za-z])(?:(?P<word>[A-Z][A-Za-z]{2,9})|\[(?P<low>[a-z]{3,9})\]|(?P<letter>[EWF])\d{4}\s)(?![A-Za-z])"
)


@dataclass(slots=True)
class Open:
    """What is known of the open record: its first line, the line before, and the language of a trace in it.

    `blank` says that blank lines stand between the line before and the next one.
    """

    head: str
    previous: str
    indent: int
    trace: str = ""
    lines: int = 1
    blank: bool = False


def opened(line: str) -> Open:
    """The state of a record that this line has just started."""
    trace = ""
    if _STARTS_TRACE.match(line) is not None:
        trace = "python"
    elif _GO_HEAD.match(line) is not None:
        trace = "go"
    elif _NODE_HEAD.match(line) is not None:
        trace = "node"
    elif _RUST_PANIC.search(line) is not None:
        trace = "rust"
    elif "-----BEGIN " in line and "-----END " not in line:
        trace = "armour"
    return Open(line, line, len(line) - len(line.lstrip()), trace)


def continues(record: Open, line: str) -> bool:
    """Whether `line` (not blank) evidently continues the record, whose state is brought up to date when it does."""
    if not _joins(record, line):
        return False
    if _STARTS_TRACE.match(line) is not None:
        record.trace = "python"
    elif line.startswith("goroutine "):
        record.trace = "go"
    record.previous, record.blank = line, False
    record.lines += 1
    return True


def begins(line: str, previous: str, *, blank: bool) -> bool:
    """Whether `line` (not blank) begins a record whatever record is open: `continues` of none would be true.

    `previous` is the last line before it that is not blank; `blank` says that blank ones stand between. In doubt False:
    for who wants to begin in the middle of a file.
    """
    if _ALWAYS.match(line) is not None or _STARTS_TRACE.match(line) is not None or _EXCEPTION.match(line) is not None:
        return False
    if _NODE_HEAD.match(previous) is not None or (blank and _NODE_ERROR.match(line) is not None):
        return False
    if _JUL_LEVEL.match(line) is not None:
        return False
    if _HEADED.match(line) is not None:
        return True
    if line[0] in " \t" or _ARMOUR.match(line) is not None or _CLOSING.match(line) is not None:
        return False
    return _GO_FRAME.match(line) is None and _RUST_PANIC.search(previous) is None


def _joins(record: Open, line: str) -> bool:
    if line[0] in " \t":
        indent = len(line) - len(line.lstrip())
        return (indent > record.indent or record.trace != "") and _HEADED.match(line) is None
    if record.trace == "armour":  # a key or a certificate: whole, so that redaction sees it whole
        ended = "-----END " in record.previous or record.lines > _ARMOUR_MAX_LINES
        return not ended and _ARMOUR.match(line) is not None and _HEADED.match(line) is None
    if _ALWAYS.match(line) is not None:
        return True
    if _STARTS_TRACE.match(line) is not None:
        return _reports_failure(record.head) or record.previous.startswith(("During handling", "The above exception"))
    if record.trace == "python":
        if record.previous[:1] in " \t|" or _PYTHON_FRAME.match(record.previous) is not None:
            return _CLOSING.match(line) is not None and _HEADED.match(line) is None
        return False
    if record.trace == "go":
        return _GO_FRAME.match(line) is not None and _HEADED.match(line) is None
    if record.trace == "node":  # place, source line, caret, blank, error
        return record.lines == 1 or (record.blank and _NODE_ERROR.match(line) is not None)
    if record.trace == "rust":  # the message of a panic stands on the line after it
        return record.lines == 1 and not record.blank and _HEADED.match(line) is None
    if record.lines == 1 and not record.blank and _JUL_LEVEL.match(line) is not None:
        return _JUL_HEAD.match(record.head) is not None
    if (record.lines == 1 or _JUL_LEVEL.match(record.previous) is not None) and not record.blank:
        return _EXCEPTION.match(line) is not None and _announces_exception(record, line)
    return False


def _announces_exception(record: Open, line: str) -> bool:
    """Whether an exception on a line of its own belongs to the message before it."""
    if record.lines > 1:
        return True
    headed = _HEADED.match(record.head) is not None
    return (headed and _QUALIFIED.match(line) is not None) or _reports_failure(record.head)


def _reports_failure(head: str) -> bool:
    """Whether a first line has a level of warning or worse, or speaks of a failure: a trace after it belongs to it."""
    if _HINT.search(head) is not None:
        return True
    for found in _LEVEL.finditer(head[:200]):
        if found["letter"]:
            return True
        level = severity.of_word(found["word"] or found["low"])
        if level is not None and level >= Severity.WARNING:
            return True
    return False
