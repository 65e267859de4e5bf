"""One ticket as the console shows it, in one read: itself and its surroundings, what was said, proposed and paged.

What a customer's account may not see is not in it: internal notes, pages, who works where else.
Not here: its charts and the lines of its log, which are asked for one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from sitewarden_alerting.solutions import Solution
from sitewarden_collector.errors import NotFound
from sitewarden_collector.services import paging, service_levels, tickets
from sitewarden_collector.services.access import Principal
from sitewarden_collector.services.paging import PagingState
from sitewarden_collector.services.service_levels import Clocks
from sitewarden_collector.services.surroundings import Surroundings
from sitewarden_collector.services.tickets import Shown
from sitewarden_collector.store import board, comments, engineers, links, solutions
from sitewarden_collector.store import tickets as rows
from sitewarden_collector.store.comments import Comment
from sitewarden_collector.store.links import Link
from sitewarden_collector.store.ticket_pages import Wanted
from sitewarden_collector.store.tickets import Event

# What a customer sees of a ticket's history, beside the comments that are for them.
TOLD_CUSTOMERS = frozenset(
    (
        *("open_ticket", "assign_ticket", "start_ticket", "wait_ticket", "resolve_ticket", "close_ticket"),
        *("reopen_ticket", "set_priority", "set_category", "propose_solution", "agree_solution", "decline_solution"),
        *("reject_solution", "carry_out_solution", "verify_solution", "plan_visit", "finish_visit", "sign_visit"),
    )
)


@dataclass(frozen=True, slots=True)
class View:
    """`comments` by their ids; `solution` is the one that counts; `engineers` are those to give it to."""

    shown: Shown
    events: Sequence[Event]  # the newest first
    comments: Mapping[str, Comment]
    solutions: Sequence[Solution]
    clocks: Clocks
    links: Sequence[Link]
    paging: PagingState | None
    engineers: Sequence[str]
    parent: str
    children: Sequence[board.Row]

    @property
    def solution(self) -> Solution | None:
        return self.solutions[-1] if self.solutions else None


def view(tx: Connection, number: str, principal: Principal, *, now_ns: int) -> View:
    """The ticket with this number as `principal` may see it. Raises NotFound."""
    shown = tickets.show(tx, number, now_ns=now_ns)
    ticket = shown.ticket
    if not principal.sees(ticket.customer_id):
        raise NotFound(f"there is no ticket {number}")
    outside = bool(principal.only_customer)
    said = {one.id: one for one in comments.of_ticket(tx, ticket.id, customer_only=outside)}
    events = [event for event in reversed(shown.history) if not outside or _for_customer(event, said)]
    if outside:
        shown = replace(shown, around=_without_others(shown.around), silence=None)
    parent = rows.by_id(tx, ticket.parent_id) if ticket.parent_id else None
    return View(
        shown=shown,
        events=events,
        comments=said,
        solutions=solutions.of_ticket(tx, ticket.id),
        clocks=service_levels.clocks(tx, ticket, now_ns=now_ns),
        links=links.of_ticket(tx, ticket.id),
        paging=None if outside else paging.state_of(tx, ticket.id),
        engineers=() if outside else _names(tx, principal, ticket.assignee),
        parent="" if parent is None else parent.number,
        children=board.page(
            tx, Wanted(parent_id=ticket.id, customer_id=principal.only_customer), now_ns=now_ns, sort="opened"
        ),
    )


def _for_customer(event: Event, said: Mapping[str, Comment]) -> bool:
    if event.what == "comment":
        return event.data.get("comment_id") in said
    return event.what in TOLD_CUSTOMERS


def _without_others(around: Surroundings) -> Surroundings:
    return replace(around, elsewhere=(), risks=())


def _names(tx: Connection, principal: Principal, assignee: str) -> list[str]:
    names = {one.name for one in engineers.every(tx)} | {principal.name, assignee}
    return sorted(name for name in names if name)
