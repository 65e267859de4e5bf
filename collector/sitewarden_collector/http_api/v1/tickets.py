"""Tickets, read: listed with filters, and one with its evidence, its history and its clocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from sitewarden_collector.errors import Forbidden
from sitewarden_collector.http_api.paging import Cursor, Limit, Page, page, window
from sitewarden_collector.http_api.shapes import Moment, Number, Search, TicketsReader, moment, nanoseconds
from sitewarden_collector.http_api.v1.ticket_shapes import (
    State,
    TicketDetailOut,
    TicketOut,
    Type,
    attachment_out,
    clock_out,
    comment_out,
    evidence_out,
    history_out,
    link_out,
    solution_out,
    ticket_out,
)
from sitewarden_collector.services import service_levels, ticket_view
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.access import Principal, Role
from sitewarden_collector.services.desk import attaching, comments, linking, solutions
from sitewarden_collector.services.once import Tx
from sitewarden_collector.services.tickets import Shown
from sitewarden_collector.store import problems, ticket_pages
from sitewarden_collector.store.pages import Window
from sitewarden_collector.store.ticket_pages import Order, Wanted
from sitewarden_collector.store.tickets import Listed
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/tickets", tags=["tickets"])
Priority = Annotated[int, Field(ge=1, le=4)]


@router.get("", operation_id="listTickets", summary="Tickets, the newest first", response_model=Page[TicketOut])
async def list_tickets(
    request: Request,
    who: TicketsReader,
    state: Annotated[list[State] | None, Query(max_length=10, description="any of these states")] = None,
    type: Annotated[list[Type] | None, Query(max_length=10, description="any of these kinds of work")] = None,
    priority: Annotated[list[Priority] | None, Query(max_length=10, description="any of these, 1 to 4")] = None,
    site: Annotated[str, Query(max_length=200, description="the name of a site")] = "",
    customer: Annotated[str, Query(max_length=200, description="the name of a customer")] = "",
    assignee: Annotated[str | None, Query(max_length=200, description="who has it; empty: nobody yet")] = None,
    fault: Annotated[str, Query(max_length=255, description="the identity of a fault")] = "",
    problem: Annotated[str, Query(max_length=64, description="the number of the problem behind them")] = "",
    parent: Annotated[str, Query(max_length=64, description="the number of the ticket that they are parts of")] = "",
    major: Annotated[bool | None, Query(description="only major incidents, or none")] = None,
    updated_since: Annotated[Moment | None, Query(description="changed or seen since this time")] = None,
    q: Search = "",
    sort: Annotated[Order, Query(description="a column; with a minus the greatest first")] = "-opened",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Any:
    wanted = Wanted(
        states=state or (),
        types=type or (),
        priorities=priority or (),
        site=site,
        customer=customer,
        customer_id=who.only_customer,
        site_ids=who.only_sites,
        assignee=assignee,
        fault=fault,
        major=major,
        updated_since_ns=None if updated_since is None else nanoseconds(updated_since),
        text=q,
    )
    asked = window(request, cursor=cursor, limit=limit, descending=sort.startswith("-"))

    rows = await context(request).db.read(_found, wanted, asked, who, order=sort, problem=problem, parent=parent)
    return page(
        request,
        rows,
        asked,
        shape=lambda one: ticket_out(one.ticket, one.site, one.customer),
        keys=lambda one: ticket_pages.keys(one, order=sort),
    )


@router.get(
    "/{number}",
    operation_id="getTicket",
    summary="One ticket with its evidence, its history and its clocks explained",
    response_model=TicketDetailOut,
)
async def get_ticket(request: Request, who: TicketsReader, number: Number) -> Any:
    ctx = context(request)
    return await ctx.db.read(detail, number, who, now_ns=ctx.now_ns())


def _found(
    tx: Tx, wanted: Wanted, asked: Window, who: Principal, *, order: Order, problem: str, parent: str
) -> list[Listed]:
    if parent:
        wanted = replace(wanted, parent_id=ticket_view.must_see(tx, parent, who).id)
    if problem:
        if who.role is Role.CUSTOMER:  # a problem is of several customers
            raise Forbidden("problems are not shown to customers; leave `problem` out")
        wanted = replace(wanted, problem_id=problems.by_number(tx, problem).id)
    return ticket_pages.find(tx, wanted, asked, order=order)


def detail(tx: Tx, number: str, who: Principal, *, now_ns: int) -> TicketDetailOut:
    """A ticket as `who` may see it. Raises NotFound, also for what is another customer's."""
    must_see(tx, number, who)
    return shown_out(tx, ticketing.show(tx, number, now_ns=now_ns), who, now_ns=now_ns)


def must_see(tx: Tx, number: str, who: Principal) -> None:
    """Raise NotFound when the ticket is not there for `who`."""
    ticket_view.must_see(tx, number, who)


def shown_out(tx: Tx, shown: Shown, who: Principal, *, now_ns: int) -> TicketDetailOut:
    ticket = shown.ticket
    outside = who.role is Role.CUSTOMER
    promised = service_levels.clocks(tx, ticket, now_ns=now_ns)
    return TicketDetailOut(
        **ticket_out(ticket, shown.site, shown.customer),
        merged_into=shown.merged_into,
        parent_id="" if outside else ticket.parent_id,
        problem_id="" if outside else ticket.problem_id,
        previous=ticket.previous,
        silenced_until=None if outside or shown.silence is None else moment(shown.silence.until_ns),
        evidence=[evidence_out(one) for one in shown.evidence],
        history=history_out(shown.history, who),
        comments=[comment_out(one) for one in comments.of_ticket(tx, ticket.id, customer_only=outside)],
        solutions=[solution_out(one) for one in solutions.of_ticket(tx, ticket.id)],
        attachments=[attachment_out(one) for one in attaching.of_ticket(tx, ticket.id, outside)],
        links=[
            link_out(one) for one in linking.of_ticket(tx, ticket.id) if who.sees_site(one.customer_id, one.site_id)
        ],
        contract=promised.contract_number,
        service_level=promised.level_name,
        clocks=[clock_out(one) for one in promised.clocks],
    )
