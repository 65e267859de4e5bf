"""One ticket as the console shows it, in one read: itself and its surroundings, what was said, proposed and paged.

What a customer's account may not see is not in it: internal notes, pages, who works where else.
Not here: its charts and the lines of its log, which are asked for one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from sitewarden_alerting.model import Ticket
from sitewarden_alerting.solutions import Solution
from sitewarden_collector.errors import NotFound
from sitewarden_collector.services import paging, service_levels, tickets
from sitewarden_collector.services.access import Principal
from sitewarden_collector.services.paging import PagingState
from sitewarden_collector.services.service_levels import Clocks
from sitewarden_collector.services.surroundings import Surroundings
from sitewarden_collector.services.ticket_work import Work, work
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
        *("reopen_ticket", "set_priority", "set_category", "propose_solution", "agree_solution"),
        *("reject_solution", "carry_out_solution", "verify_solution", "plan_visit", "cancel_visit", "sign_visit"),
        *("arrive_at_site", "leave_site", "attach_file"),
    )
)
# Events whose reasons are among engineers, and what of an event's data is not.
UNEXPLAINED = frozenset(
    ("assign_ticket", "start_ticket", "wait_ticket", "set_priority", "set_category", "merge_ticket")
)
DATA_TOLD = frozenset(("visibility", "comment_id", "attachment_id", "from_customer", "from", "to"))


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
    work: Work

    @property
    def solution(self) -> Solution | None:
        return self.solutions[-1] if self.solutions else None


def view(tx: Connection, number: str, principal: Principal, *, now_ns: int) -> View:
    """The ticket with this number as `principal` may see it. Raises NotFound."""
    must_see(tx, number, principal)
    shown = tickets.show(tx, number, now_ns=now_ns)
    ticket = shown.ticket
    outside = bool(principal.only_customer)
    said = {one.id: one for one in comments.of_ticket(tx, ticket.id, customer_only=outside)}
    events = [event for event in reversed(shown.history) if not outside or _for_customer(event, said)]
    if outside:
        events = [told(event) for event in events]
    if outside:
        shown = replace(shown, around=_without_others(shown.around), silence=None)
    parent = rows.by_id(tx, ticket.parent_id) if ticket.parent_id else None
    if parent is not None and not principal.sees_site(parent.customer_id, parent.site_id):
        parent = None
    parts = Wanted(parent_id=ticket.id, customer_id=principal.only_customer, site_ids=principal.only_sites)
    return View(
        shown=shown,
        events=events,
        comments=said,
        solutions=solutions.of_ticket(tx, ticket.id),
        clocks=service_levels.clocks(tx, ticket, now_ns=now_ns),
        links=[one for one in links.of_ticket(tx, ticket.id) if principal.sees_site(one.customer_id, one.site_id)],
        paging=None if outside else paging.state_of(tx, ticket.id),
        engineers=() if outside else _names(tx, principal, ticket.assignee),
        parent="" if parent is None else parent.number,
        children=board.page(tx, parts, now_ns=now_ns, sort="opened"),
        work=work(tx, ticket, principal),
    )


def must_see(tx: Connection, number: str, principal: Principal) -> Ticket:
    """The ticket with this number, if it exists for `principal`. Raises NotFound, in the same words whether it is
    nobody's or somebody else's."""
    missing = NotFound(f"there is no ticket {number}; look for it among the tickets")
    try:
        found = rows.by_number(tx, number)
    except NotFound:
        raise missing from None
    if not principal.sees_site(found.customer_id, found.site_id):
        raise missing
    return found


def told(event: Event) -> Event:
    """An event as its customer reads it: why engineers moved a ticket as they did, they wrote for each other."""
    kept = {key: value for key, value in event.data.items() if key in DATA_TOLD}
    return replace(event, text="" if event.what in UNEXPLAINED else event.text, data=kept)


def _for_customer(event: Event, said: Mapping[str, Comment]) -> bool:
    if event.what == "comment":
        return event.data.get("comment_id") in said
    if event.what == "attach_file":
        return event.data.get("visibility") == "customer"
    return event.what in TOLD_CUSTOMERS


def _without_others(around: Surroundings) -> Surroundings:
    return replace(around, elsewhere=(), risks=())


def _names(tx: Connection, principal: Principal, assignee: str) -> list[str]:
    names = {one.name for one in engineers.every(tx)} | {principal.name, assignee}
    return sorted(name for name in names if name)
