"""Problems behind incidents, and their history, which only grows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Row, String, Table, Text, insert, or_, select, update

from sitewarden_alerting.model import Ticket, TicketType
from sitewarden_alerting.problems import Incident, ProblemState
from sitewarden_collector.errors import NotFound
from sitewarden_collector.store import append_only
from sitewarden_collector.store.base import Id, Ns, RowId, id_column, metadata
from sitewarden_collector.store.tickets import OPEN, Listed, named, read, tickets

problems = Table(
    "problems",
    metadata,
    id_column(),
    Column("number", String(24), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("fault", String(255), nullable=False, index=True),
    Column("site_id", Id, nullable=False),  # empty: over several sites
    Column("owner", String(200), nullable=False),
    Column("cause", Text, nullable=False),
    Column("workaround", Text, nullable=False),
    Column("resolution", Text, nullable=False),
    Column("opened_ns", Ns, nullable=False),
    Column("opened_by", String(200), nullable=False),
    Column("resolved_ns", Ns),
)

history = Table(
    "problem_history",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("problem_id", Id, nullable=False, index=True),
    Column("at_ns", Ns, nullable=False),
    Column("what", String(32), nullable=False),
    Column("by", String(200), nullable=False),
    Column("text", Text, nullable=False),
)
append_only.guard(history)


@dataclass(frozen=True, slots=True)
class Problem:
    """`fault` is empty where no single fault is behind it; `site_id` is set for one that recurs at one site."""

    id: str
    number: str
    title: str
    state: ProblemState
    fault: str
    site_id: str
    opened_ns: int
    opened_by: str
    owner: str = ""
    cause: str = ""
    workaround: str = ""
    resolution: str = ""
    resolved_ns: int | None = None

    @property
    def is_open(self) -> bool:
        return self.state not in (ProblemState.RESOLVED, ProblemState.CLOSED)


@dataclass(frozen=True, slots=True)
class ProblemEvent:
    at_ns: int
    what: str
    by: str
    text: str


def save(tx: Connection, problem: Problem, *, new: bool) -> None:
    row = {name: getattr(problem, name) for name in Problem.__slots__} | {"state": problem.state.value}
    if new:
        tx.execute(insert(problems).values(row))
    else:
        tx.execute(update(problems).where(problems.c.id == problem.id).values(row))


def remember(tx: Connection, problem_id: str, event: ProblemEvent) -> None:
    row = {"problem_id": problem_id} | {name: getattr(event, name) for name in ProblemEvent.__slots__}
    tx.execute(insert(history).values(row))


def history_of(tx: Connection, problem_id: str) -> list[ProblemEvent]:
    rows = tx.execute(select(history).where(history.c.problem_id == problem_id).order_by(history.c.id))
    return [ProblemEvent(row.at_ns, row.what, row.by, row.text) for row in rows]


def by_number(tx: Connection, number: str) -> Problem:
    """Raises NotFound."""
    query = select(problems).where(problems.c.number == number.strip().upper()).with_for_update()
    row = tx.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"there is no problem {number}; `sitewarden problem list` shows those that there are")
    return _read(row)


def by_id(tx: Connection, problem_id: str) -> Problem | None:
    row = tx.execute(select(problems).where(problems.c.id == problem_id)).one_or_none()
    return None if row is None else _read(row)


def listing(tx: Connection, *, states: Collection[str] = (), limit: int = 200) -> list[Problem]:
    """The newest first."""
    query = select(problems).order_by(problems.c.opened_ns.desc(), problems.c.id.desc()).limit(limit)
    if states:
        query = query.where(problems.c.state.in_(list(states)))
    return [_read(row) for row in tx.execute(query)]


def alive(tx: Connection) -> list[Problem]:
    """Those that are not resolved and have a fault: its further incidents belong to them."""
    query = select(problems).where(problems.c.fault != "", problems.c.state.not_in(("resolved", "closed")))
    return [_read(row) for row in tx.execute(query)]


def incidents(tx: Connection, problem_id: str) -> list[Listed]:
    """The tickets of a problem, the oldest first, with the names of their sites and customers."""
    query = named().where(tickets.c.problem_id == problem_id).order_by(tickets.c.opened_ns, tickets.c.id)
    return [Listed(read(row), row.site_name, row.customer_name) for row in tx.execute(query)]


def lately(tx: Connection, *, since_ns: int) -> list[Incident]:
    """Incidents without a problem that are open or were seen since; merged ones are in others already."""
    recent = or_(tickets.c.state.in_(OPEN), tickets.c.last_ns >= since_ns)
    query = select(tickets).where(
        tickets.c.problem_id == "",
        tickets.c.type == TicketType.INCIDENT.value,
        tickets.c.merged_into == "",
        recent,
    )
    return [_incident(read(row)) for row in tx.execute(query)]


def _incident(ticket: Ticket) -> Incident:
    return Incident(
        ticket.id,
        ticket.site_id,
        ticket.fault,
        ticket.kind,
        ticket.last_ns,
        ticket.is_open,
        ticket.reopenings,
        ticket.problem_id,
    )


def _read(row: Row[Any]) -> Problem:
    values = {name: row._mapping[name] for name in Problem.__slots__} | {"state": ProblemState(row.state)}
    return Problem(**values)
