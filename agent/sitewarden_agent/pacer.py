"""How fast work may go so that a process keeps within its share of the processor.

Promises: what was not used is saved up for a while, so that ordinary work never waits; after that work waits just so
long that the share is kept. Pure: times are arguments.
"""

from __future__ import annotations

SAVED_UP_S = 60.0
"""A process that rested saves up the share of a minute."""
WAIT_MAX_S = 5.0


class Pacer:
    """Life: made, then `owed_s` after each piece of work."""

    def __init__(self, share: float) -> None:
        self.share = share
        """Of one core. May be changed at any time."""
        self._budget_s = share * SAVED_UP_S
        self._before: tuple[float, float] | None = None

    def owed_s(self, *, now_s: float, used_s: float) -> float:
        """How long to wait now. `now_s` is monotonic, `used_s` the processor time that the process used since its
        start, however far that goes back."""
        then_s, then_used_s = self._before or (now_s, used_s)
        self._before = now_s, used_s
        self._budget_s += self.share * max(0.0, now_s - then_s) - max(0.0, used_s - then_used_s)
        self._budget_s = min(self._budget_s, self.share * SAVED_UP_S)
        if self._budget_s >= 0:
            return 0.0
        return min(WAIT_MAX_S, -self._budget_s / self.share)
