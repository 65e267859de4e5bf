"""Tickets and their history.

A row of `tickets` is `alerting.model.Ticket`. `open_key` is set while the ticket is open and unique, so that the
database itself refuses a second open ticket of one fault at one site. History is only ever added to.

Rows that a transaction means to change are read with `for_update`, so that an acknowledgement and the evaluation cannot
overwrite each other. Not here: evidence (`store.evidence`), what happens to a ticket (`alerting.triage`), and applying
it (`services.tickets`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Row,
    Select,
    String,
    Table,
    Text,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from sitewarden_alerting.model import (
    SignalKind,
    Ticket,
    TicketState,
    TicketType,
)
from sitewarden_collector.errors import NotFound
from sitewarden_collector.store import append_only, prepared
from sitewarden_collector.store.base import Id, Ns, RowId, id_column, metadata
from sitewarden_collector.store.sites import customers, sites

OPEN = tuple(state.value for state in TicketState if state not in (TicketState.RESOLVED, TicketState.CLOSED))
IDS_AT_ONCE = 500  # in one question
SPECIAL = (SignalKind.STORM.value, SignalKind.SILENCE.value)

tickets = Table(
    "tickets",
    metadata,
    id_column(),
    Column("number", String(24), nullable=False, unique=True),
    Column("site_id", Id, ForeignKey("sites.id"), nullable=False),
    Column("customer_id", Id, ForeignKey("customers.id"), nullable=False),
    Column("fault", String(255), nullable=False),
    Column("open_key", String(64), unique=True),
    Column("rule", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("title", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("opened_ns", Ns, nullable=False),
    Column("last_ns", Ns, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("page", Boolean, nullable=False),
    Column("heads", Text, nullable=False),  # JSON list; empty text: none
    Column("assignee", String(200), nullable=False),
    Column("acknowledged_ns", Ns),
    Column("recovered_ns", Ns),
    Column("resolved_ns", Ns, index=True),
    Column("resolution", Text, nullable=False),
    Column("merged_into", Id, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("flips", Text, nullable=False),  # JSON list
    Column("reopenings", Integer, nullable=False),
    Column("reopened_count", BigInteger, nullable=False),
    Column("notices", Integer, nullable=False),
    Column("suppressed", BigInteger, nullable=False),
    Column("type", String(24), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("waiting", String(16), nullable=False),
    Column("category", String(100), nullable=False),
    Column("component", String(100), nullable=False),
    Column("reporter", String(200), nullable=False),
    Column("reported_ns", Ns),
    Column("parent_id", Id, nullable=False, index=True),
    Column("problem_id", Id, nullable=False, index=True),
    Column("major", Boolean, nullable=False),
    Index(None, "site_id", "fault"),
    Index(None, "fault"),
)

history = Table(
    "ticket_history",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("ticket_id", Id, ForeignKey("tickets.id"), nullable=False, index=True),
    Column("at_ns", Ns, nullable=False),
    Column("what", String(32), nullable=False),
    Column("by", String(200), nullable=False),
    Column("text", Text, nullable=False),
    Column("written_ns", Ns, nullable=False),  # when it was written down: later than at_ns where it is told belatedly
    # How the ticket was afterwards: what the clocks of the contract are computed from.
    Column("state", String(16), nullable=False),
    Column("waiting", String(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("data", Text, nullable=False),  # JSON of what else belongs to it; empty text: nothing
)
append_only.guard(history)

_FIELDS = tuple(one.name for one in fields(Ticket))

# Statements that every alert needs are made once: making one takes longer than carrying it out.
_INSERT, _TELL = insert(tickets), insert(history)
_UPDATE = update(tickets).where(tickets.c.id == bindparam("which"))
_NAMES = select(sites.c.name, customers.c.name).join_from(sites, customers).where(sites.c.id == bindparam("site"))
_CONCERNED = (
    select(tickets)
    .where(
        tickets.c.site_id == bindparam("site"),
        or_(
            tickets.c.fault.in_(bindparam("faults", expanding=True)),
            tickets.c.heads != "",
            tickets.c.kind.in_(SPECIAL),
        ),
        tickets.c.state != TicketState.CLOSED.value,
    )
    .order_by(tickets.c.id)
    .with_for_update()
)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a ticket's history. `state`, `waiting` and `priority` are the ticket's after it; `add_history` fills
    them in. `by` is an account's name, or `rules`. `data` is what a program may want of it, JSON-able."""

    at_ns: int
    what: str
    by: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    state: str = ""
    waiting: str = ""
    priority: int = 0
    written_ns: int = 0
    id: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """A ticket with the names of its site and customer."""

    ticket: Ticket
    site: str
    customer: str


