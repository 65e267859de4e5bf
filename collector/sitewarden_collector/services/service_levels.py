"""The clocks of tickets in use: computed from history, contract and calendars whenever somebody asks.

`clocks` and `many` tell. `refresh` keeps the projection that boards sort by, in the transaction of each change, and
`verify` computes every row of it anew and says which differ. `correction` is the event by which a person corrects the
past. Not here: the arithmetic (`alerting.servicelevels`), warnings (`services.clock_watch`), the contracts themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from sitewarden_alerting.model import SECOND_NS, Ticket
from sitewarden_alerting.servicelevels.calendars import AROUND_THE_CLOCK, Timeline
from sitewarden_alerting.servicelevels.clock import Clock, ClockState
from sitewarden_alerting.servicelevels.clock import clocks as compute
from sitewarden_alerting.servicelevels.periods import Correction, Moment
from sitewarden_alerting.servicelevels.targets import DEFAULT, Agreement, Goal, Target
from sitewarden_collector.store import calendars, contracts, tickets
from sitewarden_collector.store import clocks as projections
from sitewarden_collector.store.clocks import NEVER_NS, Projection
from sitewarden_collector.store.contracts import Contract
from sitewarden_collector.store.tickets import Event

Given = Set[tuple[str, int, int]]  # warnings that were given: target, percent, start of the clock

CORRECT = "correct_clock"
BY_RULES = "rules"
NOTHING: Mapping[str, Sequence[Event]] = {}
AT_ONCE = 500  # tickets in one question: databases limit how long it may be
# What leaves every clock as it was.
UNMOVED = frozenset(
    (
        *("notify", "page", "escalate", "hold_pages", "nobody_to_tell", "sla_warning", "sla_breach"),
        *("attach_file", "link_ticket", "set_category", "add_evidence"),
    )
)


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of one ticket at one instant. `contract_name` is empty where the default holds; `level_name` says what
    is promised, as `CON-1 Gold, priority 2`."""

    clocks: tuple[Clock, ...]
    contract_name: str
    contract_number: str
    level_name: str

    @property
    def next(self) -> Clock | None:
        """The open clock that is due first; where all are paused, the one with the least time left."""
        still = [one for one in self.clocks if one.open]
        return min(still, key=_urgency, default=None)


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of the projection that is not what the history says."""

    number: str
    field: str
    stored: object
    computed: object


def clocks(tx: Connection, ticket: Ticket, *, now_ns: int) -> Clocks:
    """The clocks of a ticket as they stand."""
    return many(tx, [ticket], now_ns=now_ns)[ticket.id]


def many(
    tx: Connection, wanted: Sequence[Ticket], *, known: Mapping[str, Sequence[Event]] = NOTHING, now_ns: int
) -> dict[str, Clocks]:
    """The clocks of several tickets by their ids, in three questions to the database. `known` are whole histories that
    need not be asked for."""
    unknown = [one.id for one in wanted if one.id not in known]
    histories = {**known, **(tickets.histories(tx, unknown) if unknown else {})}
    agreed = _Agreements(tx, {one.customer_id for one in wanted})
    return {one.id: _computed(one, histories[one.id], agreed, now_ns=now_ns) for one in wanted}


def refresh(tx: Connection, ticket: Ticket, *, now_ns: int, whats: Iterable[str] | None = None) -> None:
    """Bring the projection of a ticket up to date, after its history. `whats` are the events that were written: some
    move no clock, and then nothing is computed."""
    if whats is None or not UNMOVED.issuperset(whats):
        refresh_all(tx, [ticket], now_ns=now_ns)


def refresh_all(
    tx: Connection, some: Sequence[Ticket], *, known: Mapping[str, Sequence[Event]] = NOTHING, now_ns: int
) -> None:
    """Bring the projections of tickets up to date, whatever moved their clocks. `known` are the histories of tickets
    that are new: nobody was warned of them yet."""
    for first in range(0, len(some), AT_ONCE):
        part = some[first : first + AT_ONCE]
        found = many(tx, part, known=known, now_ns=now_ns)
        old = [one.id for one in part if one.id not in known]
        given = projections.told(tx, old) if old else {}
        rows = [_projection(one, found[one.id], given.get(one.id, frozenset()), now_ns=now_ns) for one in part]
        projections.put(tx, rows)


def refresh_customer(tx: Connection, customer_id: str, *, now_ns: int) -> int:
    """The same for every open ticket of a customer, whose contracts are others now; how many."""
    found = projections.open_tickets(tx, customer_id)
    refresh_all(tx, found, now_ns=now_ns)
    return len(found)


def verify(tx: Connection) -> tuple[int, list[Difference]]:
    """Compute every row of the projection anew, as of its own instant; how many, and what differs."""
    looked, after = 0, ""
    different: list[Difference] = []
    while ids := projections.ticket_ids(tx, after=after):
        for ticket_id in ids:
            ticket, stored = tickets.by_id(tx, ticket_id), projections.find(tx, ticket_id)
            if ticket is None or stored is None:
                continue
            looked += 1
            at_ns = stored.computed_ns
            given = projections.told(tx, [ticket_id])[ticket_id]
            made = _projection(ticket, clocks(tx, ticket, now_ns=at_ns), given, now_ns=at_ns)
            different += [
                Difference(ticket.number, name, getattr(stored, name), getattr(made, name))
                for name in Projection.__slots__
                if getattr(stored, name) != getattr(made, name)
            ]
        after = ids[-1]
    return looked, different


def correction(
    *, from_ns: int, until_ns: int, counts: bool, target: Target | None, reason: str, by: str, now_ns: int
) -> Event:
    """The event of a history that says how a time should have been counted."""
    effect = "count" if counts else "pause"
    data = {"from_ns": from_ns, "until_ns": until_ns, "effect": effect, "reason": reason}
    if target is not None:
        data["target"] = target.value
    return Event(now_ns, CORRECT, by, f"{effect} {_iso(from_ns)} to {_iso(until_ns)}: {reason}", data=data)


def moment(event: Event) -> Moment:
    """A line of the history as the clocks read it."""
    told = event.data.get("visibility") == "customer" and not event.data.get("from_customer", False)
    person = event.by != BY_RULES and not event.data.get("automatic", False)
    return Moment(
        at_ns=event.at_ns,
        what=event.what,
        by=event.by,
        person=person,
        visible=told,
        state=event.state,
        waiting=event.waiting,
        correction=_correction(event) if event.what == CORRECT else None,
    )


def _correction(event: Event) -> Correction:
    data = event.data
    target = Target(data["target"]) if data.get("target") else None
    reason = str(data.get("reason", ""))
    return Correction(int(data["from_ns"]), int(data["until_ns"]), data["effect"] == "count", target, reason)


def _computed(ticket: Ticket, history: Sequence[Event], agreed: _Agreements, *, now_ns: int) -> Clocks:
    start_ns = ticket.opened_ns if ticket.reported_ns is None else min(ticket.opened_ns, ticket.reported_ns)
    contract, agreement = agreed.of(ticket.customer_id, start_ns)
    moments = [moment(event) for event in history]
    if not moments or (moments[-1].state, moments[-1].waiting) != (ticket.state.value, ticket.waiting):
        # A row that somebody wrote without its history: how the ticket stands is still true.
        at_ns = ticket.resolved_ns or (moments[-1].at_ns if moments else start_ns)
        moments.append(Moment(at_ns, "", state=ticket.state.value, waiting=ticket.waiting))
    made = compute(moments, agreement, start_ns=start_ns, priority=ticket.priority, now_ns=now_ns)
    name, number = ("", "") if contract is None else (contract.name, contract.number)
    what = f"{number} {name}".strip() or "default"
    return Clocks(made, name, number, f"{what}, priority {ticket.priority}")


class _Agreements:
    """What is promised to some customers, read once."""

    def __init__(self, tx: Connection, customer_ids: set[str]) -> None:
        self._contracts = contracts.of_customers(tx, customer_ids)
        names = {name for found in self._contracts.values() for one in found for name in calendar_names(one)}
        self._lines = calendars.timelines(tx, names)

    def of(self, customer_id: str, at_ns: int) -> tuple[Contract | None, Agreement]:
        """The contract in force at an instant; the latest to begin where there are several."""
        for one in self._contracts.get(customer_id, ()):
            line = self._lines.get(one.calendar, AROUND_THE_CLOCK)
            day = datetime.fromtimestamp(at_ns // SECOND_NS, ZoneInfo(line.at(at_ns).zone)).date().isoformat()
            if one.from_day <= day and (not one.until_day or day <= one.until_day):
                return one, agreement(one, self._lines)
        return None, DEFAULT


def agreement(contract: Contract, lines: Mapping[str, Timeline]) -> Agreement:
    """What a contract promises, ready to compute with."""
    levels = {
        priority: {
            Target(target): Goal(seconds * SECOND_NS, lines.get(name or contract.calendar, AROUND_THE_CLOCK))
            for target, (seconds, name) in level.items()
        }
        for priority, level in contract.goals.items()
    }
    pauses = frozenset((reason, Target(target)) for reason, targets in contract.pauses.items() for target in targets)
    return Agreement(f"{contract.number} {contract.name}", levels, pauses)


def calendar_names(contract: Contract) -> set[str]:
    """Every calendar that a contract counts by."""
    return {contract.calendar, *(name for level in contract.goals.values() for _, name in level.values() if name)}


def _projection(ticket: Ticket, found: Clocks, given: Given, *, now_ns: int) -> Projection:
    first = found.next
    due_ns = None if first is None else first.due_ns
    return Projection(
        ticket_id=ticket.id,
        customer_id=ticket.customer_id,
        active=first is not None,
        next_target="" if first is None else first.target.value,
        state="" if first is None else first.state.value,
        due_ns=due_ns,
        remaining_ns=None if first is None else first.goal_ns - first.elapsed_ns,
        paused=first is not None and first.state is ClockState.PAUSED,
        breached=any(one.breached for one in found.clocks),
        share=0.0 if first is None else first.share,
        sort_ns=NEVER_NS if due_ns is None else due_ns,
        alarm_ns=_alarm_ns(found, given),
        computed_ns=now_ns,
    )


def untold(tx: Connection, ticket: Ticket, found: Clocks) -> dict[Target, list[int]]:
    """The percentages that open clocks have passed without anybody having been told of them."""
    return _untold(found, projections.told(tx, [ticket.id])[ticket.id])


def _untold(found: Clocks, given: Given) -> dict[Target, list[int]]:
    missing = {
        one.target: [percent for percent, _ in one.told if (one.target.value, percent, one.start_ns) not in given]
        for one in found.clocks
        if one.open
    }
    return {target: percents for target, percents in missing.items() if percents}


def _alarm_ns(found: Clocks, given: Given) -> int | None:
    ahead = [one.alarm_ns for one in found.clocks if one.alarm_ns is not None]
    missed = _untold(found, given)
    ahead += [at_ns for one in found.clocks for percent, at_ns in one.told if percent in missed.get(one.target, ())]
    return min(ahead, default=None)


def _urgency(clock: Clock) -> tuple[bool, int]:
    if clock.due_ns is None:
        return True, clock.goal_ns - clock.elapsed_ns
    return False, clock.due_ns


def _iso(ns: int) -> str:
    return datetime.fromtimestamp(ns // SECOND_NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
