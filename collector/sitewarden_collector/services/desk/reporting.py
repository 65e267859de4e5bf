"""A person opens a ticket: an incident, a service request, a complaint, a change request."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from sitewarden_alerting import decisions as made
from sitewarden_alerting import tickets as moves
from sitewarden_alerting.model import NoticeKind, Ticket, TicketType
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import aftermath, paging, priorities, roster
from sitewarden_collector.services.desk import comments
from sitewarden_collector.services.desk.changing import text_of
from sitewarden_collector.store import categories, sites, tickets
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.numbers import BY_TYPE, next_number
from sitewarden_collector.store.tickets import Event

TITLE_MAX_CHARS = 300
PAGE_PRIORITY = 2  # an incident of this priority or a more urgent one pages
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
    becomes its first comment. Without `priority` the rules judge it. Whoever is on call is told. Raises NotFound,
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
    tickets.save(tx, ticket, new=True)
    event = Event(min(told_ns, now_ns), "open_ticket", by, f"reported by {ticket.reporter}: {ticket.title}")
    aftermath.record(tx, ticket, [event], now_ns=now_ns)
    if priority is not None and priority != ticket.priority:
        ticket = priorities.set_priority(tx, ticket.number, priority, by=by, reason="as reported", now_ns=now_ns)
    if text:
        visibility = "customer" if from_customer else "internal"
        comments.add(tx, ticket.number, text, by=by, visibility=visibility, from_customer=from_customer, now_ns=now_ns)
    return _tell(tx, ticket, by=by, now_ns=now_ns)


def _tell(tx: Connection, ticket: Ticket, *, by: str, now_ns: int) -> Ticket:
    """Whoever is on call hears of it: of an urgent incident by a page, of the rest without urgency. Not when it is they
    who report it."""
    on_call = roster.configured(tx)
    line = roster.line(tx, ticket.customer_id, at_ns=now_ns, fallback=on_call)
    if by in line.reachable()[:1]:
        return ticket
    urgent = ticket.type is TicketType.INCIDENT and ticket.priority <= PAGE_PRIORITY
    if not urgent and not line.reachable():
        return ticket  # nobody is on call at all: only for a page that is worth a line of its own
    kind: NoticeKind = "page" if urgent else "info"
    ticket = replace(ticket, notices=ticket.notices + 1)
    tickets.save(tx, ticket, new=False)
    reason = f"reported by {ticket.reporter}"
    paging.tell(
        tx, made.Notify(ticket, now_ns, reason, kind, f"{kind}-{ticket.notices}"), ticket, on_call, now_ns=now_ns
    )
    return ticket
