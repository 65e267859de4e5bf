"""A person opens a ticket: an incident, a service request, a complaint, a change request."""

from __future__ import annotations

from sqlalchemy import Connection

from sitewarden_alerting import tickets as moves
from sitewarden_alerting.model import Ticket, TicketType
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import aftermath, priorities
from sitewarden_collector.services.desk import comments
from sitewarden_collector.services.desk.changing import text_of
from sitewarden_collector.store import categories, sites, tickets
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.numbers import BY_TYPE, next_number
from sitewarden_collector.store.tickets import Event

TITLE_MAX_CHARS = 300
FUTURE_NS = 5 * 60 * 1_000_000_000  # clocks of reporters differ


def report(
    tx: Connection,
    site: str,
    title: str,
    *,
    by: str,
    now_ns: int,
    type: str = TicketType.INCIDENT,
    severity: int = 3,
    text: str = "",
    reporter: str = "",
    reported_ns: int | None = None,
    category: str = "",
    component: str = "",
    priority: int | None = None,
    from_customer: bool = False,
) -> Ticket:
    """Open a ticket at the site of that name. `reporter` told it at `reported_ns`: the clocks count from then. `text`
    becomes its first comment. Without `priority` the rules judge it. Raises NotFound,
    Invalid."""
    where = sites.by_name(tx, site)
    if type not in list(TicketType):
        raise Invalid(f"there is no kind of ticket {type!r}; known: {', '.join(TicketType)}")
    if not 1 <= severity <= 5:
        raise Invalid(f"severity {severity} is not from 1 to 5")
    told_ns = now_ns if reported_ns is None else reported_ns
    if told_ns > now_ns + FUTURE_NS:
        raise Invalid("the report is in the future; give the time at which it was told")
    categories.check(tx, "category", category)
    categories.check(tx, "component", component)
    ticket = moves.reported(
        ticket_id=new_id(),
        site_id=where.id,
        customer_id=where.customer_id,
        title=text_of(title, "the title", most=TITLE_MAX_CHARS),
        type=TicketType(type),
        severity=severity,
        reporter=reporter or by,
        reported_ns=min(told_ns, now_ns),
        number=next_number(tx, BY_TYPE[TicketType(type)]),
        category=category,
        component=component,
        now_ns=now_ns,
    )
    ticket = priorities.opened(tx, ticket)
    ticket = priorities.opened(tx, ticket)
    tickets.save(tx, ticket, new=True)
    event = Event(min(told_ns, now_ns), "open_ticket", by, f"reported by {ticket.reporter}: {ticket.title}")
    aftermath.record(tx, ticket, [event], now_ns=now_ns)
    if priority is not None and priority != ticket.priority:
        ticket = priorities.set_priority(tx, ticket.number, priority, by=by, reason="as reported", now_ns=now_ns)
    if text:
        visibility = "customer" if from_customer else "internal"
        comments.add(tx, ticket.number, text, by=by, visibility=visibility, from_customer=from_customer, now_ns=now_ns)
    return ticket
