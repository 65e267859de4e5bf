"""All the work on one ticket at a glance: comments, solutions, files, visits, links, the problem behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from sitewarden_alerting.model import Ticket
from sitewarden_alerting.solutions import Solution, SolutionState
from sitewarden_collector.store import (
    attachments,
    comments,
    links,
    majors,
    problems,
    solutions,
    tickets,
    tracker,
    visits,
)
from sitewarden_collector.store.attachments import Attachment
from sitewarden_collector.store.comments import Comment
from sitewarden_collector.store.links import Link
from sitewarden_collector.store.majors import Major
from sitewarden_collector.store.problems import Problem
from sitewarden_collector.store.tracker import Item
from sitewarden_collector.store.visits import Visit


@dataclass(frozen=True, slots=True)
class Overview:
    """`solutions` has the current one last; `parent` and `children` are numbers."""

    comments: tuple[Comment, ...]
    solutions: tuple[Solution, ...]
    attachments: tuple[Attachment, ...]
    visits: tuple[Visit, ...]
    links: tuple[Link, ...]
    parent: str
    children: tuple[str, ...]
    problem: Problem | None
    major: Major | None
    tracker: tuple[Item, ...]


def of(tx: Connection, ticket: Ticket, customer_only: bool = False) -> Overview:
    """With `customer_only` as the customer may see it: neither notes of engineers, nor what of a solution or a visit is
    not told yet, nor why and how a major incident is worked on, nor what is of other customers."""
    family = _family(tx, ticket, customer_only)
    linked = links.of_ticket(tx, ticket.id)
    whole = Overview(
        comments=tuple(comments.of_ticket(tx, ticket.id, customer_only=customer_only)),
        solutions=tuple(solutions.of_ticket(tx, ticket.id)),
        attachments=tuple(attachments.of_ticket(tx, ticket.id, customer_only=customer_only)),
        visits=tuple(visits.of_ticket(tx, ticket.id)),
        links=tuple(one for one in linked if not customer_only or one.customer_id == ticket.customer_id),
        parent=family[0],
        children=family[1],
        problem=problems.by_id(tx, ticket.problem_id) if ticket.problem_id and not customer_only else None,
        major=majors.find(tx, ticket.id),
        tracker=() if customer_only else tuple(tracker.of_ticket(tx, ticket.id)),
    )
    return _told(whole) if customer_only else whole


def _told(whole: Overview) -> Overview:
    """What the customer was told: solutions from their proposal on, the findings of a visit once somebody signed."""
    major = whole.major
    return replace(
        whole,
        solutions=tuple(one for one in whole.solutions if one.state is not SolutionState.PLANNED),
        visits=tuple(replace(one, findings=one.findings if one.signed_ns else "") for one in whole.visits),
        major=major and replace(major, reason="", declared_by="", experts=(), review="", reviewed_by=""),
    )


def _family(tx: Connection, ticket: Ticket, customer_only: bool) -> tuple[str, tuple[str, ...]]:
    """The numbers of the ticket that this is a part of, and of its own parts."""
    parent = tickets.by_id(tx, ticket.parent_id) if ticket.parent_id else None
    if parent is not None and customer_only and parent.customer_id != ticket.customer_id:
        parent = None
    parts = links.children(tx, ticket.id, customer_id=ticket.customer_id if customer_only else "")
    return "" if parent is None else parent.number, tuple(parts)
