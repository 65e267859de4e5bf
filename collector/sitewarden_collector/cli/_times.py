"""Times as people type them: with their offset, or on the wall of a zone that is said beside them."""

from __future__ import annotations

import time
from datetime import datetime

from sitewarden_alerting.oncall.local import zone_of
from sitewarden_collector.cli import _common
from sitewarden_collector.errors import ConfigError


def instant_ns(text: str, zone: str = "UTC") -> int:
    """Nanoseconds of `2026-11-24T09:00` in `zone`, of `2026-11-24T09:00+08:00`, of `+2h` from now, or of `now`."""
    if text == "now":
        return time.time_ns()
    if text.startswith("+"):
        return time.time_ns() + _common.duration_s(text[1:]) * 1_000_000_000
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=zone_of(zone))
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is no time; write it as 2026-11-24T09:00, with or without +08:00, or +2h"
        ) from error
    return round(when.timestamp()) * 1_000_000_000


def minute_of(text: str) -> int:
    """Minutes of the day of `22:30`; `24:00` is the day's end."""
    hours, colon, minutes = text.partition(":")
    digits = hours + minutes
    if not (colon and hours and minutes and digits.isascii() and digits.isdigit()) or len(digits) > 4:
        raise ConfigError(f"{text!r} is no time of day; write it as 22:30")
    if int(minutes) > 59:
        raise ConfigError(f"{text!r} is no time of day; write it as 22:30")
    found = int(hours) * 60 + int(minutes)
    if found > 24 * 60:
        raise ConfigError(f"{text!r} is later than the day's end, 24:00")
    return found


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
