"""What is due next on each ticket: a projection of its clocks, so that a board can sort by it and alarms are found.

A row says nothing that the history does not: `services.service_levels` writes it in the transaction of every change and
can prove it by computing everything anew. Rows of tickets that are done say `active` false. `clock_alarms` holds which
warnings were given: one row each, so that none is given twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    CompoundSelect,
    Connection,
    Float,
    ForeignKey,
    Index,
    Insert,
    Integer,
    String,
    Table,
    bindparam,
    delete,
    insert,
    select,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from sitewarden_alerting.model import Ticket
from sitewarden_collector.store import prepared, tickets
from sitewarden_collector.store.base import Id, Ns, metadata

FAULTS_AT_ONCE = 50  # in one question
NEVER_NS = 2**62  # sorts behind everything that is due

ticket_clocks = Table(
    "ticket_clocks",
    metadata,
    Column("ticket_id", Id, ForeignKey("tickets.id"), primary_key=True),
    Column("customer_id", Id, nullable=False),
    Column("active", Boolean, nullable=False),  # something is still to be done for one of its clocks
    Column("next_target", String(24), nullable=False),  # first_response, solution, resolution; empty: none is open
    Column("state", String(16), nullable=False),  # of that clock: running, paused, outside_hours, breached
    Column("due_ns", Ns),  # empty while it is paused
    Column("remaining_ns", BigInteger),  # as it was at computed_ns
    Column("paused", Boolean, nullable=False),
    Column("breached", Boolean, nullable=False),  # any of its clocks is broken
    Column("share", Float, nullable=False),  # of that clock, at computed_ns
    Column("sort_ns", Ns, nullable=False),  # due_ns, and far away where there is none
    Column("alarm_ns", Ns),  # when somebody is to be told next
    Column("computed_ns", Ns, nullable=False),
    Index("ix_ticket_clocks_sort", "active", "sort_ns", "ticket_id"),
    Index("ix_ticket_clocks_alarm", "alarm_ns"),
)

clock_alarms = Table(
    "clock_alarms",
    metadata,
    Column("ticket_id", Id, ForeignKey("tickets.id"), primary_key=True),
    Column("target", String(24), primary_key=True),
    Column("percent", Integer, primary_key=True),
    Column("start_ns", Ns, primary_key=True),
    Column("at_ns", Ns, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Projection:
    """A row of `ticket_clocks`."""

    ticket_id: str
    customer_id: str
    active: bool
    next_target: str
    state: str
    due_ns: int | None
    remaining_ns: int | None
    paused: bool
    breached: bool
    share: float
    sort_ns: int
    alarm_ns: int | None
    computed_ns: int


def put(tx: Connection, rows: Sequence[Projection]) -> None:
    """Write rows in the place of those before them."""
    if not rows:
        return
    given = [{name: getattr(row, name) for name in Projection.__slots__} for row in rows]
    prepared.write(tx, _put_into(tx.dialect.name), given)


@lru_cache
def _put_into(dialect: str) -> Insert:
    insertion = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(ticket_clocks)
    theirs = {name: insertion.excluded[name] for name in Projection.__slots__ if name != "ticket_id"}
    return insertion.on_conflict_do_update(index_elements=[ticket_clocks.c.ticket_id], set_=theirs)


def find(tx: Connection, ticket_id: str) -> Projection | None:
    row = tx.execute(select(ticket_clocks).where(ticket_clocks.c.ticket_id == ticket_id)).one_or_none()
    return None if row is None else Projection(**row._mapping)


def due_alarms(tx: Connection, *, now_ns: int, limit: int) -> list[str]:
    """The ids of tickets with a warning that is due, the longest due first."""
    alarm = ticket_clocks.c.alarm_ns
    query = select(ticket_clocks.c.ticket_id).where(alarm <= now_ns).order_by(alarm).limit(limit)
    return [str(one) for one in tx.execute(query).scalars()]


def ticket_ids(tx: Connection, *, after: str = "", limit: int = 500) -> list[str]:
    """The ids of tickets with a row, in order."""
    one = ticket_clocks.c.ticket_id
    return [str(i) for i in tx.execute(select(one).where(one > after).order_by(one).limit(limit)).scalars()]


def open_tickets(tx: Connection, customer_id: str) -> list[Ticket]:
    """The open tickets of a customer."""
    one = tickets.tickets.c
    query = select(tickets.tickets).where(one.customer_id == customer_id, one.state.in_(tickets.OPEN))
    return [tickets.read(row) for row in tx.execute(query)]


def open_of_faults(tx: Connection, faults: Collection[str]) -> list[Ticket]:
    """The open tickets of some faults, at whichever sites. Locked."""
    one = tickets.tickets.c
    found: list[Ticket] = []
    names = sorted(faults)
    for first in range(0, len(names), FAULTS_AT_ONCE):
        mine = one.fault.in_(names[first : first + FAULTS_AT_ONCE])
        query = select(tickets.tickets).where(mine, one.state.in_(tickets.OPEN)).order_by(one.id)
        found += [tickets.read(row) for row in tx.execute(query.with_for_update())]
    return found


def spread(tx: Connection, faults: Collection[str], *, limit: int | None = None) -> dict[str, set[str]]:
    """The sites with an open ticket of each fault, `limit` of them at most. It reads no more than that."""
    found: dict[str, set[str]] = {fault: set() for fault in faults}
    names = list(found)
    for first in range(0, len(names), FAULTS_AT_ONCE):
        part = names[first : first + FAULTS_AT_ONCE]
        given = {f"fault_{i}": name for i, name in enumerate(part)}
        for fault, site_id in prepared.rows(tx, _sites_of(len(part), limit), given):
            found[fault].add(str(site_id))
    return found


@lru_cache(maxsize=128)
def _sites_of(faults: int, limit: int | None) -> CompoundSelect[Any]:
    # Kept, for making it takes longer than asking it: a storm asks it for every site. An open ticket has its open_key.
    one = tickets.tickets.c
    parts = [
        select(one.fault, one.site_id).where(one.fault == bindparam(f"fault_{i}"), one.open_key.is_not(None))
        for i in range(faults)
    ]
    return union_all(*(select(part.limit(limit).subquery()) for part in parts))


def told(tx: Connection, ticket_ids: Collection[str]) -> dict[str, set[tuple[str, int, int]]]:
    """The warnings that were given for some tickets: target, percent, start of the clock."""
    found: dict[str, set[tuple[str, int, int]]] = {ticket_id: set() for ticket_id in ticket_ids}
    for row in tx.execute(select(clock_alarms).where(clock_alarms.c.ticket_id.in_(list(ticket_ids)))):
        found[row.ticket_id].add((row.target, row.percent, row.start_ns))
    return found


def tell(tx: Connection, ticket_id: str, alarms: Iterable[tuple[str, int, int]], *, now_ns: int) -> bool:
    """Note warnings as given, all or none; False when another writer was first with one of them."""
    rows = [
        {"ticket_id": ticket_id, "target": target, "percent": percent, "start_ns": start_ns, "at_ns": now_ns}
        for target, percent, start_ns in alarms
    ]
    try:
        with tx.begin_nested():
            tx.execute(insert(clock_alarms), rows)
    except IntegrityError:
        return False
    return True


def forget(tx: Connection, ticket_id: str) -> None:
    """Take a ticket out, when the ticket itself goes."""
    tx.execute(delete(ticket_clocks).where(ticket_clocks.c.ticket_id == ticket_id))
    tx.execute(delete(clock_alarms).where(clock_alarms.c.ticket_id == ticket_id))
