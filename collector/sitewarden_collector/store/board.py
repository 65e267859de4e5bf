"""The board: what is open, sorted by the time that is left on its clocks, a page at a time; and the counts above it.

The clocks stand in the projection that `store.clocks` keeps: one row a ticket, with what is due next. A ticket without
one (no contract counts for it) comes after those with one. Not here: how the projection comes about.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, case, func, or_, select
from sqlalchemy import Row as SqlRow

from sitewarden_alerting.model import HOUR_NS, Ticket, TicketState
from sitewarden_collector.store import ticket_pages
from sitewarden_collector.store import tickets as rows
from sitewarden_collector.store.clocks import NEVER_NS, ticket_clocks
from sitewarden_collector.store.risks import risks
from sitewarden_collector.store.sites import customers, sites
from sitewarden_collector.store.ticket_pages import Wanted
from sitewarden_collector.store.tickets import OPEN, tickets

SORTS = ("left", "priority", "severity", "opened", "last", "number", "site", "customer", "state", "assignee")
UNTAKEN = (TicketState.NEW.value, TicketState.REOPENED.value)


@dataclass(frozen=True, slots=True)
class Row:
    """A ticket on the board. `due_ns` is None where no clock runs; `clock` says which of them is the next."""

    ticket: Ticket
    site: str
    customer: str
    due_ns: int | None
    clock: str
    paused: bool
    breached: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """How it stands, over all that somebody may see. `due_soon`: within the hour."""

    open: int
    breached: int
    due_soon: int
    unacknowledged: int
    unassigned: int
    waiting: int
    risks: int


def page(
    tx: Connection,
    wanted: Wanted,
    *,
    now_ns: int,
    sort: str = "left",
    down: bool = False,
    offset: int = 0,
    limit: int = 50,
) -> list[Row]:
    """Tickets with their clocks. First only the ids are sorted: whole rows of ten thousand tickets are not moved."""
    order = [one.desc() if down else one.asc() for one in (*_order(sort), tickets.c.opened_ns, tickets.c.id)]
    first = _clocked(select(tickets.c.id).select_from(_named())).where(*ticket_pages.where(wanted))
    ids = first.order_by(*order).offset(offset).limit(limit).subquery()
    query = _clocked(rows.named()).where(tickets.c.id.in_(select(ids.c.id))).order_by(*order)
    clock = ticket_clocks.c
    query = query.add_columns(clock.active, clock.due_ns, clock.next_target, clock.paused, clock.breached)
    return [_read(row, now_ns=now_ns) for row in tx.execute(query)]


def counts(tx: Connection, *, now_ns: int, customer_id: str = "", site_ids: Collection[str] = ()) -> Counts:
    """What stands above the board."""
    free = and_(tickets.c.acknowledged_ns.is_(None), tickets.c.state.in_(UNTAKEN))
    due = ticket_clocks.c.due_ns
    sums = (
        or_(ticket_clocks.c.breached.is_(True), due < now_ns),
        and_(ticket_clocks.c.breached.is_(False), due.between(now_ns, now_ns + HOUR_NS)),
        free,
        tickets.c.assignee == "",
        tickets.c.state == TicketState.WAITING.value,
    )
    query = _clocked(
        select(func.count(), *(func.coalesce(func.sum(case((one, 1), else_=0)), 0) for one in sums)).select_from(
            tickets
        )
    ).where(tickets.c.state.in_(OPEN))
    ahead = select(func.count()).select_from(risks).where(risks.c.open_key.is_not(None))
    if customer_id:
        query = query.where(tickets.c.customer_id == customer_id)
        ahead = ahead.where(risks.c.customer_id == customer_id)
    if site_ids:
        query = query.where(tickets.c.site_id.in_(list(site_ids)))
        ahead = ahead.where(risks.c.site_id.in_(list(site_ids)))
    found = [*tx.execute(query).one(), tx.execute(ahead).scalar_one()]
    return Counts(*(int(number) for number in found))


def assignees(tx: Connection) -> list[str]:
    """Everybody who has an open ticket."""
    query = select(tickets.c.assignee).where(tickets.c.state.in_(OPEN), tickets.c.assignee != "").distinct()
    return sorted(str(name) for name in tx.execute(query).scalars())


def customer_names(tx: Connection) -> list[str]:
    """All customers by name, for a filter; the first thousand."""
    return [str(name) for name in tx.execute(select(customers.c.name).order_by(customers.c.name).limit(1000)).scalars()]


def _clocked(query: Select[Any]) -> Select[Any]:
    return query.outerjoin(ticket_clocks, ticket_clocks.c.ticket_id == tickets.c.id)


def _named() -> FromClause:
    return tickets.join(sites, tickets.c.site_id == sites.c.id).join(customers, tickets.c.customer_id == customers.c.id)


def _order(sort: str) -> tuple[ColumnElement[Any], ...]:
    if sort == "left":
        return func.coalesce(ticket_clocks.c.sort_ns, NEVER_NS), tickets.c.priority
    named = {"site": sites.c.name, "customer": customers.c.name}
    column = {"opened": "opened_ns", "last": "last_ns"}.get(sort, sort)
    return (named[sort] if sort in named else tickets.c[column],)


def _read(row: SqlRow[Any], *, now_ns: int) -> Row:
    ticket = rows.read(row)
    due_ns = row.due_ns if row.active else None
    return Row(
        ticket=ticket,
        site=row.site_name,
        customer=row.customer_name,
        due_ns=due_ns,
        clock=row.next_target or "" if row.active else "",
        paused=bool(row.active and row.paused),
        breached=ticket.is_open and (bool(row.breached) or (due_ns is not None and due_ns < now_ns)),
    )
