"""Who is told, by which channel, and when it is tried again.

The first person on the list is told by their first channel; what fails for good goes to their next channel, then to the
next person. A risk takes the same road without urgency. Not here: schedules and time zones, and the sending itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sitewarden_alerting.model import SECOND_NS, NoticeKind, Person

RETRY_BASE_S = 2.0
RETRY_CAP_S = 300.0
URGENCY: dict[NoticeKind, str] = {"page": "high", "recovery": "normal", "info": "normal", "risk": "low"}


class Reason(StrEnum):
    """Why somebody is told, in words for the log and the ticket."""

    FIRST = "first on call"
    NEXT_CHANNEL = "their channel before this one refused it"
    NEXT_PERSON = "nobody before them could be reached"


@dataclass(frozen=True, slots=True)
class Route:
    person: str
    channel: str
    reason: Reason
    urgency: str


def first(on_call: Sequence[Person], kind: NoticeKind) -> Route | None:
    """Whom to tell first; None when nobody on the list has a channel."""
    return after(on_call, kind, tried=())


def after(on_call: Sequence[Person], kind: NoticeKind, *, tried: Collection[tuple[str, str]]) -> Route | None:
    """Whom to tell when every (person, channel) of `tried` failed for good; None when all of them did."""
    for person in on_call:
        for channel in person.channels:
            if (person.name, channel) not in tried:
                return Route(person.name, channel, _why(person, tried), URGENCY[kind])
    return None


def _why(person: Person, tried: Collection[tuple[str, str]]) -> Reason:
    if not tried:
        return Reason.FIRST
    return Reason.NEXT_CHANNEL if any(name == person.name for name, _ in tried) else Reason.NEXT_PERSON


def retry_at(attempt: int, *, now_ns: int, jitter: float) -> int:
    """When to try again after the `attempt`-th failure (1, 2, ...): growing, capped, spread over its whole length by
    `jitter` in [0, 1) (full jitter: M. Brooker, Exponential Backoff and Jitter, 2015), never at once."""
    longest_s = min(RETRY_CAP_S, RETRY_BASE_S * 2.0 ** min(attempt - 1, 30))
    return now_ns + round(max(0.1, jitter * longest_s) * SECOND_NS)
