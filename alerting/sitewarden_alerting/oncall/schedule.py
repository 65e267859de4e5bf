"""The words of a schedule. A layer above another wins where both have somebody; an override wins over all layers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """What a turn is measured in. Hours are real hours; days, weeks and months are those of the wall calendar."""

    HOURS = "hours"
    DAYS = "days"
    WEEKS = "weeks"
    MONTHS = "months"


@dataclass(frozen=True, slots=True)
class Layer:
    """People who take turns. The first turn begins at `start`, a wall time as `2026-11-23T09:00`, and is the first
    person's; each lasts `every` units and is handed on at the same wall time.

    `weekdays` (0 is Monday) and the minutes of the day restrict when the layer has anybody; `until_minute` at or before
    `from_minute` lies on the next day. Turns of days are counted in days that are served: a rotation from Monday to
    Friday passes no one over because their turn would fall on a Sunday (goalert #55).
    """

    name: str
    people: tuple[str, ...]
    start: str
    every: int = 1
    unit: Unit = Unit.WEEKS
    weekdays: tuple[int, ...] = ()  # empty: all
    from_minute: int = 0
    until_minute: int = 24 * 60


@dataclass(frozen=True, slots=True)
class Override:
    """`person` is on call from `from_ns` until `until_ns`, whatever the layers say. With `instead_of` only where that
    person would be. Of two that overlap the later one in the list wins. `swap` joins the two halves of a swap."""

    person: str
    from_ns: int
    until_ns: int
    instead_of: str = ""
    swap: str = ""
    id: str = ""
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class TimeOff:
    """`person` is away: their turns go to the next of the rotation."""

    person: str
    from_ns: int
    until_ns: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """`layers` from the lowest to the highest; `managers` are told of gaps and of what nobody took."""

    name: str
    zone: str
    layers: tuple[Layer, ...] = ()
    overrides: tuple[Override, ...] = ()
    time_off: tuple[TimeOff, ...] = ()
    managers: tuple[str, ...] = ()
    id: str = ""


@dataclass(frozen=True, slots=True)
class Shift:
    """`person` is on call; `source` is the layer's name, or `override`, or `swap`."""

    person: str
    from_ns: int
    until_ns: int
    source: str
