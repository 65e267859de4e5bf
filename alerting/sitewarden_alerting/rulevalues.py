"""The values of a rule file: each function reads one kind of value, or raises Wrong with what would be right.

Times and quantities carry their units, so that nobody has to guess: "90 s", "95 %", "10 GiB".
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any

from sitewarden_alerting.reading.severity import Severity

LONGEST_S = 10 * 365 * 86_400.0
LARGEST = 1e300
_TIMES = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_SIZES = {"%": 0.01, "B": 1.0, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40}
_SIZES |= {"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12} | _TIMES
_QUANTITY = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*([A-Za-z%]*)\s*")


class Wrong(ValueError):
    """A value that cannot be used; the message says why and what would be right."""


def text(value: Any) -> str:
    """Text that is not empty."""
    if not isinstance(value, str) or not value:
        raise Wrong(f"it must be text in quotes, not {shown(value)}")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """A list of texts, none of them empty."""
    if not isinstance(value, list) or not value:
        raise Wrong(f'it must be a list of texts, such as ["first", "second"], not {shown(value)}')
    return tuple(text(one) for one in value)


def word(value: Any) -> str:
    """A name that becomes part of a fault's identity."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}", value):
        raise Wrong(f"it must be a word of letters, digits, '_', '-' and '.', up to 64 long, not {shown(value)}")
    return value


def truth(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise Wrong(f"it must be true or false, not {shown(value)}")
    return value


def whole(value: Any) -> int:
    """A whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Wrong(f"it must be a whole number of at least 1, not {shown(value)}")
    return value


def seconds(value: Any) -> float:
    """A time with its unit, in seconds."""
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if found is None or not found[2]:
        raise Wrong(f'it must be a time with its unit, such as "90 s", "5 m", "2 h" or "7 d", not {shown(value)}')
    if found[2] not in _TIMES:
        raise Wrong(f"unknown unit of time {found[2]!r}{near(found[2], _TIMES)}; the units are s, m, h, d")
    length_s = float(found[1]) * _TIMES[found[2]]
    if not 0 < length_s <= LONGEST_S:
        raise Wrong(f"it must be longer than nothing and at most 10 years, not {shown(value)}")
    return length_s


def number(value: Any) -> float:
    """A number; text may carry a unit of size, time or share."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not -LARGEST <= value <= LARGEST:
            raise Wrong(f"it must be a number that can be reached, not {value!s:.40}")
        return float(value)
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Wrong(f'it must be a number, or text such as "95 %" or "10 GiB", not {shown(value)}')
    if found[2] and found[2] not in _SIZES:
        raise Wrong(f"unknown unit {found[2]!r}{near(found[2], _SIZES)}; the units are {', '.join(_SIZES)}")
    return number(float(found[1]) / 100 if found[2] == "%" else float(found[1]) * _SIZES.get(found[2], 1.0))


def severity(value: Any) -> Severity:
    """A severity by its name."""
    names = [severity.name.lower() for severity in Severity]
    if not isinstance(value, str) or value.lower() not in names:
        hint = near(value, names) if isinstance(value, str) else ""
        raise Wrong(f"unknown severity {shown(value)}{hint}; the severities are {', '.join(names)}")
    return Severity[value.upper()]


def pattern(value: Any) -> str:
    """A regular expression that takes no time without end."""
    expression = text(value)
    try:
        re.compile(expression)
    except re.error as error:
        raise Wrong(f"it is no regular expression: {error}") from error
    if re.search(r"[+*}]\)[+*{]", expression):
        raise Wrong("a repetition inside a repetition can take for ever; write it with a single one")
    return expression


def labels(value: Any) -> tuple[tuple[str, str], ...]:
    """Labels and the globs that their values must match."""
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise Wrong(f'it must be a table of texts, such as {{ mount = "/data*" }}, not {shown(value)}')
    return tuple(sorted(value.items()))


def choice(*allowed: str) -> Callable[[Any], str]:
    """A reader of one of some words."""

    def read(value: Any) -> str:
        if value not in allowed:
            hint = near(value, allowed) if isinstance(value, str) else ""
            raise Wrong(f"it cannot be {shown(value)}{hint}; it is one of {', '.join(allowed)}")
        return str(value)

    return read


def choices(*allowed: str) -> Callable[[Any], tuple[str, ...]]:
    """A reader of a list of some words."""
    one = choice(*allowed)

    def read(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise Wrong(f"it must be a list of texts, not {shown(value)}")
        return tuple(one(item) for item in value)

    return read


def near(word: str, known: Iterable[str]) -> str:
    """A question whether the nearest known word was meant; empty where none is near."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def shown(value: Any) -> str:
    """A value as a complaint quotes it."""
    return repr(value) if isinstance(value, str | int | float | bool) else f"a {type(value).__name__}"
