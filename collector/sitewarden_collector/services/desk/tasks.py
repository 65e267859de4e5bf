"""All that has an owner and a due time on the desk, in one list: steps of solutions, visits, maintenance, actions."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from sitewarden_alerting.model import Ticket
from sitewarden_collector.services.desk import problems
from sitewarden_collector.services.desk.changing import noted
from sitewarden_collector.store import solutions, tasks, tickets, visits
from sitewarden_collector.store.tasks import StoredTask

NEXT_STEP = {
    "planned": "propose a solution",
    "proposed": "have the solution agreed",
    "agreed": "carry out the solution",
    "carried_out": "verify the solution",
}
NEXT_VISIT = {"planned": "visit the site", "arrived": "finish the visit", "left": "have the visit signed off"}


@dataclass(frozen=True, slots=True)
class Task:
    """`kind` is solution, visit, maintenance or review; `ref` the number of the ticket or problem; `customer_id` is
    empty for what is of no single customer."""

    id: str
    kind: str
    ref: str
    customer_id: str
    text: str
    owner: str
    due_ns: int | None

    def overdue(self, now_ns: int) -> bool:
        return self.due_ns is not None and self.due_ns < now_ns


def of(tx: Connection, *, person: str = "", ref: str = "", overdue_ns: int | None = None) -> list[Task]:
    """Open tasks, the most overdue first, those without a time last; of one person, of one ticket or problem, or those
    that were due before `overdue_ns`."""
    found = [*_steps(tx), *_visits(tx), *(_stored(one) for one in tasks.unfinished(tx))]
    wanted = (
        one
        for one in found
        if (not person or one.owner == person)
        and (not ref or one.ref == ref.upper())
        and (overdue_ns is None or one.overdue(overdue_ns))
    )
    return sorted(wanted, key=lambda one: (one.due_ns is None, one.due_ns or 0, one.ref))


def finish(tx: Connection, task_id: str, *, by: str, now_ns: int) -> StoredTask:
    """A maintenance task or an action of a review is done. Raises NotFound, Conflict."""
    done = tasks.finish(tx, task_id, by=by, now_ns=now_ns)
    text = f"done: {done.text}"
    if done.kind == "maintenance":
        problems.finished(tx, done.ref_id, text, by=by, now_ns=now_ns)
    elif (ticket := tickets.by_id(tx, done.ref_id, for_update=True)) is not None:
        noted(tx, ticket, "finish_action", text, by=by, now_ns=now_ns, data={"task_id": task_id})
    return done


def _steps(tx: Connection) -> list[Task]:
    found = []
    for one in solutions.unfinished(tx):
        due = solutions.next_step(one)
        ticket: Ticket | None = tickets.by_id(tx, one.ticket_id)
        if due is not None and ticket is not None and ticket.is_open:
            owner = due[1].owner or ticket.assignee
            text = NEXT_STEP[one.state.value] + (f": {one.text.splitlines()[0]}" if one.text else "")
            found.append(Task(one.id, "solution", ticket.number, one.customer_id, text, owner, due[1].due_ns))
    return found


def _visits(tx: Connection) -> list[Task]:
    return [
        Task(one.id, "visit", number, one.customer_id, NEXT_VISIT[one.state], one.engineer, one.planned_ns)
        for one, number in visits.unfinished(tx)
    ]


def _stored(one: StoredTask) -> Task:
    return Task(one.id, one.kind, one.ref, one.customer_id, one.text, one.owner, one.due_ns)
