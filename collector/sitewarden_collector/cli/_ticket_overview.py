"""The work on a ticket as `sitewarden ticket show` prints it: what it is, its solution, its comments, its ties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sitewarden_alerting.model import Ticket
from sitewarden_alerting.solutions import Solution
from sitewarden_collector.cli import _ticket_ties, _ticket_work, _working
from sitewarden_collector.cli._common import iso
from sitewarden_collector.services.desk.linking import BACKWARDS, KINDS
from sitewarden_collector.services.desk.overview import Overview
from sitewarden_collector.store import solutions


def lines(ticket: Ticket, work: Overview) -> Iterator[str]:
    """Line by line; what there is not has no line."""
    yield _kind(ticket)
    if ticket.waiting:
        yield f"waits for {ticket.waiting.replace('_', ' ')}"
    if ticket.reported_ns:
        yield f"reported by {ticket.reporter} at {iso(ticket.reported_ns)}"
    if work.major is not None:
        yield from _major(work)
    if work.problem is not None:
        yield f"problem {work.problem.number}, {work.problem.state.value.replace('_', ' ')}: {work.problem.title}"
        if work.problem.workaround:
            yield f"workaround: {work.problem.workaround}"
    if work.solutions:
        yield from _solution(work.solutions[-1])
    for link in work.links:
        yield f"{(BACKWARDS if link.backwards else KINDS)[link.kind]} {link.number} {link.title} ({link.state})"
    if work.parent:
        yield f"a part of {work.parent}"
    if work.children:
        yield f"its parts: {', '.join(work.children)}"
    for visit in work.visits:
        yield f"visit by {visit.engineer} {iso(visit.planned_ns)}: {visit.state} {visit.findings}".rstrip()
    for file in work.attachments:
        yield f"file {file.name} ({file.size} bytes, {file.visibility}): {file.id}"
    for item in work.tracker:
        yield f"at development as {item.key or item.id}: {item.state or 'not answered yet'}"


def comments(work: Overview) -> Iterator[str]:
    """What was said, with an empty line behind it; nothing where nothing was."""
    if not work.comments:
        return
    yield "Comments:"
    for one in work.comments:
        to = "from the customer" if one.from_customer else "to the customer" if one.visibility == "customer" else "note"
        yield f"  {iso(one.at_ns)} {one.by} ({to})"
        yield from (f"    {line}" for line in one.text.splitlines())
    yield ""


def row(work: Overview) -> dict[str, Any]:
    """The same for programs."""
    problem, major = work.problem, work.major
    return {
        "comments": [_working.row(one, "ticket_id", "customer_id") for one in work.comments],
        "solutions": [_ticket_work.solution_row(one) for one in work.solutions],
        "attachments": [_working.row(one, "ticket_id", "customer_id") for one in work.attachments],
        "visits": [_ticket_ties.visit_row(one) for one in work.visits],
        "links": [_working.row(one, "customer_id") for one in work.links],
        "parent": work.parent,
        "children": list(work.children),
        "problem": None if problem is None else _working.row(problem, "id", "site_id"),
        "major_incident": None if major is None else _working.row(major, "ticket_id", "customer_id"),
        "tracker": [_working.row(one, "ticket_id", "customer_id") for one in work.tracker],
    }


def _kind(ticket: Ticket) -> str:
    said = [ticket.type.value.replace("_", " "), f"priority {ticket.priority}"]
    if ticket.category:
        said.append(f"category {ticket.category}")
    if ticket.component:
        said.append(f"component {ticket.component}")
    return ", ".join(said)


def _major(work: Overview) -> Iterator[str]:
    assert work.major is not None
    over = f"over since {iso(work.major.ended_ns)}" if work.major.ended_ns else ""
    due = f"customers are told next {iso(work.major.next_update_ns)}" if work.major.next_update_ns else over
    yield f"MAJOR INCIDENT: {work.major.reason}; {due}"
    if work.major.experts:
        yield f"called in: {', '.join(work.major.experts)}"


def _solution(solution: Solution) -> Iterator[str]:
    yield f"solution {solution.state.value.replace('_', ' ')}: {solution.text or '(none yet)'}"
    due = solutions.next_step(solution)
    if due is not None:
        step, duty = due
        until = f", due {iso(duty.due_ns)}" if duty.due_ns else ""
        yield f"its next step: {step.value.replace('_', ' ')} by {duty.owner or 'nobody yet'}{until}"
