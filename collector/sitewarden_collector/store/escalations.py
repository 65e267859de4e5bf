"""Where each ticket's escalation stands, and the pages that were written: one row a ticket, one row a page.

`pages` is the promise that nobody is paged twice for one step: its key is (ticket, round, step, person), written in the
transaction of the notice. Several pages may stand in one notice (a bundle); `notice_id` says in which. Being rows, both
outlive every restart.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    Column,
    Connection,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    bindparam,
    cast,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from sitewarden_alerting.escalation import Escalation, EscalationPolicy, Status
from sitewarden_collector.errors import Conflict
from sitewarden_collector.store import prepared
from sitewarden_collector.store.base import Id, Ns, metadata
from sitewarden_collector.store.notices import UNSENT, notices
from sitewarden_collector.store.tickets import OPEN, tickets

escalations = Table(
    "escalations",
    metadata,
    Column("ticket_id", Id, primary_key=True),
    Column("customer_id", Id, nullable=False),
    Column("policy", Text, nullable=False),  # JSON, as it was when it began: a change of it moves nobody's pages
    Column("reason", Text, nullable=False),  # why somebody is paged at all
    Column("status", String(16), nullable=False),
    Column("round", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("since_ns", Ns, nullable=False),
    Column("next_ns", Ns, nullable=False),
    Column("first_round", Integer, nullable=False),
    Column("begun_ns", Ns, nullable=False, index=True),
    Index(None, "status", "next_ns"),
    Index(None, "status", "since_ns"),
)

pages = Table(
    "pages",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("ticket_id", Id, nullable=False, index=True),
    Column("customer_id", Id, nullable=False),
    Column("round", Integer, nullable=False),
    Column("step", String(32), nullable=False),
    Column("person", String(200), nullable=False),
    Column("notice_id", Id, nullable=False, index=True),
    Column("why", Text, nullable=False),
    Column("at_ns", Ns, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Running:
    """An escalation with what it goes by."""

    ticket_id: str
    customer_id: str
    policy: EscalationPolicy
    reason: str
    state: Escalation
    begun_ns: int


@dataclass(frozen=True, slots=True)
class Page:
    key: str
    ticket_id: str
    customer_id: str
    round: int
    step: str
    person: str
    notice_id: str
    why: str
    at_ns: int


# Statements that every page needs are made once: making one takes longer than carrying it out.
_SOME: BindParameter[Any] = bindparam("some", expanding=True)
_FIND_ALL = (
    select(escalations).where(escalations.c.ticket_id.in_(_SOME)).order_by(escalations.c.ticket_id).with_for_update()
)
_KEYS_OF = select(pages.c.ticket_id, pages.c.key).where(pages.c.ticket_id.in_(_SOME))
_BEGUN = select(escalations.c.begun_ns).where(escalations.c.begun_ns > bindparam("since")).limit(bindparam("most"))
_ADD = insert(escalations)
_ADD_PAGES = {
    "sqlite": sqlite.insert(pages).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(pages).on_conflict_do_nothing(),
}


def find(tx: Connection, ticket_id: str) -> Running | None:
    row = tx.execute(select(escalations).where(escalations.c.ticket_id == ticket_id).with_for_update()).one_or_none()
    return None if row is None else _read(row)


def find_all(tx: Connection, ticket_ids: Collection[str]) -> list[Running]:
    """Those of some tickets, locked like `find`."""
    return [_read(row) for row in prepared.rows(tx, _FIND_ALL, {"some": list(ticket_ids)})]


def peek(tx: Connection, ticket_id: str) -> Running | None:
    """`find` for those who only look."""
    row = tx.execute(select(escalations).where(escalations.c.ticket_id == ticket_id)).one_or_none()
    return None if row is None else _read(row)


def add(tx: Connection, one: Running) -> None:
    """Write the first escalation of a ticket."""
    add_all(tx, [one])


def add_all(tx: Connection, some: Sequence[Running]) -> None:
    """Write the first escalations of tickets."""
    if some:
        prepared.write(tx, _ADD, [_row(one) | {"ticket_id": one.ticket_id} for one in some])


def put(tx: Connection, one: Running) -> None:
    """Write an escalation as it is now."""
    put_all(tx, [one])


def put_all(tx: Connection, some: Sequence[Running]) -> None:
    """Write escalations as they are now."""
    if some:
        one = update(escalations).where(escalations.c.ticket_id == bindparam("which"))
        tx.execute(one, [_row(running) | {"which": running.ticket_id} for running in some])


def move_all(tx: Connection, moves: Sequence[tuple[str, Escalation, Escalation]]) -> None:
    """Let escalations that this transaction has locked go on, as (ticket id, before, after). All or none: raises
    Conflict when somebody else moved one meanwhile."""
    if not moves:
        return
    guard = [escalations.c[name] == bindparam(f"was_{name}") for name in _state(moves[0][1])]
    rows = [
        _state(after) | {"which": ticket_id} | {f"was_{name}": value for name, value in _state(before).items()}
        for ticket_id, before, after in moves
    ]
    moved = tx.execute(update(escalations).where(escalations.c.ticket_id == bindparam("which"), *guard), rows)
    if moved.rowcount != len(moves):
        raise Conflict("another collector moved one of these escalations meanwhile; they are looked at again")


def due(tx: Connection, *, now_ns: int, early_ns: int, limit: int) -> list[Running]:
    """Those whose time has come, the longest waiting first; and those that began after `early_ns`, in a future that a
    clock set back made. Locked."""
    running = escalations.c.status == Status.RUNNING.value
    wanted = select(escalations).with_for_update(skip_locked=True)
    come = wanted.where(running, escalations.c.next_ns <= now_ns).order_by(escalations.c.next_ns).limit(limit)
    future = wanted.where(running, escalations.c.since_ns > early_ns).limit(limit)
    found = {row.ticket_id: _read(row) for query in (come, future) for row in tx.execute(query).all()}
    return list(found.values())


def begun_lately(tx: Connection, *, since_ns: int, limit: int) -> int:
    """How many escalations began after a time; looks at no more than `limit`."""
    return len(prepared.rows(tx, _BEGUN, {"since": since_ns, "most": limit}))


def count(tx: Connection) -> int:
    """How many tickets were ever escalated."""
    return int(tx.execute(select(func.count()).select_from(escalations)).scalar_one())


def keys_of(tx: Connection, ticket_ids: Collection[str]) -> dict[str, set[str]]:
    """The keys of the pages of some tickets, by the tickets' ids."""
    found: dict[str, set[str]] = {ticket_id: set() for ticket_id in ticket_ids}
    for ticket_id, key in prepared.rows(tx, _KEYS_OF, {"some": list(ticket_ids)}):
        found[ticket_id].add(str(key))
    return found


