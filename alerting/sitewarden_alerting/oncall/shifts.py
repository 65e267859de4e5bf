"""Shifts: the layers painted over each other, the lowest first, then overrides; and what stays bare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from zoneinfo import ZoneInfo

from sitewarden_alerting.oncall.local import zone_of
from sitewarden_alerting.oncall.schedule import Layer, Schedule, Shift, TimeOff
from sitewarden_alerting.oncall.turns import turns, windows


def on_call_at(schedule: Schedule, at_ns: int) -> str:
    """Who is on call at an instant; empty when nobody is."""
    found = shifts(schedule, at_ns, at_ns + 1)
    return found[0].person if found else ""


def shifts(schedule: Schedule, from_ns: int, until_ns: int) -> tuple[Shift, ...]:
    """Who is on call in a period, in order and without overlaps; what is not in them is a gap."""
    zone = zone_of(schedule.zone)
    painted: list[Shift] = []
    for layer in schedule.layers:
        painted = _over(painted, _of_layer(layer, zone, schedule.time_off, from_ns, until_ns))
    for override in schedule.overrides:
        source = "swap" if override.swap else "override"
        begin, end = max(from_ns, override.from_ns), min(until_ns, override.until_ns)
        if begin >= end:
            continue
        if override.instead_of:
            cut = [_clipped(shift, begin, end) for shift in painted if shift.person == override.instead_of]
            top = [replace(shift, person=override.person, source=source) for shift in cut if shift is not None]
        else:
            top = [Shift(override.person, begin, end, source)]
        painted = _over(painted, top)
    return tuple(_joined(painted))


def gaps(schedule: Schedule, from_ns: int, until_ns: int) -> tuple[tuple[int, int], ...]:
    """The parts of a period in which nobody is on call."""
    bare = []
    at = from_ns
    for shift in shifts(schedule, from_ns, until_ns):
        if shift.from_ns > at:
            bare.append((at, shift.from_ns))
        at = max(at, shift.until_ns)
    if at < until_ns:
        bare.append((at, until_ns))
    return tuple(bare)


def ranked(schedule: Schedule, at_ns: int) -> tuple[str, ...]:
    """Whom to ask, in order: who is on call, then the next of their rotation, then the other layers' from the top."""
    order = [on_call_at(schedule, at_ns)]
    zone = zone_of(schedule.zone)
    for layer in reversed(schedule.layers):
        for number, _, _ in turns(layer, zone, at_ns, at_ns + 1):
            people = _rotated(layer.people, number)
            here = people.index(order[0]) if order[0] in people else -1
            away = {one.person for one in schedule.time_off if one.from_ns <= at_ns < one.until_ns}
            order += [person for person in (*people[here + 1 :], *people[: here + 1]) if person not in away]
    return tuple(dict.fromkeys(person for person in order if person))


def _of_layer(layer: Layer, zone: ZoneInfo, away: Sequence[TimeOff], from_ns: int, until_ns: int) -> list[Shift]:
    open_times = list(windows(layer, zone, from_ns, until_ns))
    found: list[Shift] = []
    first = 0
    for number, begin, end in turns(layer, zone, from_ns, until_ns):
        people = _rotated(layer.people, number)
        while first < len(open_times) and open_times[first][1] <= begin:
            first += 1
        for opens, closes in open_times[first:]:
            if opens >= end:
                break
            if max(opens, begin) < min(closes, end):
                found += _stood_in(people, layer.name, away, max(opens, begin), min(closes, end))
    return found


def _stood_in(
    people: Sequence[str], source: str, away: Sequence[TimeOff], from_ns: int, until_ns: int
) -> Iterable[Shift]:
    """One turn, cut where somebody leaves or returns; each piece is the first one's who is there."""
    theirs = [one for one in away if one.person in people and one.from_ns < until_ns and one.until_ns > from_ns]
    cuts = {from_ns, until_ns}
    cuts.update(cut for one in theirs for cut in (one.from_ns, one.until_ns) if from_ns < cut < until_ns)
    edges = sorted(cuts)
    for begin, end in pairwise(edges):
        gone = {one.person for one in theirs if one.from_ns <= begin < one.until_ns}
        person = next((person for person in people if person not in gone), "")
        if person:
            yield Shift(person, begin, end, source)


def _rotated(people: tuple[str, ...], number: int) -> tuple[str, ...]:
    first = number % len(people)
    return people[first:] + people[:first]


def _over(below: Sequence[Shift], above: Sequence[Shift]) -> list[Shift]:
    """`above` painted over `below`; both in order and without overlaps."""
    seen: list[Shift] = list(above)
    first = 0
    for shift in below:
        at = shift.from_ns
        while first < len(above) and above[first].until_ns <= at:
            first += 1
        for top in above[first:]:
            if top.from_ns >= shift.until_ns:
                break
            if top.from_ns > at:
                seen.append(replace(shift, from_ns=at, until_ns=top.from_ns))
            at = max(at, top.until_ns)
        if at < shift.until_ns:
            seen.append(replace(shift, from_ns=at))
    return sorted(seen, key=lambda shift: shift.from_ns)


def _clipped(shift: Shift, from_ns: int, until_ns: int) -> Shift | None:
    begin, end = max(shift.from_ns, from_ns), min(shift.until_ns, until_ns)
    return replace(shift, from_ns=begin, until_ns=end) if begin < end else None


def _joined(found: Sequence[Shift]) -> Iterable[Shift]:
    held: Shift | None = None
    for shift in found:
        if (
            held is not None
            and (held.person, held.source) == (shift.person, shift.source)
            and (held.until_ns == shift.from_ns)
        ):
            held = replace(held, until_ns=shift.until_ns)
            continue
        if held is not None:
            yield held
        held = shift
    if held is not None:
        yield held
