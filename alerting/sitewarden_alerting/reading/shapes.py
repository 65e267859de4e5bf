"""The shape of a text: what stays of it when numbers are taken for numbers, whichever they are.

Promises: where `of` gives two texts the same key, nothing that reads headers, severities and templates can tell them
apart, but for the instant of a stamp, and for what redaction finds in digits alone (`Redactor.hinges`). The
digits that do tell something are part of the key: those of words (`utf8`, `db1`), of error codes, statuses, priorities
and levels, and what makes a number a year or an epoch. A test compares both ways of reading over many texts. Not here:
what is remembered of a shape (`familiar`).
"""

from __future__ import annotations

import re
from typing import Final

Key = tuple[bytes, str]

MAX_CHARS: Final = 16_384
"""A longer text has no key: to remember it costs more than it saves."""

_TO_ZERO: Final = bytes.maketrans(b"123456789", b"000000000")
# Runs of digits that tell something. Each begins at a digit, because digits are rare; whether one does is told by what
# stands around it, but for the zero that makes a code of `ABC-0123`.
_TELLING: Final = re.compile(
    r"\d(?<!\d.)(?:(?<=[A-Za-z_].)\d*+|\d*+(?=[A-Za-z_])|\d(?=\d{6})"
    r"|(?:(?<=[A-Z][A-Z]-0)|(?<=ORA-.)|(?<=TNS-.)|(?<=PLS-.)|(?<=RMAN-.))\d{3,5}|(?<=[A-Z][A-Z]-.)(?=\d{3,5}))",
    re.ASCII,
)
_YEAR: Final = re.compile(
    r":\d\d(?:[.,]\d{1,9})?(?:\s?[AP]M)?\s+(?:[A-Z]{3,4}\s+|[+-]\d{4}\s+)?(?:(19|20)\d\d|\d{4})(?!\d)"
)
_IN_LINES: Final = re.compile(r"\d(?<![:\d\s].)\d*+", re.ASCII)  # in frames only numbers of lines do not matter
_FUNCTION: Final = re.compile(r", in ([^\n]*\d[^\n]*)")  # of a frame of Python, whatever its name holds
_STATUS: Final = re.compile(r"\d(?<!\d.)(?=\d\d(?!\d))", re.ASCII)
_ACCESS: Final = re.compile(rb'"[ \t]+000(?!0)')  # a status behind a request, whatever that is
_PRIORITY: Final = re.compile(r"[\ufeff \t]*<\d{1,3}>\d?")
_LEVELS: Final = (
    r"(?:level|severity|lvl|levelname|log\.level|log_level|loglevel|severity_text|PRIORITY|@l|s|l)\"?\s*[:=]\s*\"?-?\d+"
)
_OF_JSON: Final = re.compile(rf"{_LEVELS}|[:,\[\s-]0(?=\d)")  # a number with a leading zero is no JSON
_OF_PAIRS: Final = re.compile(_LEVELS)


def of(text: str) -> Key | None:
    """The key of a record's text, or of a message; None when it is too long."""
    if len(text) > MAX_CHARS:
        return None
    shape = masked(text)
    if (b"tate" in shape or b"TATE" in shape) and b"sqlstate" in shape.lower():
        return shape, text  # `SQLSTATE[42601]`: too many ways to write it
    telling = _TELLING.findall(text)
    if b" 0000" in shape and b":00" in shape:
        telling += [century or "no year" for century in _YEAR.findall(text)]
    if b"HTTP/" in shape or b"tatus" in shape or b"TATUS" in shape or _ACCESS.search(shape) is not None:
        telling += _STATUS.findall(text)
    if b"<" in shape[:8] and (priority := _PRIORITY.match(text)) is not None:
        telling.append(priority[0])
    if shape.startswith(b"{"):
        telling += _OF_JSON.findall(text)
    elif b"=" in shape and (b"level" in shape or b"lvl" in shape or b"severity" in shape):
        telling += _OF_PAIRS.findall(text)
    if b"\n" in shape:
        telling += _IN_LINES.findall(text, text.index("\n"))
        if b", in " in shape:
            telling += _FUNCTION.findall(text)
    return shape, " ".join(telling)


def without_telling(text: str) -> Key | None:
    """The key of `text` if no digit of it tells anything. Where one text has that key, all of its shape have it: what
    tells is told by what stands around the digits. But JSON: there a leading zero tells, and another digit not."""
    return None if text.startswith("{") or len(text) > MAX_CHARS else (masked(text), "")


def masked(text: str) -> bytes:
    """`text` with every digit as 0."""
    return text.encode("utf-8", "surrogatepass").translate(_TO_ZERO)


def telling_digits_only(text: str) -> bool:
    """Whether every digit of `text` is part of its key."""
    return not any(c in "0123456789" for c in _TELLING.sub("", text))
