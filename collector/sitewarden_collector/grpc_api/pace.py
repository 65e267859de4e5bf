"""How fast one agent may go: a bucket of tokens that fills with time. Pure."""

from __future__ import annotations


class TokenBucket:
    """Holds up to `burst` tokens and gains `per_s` of them a second."""

    def __init__(self, per_s: float, burst: float, *, now_s: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = float(burst)
        self._at_s = now_s

    def admit(self, *, now_s: float) -> bool:
        """Take one token if it is there. What was not admitted costs nothing, so a flood is forgotten when it ends."""
        if self._gained(now_s) < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def take(self, *, now_s: float) -> float:
        """Take one token; returns how many seconds to wait until it is there."""
        self._tokens = self._gained(now_s) - 1.0
        return 0.0 if self._tokens >= 0 else -self._tokens / self._per_s

    def _gained(self, now_s: float) -> float:
        self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        return self._tokens
