"""What simulated agents do, as plain values: the same seed gives the same course.

Not here: doing it (`agent`), what must have come of it (`verdict`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import Enum

from sitewarden_collector.errors import Invalid

AGENTS_MAX = 20_000


class Kind(Enum):
    STEADY = "steady"
    STORM = "storm"  # all lose their connections at once and come back
    CRASH_LOOP = "crash-loop"  # some hosts write the same error again and again
    RENEWAL = "renewal"  # all renew their certificates at once
    CLOCK_SKEW = "clock-skew"  # some clocks are off: a little, and far too much
    BAD_VERSION = "bad-version"  # some run a version whose batches cannot all be read


ODD_SHARE = 0.1
"""Of the agents, those that misbehave where a scenario speaks of some."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """`batch_every_s` and `heartbeat_s` are each agent's own; their phases differ. A batch holds one block of samples,
    `series` x `ticks`."""

    kind: Kind = Kind.STEADY
    agents: int = 100
    sites: int = 10
    seconds: float = 30.0
    batch_every_s: float = 60.0
    heartbeat_s: float = 30.0
    series: int = 40
    ticks: int = 6
    connect_within_s: float = 10.0
    seed: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.agents <= AGENTS_MAX:
            raise Invalid(f"simulate 1 to {AGENTS_MAX} agents; for more run several simulations")
        if not 1 <= self.sites <= self.agents:
            raise Invalid("there must be at least one site, and no more sites than agents")
        if min(self.seconds, self.batch_every_s, self.heartbeat_s) <= 0 or self.connect_within_s < 0:
            raise Invalid("all times must be longer than nothing")
        if not (1 <= self.series <= 4_096 and 1 <= self.ticks <= 600):
            raise Invalid("a block has 1 to 4096 series and 1 to 600 ticks")


@dataclass(frozen=True, slots=True)
class Part:
    """What one agent plays. `clock_off_s`: its clock's error; `logs`: errors that it writes with each batch."""

    number: int
    site: str
    hostname: str
    connect_after_s: float
    first_batch_after_s: float
    clock_off_s: float = 0.0
    logs: int = 0
    garbles: bool = False
    """Whether every third of its batches is garbage."""
    welcome: bool = True
    """Whether the collector should let it in."""
    drops_after_s: float | None = None
    """When it loses its connection."""
    renews_after_s: float | None = None
    seed: int = field(default=0)

    @property
    def machine(self) -> str:
        """What tells this host from a copy of it."""
        return f"simulated-{self.hostname}"


def parts(scenario: Scenario) -> list[Part]:
    """What each agent plays."""
    chance = random.Random(scenario.seed)  # noqa: S311 - a course to be repeated, no secret
    made = []
    for number in range(scenario.agents):
        odd = number % round(1 / ODD_SHARE) == 0
        site = number % scenario.sites
        draws = chance.random(), chance.random()
        made.append(
            Part(
                number=number,
                site=f"simulated-{scenario.seed}-{site}",
                hostname=f"sim-{scenario.seed}-{number}",
                connect_after_s=draws[0] * scenario.connect_within_s,
                first_batch_after_s=draws[1] * scenario.batch_every_s,
                clock_off_s=_clock_off_s(scenario.kind, number, odd=odd),
                logs=200 if odd and scenario.kind is Kind.CRASH_LOOP else 0,
                garbles=odd and scenario.kind is Kind.BAD_VERSION,
                welcome=not (odd and _far_off(scenario.kind, number)),
                drops_after_s=scenario.seconds / 2 if scenario.kind is Kind.STORM else None,
                renews_after_s=scenario.seconds / 2 if scenario.kind is Kind.RENEWAL else None,
                seed=scenario.seed * 1_000_003 + number,
            )
        )
    return made


def _far_off(kind: Kind, number: int) -> bool:
    """Of the odd clocks every second is off by more than can be corrected."""
    return kind is Kind.CLOCK_SKEW and number // round(1 / ODD_SHARE) % 2 == 1


def _clock_off_s(kind: Kind, number: int, *, odd: bool) -> float:
    if kind is not Kind.CLOCK_SKEW or not odd:
        return 0.0
    return 10 * 86_400.0 if _far_off(kind, number) else 600.0
