"""When incidents make a problem: one fault at several sites, or one that keeps coming back at one.

Pure: from incidents of late to suggestions, each with its reason. Not here: the problem's life and its number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sitewarden_alerting.model import DAY_NS, SECOND_NS, SignalKind


class ProblemState(StrEnum):
    NEW = "new"
    INVESTIGATING = "investigating"
    KNOWN_ERROR = "known_error"  # the cause is known, and a workaround where there is one
    RESOLVED = "resolved"
    CLOSED = "closed"


PROBLEM_MOVES: dict[ProblemState, frozenset[ProblemState]] = {
    ProblemState.NEW: frozenset((ProblemState.INVESTIGATING, ProblemState.KNOWN_ERROR, ProblemState.RESOLVED)),
    ProblemState.INVESTIGATING: frozenset((ProblemState.KNOWN_ERROR, ProblemState.RESOLVED)),
    ProblemState.KNOWN_ERROR: frozenset((ProblemState.INVESTIGATING, ProblemState.RESOLVED)),
    ProblemState.RESOLVED: frozenset((ProblemState.INVESTIGATING, ProblemState.CLOSED)),
    ProblemState.CLOSED: frozenset(),
}
GROUPED = frozenset((SignalKind.LOG, SignalKind.LEVEL, SignalKind.PROBE, SignalKind.ABSENCE))


@dataclass(frozen=True, slots=True)
class Incident:
    """What a problem is made of."""

    ticket_id: str
    site_id: str
    fault: str
    kind: SignalKind
    last_ns: int
    is_open: bool
    reopenings: int = 0
    problem_id: str = ""


@dataclass(frozen=True, slots=True)
class ProblemPolicy:
    sites: int = 3  # one fault at so many sites
    times: int = 3  # or so often at one
    window_s: float = 7 * DAY_NS / SECOND_NS  # within this


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`site_id` is empty for a fault over several sites."""

    fault: str
    site_id: str
    tickets: tuple[str, ...]
    reason: str


def suggest(incidents: Iterable[Incident], policy: ProblemPolicy, *, now_ns: int) -> tuple[Suggestion, ...]:
    """Problems that nobody has opened yet. A fault that spreads over sites is one problem, not one a site."""
    since_ns = now_ns - round(policy.window_s * SECOND_NS)
    by_fault: dict[str, list[Incident]] = defaultdict(list)
    for one in incidents:
        if one.kind in GROUPED and not one.problem_id and (one.is_open or one.last_ns >= since_ns):
            by_fault[one.fault].append(one)
    found: list[Suggestion] = []
    for fault, those in sorted(by_fault.items()):
        sites = {one.site_id for one in those}
        if len(sites) >= policy.sites:
            found.append(Suggestion(fault, "", _ids(those), f"the same fault at {len(sites)} sites"))
            continue
        for site_id in sorted(sites):
            here = [one for one in those if one.site_id == site_id]
            times = sum(1 + one.reopenings for one in here)
            if times >= policy.times:
                days = round(policy.window_s / 86_400)
                found.append(Suggestion(fault, site_id, _ids(here), f"back {times} times at one site in {days} days"))
    return tuple(found)


def _ids(incidents: list[Incident]) -> tuple[str, ...]:
    return tuple(sorted(one.ticket_id for one in incidents))
