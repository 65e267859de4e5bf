"""Tickets page by page, as programs ask for them: filtered, in one of a few orders, from where the last page ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_

from sitewarden_collector.store import tickets as rows
from sitewarden_collector.store.pages import Window, cut, like
from sitewarden_collector.store.sites import customers, sites
from sitewarden_collector.store.tickets import Listed, history, tickets

Order = Literal["opened", "-opened", "last", "-last", "priority", "-priority", "severity", "-severity"]
ORDERS: tuple[str, ...] = get_args(Order)
COLUMNS = {"opened": "opened_ns", "last": "last_ns", "priority": "priority", "severity": "severity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which tickets; what is empty or None does not matter. `customer_id` and `site_ids` narrow to what
    somebody may see."""

    states: Sequence[str] = ()
    types: Sequence[str] = ()
    priorities: Sequence[int] = ()
    site: str = ""
    customer: str = ""
    customer_id: str = ""
    site_ids: Collection[str] = ()
    assignee: str | None = None
    fault: str = ""
    problem_id: str = ""
    parent_id: str = ""
    major: bool | None = None
    updated_since_ns: int | None = None
    text: str = ""


def find(tx: Connection, wanted: Wanted, window: Window, *, order: str = "opened") -> list[Listed]:
    """Tickets with their names, in the order of a column and, within it, of their making."""
    first = tickets.c[COLUMNS[order.removeprefix("-")]]
    query = cut(rows.named().where(*where(wanted)), (first, tickets.c.id), window)
    return [Listed(rows.read(row), row.site_name, row.customer_name) for row in tx.execute(query)]


def keys(listed: Listed, *, order: str = "opened") -> tuple[Any, ...]:
    """What the order goes by, of one ticket."""
    return getattr(listed.ticket, COLUMNS[order.removeprefix("-")]), listed.ticket.id


def where(wanted: Wanted) -> list[ColumnElement[bool]]:
    """The conditions on `tickets`, joined with their sites and customers."""
    found: list[ColumnElement[bool]] = []
    if wanted.states:
        found.append(tickets.c.state.in_(list(wanted.states)))
    if wanted.types:
        found.append(tickets.c.type.in_(list(wanted.types)))
    if wanted.priorities:
        found.append(tickets.c.priority.in_(list(wanted.priorities)))
    if wanted.site:
        found.append(sites.c.name == wanted.site)
    if wanted.customer:
        found.append(customers.c.name == wanted.customer)
    if wanted.customer_id:
        found.append(tickets.c.customer_id == wanted.customer_id)
    if wanted.site_ids:
        found.append(tickets.c.site_id.in_(list(wanted.site_ids)))
    if wanted.assignee is not None:
        found.append(tickets.c.assignee == wanted.assignee)
    if wanted.fault:
        found.append(tickets.c.fault == wanted.fault)
    if wanted.problem_id:
        found.append(tickets.c.problem_id == wanted.problem_id)
    if wanted.parent_id:
        found.append(tickets.c.parent_id == wanted.parent_id)
    if wanted.major is not None:
        found.append(tickets.c.major.is_(wanted.major))
    if wanted.updated_since_ns is not None:
        since = wanted.updated_since_ns
        told = exists().where(and_(history.c.ticket_id == tickets.c.id, history.c.written_ns >= since))
        found.append(or_(tickets.c.last_ns >= since, told))
    if wanted.text:
        pattern = like(wanted.text.lower())
        texts = (tickets.c.title, tickets.c.number, tickets.c.component, sites.c.name)
        found.append(or_(*(func.lower(text).like(pattern, escape="\\") for text in texts)))
    return found
