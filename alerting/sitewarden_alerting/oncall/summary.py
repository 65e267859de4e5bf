"""Who carries how much: hours, nights and weekends of each person, so that a rotation can be seen to be fair."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from sitewarden_alerting.model import HOUR_NS
from sitewarden_alerting.oncall.local import instant, wall, zone_of
from sitewarden_alerting.oncall.schedule import Shift

NIGHT = (22 * 60, 6 * 60)  # minutes of the day: from, until the next morning


@dataclass(frozen=True, slots=True)
class Load:
    person: str
    shifts: int
    hours: float
    night_hours: float
    weekend_hours: float


def loads(shifts: Iterable[Shift], zone_name: str) -> tuple[Load, ...]:
    """What each person carries, the one with the most first. Nights are 22 to 6, weekends Saturday and Sunday, by the
    zone's wall."""
    zone = zone_of(zone_name)
    sums: dict[str, list[float]] = {}
    for shift in shifts:
        mine = sums.setdefault(shift.person, [0, 0, 0, 0])
        mine[0] += 1
        mine[1] += shift.until_ns - shift.from_ns
        day = wall(zone, shift.from_ns).date() - timedelta(days=1)
        while (midnight := instant(zone, day, 0)) < shift.until_ns:
            night = instant(zone, day, NIGHT[0]), instant(zone, day + timedelta(days=1), NIGHT[1])
            mine[2] += _shared(shift, *night)
            if day.weekday() >= 5:
                mine[3] += _shared(shift, midnight, instant(zone, day + timedelta(days=1), 0))
            day += timedelta(days=1)
    found = [
        Load(person, int(n), whole / HOUR_NS, nights / HOUR_NS, weekends / HOUR_NS)
        for person, (n, whole, nights, weekends) in sums.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.hours, one.person)))


def _shared(shift: Shift, from_ns: int, until_ns: int) -> int:
    return max(0, min(shift.until_ns, until_ns) - max(shift.from_ns, from_ns))
