"""A person moves a ticket on: begins, waits, goes on, resolves, confirms, closes, reopens; and says what it is about.

What the drawing in `alerting.tickets` does not show is a Conflict. Not here: assigning, solutions, merging.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from sitewarden_alerting import tickets as moves
from sitewarden_alerting.model import Ticket, Waiting
from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.services import paging
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.desk import comments
from sitewarden_collector.services.desk.changing import LINE_MAX_CHARS, taken, text_of, trying, written
from sitewarden_collector.store import categories


def acknowledge(tx: Connection, number: str, *, by: str, now_ns: int) -> Ticket:
    """`by` takes the ticket: no further page goes out."""
    return ticketing.acknowledge(tx, number, by, now_ns=now_ns)


def start(tx: Connection, number: str, *, by: str, now_ns: int) -> Ticket:
    """Work begins; `by` becomes the assignee where there is none. Whoever works is no longer paged."""
    ticket = taken(tx, number)
    with trying():
        ticket = moves.started(ticket, by, now_ns=now_ns)
    paging.stop(tx, ticket, now_ns=now_ns)
    return written(tx, ticket, "start_ticket", f"{by} works on it", by=by, now_ns=now_ns)


def wait(tx: Connection, number: str, reason: str, *, by: str, now_ns: int, text: str = "") -> Ticket:
    """Nothing can be done until the customer, a third party or a change has come. Raises Invalid for another reason."""
    ticket = taken(tx, number)
    if reason not in list(Waiting):
        raise Invalid(f"a ticket cannot wait for {reason!r}; it waits for {', '.join(Waiting)}")
    with trying():
        ticket = moves.waits(ticket, Waiting(reason))
    said = text_of(text, "the text", most=LINE_MAX_CHARS) if text else f"waits for {reason.replace('_', ' ')}"
    return written(tx, ticket, "wait_ticket", said, by=by, now_ns=now_ns, data={"reason": reason})


def resume(tx: Connection, number: str, *, by: str, now_ns: int, text: str = "") -> Ticket:
    """What it waited for has come."""
    ticket = taken(tx, number)
    with trying():
        ticket = moves.resumed(ticket)
    return written(tx, ticket, "start_ticket", text or "goes on after waiting", by=by, now_ns=now_ns)


def resolve(tx: Connection, number: str, how: str, *, by: str, now_ns: int) -> Ticket:
    """It is solved, by `how`."""
    return ticketing.resolve(tx, number, by, how, now_ns=now_ns)


def confirm(tx: Connection, number: str, *, by: str, now_ns: int, comment: str = "") -> Ticket:
    """The customer (`by` is the contact or their account) says that it is solved: resolved becomes closed."""
    ticket = taken(tx, number)
    with trying():
        closed = moves.closed(ticket)
    if ticket.is_open:
        raise Conflict(f"{ticket.number} is {ticket.state.value}: only what is resolved can be confirmed")
    if comment:
        comments.add(tx, ticket.number, comment, by=by, visibility="customer", from_customer=True, now_ns=now_ns)
    text = f"the customer confirmed that it is solved ({by})"
    return written(tx, closed, "close_ticket", text, by=by, now_ns=now_ns, data={"confirmed": True})


def close(tx: Connection, number: str, *, by: str, now_ns: int, why: str = "") -> Ticket:
    """It is over for good. What was never resolved counts as resolved with it."""
    ticket = taken(tx, number)
    with trying():
        if ticket.is_open:
            said = text_of(why, "why it is closed without a solution", most=LINE_MAX_CHARS)
            ticket = ticketing.resolve(tx, ticket.number, by, said, now_ns=now_ns)
        ticket = moves.closed(ticket)
    paging.stop(tx, ticket, now_ns=now_ns)
    return written(tx, ticket, "close_ticket", why or f"closed by {by}", by=by, now_ns=now_ns)


def reopen(tx: Connection, number: str, why: str, *, by: str, now_ns: int) -> Ticket:
    """It is not solved after all. Only what is resolved can be reopened: what is closed gets a ticket of its own."""
    ticket = taken(tx, number)
    said = text_of(why, "why it is reopened", most=LINE_MAX_CHARS)
    with trying():
        ticket = moves.reopened(ticket)
    return written(tx, ticket, "reopen_ticket", said, by=by, now_ns=now_ns)


def set_category(tx: Connection, number: str, category: str, component: str = "", *, by: str, now_ns: int) -> Ticket:
    """Say what it is about; empty takes away. Raises Invalid for what is in neither list."""
    ticket = taken(tx, number)
    categories.check(tx, "category", category)
    categories.check(tx, "component", component)
    if (ticket.category, ticket.component) == (category, component):
        return ticket
    ticket = replace(ticket, category=category, component=component)
    text = f"category {category or 'none'}, component {component or 'none'}"
    return written(
        tx, ticket, "set_category", text, by=by, now_ns=now_ns, data={"category": category, "component": component}
    )