def concerned(tx: Connection, site_id: str, faults: Collection[str]) -> list[Ticket]:
    """What triage must know to decide about signals of `faults` at a site: their tickets that are not closed, those
    with open first lines, and those of storms and silence. Locked for this transaction."""
    rows = prepared.rows(tx, _CONCERNED, {"site": site_id, "faults": list(faults)})
    return [read(row) for row in rows]


def of_faults(tx: Connection, faults: Collection[str]) -> list[Ticket]:
    """The tickets of some faults at all sites that are not closed, locked for this transaction."""
    query = select(tickets).where(tickets.c.fault.in_(list(faults)), tickets.c.state != TicketState.CLOSED.value)
    return [read(row) for row in tx.execute(query.order_by(tickets.c.id).with_for_update())]


def aging(tx: Connection, *, resolved_before_ns: int, limit: int = 500) -> list[Ticket]:
    """Tickets that time may change: recovered ones, and those resolved before a time. Locked."""
    recovered = and_(tickets.c.state.in_(OPEN), tickets.c.recovered_ns.is_not(None))
    settled = and_(tickets.c.state == TicketState.RESOLVED.value, tickets.c.resolved_ns < resolved_before_ns)
    return [
        read(row) for row in tx.execute(select(tickets).where(or_(recovered, settled)).limit(limit).with_for_update())
    ]


def unassigned(tx: Connection, *, limit: int, but_without: str = "", states: Collection[str] = ()) -> list[Ticket]:
    """Open tickets that nobody has, the most urgent and then the oldest first; not those with the event `but_without`
    in their history, unless in one of `states`. Locked."""
    nobody = select(tickets).where(tickets.c.state.in_(OPEN), tickets.c.assignee == "")
    if but_without:
        noted = exists().where(history.c.ticket_id == tickets.c.id, history.c.what == but_without)
        nobody = nobody.where(or_(tickets.c.state.in_(list(states)), ~noted))
    query = nobody.order_by(tickets.c.priority, tickets.c.opened_ns).limit(limit).with_for_update()
    return [read(row) for row in tx.execute(query)]


def by_number(tx: Connection, number: str, *, for_update: bool = False) -> Ticket:
    """The ticket with this number, in any case of letters; raises NotFound."""
    query = select(tickets).where(tickets.c.number == number.strip().upper())
    row = tx.execute(query.with_for_update() if for_update else query).one_or_none()
    if row is None:
        raise NotFound(f"there is no ticket {number}; `sitewarden ticket list` shows those that there are")
    return read(row)


def by_id(tx: Connection, ticket_id: str, *, for_update: bool = False) -> Ticket | None:
    query = select(tickets).where(tickets.c.id == ticket_id)
    row = tx.execute(query.with_for_update() if for_update else query).one_or_none()
    return None if row is None else read(row)


def by_ids(tx: Connection, ticket_ids: Collection[str], *, for_update: bool = False) -> dict[str, Ticket]:
    """Those of these tickets that there are."""
    query = select(tickets).where(tickets.c.id.in_(list(ticket_ids))).order_by(tickets.c.id)
    found = (read(row) for row in tx.execute(query.with_for_update() if for_update else query))
    return {one.id: one for one in found}


def listing(
    tx: Connection,
    *,
    states: Collection[str] = (),
    site: str = "",
    site_id: str = "",
    fault: str = "",
    limit: int = 200,
) -> list[Listed]:
    """Tickets with their names, the newest first; of some states, one site and one fault, or of all."""
    query = named().order_by(tickets.c.opened_ns.desc(), tickets.c.id.desc()).limit(limit)
    if states:
        query = query.where(tickets.c.state.in_(list(states)))
    if site:
        query = query.where(sites.c.name == site)
    if site_id:
        query = query.where(tickets.c.site_id == site_id)
    if fault:
        query = query.where(tickets.c.fault == fault)
    return [Listed(read(row), row.site_name, row.customer_name) for row in tx.execute(query)]


def names(tx: Connection, site_id: str) -> tuple[str, str]:
    """The names of a site and its customer."""
    row = prepared.row(tx, _NAMES, {"site": site_id})
    return (site_id, "") if row is None else (str(row[0]), str(row[1]))


def save(tx: Connection, ticket: Ticket, *, new: bool) -> None:
    """Write a ticket as it is now."""
    save_all(tx, [ticket], new=new)


def save_all(tx: Connection, some: Sequence[Ticket], *, new: bool) -> None:
    """Write tickets as they are now, all of them in one statement."""
    rows = [_row(one) for one in some]
    if not rows:
        return
    if new:
        prepared.write(tx, _INSERT, rows)
    else:
        prepared.write(tx, _UPDATE, [row | {"which": row.pop("id")} for row in rows])


