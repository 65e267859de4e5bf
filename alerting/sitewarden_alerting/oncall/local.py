"""Wall times as instants, and the rules for the two days a year on which clocks change.

A handoff at a wall time that does not exist (the hour that is skipped in spring) happens at the first instant after the
gap. One that exists twice (the hour that is repeated in autumn) happens at the first of the two, and only then. So a
turn of a day lasts 23 or 25 hours on such days, handoffs stay at the hour that people know, and nobody is on call twice
or not at all. Turns of hours are real hours and pay no heed to the clock on the wall. (goalert PR #1252; grafana oncall
#3261 and #2817 came of adding 24 hours to an instant, and of reading a wall time in another zone than it was meant in.)
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sitewarden_alerting.model import SECOND_NS

ZONE_MAX_CHARS, ZONE_MAX_SLASHES = 64, 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def zone_of(name: str) -> ZoneInfo:
    """The zone called `name`, as `Europe/Berlin`; raises ValueError."""
    try:
        if len(name) > ZONE_MAX_CHARS or name.count("/") > ZONE_MAX_SLASHES:  # looked up folder by folder
            raise ValueError("longer than any")
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f"{name!r} is no time zone; write one of the IANA names, as Asia/Shanghai or UTC") from error


@lru_cache(maxsize=65_536)
def instant(zone: ZoneInfo, day: date, minute: int) -> int:
    """The instant, in nanoseconds, at which the clock on the wall of `zone` first shows `minute` of `day`, or has gone
    past it."""
    shown = datetime.combine(day, time()) + timedelta(minutes=minute)
    first = shown.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) != shown:  # skipped: 02:30 became 03:30; the gap's end is wanted
        first = _after_gap(zone, shown)
    return round((first - _EPOCH) / timedelta(microseconds=1)) * 1000


def wall(zone: ZoneInfo, at_ns: int) -> datetime:
    """What the clock on the wall shows, without its zone."""
    return datetime.fromtimestamp(at_ns // SECOND_NS, UTC).astimezone(zone).replace(tzinfo=None)


def _after_gap(zone: ZoneInfo, wanted: datetime) -> datetime:
    """The first instant after the gap that swallowed `wanted`, to the second."""
    low = wanted.replace(tzinfo=zone, fold=1).astimezone(UTC)  # read with the offset after the gap: lies before it
    high = wanted.replace(tzinfo=zone, fold=0).astimezone(UTC)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low) / timedelta(seconds=2)) or 1)
        if middle.astimezone(zone).replace(tzinfo=None) < wanted:
            low = middle
        else:
            high = middle
    return high
