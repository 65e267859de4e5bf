"""The life of a ticket: which moves there are, and what each changes.

    new ----------> assigned --> in_progress <--> waiting
     |                 |              |              |
     +--------+--------+--------------+--------------+----> resolved --> closed
     ^                                                         |
     +---------------------- reopened <------------------------+     (reopened moves on as new does)

Pure functions from a ticket to the next one; a move that is not drawn raises IllegalMove. Not here: when to move
(`triage`), numbers, and who may.
"""

from __future__ import annotations

from dataclasses import replace

from sitewarden_alerting.model import HEADS_MAX, Signal, SignalKind, Ticket, TicketState, TicketType, Waiting

_WORK = (TicketState.ASSIGNED, TicketState.IN_PROGRESS, TicketState.WAITING)
_DONE = (TicketState.RESOLVED, TicketState.CLOSED)
MOVES: dict[TicketState, frozenset[TicketState]] = {
    TicketState.NEW: frozenset((*_WORK, *_DONE)),
    TicketState.REOPENED: frozenset((*_WORK, *_DONE)),
    TicketState.ASSIGNED: frozenset((*_WORK, *_DONE)),
    TicketState.IN_PROGRESS: frozenset((*_WORK, *_DONE)),
    TicketState.WAITING: frozenset((*_WORK, *_DONE)),
    TicketState.RESOLVED: frozenset((TicketState.REOPENED, TicketState.CLOSED)),
    TicketState.CLOSED: frozenset(),
}


class IllegalMove(ValueError):
    """A ticket cannot go from this state to that one."""


def move(ticket: Ticket, to: TicketState) -> Ticket:
    """`ticket` in state `to`; raises IllegalMove when the drawing above has no such arrow."""
    if to not in MOVES[ticket.state]:
        allowed = ", ".join(sorted(state.value for state in MOVES[ticket.state])) or "nothing: it is final"
        name = ticket.number or "the ticket"
        raise IllegalMove(
            f"{name} is {ticket.state.value} and cannot become {to.value}; from there it can become {allowed}"
        )
    return replace(ticket, state=to, waiting=ticket.waiting if to is TicketState.WAITING else "")


def opened(signal: Signal, *, ticket_id: str, previous: str = "") -> Ticket:
    """A new ticket for what the signal says; its evidence is added by `counted`."""
    return Ticket(
        id=ticket_id,
        site_id=signal.site_id,
        customer_id=signal.customer_id,
        fault=signal.fault,
        rule=signal.rule,
        kind=signal.kind,
        title=signal.title,
        severity=signal.severity,
        opened_ns=signal.at_ns,
        last_ns=signal.at_ns,
        page=signal.page,
        previous=previous,
    )


def reported(
    *,
    ticket_id: str,
    site_id: str,
    customer_id: str,
    title: str,
    type: TicketType,
    severity: int,
    reporter: str,
    reported_ns: int,
    now_ns: int,
    number: str = "",
    category: str = "",
    component: str = "",
) -> Ticket:
    """A ticket that a person opens. No rule knows its fault: nothing but a person ever resolves or reopens it."""
    return Ticket(
        id=ticket_id,
        site_id=site_id,
        customer_id=customer_id,
        fault=f"report|{ticket_id}",
        rule="",
        kind=SignalKind.REPORT,
        title=title,
        severity=severity,
        opened_ns=now_ns,
        last_ns=now_ns,
        count=1,
        type=type,
        reporter=reporter,
        reported_ns=reported_ns,
        number=number,
        category=category,
        component=component,
    )


def counted(ticket: Ticket, signal: Signal) -> Ticket:
    """The ticket with one more signal counted; the worst severity stands."""
    heads = ticket.heads
    if signal.head:
        heads = (*heads, *(one.record for one in signal.evidence))[-HEADS_MAX:]
    return replace(
        ticket,
        count=ticket.count + signal.count,
        entries=ticket.entries + len(signal.evidence),
        last_ns=max(ticket.last_ns, signal.at_ns),
        severity=max(ticket.severity, signal.severity),
        heads=heads,
    )


def completed(ticket: Ticket, record: str) -> Ticket:
    """The record is complete and stays here: it was counted with its first line."""
    return replace(ticket, heads=tuple(head for head in ticket.heads if head != record))