def add_pages(tx: Connection, some: Sequence[Page]) -> None:
    """Write that people are paged; what is there already stays as it is."""
    if some:
        rows = [{name: getattr(page, name) for name in Page.__slots__} for page in some]
        prepared.write(tx, _ADD_PAGES[tx.dialect.name], rows)


def has_pages(tx: Connection, notice_id: str) -> bool:
    return tx.execute(select(pages.c.key).where(pages.c.notice_id == notice_id).limit(1)).first() is not None


def pages_of(tx: Connection, ticket_id: str) -> list[Page]:
    """Who was paged for a ticket, the first first."""
    rows = tx.execute(select(pages).where(pages.c.ticket_id == ticket_id).order_by(pages.c.at_ns, pages.c.key))
    return [Page(**row._mapping) for row in rows]


def pages_in(tx: Connection, notice_id: str, *, limit: int | None = None) -> list[Page]:
    """The pages that stand in one notice."""
    wanted = select(pages).where(pages.c.notice_id == notice_id)
    if limit is None:
        wanted = wanted.order_by(pages.c.at_ns, pages.c.key)
    return [Page(**row._mapping) for row in tx.execute(wanted.limit(limit))]


def unsent_of(tx: Connection, ticket_id: str) -> list[str]:
    """The ids of the notices in which pages of a ticket stand, as far as something of them has not gone out."""
    wanted = (
        select(pages.c.notice_id)
        .join_from(pages, notices, notices.c.page_of == pages.c.notice_id)
        .where(pages.c.ticket_id == ticket_id, notices.c.state.in_(UNSENT))
        .distinct()
    )
    return [str(one) for one in tx.execute(wanted).scalars()]