def add_history(tx: Connection, told: Iterable[tuple[Ticket, Iterable[Event]]], *, now_ns: int) -> None:
    """Write events into the histories of tickets, as they are after them. Nothing takes them out again."""
    rows = [
        {
            "ticket_id": ticket.id,
            "at_ns": event.at_ns,
            "what": event.what,
            "by": event.by,
            "text": event.text,
            "written_ns": now_ns,
            "state": event.state or ticket.state.value,
            "waiting": event.waiting or ticket.waiting,
            "priority": event.priority or ticket.priority,
            "data": msgspec.json.encode(event.data).decode() if event.data else "",
        }
        for ticket, events in told
        for event in events
    ]
    if rows:
        prepared.write(tx, _TELL, rows)


def kept(ticket: Ticket, event: Event) -> Event:
    """The event as the history of the ticket says it."""
    return replace(
        event,
        state=event.state or ticket.state.value,
        waiting=event.waiting or ticket.waiting,
        priority=event.priority or ticket.priority,
    )


def history_of(tx: Connection, ticket_id: str) -> list[Event]:
    """What happened to a ticket, in the order in which it was written down."""
    rows = tx.execute(select(history).where(history.c.ticket_id == ticket_id).order_by(history.c.id))
    return [_event(row) for row in rows]


def histories(tx: Connection, ticket_ids: Collection[str]) -> dict[str, list[Event]]:
    """The histories of several tickets, by their ids."""
    found: dict[str, list[Event]] = {ticket_id: [] for ticket_id in ticket_ids}
    wanted = select(history).where(history.c.ticket_id.in_(list(ticket_ids))).order_by(history.c.id)
    for row in tx.execute(wanted):
        found[row.ticket_id].append(_event(row))
    return found


def with_event(tx: Connection, ticket_ids: Sequence[str], what: str, *, but_by: str) -> set[str]:
    """Those of these tickets in whose history somebody but `but_by` did `what`."""
    found: set[str] = set()
    for first in range(0, len(ticket_ids), IDS_AT_ONCE):
        some = history.c.ticket_id.in_(ticket_ids[first : first + IDS_AT_ONCE])
        found |= set(
            tx.execute(
                select(history.c.ticket_id).where(some, history.c.what == what, history.c.by != but_by)
            ).scalars()
        )
    return found


def count_by_state(tx: Connection) -> dict[str, int]:
    """How many tickets there are of each state; every state is there."""
    counted = dict.fromkeys((state.value for state in TicketState), 0)
    for state, number in tx.execute(select(tickets.c.state, func.count()).group_by(tickets.c.state)):
        counted[state] = int(number)
    return counted


def named() -> Select[Any]:
    """Tickets with the names of their sites and customers, for `read`."""
    return select(tickets, sites.c.name.label("site_name"), customers.c.name.label("customer_name")).select_from(
        tickets.join(sites, tickets.c.site_id == sites.c.id).join(customers, tickets.c.customer_id == customers.c.id)
    )


def _open_key(ticket: Ticket) -> str | None:
    return sha256(f"{ticket.site_id}|{ticket.fault}".encode()).hexdigest() if ticket.is_open else None


def _row(ticket: Ticket) -> dict[str, Any]:
    row = {name: getattr(ticket, name) for name in _FIELDS}
    row |= {"kind": ticket.kind.value, "state": ticket.state.value, "type": ticket.type.value}
    return row | {"heads": _pack(ticket.heads), "flips": _pack(ticket.flips), "open_key": _open_key(ticket)}


def _pack(values: tuple[Any, ...]) -> str:
    return msgspec.json.encode(values).decode() if values else ""


def _event(row: Row[Any]) -> Event:
    return Event(
        at_ns=row.at_ns,
        what=row.what,
        by=row.by,
        text=row.text,
        data=msgspec.json.decode(row.data, type=dict[str, Any]) if row.data else {},
        state=row.state,
        waiting=row.waiting,
        priority=row.priority,
        written_ns=row.written_ns,
        id=row.id,
    )


def read(row: Row[Any]) -> Ticket:
    """A row of `tickets` as a ticket."""
    values = {name: getattr(row, name) for name in _FIELDS if name != "count"}
    values["count"] = row._mapping["count"]  # a row is a tuple too, and has a method of that name
    values |= {"kind": SignalKind(row.kind), "state": TicketState(row.state), "type": TicketType(row.type)}
    values["heads"] = msgspec.json.decode(row.heads, type=tuple[str, ...]) if row.heads else ()
    values["flips"] = msgspec.json.decode(row.flips, type=tuple[int, ...]) if row.flips else ()
    return Ticket(**values)
