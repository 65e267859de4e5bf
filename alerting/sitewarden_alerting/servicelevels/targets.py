"""What is promised: by when, in whose working hours, and what stops the clock meanwhile.

An agreement names a goal for each priority and target. `DEFAULT` is what holds without a contract: around the clock, a
first response within 2 h and a proposed solution within 48 h.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sitewarden_alerting.model import HOUR_NS, PRIORITIES, SECOND_NS, Waiting
from sitewarden_alerting.servicelevels.calendars import AROUND_THE_CLOCK, Timeline


class Target(StrEnum):
    FIRST_RESPONSE = "first_response"  # a person told the customer something
    SOLUTION = "solution"  # a solution was proposed to the customer
    RESOLUTION = "resolution"  # the ticket is resolved


PERCENTS = (50, 75, 90, 100)  # of a goal, at which somebody is told; the last is the breach


@dataclass(frozen=True, slots=True)
class Goal:
    """So much working time of a calendar."""

    goal_ns: int
    line: Timeline = AROUND_THE_CLOCK

    @property
    def goal_s(self) -> float:
        return self.goal_ns / SECOND_NS


Level = Mapping[Target, Goal]  # a target that is missing is not promised
# Waiting for the customer never excuses that nobody answered them.
PAUSES = frozenset({(Waiting.CUSTOMER.value, Target.SOLUTION), (Waiting.CUSTOMER.value, Target.RESOLUTION)})


def _default_levels() -> Mapping[int, Level]:
    level = {Target.FIRST_RESPONSE: Goal(2 * HOUR_NS), Target.SOLUTION: Goal(48 * HOUR_NS)}
    return dict.fromkeys(PRIORITIES, level)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What one contract promises. `pauses` holds which reason of waiting stops the clock of which target."""

    name: str = "default"
    levels: Mapping[int, Level] = field(default_factory=_default_levels)
    pauses: frozenset[tuple[str, Target]] = PAUSES

    def goal(self, priority: int, target: Target) -> Goal | None:
        return self.levels.get(priority, {}).get(target)


DEFAULT = Agreement()
