"""The turns of one layer: when each begins, and whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from sitewarden_alerting.model import DAY_NS, HOUR_NS
from sitewarden_alerting.oncall.local import instant, wall
from sitewarden_alerting.oncall.schedule import Layer, Unit

_ALL = tuple(range(7))


def turns(layer: Layer, zone: ZoneInfo, from_ns: int, until_ns: int) -> Iterator[tuple[int, int, int]]:
    """(number, begin, end) of the turns that touch a period, in order. There is none before the layer's start."""
    if not layer.people or until_ns <= from_ns:
        return
    for number in count(max(0, _number_near(layer, zone, from_ns))):
        begin = begins(layer, zone, number)
        if begin >= until_ns:
            return
        end = begins(layer, zone, number + 1)
        if end > from_ns:
            yield number, begin, end


def begins(layer: Layer, zone: ZoneInfo, number: int) -> int:
    """When the turn with this number begins."""
    start = datetime.fromisoformat(layer.start)
    minute = start.hour * 60 + start.minute
    day = start.date()
    steps = number * max(1, layer.every)
    match layer.unit:
        case Unit.HOURS:
            return instant(zone, day, minute) + steps * HOUR_NS
        case Unit.DAYS:
            return instant(zone, _served_day(day, layer.weekdays or _ALL, steps), minute)
        case Unit.WEEKS:
            return instant(zone, day + timedelta(weeks=steps), minute)
        case Unit.MONTHS:
            return instant(zone, _months_later(day, steps), minute)


def windows(layer: Layer, zone: ZoneInfo, from_ns: int, until_ns: int) -> Iterator[tuple[int, int]]:
    """The parts of a period in which the layer has anybody."""
    whole_day = layer.from_minute == 0 and layer.until_minute >= 24 * 60
    if whole_day and not layer.weekdays:
        yield from_ns, until_ns
        return
    overnight = layer.until_minute <= layer.from_minute
    last = layer.until_minute + (24 * 60 if overnight else 0)
    day = wall(zone, from_ns).date() - timedelta(days=1)  # a night that began yesterday
    while (begin := instant(zone, day, layer.from_minute)) < until_ns:
        end = instant(zone, day, last)
        if day.weekday() in (layer.weekdays or _ALL) and end > from_ns and end > begin:
            yield max(begin, from_ns), min(end, until_ns)
        day += timedelta(days=1)


def _number_near(layer: Layer, zone: ZoneInfo, at_ns: int) -> int:
    """A turn's number at or a little before `at_ns`."""
    low, high = 0, 1
    if begins(layer, zone, 0) > at_ns:
        return 0
    rough = max(1, (at_ns - begins(layer, zone, 0)) // (HOUR_NS if layer.unit is Unit.HOURS else DAY_NS) + 2)
    high = min(rough, 10_000_000)
    while high - low > 1:  # the begins only ever grow
        middle = (low + high) // 2
        try:
            late = begins(layer, zone, middle) > at_ns
        except OverflowError:
            late = True
        low, high = (low, middle) if late else (middle, high)
    return low


def _served_day(first: date, weekdays: tuple[int, ...], steps: int) -> date:
    """The day that is `steps` served days after the first one served, counted from `first`."""
    served = sorted(set(weekdays))
    day = first
    while day.weekday() not in served:
        day += timedelta(days=1)
    day += timedelta(weeks=steps // len(served))
    for _ in range(steps % len(served)):
        day += timedelta(days=1)
        while day.weekday() not in served:
            day += timedelta(days=1)
    return day


def _months_later(first: date, months: int) -> date:
    """The same day of a later month; its last one where the month is shorter."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    for day in range(first.day, 27, -1):
        try:
            return date(year, month + 1, day)
        except ValueError:
            continue
    return date(year, month + 1, min(first.day, 28))
