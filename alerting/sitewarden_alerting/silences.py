"""Silences: which of them, if any, holds a signal back. Patterns are globs; an empty one matches everything."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from sitewarden_alerting.model import Signal, Silence


def silencing(silences: Iterable[Silence], signal: Signal, *, now_ns: int) -> Silence | None:
    """The silence that holds this signal back now; the one that lasts longest where there are several."""
    holding = [silence for silence in silences if is_active(silence, now_ns=now_ns) and matches(silence, signal)]
    return max(holding, key=lambda silence: silence.until_ns, default=None)


def is_active(silence: Silence, *, now_ns: int) -> bool:
    return silence.from_ns <= now_ns < silence.until_ns


def matches(silence: Silence, signal: Signal) -> bool:
    pairs = ((silence.site, signal.site_id), (silence.rule, signal.rule), (silence.fault, signal.fault))
    return all(not pattern or fnmatchcase(value, pattern) for pattern, value in pairs)
