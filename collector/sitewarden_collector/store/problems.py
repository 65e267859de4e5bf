"""Problems behind incidents, and their history, which only grows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Row, String, Table, Text, and_, func, insert, or_, select, update

from sitewarden_alerting.model import SignalKind, TicketType
from sitewarden_alerting.problems import Incident, ProblemState
from sitewarden_collector.errors import NotFound
from sitewarden_collector.store import append_only
from sitewarden_collector.store.base import Id, Ns, RowId, id_column, metadata
from sitewarden_collector.store.tickets import OPEN, Listed, named, read, tickets

FAULTS_AT_ONCE = 500  # in one query

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


def remember(tx: Connection, some: Sequence[tuple[str, ProblemEvent]]) -> None:
    """Write events into the histories of problems, by their ids."""
    rows = [
        {"problem_id": problem_id} | {name: getattr(event, name) for name in ProblemEvent.__slots__}
        for problem_id, event in some
    ]
    if rows:
        tx.execute(insert(history), rows)


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


def lately(tx: Connection, *, since_ns: int, least: int, faults: Collection[str] = ()) -> list[Incident]:
    """Incidents without a problem that are open or were seen since, of faults that came at least so often, and of those
    named. Merged ones are in others already."""
    one = tickets.c
    # What was seen since and is open no more was resolved since: that index leaves out what is long done.
    recent = or_(one.state.in_(OPEN), and_(one.resolved_ns >= since_ns, one.last_ns >= since_ns))
    those = and_(one.problem_id == "", one.type == TicketType.INCIDENT.value, one.merged_into == "", recent)
    often = select(one.fault).where(those).group_by(one.fault).having(func.sum(1 + one.reopenings) >= least)
    wanted = sorted({str(fault) for fault in tx.execute(often).scalars()} | set(faults))
    columns = (one.id, one.site_id, one.fault, one.kind, one.last_ns, one.state, one.reopenings)
    found: list[Incident] = []
    for at in range(0, len(wanted), FAULTS_AT_ONCE):
        some = one.fault.in_(wanted[at : at + FAULTS_AT_ONCE])
        found += [_incident(row) for row in tx.execute(select(*columns).where(some, those))]
    return found


def _incident(row: Any) -> Incident:
    kind = SignalKind(row.kind)
    return Incident(row.id, row.site_id, row.fault, kind, row.last_ns, row.state in OPEN, row.reopenings)


def _read(row: Row[Any]) -> Problem:
    values = {name: row._mapping[name] for name in Problem.__slots__} | {"state": ProblemState(row.state)}
    return Problem(**values)