def copy_pages(tx: Connection, from_notice: str, to_notice: str, *, person: str, now_ns: int) -> tuple[int, int]:
    """Give the pages of one notice to another person in another one: (how many there are, how many are new to them)."""
    total = int(tx.execute(select(func.count()).where(pages.c.notice_id == from_notice)).scalar_one())
    if not total:
        return 0, 0
    step = cast(pages.c.round, String) + literal(":") + pages.c.step
    key = pages.c.ticket_id + literal(":") + step + literal(f":{person}")
    names = ("key", "ticket_id", "customer_id", "round", "step", "person", "notice_id", "why", "at_ns")
    theirs = select(
        key,
        pages.c.ticket_id,
        pages.c.customer_id,
        pages.c.round,
        pages.c.step,
        literal(person),
        literal(to_notice),
        literal("nobody before them could be reached"),
        literal(now_ns, type_=Ns()),
    ).where(pages.c.notice_id == from_notice)
    insertion = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    return total, tx.execute(insertion(pages).from_select(names, theirs).on_conflict_do_nothing()).rowcount


def still_wanted(tx: Connection, notice_id: str, *, limit: int, but: str = "") -> list[tuple[str, str]]:
    """(number, title) of the tickets of a notice that are open and that nobody acknowledged, `limit` at most, the most
    urgent first; `but` is left out."""
    rows = tx.execute(_wanted(notice_id, but, tickets.c.number, tickets.c.title, tickets.c.priority).limit(limit))
    return [(str(row[0]), str(row[1])) for row in rows]


def is_wanted(tx: Connection, notice_id: str, *, but: str) -> bool:
    """Whether `still_wanted` finds any; stops at the first."""
    return tx.execute(_wanted(notice_id, but, tickets.c.id).order_by(None).limit(1)).first() is not None


def count_wanted(tx: Connection, notice_id: str) -> int:
    inner = _wanted(notice_id, "", tickets.c.id, tickets.c.priority, tickets.c.number).subquery()
    return int(tx.execute(select(func.count()).select_from(inner)).scalar_one())


def _wanted(notice_id: str, but: str, *columns: Any) -> Any:
    return (
        select(*columns)
        .join_from(pages, tickets, pages.c.ticket_id == tickets.c.id)
        .where(
            pages.c.notice_id == notice_id,
            tickets.c.state.in_(OPEN),
            tickets.c.acknowledged_ns.is_(None),
            tickets.c.id != but,
        )
        .order_by(tickets.c.priority, tickets.c.number)
    )


def _row(one: Running) -> dict[str, Any]:
    return {
        "customer_id": one.customer_id,
        "policy": msgspec.json.encode(one.policy).decode(),
        "reason": one.reason,
        "begun_ns": one.begun_ns,
    } | _state(one.state)


def _state(state: Escalation) -> dict[str, Any]:
    return {
        "status": state.status.value,
        "round": state.round,
        "step": state.step,
        "since_ns": state.since_ns,
        "next_ns": state.next_ns,
        "first_round": state.first_round,
    }


def _read(row: Row[Any]) -> Running:
    state = Escalation(Status(row.status), row.round, row.step, row.since_ns, row.next_ns, row.first_round)
    policy = msgspec.json.decode(row.policy, type=EscalationPolicy)
    return Running(row.ticket_id, row.customer_id, policy, row.reason, state, row.begun_ns)
