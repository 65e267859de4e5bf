"""The priority of tickets in use: judged when one opens, raised as it grows worse, set by a person.

What a person set stands: the rules neither raise nor lower it any more, and they only ever raise. Every change is a line
of history, which brings the clocks up to date: they count by the new priority's goals from the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from sitewarden_alerting.model import PRIORITIES, Ticket
from sitewarden_alerting.priority import Judged, Tier, judge
from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.services import aftermath
from sitewarden_collector.store import clocks, sites, tickets
from sitewarden_collector.store.tickets import Event

BY_RULES = "rules"
SET = "set_priority"
SPREAD = 3  # sites from which on a fault is more urgent everywhere


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
    return replace(ticket, priority=judged(tx, ticket).priority)


def raised(tx: Connection, changed: Sequence[Ticket], new: Iterable[str], *, now_ns: int) -> None:
    """Raise the tickets that grew worse, and those whose fault `new` tickets (by id) brought to further sites."""
    if not changed:
        return
    tiers = sites.tiers(tx, {one.customer_id for one in changed})
    fresh = set(new)
    for ticket in changed:
        if ticket.id in fresh:
            _spread(tx, ticket, now_ns=now_ns)
            continue
        alone = judge(ticket.severity, Tier(tiers.get(ticket.customer_id, Tier.SILVER)), 1)
        if ticket.is_open and alone.priority < ticket.priority:
            _raise(tx, ticket, now_ns=now_ns)


def _spread(tx: Connection, ticket: Ticket, *, now_ns: int) -> None:
    others = clocks.open_of_fault(tx, ticket.fault)
    if len({one.site_id for one in others}) >= SPREAD:
        for one in others:
            if one.id != ticket.id:
                _raise(tx, one, now_ns=now_ns)


def _raise(tx: Connection, ticket: Ticket, *, now_ns: int) -> None:
    found = judged(tx, ticket)
    if found.priority < ticket.priority and not _by_person(tx, ticket):
        _write(tx, ticket, found.priority, BY_RULES, found.reason, now_ns=now_ns)


def _by_person(tx: Connection, ticket: Ticket) -> bool:
    return any(one.what == SET and one.by != BY_RULES for one in tickets.history_of(tx, ticket.id))


def _affected(tx: Connection, ticket: Ticket) -> int:
    return len({one.site_id for one in clocks.open_of_fault(tx, ticket.fault)} | {ticket.site_id})


def _write(tx: Connection, ticket: Ticket, priority: int, by: str, reason: str, *, now_ns: int) -> Ticket:
    text = f"priority {ticket.priority} to {priority}: {reason}"
    data = {"from": ticket.priority, "to": priority}
    ticket = replace(ticket, priority=priority)
    tickets.save(tx, ticket, new=False)
    aftermath.record(tx, ticket, [Event(now_ns, SET, by, text, data=data)], now_ns=now_ns)
    return ticket
