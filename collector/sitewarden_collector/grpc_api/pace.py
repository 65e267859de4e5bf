"""How fast agents may go, each by itself and all together: buckets of tokens that fill with time. Pure."""

from __future__ import annotations

from dataclasses import dataclass


class TokenBucket:
    """Holds up to `burst` tokens and gains `per_s` of them a second."""

    __slots__ = ("_at_s", "_burst", "_per_s", "_tokens")  # several an agent

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

    def take(self, *, now_s: float, tokens: float = 1.0) -> float:
        """Take tokens, also such as are not there yet; returns how many seconds to wait until they are."""
        self._tokens = self._gained(now_s) - tokens
        return 0.0 if self._tokens >= 0 else -self._tokens / self._per_s

    def wait_s(self, *, now_s: float) -> float:
        """How long somebody who takes a token now would wait for it."""
        return max(0.0, (1.0 - self._gained(now_s)) / self._per_s)

    def _gained(self, now_s: float) -> float:
        self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        return self._tokens


class Allowance:
    """What one stream may say: so many messages and so many bytes a second, each with a burst. Who goes faster waits,
    and what is not read is not sent, so only that agent notices."""

    __slots__ = ("_messages", "_volume")

    def __init__(self, messages: TokenBucket, volume: TokenBucket) -> None:
        self._messages = messages
        self._volume = volume

    def take(self, size: int, *, now_s: float) -> float:
        """Take a message of `size` bytes; returns how many seconds to wait before it is looked at."""
        return max(self._messages.take(now_s=now_s), self._volume.take(now_s=now_s, tokens=size))


@dataclass(frozen=True, slots=True)
class Turn:
    """When somebody at the door is let in. `wait_s`: so long from now, held in line; with `away` they are to go and
    come back then, because the line is full."""

    wait_s: float
    away: bool = False


class Door:
    """Lets agents in at `per_s`, with a burst. The next `line_max_s` of them wait in line, as their connection stands
    already; each of those beyond is given a moment of its own to come back at, behind the line and `per_s` apart. So
    thousands that come at once all get in, at the speed at which they can be served."""

    def __init__(self, per_s: float, *, line_max_s: float, now_s: float) -> None:
        self._bucket = TokenBucket(per_s, max(1.0, per_s), now_s=now_s)
        self._apart_s = 1.0 / per_s
        self._line_max_s = line_max_s
        self._promised_s = now_s
        self.sent_away = 0
        """How often somebody was asked to come back later."""

    def knock(self, *, now_s: float, closed: bool = False) -> Turn:
        """When whoever knocks comes in; `closed`: nobody does now, as those before are not served yet."""
        if not closed and self._bucket.wait_s(now_s=now_s) <= self._line_max_s:
            return Turn(self._bucket.take(now_s=now_s))
        self._promised_s = max(self._promised_s, now_s + self._line_max_s) + self._apart_s
        self.sent_away += 1
        return Turn(self._promised_s - now_s, away=True)
