r"""What a record's bytes must hold before its header can say that it is bad enough: for scanning whole blocks.

Promises: each record that `header.read` calls `least` or worse holds a match of one of the patterns of `needed`, in the
bytes as they stand in the file (UTF-8 or another encoding that keeps ASCII, with the escapes that its JSON has) when
`COLOURS` are taken out. The other way round nothing is promised: a match is a reason to read the record, no more.

The patterns are for bytes, with `^` and `$` at the borders of lines, in the syntax that Hyperscan, RE2 and `re` share:
no looking around, no references. Their shape is measured: blanks are `[ \t]`, and nothing unbounded stands before a
short literal, or a scan becomes five times slower. Whoever teaches `severity`, `header`, `peel` or `structured` a new
way to be bad adds it here; a test reads all recorded logs both ways. Not here: the engines that scan.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sitewarden_alerting.reading import header, severity, telling
from sitewarden_alerting.reading.severity import Severity

COLOURS = re.compile(header.COLOURS.pattern.encode("ascii"))
_START = r"(?:^|[^A-Za-z]|\\[bfnrt]|\\u[0-9a-fA-F]{4}|[0-9](?:[ \t]|[\x80-\xff]+)[AP]M|[\x81-\xfe][A-Za-z])"
"""Before a word: no letter, unless of an escape of JSON, of a time of day, or the second byte of one in GB18030."""
_OPENING = r"""(?:["'\s\[,]|\\[nrtbf"\\/])*"""
"""What may stand between a key's colon and its value."""
_AROUND = r"""(?:["'\s\[,\x80-\xff]|\\[nrtbf"\\/])*"""
_LEVEL_KEY = r"(?:level(?:name)?|severity(?:_text)?|lvl|PRIORITY|@l)\"?\s*[:=]"
_SHORT_KEY = r"(?:\"[sl]\"\s*:|[^A-Za-z0-9_][sl]=)"
_ERROR_KEY = r"(?:exception|exc_info|stack|stack_?trace|traceback|@x|errorVerbose)(?:\.[^\"=\s]*)?"
_NO_LETTER = r"(?:^|[^A-Za-z]|[0-9](?:[ \t]|[\x80-\xff]+)[AP]M)"
_BLANKS = r"(?:\s|[\x80-\xff])"

