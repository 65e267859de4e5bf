"""What belongs to a ticket beside its course: files, visits, the problem behind it, what went into it and may come
apart again, how its priority was judged, and what forms offer to choose from.

`work` is all of it in one read. A customer's account gets its own files, the visits and nothing of how the desk works.
Not here: the ticket itself, its clocks and what was said (`services.ticket_view`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.fernet import Fernet
from sqlalchemy import Connection

from sitewarden_alerting.model import SignalKind, Ticket
from sitewarden_alerting.priority import Judged
from sitewarden_collector.errors import NotFound
from sitewarden_collector.services import priorities
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.services.desk import attaching, visits
from sitewarden_collector.store import (
    attachments,
    categories,
    faults,
    majors,
    merges,
    problems,
    sites,
    tickets,
    tracker,
)
from sitewarden_collector.store.attachments import Attachment
from sitewarden_collector.store.categories import Category
from sitewarden_collector.store.faults import Seen
from sitewarden_collector.store.majors import Major
from sitewarden_collector.store.problems import Problem
from sitewarden_collector.store.tracker import Item
from sitewarden_collector.store.visits import Visit

# What can be done with a visit, and what has to be said with it.
VISIT_STEPS: Mapping[str, tuple[Callable[..., Visit], str]] = {
    "arrive": (visits.arrive, ""),
    "leave": (visits.leave, "findings"),
    "sign": (visits.sign, "signed_by"),
    "cancel": (visits.cancel, "why"),
}
OPEN_PROBLEMS = ("new", "investigating", "known_error")
PROBLEMS_MAX = 50


@dataclass(frozen=True, slots=True)
class Work:
    """`merged` are the numbers of tickets that went into this one; `apart` the fingerprints that can be split from its
    fault. What only forms of engineers need is empty for everybody else."""

    site_zone: str
    files: Sequence[Attachment]
    visits: Sequence[Visit]
    problem: Problem | None
    major: Major | None
    tracker: Sequence[Item]
    judged: Judged | None
    merged: Sequence[str]
    apart: Sequence[Seen]
    problems: Sequence[Problem]
    categories: Sequence[Category]
    components: Sequence[Category]


def work(tx: Connection, ticket: Ticket, principal: Principal) -> Work:
    """The work on a ticket as `principal` may see it; whether they may see the ticket is asked before."""
    outside = bool(principal.only_customer)
    works = principal.may(Permission.TICKETS_WORK)
    named = categories.every(tx)
    return Work(
        site_zone=sites.by_id(tx, ticket.site_id).timezone,
        files=attachments.of_ticket(tx, ticket.id, customer_only=outside),
        visits=visits.of_ticket(tx, ticket.id),
        problem=None if outside or not ticket.problem_id else problems.by_id(tx, ticket.problem_id),
        major=None if outside or not ticket.major else majors.find(tx, ticket.id),
        tracker=() if outside else tracker.of_ticket(tx, ticket.id),
        judged=None if outside else priorities.judged(tx, ticket),
        merged=() if outside else merges.numbers_in(tx, ticket.id),
        apart=_apart(tx, ticket) if works and ticket.is_open else (),
        problems=problems.listing(tx, states=OPEN_PROBLEMS, limit=PROBLEMS_MAX) if works else (),
        categories=[one for one in named if one.kind == "category"],
        components=[one for one in named if one.kind == "component"],
    )


def attach(
    tx: Connection,
    number: str,
    files: Sequence[tuple[str, bytes]],
    secret: Fernet,
    *,
    by: str,
    now_ns: int,
    visibility: str,
) -> None:
    """Keep several files, all of them or none."""
    for name, content in files:
        attaching.attach(tx, number, name, content, secret, by=by, now_ns=now_ns, visibility=visibility)


def file_of(
    tx: Connection, ticket: Ticket, file_id: str, principal: Principal, secret: Fernet
) -> tuple[Attachment, bytes]:
    """A file of the ticket and what it holds. Raises NotFound where it is of another, or not for `principal`."""
    there = attachments.of_ticket(tx, ticket.id, customer_only=bool(principal.only_customer))
    if file_id not in {one.id for one in there}:
        raise NotFound(f"{ticket.number} has no such file; its page lists those that it has")
    return attaching.content_of(tx, file_id, secret)


def visit_on(tx: Connection, number: str, visit_id: str, step: str, said: str, *, by: str, now_ns: int) -> Visit:
    """Do a step with a visit of the ticket. Raises NotFound, Conflict, Invalid."""
    ticket = tickets.by_number(tx, number)
    if step not in VISIT_STEPS or visit_id not in {one.id for one in visits.of_ticket(tx, ticket.id)}:
        raise NotFound(f"{ticket.number} has no such visit, or nothing like {step!r} is done with it; load it anew")
    service, needs = VISIT_STEPS[step]
    return service(tx, visit_id, *([said] if needs else []), by=by, now_ns=now_ns)


def _apart(tx: Connection, ticket: Ticket) -> list[Seen]:
    if ticket.kind is not SignalKind.LOG:
        return []
    return [seen for seen, _ in faults.members(tx, ticket.fault) if seen.fingerprint != ticket.fault]