def withdrawn(ticket: Ticket, record: str, count: int) -> Ticket:
    """The record belongs to another fault and is no longer counted here."""
    return replace(completed(ticket, record), count=max(0, ticket.count - count))


def rekeyed(ticket: Ticket, signal: Signal) -> Ticket:
    """The ticket stands for the signal's fault from now on."""
    return replace(
        ticket, fault=signal.fault, title=signal.title, rule=signal.rule, severity=max(ticket.severity, signal.severity)
    )


def acknowledged(ticket: Ticket, who: str, *, now_ns: int) -> Ticket:
    """Somebody has taken it: assigned to them, if nobody works on it yet. A second acknowledgement takes it over."""
    if not ticket.is_open:
        raise IllegalMove(f"{ticket.number or 'the ticket'} is {ticket.state.value}: there is nothing to acknowledge")
    to = ticket.state if ticket.state in (TicketState.IN_PROGRESS, TicketState.WAITING) else TicketState.ASSIGNED
    return replace(move(ticket, to), assignee=who, acknowledged_ns=ticket.acknowledged_ns or now_ns)


def assigned(ticket: Ticket, who: str) -> Ticket:
    """Somebody is to do it. Work that has begun goes on under the new name; that is no acknowledgement of theirs."""
    to = ticket.state if ticket.state in (TicketState.IN_PROGRESS, TicketState.WAITING) else TicketState.ASSIGNED
    return replace(move(ticket, to), assignee=who)


def started(ticket: Ticket, who: str, *, now_ns: int) -> Ticket:
    """Work begins, or goes on after waiting; whoever begins without an assignee becomes it."""
    if ticket.state is TicketState.IN_PROGRESS:
        raise IllegalMove(f"{ticket.number or 'the ticket'} is in progress already, by {ticket.assignee or 'nobody'}")
    begun = move(ticket, TicketState.IN_PROGRESS)
    return replace(begun, assignee=ticket.assignee or who, acknowledged_ns=ticket.acknowledged_ns or now_ns)


def waits(ticket: Ticket, reason: Waiting) -> Ticket:
    """Nothing can be done until the customer, a third party or a change has come. The reason can change."""
    return replace(move(ticket, TicketState.WAITING), waiting=reason.value)


def resumed(ticket: Ticket) -> Ticket:
    """What it waited for has come."""
    if ticket.state is not TicketState.WAITING:
        raise IllegalMove(f"{ticket.number or 'the ticket'} is {ticket.state.value}: it waits for nothing")
    return move(ticket, TicketState.IN_PROGRESS)


def resolved(ticket: Ticket, how: str, *, now_ns: int) -> Ticket:
    return replace(move(ticket, TicketState.RESOLVED), resolved_ns=now_ns, resolution=how)


def closed(ticket: Ticket) -> Ticket:
    return move(ticket, TicketState.CLOSED)


def merged(ticket: Ticket, into: Ticket) -> Ticket:
    """Closed, because `into` goes on in its place."""
    return replace(move(ticket, TicketState.CLOSED), merged_into=into.id, heads=())


def took_over(ticket: Ticket, source: Ticket) -> Ticket:
    """The ticket with what another of the same fault had counted."""
    return replace(
        ticket,
        count=ticket.count + source.count,
        entries=ticket.entries + source.entries,
        last_ns=max(ticket.last_ns, source.last_ns),
        severity=max(ticket.severity, source.severity),
        heads=(*ticket.heads, *source.heads)[-HEADS_MAX:],
        assignee=ticket.assignee or source.assignee,
        acknowledged_ns=ticket.acknowledged_ns or source.acknowledged_ns,
    )


def reopened(ticket: Ticket) -> Ticket:
    return replace(
        move(ticket, TicketState.REOPENED),
        resolved_ns=None,
        recovered_ns=None,
        resolution="",
        acknowledged_ns=None,
        reopenings=ticket.reopenings + 1,
        reopened_count=ticket.count,
    )


def recovered(ticket: Ticket, *, at_ns: int) -> Ticket:
    return replace(ticket, recovered_ns=at_ns)


def returned(ticket: Ticket, *, at_ns: int, keep_since_ns: int) -> Ticket:
    """Back before the recovery was believed; returns before `keep_since_ns` are forgotten."""
    flips = (*(flip for flip in ticket.flips if flip >= keep_since_ns), at_ns)
    return replace(ticket, recovered_ns=None, flips=flips)
