"""The output of monitoring plugins: the first line, and performance data with units and thresholds. Pure.

After the "Monitoring Plugins Development Guidelines": text and data are parted by |, in the first line and once more
after further lines; a datum is 'label'=value[unit];[warn];[crit];[min];[max], and a threshold a range [@][start:][end].
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

DATA_MAX = 64

# Labels are bounded, because each place where one could begin is tried.
_DATUM = re.compile(
    r"""(?:'((?:[^'\n]|''){1,100})'|([^\s'=|]{1,100}))=
        ([-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?|U)([^\s;]*)
        (?:;([^\s;]*))?(?:;([^\s;]*))?(?:;([^\s;]*))?(?:;([^\s;]*))?""",
    re.X,
)
_UNITS: dict[str, tuple[str, float]] = {
    "s": ("seconds", 1.0),
    "ms": ("seconds", 1e-3),
    "us": ("seconds", 1e-6),
    "ns": ("seconds", 1e-9),
    "%": ("ratio", 0.01),
    "b": ("bytes", 1.0),
    **{f"{letter}b": ("bytes", 1000.0**power) for power, letter in enumerate("kmgtp", 1)},
    **{f"{letter}ib": ("bytes", 1024.0**power) for power, letter in enumerate("kmgtp", 1)},
    "c": ("total", 1.0),
}


@dataclass(frozen=True, slots=True)
class Datum:
    """`unit` is seconds, bytes, ratio, total (a counter) or empty; thresholds are in it, None where there is none."""

    label: str
    value: float
    unit: str
    warning: float | None
    critical: float | None


def parse(output: str) -> tuple[str, list[Datum]]:
    """The first line's text, and at most `DATA_MAX` data from the whole of it. What is no datum is left out."""
    first, _, rest = output.lstrip("\n").partition("\n")
    text, _, data = first.partition("|")
    _, _, more = rest.partition("|")
    found: list[Datum] = []
    for datum in _data(f"{data}\n{more}"):
        if len(found) >= DATA_MAX:
            break
        found.append(datum)
    return text.strip(), found


def _data(text: str) -> Iterator[Datum]:
    for match in _DATUM.finditer(text):
        label = (match[1].replace("''", "'") if match[1] is not None else match[2]).strip()
        value = _number(match[3])
        if value is None or not label:
            continue  # U: the plugin could not measure it
        unit, scale = _UNITS.get(match[4].lower(), ("", 1.0))
        warning, critical = _scaled(_bound(match[5]), scale), _scaled(_bound(match[6]), scale)
        yield Datum(label, value * scale, unit, warning, critical)


def _bound(threshold: str | None) -> float | None:
    """The one number of a range that says it best: its end, else its start."""
    start, colon, end = (threshold or "").removeprefix("@").partition(":")
    return _number(end) if colon and end else _number(start)


def _number(text: str) -> float | None:
    try:
        found = float(text.replace(",", "."))
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale
