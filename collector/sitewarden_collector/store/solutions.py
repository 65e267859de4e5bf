"""Solutions of tickets and the steps that each of them has, with owners and due times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Connection, ForeignKey, Row, String, Table, Text, delete, insert, select, update

from sitewarden_alerting.solutions import DONE, NEXT, Duty, Solution, SolutionState, Step
from sitewarden_collector.store.base import Id, Ns, id_column, metadata

solutions = Table(
    "solutions",
    metadata,
    id_column(),
    Column("ticket_id", Id, ForeignKey("tickets.id"), nullable=False, index=True),
    Column("customer_id", Id, nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("made_ns", Ns, nullable=False),
    Column("made_by", String(200), nullable=False),
    Column("why", Text, nullable=False),
)

steps = Table(
    "solution_steps",
    metadata,
    Column("solution_id", Id, ForeignKey("solutions.id"), primary_key=True),
    Column("step", String(16), primary_key=True),
    Column("customer_id", Id, nullable=False, index=True),
    Column("owner", String(200), nullable=False, index=True),
    Column("due_ns", Ns),
    Column("done_ns", Ns),
    Column("done_by", String(200), nullable=False),
)


def save(tx: Connection, solution: Solution, *, new: bool) -> None:
    """Write a solution as it is now, with its steps."""
    names = ("id", "ticket_id", "customer_id", "text", "made_ns", "made_by", "why")
    row: dict[str, Any] = {name: getattr(solution, name) for name in names} | {"state": solution.state.value}
    if new:
        tx.execute(insert(solutions).values(row))
    else:
        tx.execute(update(solutions).where(solutions.c.id == solution.id).values(row))
        tx.execute(delete(steps).where(steps.c.solution_id == solution.id))
    rows = [
        {
            "solution_id": solution.id,
            "step": step.value,
            "customer_id": solution.customer_id,
            "owner": duty.owner,
            "due_ns": duty.due_ns,
            "done_ns": duty.done_ns,
            "done_by": duty.done_by,
        }
        for step, duty in solution.duties.items()
    ]
    if rows:
        tx.execute(insert(steps), rows)


def of_ticket(tx: Connection, ticket_id: str) -> list[Solution]:
    """The solutions of a ticket in the order in which they were made; the last one counts."""
    query = select(solutions).where(solutions.c.ticket_id == ticket_id).order_by(solutions.c.made_ns, solutions.c.id)
    return _read(tx, list(tx.execute(query)))


def unfinished(tx: Connection) -> list[Solution]:
    """Solutions with a step to be taken, of all tickets."""
    done = [state.value for state in DONE]
    return _read(tx, list(tx.execute(select(solutions).where(solutions.c.state.not_in(done)))))


def _read(tx: Connection, rows: list[Row[Any]]) -> list[Solution]:
    found: dict[str, dict[Step, Duty]] = {row.id: {} for row in rows}
    for row in tx.execute(select(steps).where(steps.c.solution_id.in_(list(found)))):
        found[row.solution_id][Step(row.step)] = Duty(row.owner, row.due_ns, row.done_ns, row.done_by)
    return [_solution(row, found[row.id]) for row in rows]


def _solution(row: Row[Any], duties: Mapping[Step, Duty]) -> Solution:
    return Solution(
        row.id,
        row.ticket_id,
        row.customer_id,
        row.text,
        SolutionState(row.state),
        row.made_ns,
        row.made_by,
        duties,
        row.why,
    )


def next_step(solution: Solution) -> tuple[Step, Duty] | None:
    """The step that is due, and whose it is; None where there is none."""
    step = NEXT.get(solution.state)
    return None if step is None else (step, solution.duty(step))