_OF_TEXT = {
    Severity.CRITICAL: (r"(?i:out of memory|oom-(?:k|\xe2\x84\xaa)iller|segfault|segmentation|panicked)",),
    Severity.ERROR: (
        r"(?i:failed(?: to\b|:| with\b)|: failed|call trace:|traceback|assertion)",
        rf"{_START}(?i:exception:|uncaught\b|unhandled\b)",
        r"[A-Za-z0-9_$](?:Exception|Error|Fault|Throwable)\b",
        rf"status(?:[ _]?code)?{_AROUND}(?:[:=]|\\u003[dD]){_AROUND}5[0-9][0-9]",
        r"\"(?:[ \t]|\\t)+5[0-9][0-9]",
        rf"{_ERROR_KEY}(?:\"\s*:\s*(?:\"[^\"]|[^\"n\s,}}])|=[^\s])",
    ),
    Severity.WARNING: (r"(?i:warning:|deprecat|caution)", r"status\"?\s*[:=]\s*\"?(?:deferred|bounced)"),
}
_HIDDEN = r"\\u00(?:2[0-9a-fA-F]|3[0-9aAcCdD]|[4-7][0-9a-fA-F])"
"""A letter, figure or sign that JSON need not escape, escaped: then nothing else here can be trusted."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """`signed`, slow to find, need only be looked for in blocks that hold a match of one of `signs`."""

    always: tuple[bytes, ...]
    signs: tuple[bytes, ...]
    signed: tuple[bytes, ...]


def needed(least: Severity) -> Patterns | None:
    """The patterns for records of `least` or worse. None when every record is: then nothing is gained by looking."""
    if least <= Severity.INFO:
        return None
    always = [_words(least), *_numbers(least), *_keyed_letters(least), _HIDDEN]
    for severity_of, texts in _OF_TEXT.items():
        if severity_of >= least:
            always += texts
    for severity_of, told in telling.TEXTS.items():
        if severity_of >= least:
            always += map(_literal, told)
    if least <= Severity.WARNING:
        always.append(r"[0-9]:[A-Z] [0-9]{1,2} [A-Z][a-z][a-z] [^\n]{1,120} # ")  # the one sign that Redis writes
    signs = (
        r"(?:[^A-Za-z]|[0-9](?:[ \t]|[\x80-\xff]+)[AP]M)[WEFC][ \t/|]",
        r"^[WEFC][ \t/|]",
        r"(?:^|[^A-Za-z0-9_])[WEF][0-9][0-9][0-9][0-9]",
    )
    return Patterns(_bytes(always), _bytes(signs), _bytes(_letters(least)))


def _literal(text: str) -> str:
    """The text itself, also with the escapes that JSON has for it."""
    return re.sub(r"([.()+*?\[\]{}|^$])", r"\\\1", text).replace("/", r"\\?/")


def _bytes(patterns: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(pattern.encode("ascii") for pattern in patterns)


def _words(least: Severity) -> str:
    return rf"{_START}(?i:{'|'.join(severity.words(least))})\b"


def _numbers(least: Severity) -> tuple[str, ...]:
    """Levels as numbers: members of JSON and logfmt, and a syslog priority at the start of a line."""
    values = "|".join(str(value) for value in range(70) if (severity.of_number(value) or Severity.DEBUG) >= least)
    priorities = [f"{value:0{size}}" for size in (1, 2, 3) for value in range(192) if _is_priority(value, size, least)]
    return (
        rf"{_LEVEL_KEY}{_OPENING}0*(?:{values})(?:[^0-9]|$)",
        rf"{_SHORT_KEY}{_OPENING}0*(?:{values})(?:[^0-9]|$)",
        rf"(?:^|[\x00\xbf \t])<(?:{'|'.join(priorities)}|19[2-9]|[2-9][0-9][0-9])>",
    )


def _is_priority(value: int, size: int, least: Severity) -> bool:
    return len(str(value)) <= size and severity.of_syslog(value) >= least


def _keyed_letters(least: Severity) -> tuple[str, ...]:
    letters = _of("WEFC", least)
    either = rf"{_OPENING}[{letters}{letters.lower()}](?:[^A-Za-z0-9_]|$)"
    return (_LEVEL_KEY + either, _SHORT_KEY + either)


def _letters(least: Severity) -> tuple[str, ...]:
    """Levels of one letter: columns, logcat, glog. `stdout F word:` is none: so a container's every line begins."""
    letters, worst = _of("WEC", least), _of("WEFC", least)
    tag = rf"[ \t][\w.$\x80-\xff-]+{_BLANKS}*:"
    return (
        rf"{_NO_LETTER}[{letters}]{tag}",
        rf"(?:^|[^A-Za-z \t]|[^tr][ \t]|[0-9][ \t][AP]M)F{tag}",
        rf"[0-9][^= \t\n]*[tr][ \t]F{tag}",
        rf"{_NO_LETTER}[{worst}](?:[ \t]?\||[ \t][ \t]|/\S|[ \t]-{_BLANKS})",
        rf"{_NO_LETTER}[{worst}][ \t][A-Z]+{_BLANKS}+\[",
        rf"{_NO_LETTER}[{worst}][ \t]\S+:[0-9]+\]",
        rf"(?:^|[^A-Za-z0-9_])[{worst}](?:[0-9][0-9][0-9][0-9]){{1,2}}[ \t]",
        rf"[0-9][ \t-]+[0-9]+[ \t]+(?:\S+[ \t]+)?[{worst}][ \t]",
    )


def _of(letters: str, least: Severity) -> str:
    return "".join(letter for letter in letters if (severity.of_letter(letter) or Severity.DEBUG) >= least)
