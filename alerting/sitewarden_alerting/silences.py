"""Silences: which of them, if any, holds a signal back. Patterns are globs; an empty one matches everything."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from sitewarden_alerting.model import Signal, Silence, Ticket


def silencing(silences: Iterable[Silence], what: Signal | Ticket, *, now_ns: int) -> Silence | None:
    """The silence that holds this signal, or news of this ticket, back now; the one that lasts longest where there are
    several."""
    holding = [silence for silence in silences if is_active(silence, now_ns=now_ns) and matches(silence, what)]
    return max(holding, key=lambda silence: silence.until_ns, default=None)


def is_active(silence: Silence, *, now_ns: int) -> bool:
    return silence.from_ns <= now_ns < silence.until_ns


def matches(silence: Silence, what: Signal | Ticket) -> bool:
    pairs = ((silence.site, what.site_id), (silence.rule, what.rule), (silence.fault, what.fault))
    if silence.customer and silence.customer != what.customer_id:
        return False
    return all(not pattern or fnmatchcase(value, pattern) for pattern, value in pairs)


def exactly(name: str) -> str:
    """The pattern that matches this name and no other."""
    return re.sub(r"([*?[])", r"[\1]", name)
