"""How a ticket stood over time, out of its history.

The history is read in the order in which it was written. An event that left the ticket in another state than the one
written before it says: from its own time on the ticket stood so, whatever was believed of the time since. So an event
written belatedly corrects the past, and the last period always is how the ticket stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sitewarden_alerting.model import TicketState
from sitewarden_alerting.servicelevels.targets import Target

DONE = frozenset((TicketState.RESOLVED.value, TicketState.CLOSED.value))


@dataclass(frozen=True, slots=True)
class Correction:
    """Somebody says how time already told should have been counted. `target` is None for all of them."""

    from_ns: int
    until_ns: int
    counts: bool
    target: Target | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """One event of a history: what happened when, by whom, and how the ticket was afterwards.

    `person` is false for what the rules or a machine did; `visible` true for what the customer was told.
    """

    at_ns: int
    what: str
    by: str = ""
    person: bool = True
    visible: bool = False
    state: str = TicketState.NEW.value
    waiting: str = ""
    correction: Correction | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """From an instant until the next period the ticket stood so."""

    from_ns: int
    state: str
    waiting: str
    by: str

    @property
    def done(self) -> bool:
        return self.state in DONE


def periods(moments: Iterable[Moment], *, start_ns: int) -> tuple[Period, ...]:
    """The periods since the start; what an event says of the time before it holds from the start on."""
    found = [Period(start_ns, TicketState.NEW.value, "", "")]
    for one in moments:
        last = found[-1]
        if (one.state, one.waiting) == (last.state, last.waiting):
            continue
        at_ns = max(start_ns, one.at_ns)
        while found and found[-1].from_ns >= at_ns:
            found.pop()
        found.append(Period(at_ns, one.state, one.waiting, one.by))
        if len(found) > 1 and (found[-2].state, found[-2].waiting) == (one.state, one.waiting):
            found.pop()
    return tuple(found)


def done_ns(through: Sequence[Period]) -> int | None:
    """Since when the ticket is done; None while it is not."""
    found = None
    for period in reversed(through):
        if not period.done:
            break
        found = period.from_ns
    return found
