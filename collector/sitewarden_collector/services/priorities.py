"""The priority of tickets in use: judged when one opens, raised as it grows worse, set by a person.

What a person set stands: the rules neither raise nor lower it any more, and they only ever raise. Every change is a
line of history, which brings the clocks up to date: they count by the new priority's goals from the start.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from sitewarden_alerting.model import PRIORITIES, Ticket
from sitewarden_alerting.priority import MANY, SEVERAL, Judged, Tier, judge
from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.services import aftermath
from sitewarden_collector.store import clocks, sites, tickets
from sitewarden_collector.store.tickets import Event

BY_RULES = "rules"
SET = "set_priority"


def set_priority(tx: Connection, number: str, priority: int, *, by: str, reason: str, now_ns: int) -> Ticket:
    """A person says how urgent a ticket is. Raises NotFound, Invalid, Conflict."""
    if priority not in PRIORITIES:
        raise Invalid(f"{priority} is no priority; it is 1 (the most urgent), 2, 3 or 4")
    ticket = tickets.by_number(tx, number, for_update=True)
    while ticket.merged_into and (into := tickets.by_id(tx, ticket.merged_into, for_update=True)) is not None:
        ticket = into
    if not ticket.is_open:
        raise Conflict(f"{ticket.number} is {ticket.state.value}: its priority says nothing any more; reopen it first")
    return _write(tx, ticket, priority, by, reason or f"set by {by}", now_ns=now_ns)


def judged(tx: Connection, ticket: Ticket) -> Judged:
    """What the rules say of a ticket as it stands, and why."""
    tier = sites.tiers(tx, [ticket.customer_id]).get(ticket.customer_id, Tier.SILVER)
    return judge(ticket.severity, Tier(tier), _affected(tx, ticket))


def opened(tx: Connection, ticket: Ticket) -> Ticket:
    """A new ticket with the priority that the rules give it; nothing is written."""
    return opened_all(tx, [ticket])[0][0]


def opened_all(tx: Connection, new: Sequence[Ticket]) -> tuple[list[Ticket], list[str]]:
    """New tickets with the priorities that the rules give them, and the faults that come with them to so many sites
    that they are more urgent everywhere; nothing is written."""
    tiers = sites.tiers(tx, {one.customer_id for one in new})
    fresh: dict[str, set[str]] = {}
    for ticket in new:
        fresh.setdefault(ticket.fault, set()).add(ticket.site_id)
    most = max(map(len, fresh.values()), default=0)
    before = {fault: len(there - fresh[fault]) for fault, there in clocks.spread(tx, fresh, limit=MANY + most).items()}
    after = {fault: before[fault] + len(there) for fault, there in fresh.items()}
    # Between two steps of the rule a fault may come to any number of sites: that changes no priority.
    spread = [fault for fault in fresh if any(before[fault] < least <= after[fault] for least in (SEVERAL, MANY))]
    given = [judge(one.severity, _tier(tiers, one), after[one.fault]).priority for one in new]
    return [replace(one, priority=priority) for one, priority in zip(new, given, strict=True)], spread


def raised(tx: Connection, changed: Sequence[Ticket], spread: Collection[str], *, now_ns: int) -> None:
    """Raise the tickets that grew worse, and those of faults that `opened_all` found at many sites."""
    tiers = sites.tiers(tx, {one.customer_id for one in changed}) if changed else {}
    # Wherever it is, what grew worse is more urgent by itself.
    grown = [
        one for one in changed if one.is_open and judge(one.severity, _tier(tiers, one), 1).priority < one.priority
    ]
    there = {one.id: one for one in (*grown, *(clocks.open_of_faults(tx, spread) if spread else ()))}
    if not there:
        return
    tiers = sites.tiers(tx, {one.customer_id for one in there.values()})
    affected = clocks.spread(tx, {one.fault for one in there.values()})
    found = [
        (one, judge(one.severity, _tier(tiers, one), len(affected[one.fault] | {one.site_id})))
        for one in there.values()
    ]
    worse = [(one, judged) for one, judged in found if judged.priority < one.priority]
    if not worse:
        return
    by_person = tickets.with_event(tx, [one.id for one, _ in worse], SET, but_by=BY_RULES)
    _write_all(tx, [(one, judged) for one, judged in worse if one.id not in by_person], BY_RULES, now_ns=now_ns)


def _affected(tx: Connection, ticket: Ticket) -> int:
    return len(clocks.spread(tx, [ticket.fault])[ticket.fault] | {ticket.site_id})


def _tier(tiers: Mapping[str, str], ticket: Ticket) -> Tier:
    return Tier(tiers.get(ticket.customer_id, Tier.SILVER))


def _write(tx: Connection, ticket: Ticket, priority: int, by: str, reason: str, *, now_ns: int) -> Ticket:
    return _write_all(tx, [(ticket, Judged(priority, (reason,)))], by, now_ns=now_ns)[0]


def _write_all(tx: Connection, found: Sequence[tuple[Ticket, Judged]], by: str, *, now_ns: int) -> list[Ticket]:
    after, told = [], []
    for ticket, judged in found:
        text = f"priority {ticket.priority} to {judged.priority}: {judged.reason}"
        data = {"from": ticket.priority, "to": judged.priority}
        after.append(replace(ticket, priority=judged.priority))
        told.append((after[-1], [Event(now_ns, SET, by, text, data=data)]))
    tickets.save_all(tx, after, new=False)
    aftermath.record_all(tx, told, now_ns=now_ns)
    return after
