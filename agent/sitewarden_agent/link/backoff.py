"""When to try again. Pure: chance and time are arguments.

Full jitter, min(cap, base * 2^n), as reference for thousands of agents that lost the same collector at once. The count
of failures goes back to zero only after a minute of health, so a collector that accepts and drops is not hammered; and
only then the first retry is at once. What headquarters asks for wins when it is longer.
"""

from __future__ import annotations

from dataclasses import dataclass

from sitewarden_agent.link.trouble import Ending, Follow

HEALTHY_S = 60.0
SLOW_S = 3_600.0
SKEW_S = 300.0
DUPLICATE_S = 60.0
WAIT_MAX_S = 4 * 3_600.0
"""Whatever headquarters asks for: one that fell into the wrong hands must not silence its agents for good."""
_EXPONENT_MAX = 32


@dataclass(frozen=True, slots=True)
class Backoff:
    """How many tries in a row did not lead to a minute of health."""

    base_s: float = 1.0
    cap_s: float = 300.0
    failures: int = 0

    def after(self, ending: Ending, *, draw: float) -> tuple[Backoff, float]:
        """The next state, and the seconds to wait. `draw` is a random number in [0, 1)."""
        following, wait_s = self._after(ending, draw=draw)
        return following, min(WAIT_MAX_S, wait_s)

    def _after(self, ending: Ending, *, draw: float) -> tuple[Backoff, float]:
        healthy = ending.connected_s >= HEALTHY_S
        failures = 0 if healthy else self.failures
        following = Backoff(self.base_s, self.cap_s, min(failures + 1, _EXPONENT_MAX))
        match ending.follow:
            case Follow.AT_ONCE:
                return Backoff(self.base_s, self.cap_s, failures), 0.0
            case Follow.SLOW:
                return following, max(ending.retry_after_s, SLOW_S * (0.75 + 0.5 * draw))
            case Follow.CLOCK:
                return following, max(ending.retry_after_s, SKEW_S * (0.75 + 0.5 * draw))
            case Follow.STAND_BACK:
                return following, max(ending.retry_after_s, DUPLICATE_S * (1.0 + draw))
            case Follow.RETRY:
                wait_s = 0.0 if healthy else draw * min(self.cap_s, self.base_s * 2.0**failures)
                if ending.window_s > 0:
                    wait_s = max(wait_s, draw * ending.window_s)
                # The spread comes on top: all agents of a collector that stops are told the same time.
                return following, max(wait_s, ending.retry_after_s + draw * ending.window_s)
