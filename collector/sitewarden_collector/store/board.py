"""The board: what is open, sorted by the time that is left on its clocks, a page at a time; and the counts above it.

The clocks stand in the projection that `store.clocks` keeps: one row a ticket, with what is due next. A ticket without
one (no contract counts for it) comes after those with one. Not here: how the projection comes about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, Select, String, and_, case, func, literal, null, select
from sqlalchemy import Row as SqlRow

from sitewarden_alerting.model import HOUR_NS, Ticket, TicketState
from sitewarden_collector.store import ticket_pages
from sitewarden_collector.store import tickets as rows
from sitewarden_collector.store.base import Ns
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


DUE: ColumnElement[Any] = null().cast(Ns)
CLOCK: ColumnElement[Any] = literal("", String)
PAUSED: ColumnElement[Any] = literal(False, Boolean)
BREACHED: ColumnElement[Any] = literal(False, Boolean)


def page(
    tx: Connection, wanted: Wanted, *, sort: str = "left", down: bool = False, offset: int = 0, limit: int = 50
) -> list[Row]:
    """Tickets with their clocks."""
    order = [one.desc() if down else one.asc() for one in _order(sort)]
    query = _clocked(rows.named()).add_columns(
        DUE.label("due_ns"), CLOCK.label("clock"), PAUSED.label("paused"), BREACHED.label("breached")
    )
    query = query.where(*ticket_pages.where(wanted)).order_by(*order, tickets.c.opened_ns, tickets.c.id)
    return [_read(row) for row in tx.execute(query.offset(offset).limit(limit))]


def counts(tx: Connection, *, now_ns: int, customer_id: str = "") -> Counts:
    """What stands above the board."""
    free = and_(tickets.c.acknowledged_ns.is_(None), tickets.c.state.in_(UNTAKEN))
    sums = (
        BREACHED.is_(True),
        and_(DUE.between(now_ns, now_ns + HOUR_NS), PAUSED.is_(False)),
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
    found = [int(number) for number in tx.execute(query).one()]
    return Counts(*found, risks=int(tx.execute(ahead).scalar_one()))


def assignees(tx: Connection) -> list[str]:
    """Everybody who has an open ticket."""
    query = select(tickets.c.assignee).where(tickets.c.state.in_(OPEN), tickets.c.assignee != "").distinct()
    return sorted(str(name) for name in tx.execute(query).scalars())


def customer_names(tx: Connection) -> list[str]:
    """All customers by name, for a filter; the first thousand."""
    return [str(name) for name in tx.execute(select(customers.c.name).order_by(customers.c.name).limit(1000)).scalars()]


def _clocked(query: Select[Any]) -> Select[Any]:
    return query


def _order(sort: str) -> tuple[ColumnElement[Any], ...]:
    by: dict[str, tuple[ColumnElement[Any], ...]] = {
        "left": (PAUSED, DUE.is_(None), DUE, tickets.c.priority),
        "site": (sites.c.name,),
        "customer": (customers.c.name,),
    }
    column = {"opened": "opened_ns", "last": "last_ns"}.get(sort, sort)
    return by[sort] if sort in by else (tickets.c[column],)


def _read(row: SqlRow[Any]) -> Row:
    return Row(
        ticket=rows.read(row),
        site=row.site_name,
        customer=row.customer_name,
        due_ns=row.due_ns,
        clock=row.clock or "",
        paused=bool(row.paused),
        breached=bool(row.breached),
    )
