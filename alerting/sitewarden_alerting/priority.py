"""The priority of a ticket, from how bad the fault is, whose it is and how many sites it hits; each step explained.

    severity           critical 1, error 2, warning 3, else 4
    a gold customer    one more urgent; a bronze customer stays
    affected sites     one more urgent from 3 on, two from 10 on

1 is the most urgent. Nothing here lowers what a person set: `services.priorities` sees to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sitewarden_alerting.reading.severity import Severity


class Tier(StrEnum):
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


@dataclass(frozen=True, slots=True)
class Judged:
    """A priority and what led to it, step by step."""

    priority: int
    steps: tuple[str, ...]

    @property
    def reason(self) -> str:
        return "; ".join(self.steps)


SEVERAL = 3  # sites
MANY = 10


def judge(severity: int, tier: Tier, sites: int) -> Judged:
    """The priority of a fault of this severity, at a customer of this tier, seen at so many sites."""
    word = next((one for one in reversed(Severity) if severity >= one), Severity.INFO)
    base = {Severity.CRITICAL: 1, Severity.ERROR: 2, Severity.WARNING: 3}.get(word, 4)
    steps = [f"severity {word.name.lower()}: {base}"]
    priority = base
    if tier is Tier.GOLD:
        priority -= 1
        steps.append("gold customer: one more urgent")
    if sites >= MANY:
        priority -= 2
        steps.append(f"{sites} sites: two more urgent")
    elif sites >= SEVERAL:
        priority -= 1
        steps.append(f"{sites} sites: one more urgent")
    return Judged(max(1, priority), tuple(steps))
