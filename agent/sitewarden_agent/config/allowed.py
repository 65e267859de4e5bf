"""What the local file allows headquarters to change: the entries of `[remote_config] allow`, and what lies within them.

An entry is a key, or a key and a bound after a colon: `probes.interval` lets headquarters slow probes down,
`probes.interval:5` also speed them up to a look every five seconds, `logs.paths:/opt/app/logs/**` also read there.
Pure. Not here: the merging (`remote`).
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable
from functools import cache
from typing import Annotated

from msgspec import Meta, Struct

SEVERITIES = ("debug", "info", "warning", "error", "critical")
STEPS_MAX = 64
"""Folders deep; a pattern of more lies within nothing."""

KEYS = {
    "health.interval": "seconds",
    "logs.min_severity": "severity",
    "logs.paths": "path",
    "logs.exclude": "",
    "logs.off": "",
    "logs.keep": "",
    "logs.storm": "count",
    "probes.interval": "seconds",
    "probes.timeout": "",
    "probes.failures_needed": "",
    "probes.off": "",
    "redact.literals": "",
    "redact.extra_keys": "",
    "redact.pseudonyms": "",
}
"""Every key that can be allowed, and what kind of bound may follow it. `logs.keep` has none: it lets more be sent."""


class RemoteConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[remote_config]: what headquarters may change here. Nothing, unless it is named."""

    allow: tuple[str, ...] = ()
    """Keys that headquarters may set, each perhaps with a bound after a colon."""
    healthy_s: Annotated[float, Meta(ge=1, le=3_600)] = 60.0
    """How long a configuration from headquarters must run well before it counts as good; else the last good one is
    taken again."""

    def __post_init__(self) -> None:
        for entry in self.allow:
            if said := complaint(entry):
                raise ValueError(said)


def complaint(entry: str) -> str | None:
    """What is wrong with an entry of `allow`, and what to write instead; None when it is good."""
    key, colon, bound = entry.partition(":")
    if key not in KEYS:
        return f"allow knows no {key!r}; known are {', '.join(KEYS)}"
    if not colon:
        return None
    match KEYS[key]:
        case "seconds" if _number(bound) is None:
            return f"{entry!r}: after the colon stand seconds, as in {key}:5"
        case "count" if not (bound.isascii() and bound.isdigit()):
            return f"{entry!r}: after the colon stands a whole number, as in {key}:60"
        case "severity" if bound not in SEVERITIES:
            return f"{entry!r}: after the colon stands one of {', '.join(SEVERITIES)}"
        case "path" if _steps(bound) is None:
            return f"{entry!r}: after the colon stands an absolute path or pattern without . and .. in it"
        case "":
            return f"{entry!r}: {key} takes nothing after it; write {key!r} alone"
    return None


class Allowed:
    """The entries of one local file. Those that are wrong allow nothing."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._bounds: dict[str, list[str]] = {}
        for entry in entries:
            if complaint(entry) is None:
                key, _, bound = entry.partition(":")
                self._bounds.setdefault(key, []).extend([bound] if bound else [])

    def __contains__(self, key: object) -> bool:
        return key in self._bounds

    def fastest_s(self, key: str, local_s: float) -> float:
        """The shortest interval: the local one, or a shorter one that is allowed."""
        return min([local_s, *(found for bound in self._of(key) if (found := _number(bound)) is not None)])

    def most(self, key: str, local: int) -> int:
        """The highest count: the local one, or a higher one that is allowed. 0 is without an end, so highest."""
        counts = [local, *(int(bound) for bound in self._of(key))]
        return 0 if 0 in counts else max(counts)

    def lowest(self, key: str, local: str) -> str:
        """The lowest severity: the local one, or a lower one that is allowed."""
        return min([local, *self._of(key)], key=SEVERITIES.index)

    def paths(self) -> tuple[str, ...]:
        """Patterns within which further logs may be read."""
        return tuple(self._of("logs.paths"))

    def _of(self, key: str) -> list[str]:
        return self._bounds.get(key, [])


def inside(pattern: str, limits: Iterable[str]) -> bool:
    """Whether whatever `pattern` can name, one of `limits` names as well. In doubt it is not."""
    wanted = _steps(pattern)
    if wanted is None:
        return False
    return any(_within(wanted, limit) for each in limits if (limit := _steps(each)) is not None)


def _within(wanted: tuple[str, ...], limit: tuple[str, ...]) -> bool:
    @cache
    def rest(place: int, limit_place: int) -> bool:
        if limit_place == len(limit):
            return place == len(wanted)
        if limit[limit_place] == "**":  # any number of steps, also such that are ** themselves
            return rest(place, limit_place + 1) or (place < len(wanted) and rest(place + 1, limit_place))
        if place == len(wanted) or wanted[place] == "**":
            return False
        return _step_within(wanted[place], limit[limit_place]) and rest(place + 1, limit_place + 1)

    return rest(0, 0)


def _step_within(wanted: str, limit: str) -> bool:
    if limit in ("*", wanted):
        return True
    if not _magic(wanted):
        return fnmatch.fnmatchcase(wanted, limit)
    before, star, after = limit.partition("*")
    if not star or _magic(before) or _magic(after):
        return False  # two patterns that only a proof could compare
    return len(wanted) >= len(before) + len(after) and wanted.startswith(before) and wanted.endswith(after)


def _magic(step: str) -> bool:
    return any(sign in step for sign in "*?[]")


def _steps(pattern: str) -> tuple[str, ...] | None:
    """The folders and the name; None for what is not absolute, or could lead elsewhere."""
    first, *steps = pattern.split("/")
    if first or not steps or len(steps) > STEPS_MAX or not pattern.isprintable():
        return None
    return None if any(step in ("", ".", "..") for step in steps) else tuple(steps)


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) and found >= 0.1 else None
