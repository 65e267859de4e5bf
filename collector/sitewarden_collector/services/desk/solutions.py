"""The solution of a ticket: planned, proposed, agreed with the customer, carried out, verified.

Each step has an owner and a due time; `services.desk.tasks` lists them. A new proposal supersedes the one before it.
Carrying out and verifying change nothing of the ticket's state: resolving it stays somebody's decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection

from sitewarden_alerting import solutions as way
from sitewarden_alerting.model import Ticket
from sitewarden_alerting.solutions import AFTER, Duty, Solution, SolutionState, Step
from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.services.desk.changing import noted, taken, text_of, trying
from sitewarden_collector.store import solutions
from sitewarden_collector.store.base import new_id

Due = Mapping[str, tuple[str, int | None]]  # step -> owner, due_ns


def plan(tx: Connection, number: str, owner: str, due_ns: int | None, *, by: str, now_ns: int) -> Solution:
    """`owner` is to propose a solution by a time. Raises Conflict where one is on its way."""
    ticket = _open(tx, number)
    there = _current(tx, ticket)
    if there is not None and there.state is not SolutionState.PLANNED:
        raise Conflict(f"a solution of {ticket.number} is {there.state.value} already")
    made = there or Solution(new_id(), ticket.id, ticket.customer_id, "", SolutionState.PLANNED, now_ns, by, {})
    made = way.given(made, Step.PROPOSE, owner, due_ns)
    solutions.save(tx, made, new=there is None)
    data = {"solution_id": made.id, "step": "propose", "owner": owner, "due_ns": due_ns}
    noted(tx, ticket, "plan_solution", f"{owner} is to propose a solution", by=by, now_ns=now_ns, data=data)
    return made


def propose(tx: Connection, number: str, text: str, *, by: str, now_ns: int, duties: Due | None = None) -> Solution:
    """Propose a solution to the customer. `duties`: owner and due time of the steps agree, carry_out and verify."""
    ticket = _open(tx, number)
    said = text_of(text, "the solution")
    there = _current(tx, ticket)
    if there is not None and there.state is not SolutionState.PLANNED:
        solutions.save(tx, way.ended(there, SolutionState.SUPERSEDED, f"{by} proposed another"), new=False)
        there = None
    made = there or Solution(
        new_id(), ticket.id, ticket.customer_id, "", SolutionState.PLANNED, now_ns, by, {Step.PROPOSE: Duty(by)}
    )
    made = way.taken(replace(made, text=said, made_ns=now_ns, made_by=by), Step.PROPOSE, by, now_ns=now_ns)
    for name, (owner, due_ns) in (duties or {}).items():
        made = _given(made, name, owner, due_ns)
    solutions.save(tx, made, new=there is None)
    data = {"solution_id": made.id}
    noted(tx, ticket, "propose_solution", f"proposed: {said}", by=by, now_ns=now_ns, data=data)
    return made


def agree(tx: Connection, number: str, *, by: str, now_ns: int, agreed_by: str = "", text: str = "") -> Solution:
    """The customer agrees; `agreed_by` of them, where an engineer writes it down."""
    said = f"{agreed_by or by} agreed to the solution" + (f": {text}" if text else "")
    return _take(tx, number, Step.AGREE, said, by=by, now_ns=now_ns)


def carry_out(tx: Connection, number: str, *, by: str, now_ns: int, text: str = "") -> Solution:
    """It is done at the site."""
    return _take(tx, number, Step.CARRY_OUT, text or f"carried out by {by}", by=by, now_ns=now_ns)


def verify(tx: Connection, number: str, *, by: str, now_ns: int, text: str = "") -> Solution:
    """It was looked at, and works."""
    return _take(tx, number, Step.VERIFY, text or f"verified by {by}", by=by, now_ns=now_ns)


def reject(tx: Connection, number: str, why: str, *, by: str, now_ns: int) -> Solution:
    """The customer does not want it, or it did not work."""
    ticket = _open(tx, number)
    solution = _needed(tx, ticket)
    said = text_of(why, "why it is rejected")
    with trying():
        solution = way.ended(solution, SolutionState.REJECTED, said)
    solutions.save(tx, solution, new=False)
    data = {"solution_id": solution.id}
    noted(tx, ticket, "reject_solution", f"rejected: {said}", by=by, now_ns=now_ns, data=data)
    return solution


def give_step(
    tx: Connection, number: str, step: str, owner: str, due_ns: int | None, *, by: str, now_ns: int
) -> Solution:
    """Another owner and due time for a step that is not done."""
    ticket = _open(tx, number)
    solution = _given(_needed(tx, ticket), step, owner, due_ns)
    solutions.save(tx, solution, new=False)
    data = {"solution_id": solution.id, "step": step, "owner": owner, "due_ns": due_ns}
    text = f"{owner} is to {step.replace('_', ' ')} the solution"
    noted(tx, ticket, "plan_solution", text, by=by, now_ns=now_ns, data=data)
    return solution


def of_ticket(tx: Connection, ticket_id: str) -> list[Solution]:
    """All solutions of a ticket, the current one last."""
    return solutions.of_ticket(tx, ticket_id)


def _take(tx: Connection, number: str, step: Step, text: str, *, by: str, now_ns: int) -> Solution:
    ticket = taken(tx, number)
    solution = _needed(tx, ticket)
    with trying():
        solution = way.taken(solution, step, by, now_ns=now_ns)
    solutions.save(tx, solution, new=False)
    data = {"solution_id": solution.id, "state": AFTER[step].value}
    noted(tx, ticket, f"{step.value}_solution", text, by=by, now_ns=now_ns, data=data)
    return solution


def _given(solution: Solution, step: str, owner: str, due_ns: int | None) -> Solution:
    if step not in list(Step):
        raise Invalid(f"a solution has no step {step!r}; it has {', '.join(Step)}")
    with trying():
        return way.given(solution, Step(step), owner, due_ns)


def _open(tx: Connection, number: str) -> Ticket:
    ticket = taken(tx, number)
    if not ticket.is_open:
        raise Conflict(f"{ticket.number} is {ticket.state.value}: reopen it before another solution is worked on")
    return ticket


def _current(tx: Connection, ticket: Ticket) -> Solution | None:
    found = solutions.of_ticket(tx, ticket.id)
    return found[-1] if found and found[-1].is_open else None


def _needed(tx: Connection, ticket: Ticket) -> Solution:
    found = solutions.of_ticket(tx, ticket.id)
    if not found:
        raise Conflict(f"no solution of {ticket.number} was proposed; `sitewarden ticket propose` does")
    return found[-1]
