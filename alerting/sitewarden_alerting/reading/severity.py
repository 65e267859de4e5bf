"""Severity: five steps, and the words by which programs name them.

Promises: one ordered enum for the whole product, and one table from the words, letters and numbers of common logs to
it.
Not here: where in a line the word stands (`header`), and what a severity leads to (the rules).
"""

import re
from enum import IntEnum


class Severity(IntEnum):
    """How bad a program says it is; comparable, so that a threshold is `>=`."""

    DEBUG = 1
    INFO = 2
    WARNING = 3
    ERROR = 4
    CRITICAL = 5


_WORDS = {
    Severity.DEBUG: "debug dbg debug1 debug2 debug3 debug4 debug5 trace trc verbose fine finer finest silly dbug",
    Severity.INFO: "ok http default success detail hint context query "
    "info inf information informational notice note log config audit statement",
    Severity.WARNING: "warn warning wrn warnings",
    Severity.ERROR: "err error errors severe failure eror fail dpanic",
    Severity.CRITICAL: "crit critical fatal ftl emerg emergency alert panic disaster crt",
}
_BY_WORD = {word: severity for severity, words in _WORDS.items() for word in words.split()}
_BY_LETTER = {
    "V": Severity.DEBUG,
    "D": Severity.DEBUG,
    "T": Severity.DEBUG,
    "I": Severity.INFO,
    "N": Severity.INFO,
    "W": Severity.WARNING,
    "E": Severity.ERROR,
    "F": Severity.CRITICAL,
    "C": Severity.CRITICAL,
}
_BY_SYSLOG = (
    Severity.CRITICAL,
    Severity.CRITICAL,
    Severity.CRITICAL,
    Severity.ERROR,
    Severity.WARNING,
    Severity.INFO,
    Severity.INFO,
    Severity.DEBUG,
)

_EVIDENT = re.compile(
    r"""(?P<critical>^\W{0,3}(?:kernel\ )?(?:panic|fatal|critical|emergency)\b\s?[:(\-!]|^panic:|\bkernel\ panic\b
        |\bout\ of\ memory:|\boom-killer\b|\bfatal\ (?:error|exception)\b|\bsegfault\ at\b|\bsegmentation\ fault\b
        |^thread\ '.*'\ panicked\ at)
    |(?P<error>^\W{0,3}(?:errors?|err!?|severe|failure|failed\ to)\b|^failed:|\b(?:error|exception|failure):
        |\[(?:error|err)\]|\ \|\ error\b|\berror\s?=\s?["'(]|\btraceback\ \(most\ recent|\buncaught\b|\berr!
        |\bunhandled\ (?:exception|rejection|error)|:\ (?:error|failed|failure)\b(?!\s*=)
        |\bfailed\ with\ (?:error|exit|status|code)\b|\bcall\ trace:|\bassertion\ .{0,40}failed\b)
    |(?P<warning>^\W{0,3}(?:warn|warning|caution|deprecated|deprecationwarning)\b|\b\w*warning:|\bnpm\ warn\b)""",
    re.VERBOSE | re.IGNORECASE,
)
_EXCEPTION_NAME = re.compile(
    r"\b(?:[a-z_][\w$]*\.)*[A-Z][A-Za-z0-9_$]*(?:Exception|Error|Fault|Throwable)\b(?=[:\s(]|$)"
)
_HINTS = ("err", "fail", "fatal", "panic", "critical", "warn", "exception", "fault", "trace", "uncaught", "severe")
_RARE_HINTS = ("emergency", "oom-killer", "out of memory", "deprecated", "caution")


def of_word(word: str) -> Severity | None:
    """The severity which a word such as `WARN`, `severe` or `[err]` names, in any case; None when it names none."""
    return _BY_WORD.get(word.lower())


def words(least: Severity) -> tuple[str, ...]:
    """The words, in small letters, that name `least` or worse."""
    return tuple(word for word, severity in _BY_WORD.items() if severity >= least)


def of_letter(letter: str) -> Severity | None:
    """The severity of a one-letter level as glog, logcat and others write it."""
    return _BY_LETTER.get(letter.upper())


def of_syslog(priority: int) -> Severity:
    """The severity in a syslog PRI value or level number: its lowest three bits (RFC 5424, 6.2.1)."""
    return _BY_SYSLOG[priority & 7]


def of_number(level: int) -> Severity | None:
    """The severity of a numeric level: 10..60 as bunyan, pino and Python count, 0..7 as syslog counts."""
    if 0 <= level <= 7:
        return _BY_SYSLOG[level]
    if 10 <= level <= 69:
        return (Severity.DEBUG, Severity.DEBUG, Severity.INFO, Severity.WARNING, Severity.ERROR, Severity.CRITICAL)[
            min(level // 10 - 1, 5)
        ]
    return None


def whole_words(text: str, most: int) -> str:
    """The first `most` characters of `text`, without the word that the cut goes through: half a word names nothing."""
    if len(text) <= most:
        return text
    while most and (text[most] == "_" or text[most].isalnum()) and (text[most - 1] == "_" or text[most - 1].isalnum()):
        most -= 1
    return text[:most]


def evident(message: str) -> Severity | None:
    """The severity which a message itself makes evident: `error:`, an exception's name, a panic. None otherwise.

    Only the first 400 characters are looked at: what stands further on is detail.
    """
    head = whole_words(message, 400)
    lowered = head.lower()
    for hint in _HINTS:  # a loop of substring searches is many times faster than one pattern that ignores case
        if hint in lowered:
            break
    else:
        if not any(hint in lowered for hint in _RARE_HINTS):
            return None
    found = _EVIDENT.search(head)
    if found is not None and found.lastgroup is not None:
        return Severity[found.lastgroup.upper()]
    return Severity.ERROR if _EXCEPTION_NAME.search(head) is not None else None
