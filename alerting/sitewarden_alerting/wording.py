"""Sentences: titles, values with their units, times. Everything that people read is worded here or beside its rule.

English, short, and the same for the same input. Not here: what is decided.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sitewarden_alerting.model import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from sitewarden_alerting.observations import LogEvent, Series
from sitewarden_alerting.reading.severity import Severity

TITLE_CHARS = 120
_TYPE = re.compile(r"\b(?:[A-Za-z_][\w$]*[.:]{1,2})*([A-Z][\w$]*(?:Error|Exception|Fault|Failure|Panic))\b")


def severity_word(severity: int) -> str:
    return Severity(severity).name if severity in Severity._value2member_map_ else f"severity {severity}"


def cut(text: str, chars: int) -> str:
    """At most `chars` characters, at a word's end where there is one near."""
    if len(text) <= chars:
        return text
    shorter = text[: chars - 1]
    blank = shorter.rfind(" ", chars // 2)
    return (shorter[:blank] if blank > 0 else shorter).rstrip() + "…"


def log_title(event: LogEvent) -> str:
    """«ERROR shop.db: connection to <*> failed (OperationalError)»: severity, component, the template's first words and
    the type of the exception, the innermost where a chain is written outermost first."""
    first, end = _first_and_kind(event)
    start = (
        f"{severity_word(event.severity)} {event.component}: "
        if event.component
        else f"{severity_word(event.severity)} "
    )
    return start + cut(first or "(empty line)", max(20, TITLE_CHARS - len(start) - len(end))) + end


def fault_title(title: str, event: LogEvent) -> str:
    """«nginx refuses its configuration: unknown directive <*>»: what a rule calls the fault, and the template's first
    words and the type of the exception, which tell its faults apart."""
    first, end = _first_and_kind(event)
    return f"{title}: {cut(first, max(20, TITLE_CHARS - len(title) - len(end)))}{end}" if first else title


def _first_and_kind(event: LogEvent) -> tuple[str, str]:
    first = (event.template or event.message).strip().partition("\n")[0].strip()
    kinds = _TYPE.findall(event.message.partition("\n")[2])
    return first, f" ({kinds[-1]})" if kinds and kinds[-1] not in first else ""


def quantity(value: float, name: str) -> str:
    """A value in the unit that the name of its series ends with: 0.97 of `x_ratio` is 97 %."""
    if name.endswith("_ratio"):
        return f"{value * 100:.3g} %"
    if name.endswith("_bytes"):
        return size(value)
    if name.endswith("_seconds"):
        return duration(round(value * SECOND_NS))
    return f"{value:.6g}"


def size(value: float) -> str:
    for unit, scale in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if abs(value) >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value:.0f} B"


def duration(ns: int) -> str:
    """The largest unit that says enough: `90 s`, `12 min`, `6 h`, `6 days`."""
    if abs(ns) < 2 * MINUTE_NS:
        return f"{ns / SECOND_NS:.3g} s"
    if abs(ns) < 2 * HOUR_NS:
        return f"{ns / MINUTE_NS:.0f} min"
    if abs(ns) < 2 * DAY_NS:
        return f"{ns / HOUR_NS:.0f} h"
    return f"{ns / DAY_NS:.0f} days"


def moment(ns: int) -> str:
    """`2026-11-24 03:10 UTC`."""
    return datetime.fromtimestamp(ns // SECOND_NS, UTC).strftime("%Y-%m-%d %H:%M UTC")


def exact_moment(ns: int) -> str:
    """`2026-11-24 03:10:09 UTC`."""
    return datetime.fromtimestamp(ns // SECOND_NS, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def series_text(series: Series) -> str:
    inside = ", ".join(f"{name}={value}" for name, value in series.labels)
    return f"{series.name}{{{inside}}}" if inside else series.name
