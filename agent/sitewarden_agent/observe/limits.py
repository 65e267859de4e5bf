"""What the agent does so that it never takes more of the customer's host than it may: the steps, and when to take them.

    ok       everything goes on as configured
    sparing  samples are taken a third as often
    lean     reading goes on in pauses, caches are emptied, free memory is given back
    paused   reading waits: the log files hold what is to come, and nothing is lost

Memory leads through all steps; the processor as far as lean, because there pauses are enough to keep within any share.
The disk has a ladder of its own (`spool.room`). Pure. Not here: measuring (`footprint`), doing it (`jobs.limits`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

ENTER = {1: 0.8, 2: 0.9, 3: 1.0}
"""The share of a limit at which each step is taken."""
LEAVE_BELOW = 0.1
"""A step is left when the share is this much below what led to it, so that it does not come and go."""
SPARING_FACTOR = 3
CPU_MEAN_S = 60.0


class Step(IntEnum):
    OK = 0
    SPARING = 1
    LEAN = 2
    PAUSED = 3

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Use:
    """What all processes of the agent take together."""

    cpu_share: float
    """Of one core, since the look before."""
    memory_bytes: int


@dataclass(slots=True)
class Limits:
    """Life: made, `look` after each measurement."""

    cpu_share: float
    memory_bytes: int
    step: Step = Step.OK
    because: str = ""
    """What led to the step: memory or cpu."""
    cpu_mean: float = 0.0
    """Of about a minute: a short effort is no reason to act."""

    def look(self, use: Use, *, passed_s: float) -> bool:
        """Decide anew. True when the step is another than before."""
        weight = min(1.0, passed_s / CPU_MEAN_S)
        self.cpu_mean += (use.cpu_share - self.cpu_mean) * weight
        before = self.step
        memory = _step(use.memory_bytes / self.memory_bytes, before=before if self.because == "memory" else Step.OK)
        cpu = _step(self.cpu_mean / self.cpu_share, before=before if self.because == "cpu" else Step.OK)
        cpu = min(cpu, Step.LEAN)
        self.step = max(memory, cpu)
        self.because = "" if self.step is Step.OK else "memory" if memory >= cpu else "cpu"
        return self.step is not before


def _step(share: float, *, before: Step) -> Step:
    for step in (Step.PAUSED, Step.LEAN, Step.SPARING):
        if share >= ENTER[step] - (LEAVE_BELOW if before >= step else 0.0):
            return step
    return Step.OK
