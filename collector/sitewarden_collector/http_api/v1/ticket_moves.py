"""What is done with a ticket: each move is a POST, done once under its key, and answers with the ticket afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Request, Response
from pydantic import Field

from sitewarden_collector.errors import Forbidden, NotFound
from sitewarden_collector.http_api.changing import Key, change
from sitewarden_collector.http_api.shapes import (
    In,
    Line,
    Moment,
    Number,
    Text,
    TicketsReporter,
    TicketsWorker,
    nanoseconds,
    narrowed,
)
from sitewarden_collector.http_api.v1.ticket_shapes import TicketDetailOut, Type
from sitewarden_collector.http_api.v1.tickets import detail, must_see
from sitewarden_collector.services.access import Principal, Role
from sitewarden_collector.services.desk import assigning, comments, linking, merging, moving, reporting
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store import listings
from sitewarden_collector.store.pages import Window
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/tickets", tags=["tickets"])
Optional = Annotated[str, Field(max_length=20_000)]
Short = Annotated[str, Field(max_length=200)]
CUSTOMERS_SEVERITY = 3  # nobody outside decides who is woken


class ReportIn(In):
    site: Line = Field(examples=["acme-berlin"])
    title: Line = Field(examples=["Orders hang since noon"])
    type: Type = "incident"
    severity: Annotated[int, Field(ge=1, le=5)] = Field(
        3, description="5 is the worst; what a customer reports has 3, and engineers judge it"
    )
    text: Optional = Field("", description="becomes the first comment")
    reporter: Short = Field("", description="who reported it, where that is somebody else")
    reported: Moment | None = Field(None, description="when it was reported: the clocks count from then")
    category: Short = ""
    component: Short = ""


class CommentIn(In):
    text: Text
    visibility: Literal["internal", "customer"] = Field("internal", description="a customer's own are always theirs")


class AssignIn(In):
    to: Short = Field("", description="an engineer; empty: whoever the desk suggests")
    reason: Short = ""


class WaitIn(In):
    reason: Literal["customer", "third_party", "change"]
    text: Optional = ""


class SayIn(In):
    text: Optional = ""


class WhyIn(In):
    why: Text


class HowIn(In):
    how: Text = Field(description="how it was solved", examples=["restarted the pool with 200 connections"])


class CategoryIn(In):
    category: Short = ""
    component: Short = ""


class IntoIn(In):
    into: Line = Field(description="the ticket that goes on", examples=["INC-1002"])
    reason: Short = ""


class SplitIn(In):
    fingerprint: Line = Field(description="of the record that is a fault of its own")


class LinkIn(In):
    kind: Literal["relates", "duplicates", "causes", "blocks"]
    to: Line = Field(examples=["INC-1002"])


class ParentIn(In):
    parent: Short = Field("", description="the ticket that it is a part of; empty: it stands alone")


@router.post("", operation_id="reportTicket", summary="Report one", status_code=201, response_model=TicketDetailOut)
async def report(request: Request, who: TicketsReporter, body: Annotated[ReportIn, Body()], key: Key = "") -> Response:
    now_ns = context(request).now_ns()
    outside = who.role is Role.CUSTOMER
    if outside and (body.reporter or body.reported is not None):
        raise Forbidden("you report for yourself, now; leave reporter and reported out")

    def effect(tx: Tx) -> str:
        if not listings.sites_page(tx, Window(1), narrowed=narrowed(who), name=body.site):
            raise NotFound(f"there is no site {body.site!r}; `GET /api/v1/sites` lists those that there are")
        made = reporting.report(
            tx,
            body.site,
            body.title,
            by=who.name,
            type=body.type,
            severity=CUSTOMERS_SEVERITY if outside else body.severity,
            text=body.text,
            reporter=body.reporter,
            reported_ns=None if body.reported is None else nanoseconds(body.reported),
            category=body.category,
            component=body.component,
            from_customer=outside,
            now_ns=now_ns,
        )
        return made.number

    def shape(tx: Tx, number: str) -> TicketDetailOut:
        return detail(tx, number, who, now_ns=now_ns)

    return await change(request, who, effect, shape, key=key, status=201)


@router.post(
    "/{number}/acknowledge",
    operation_id="acknowledgeTicket",
    summary="Take it: no further page goes out",
    response_model=TicketDetailOut,
)
async def acknowledge(request: Request, who: TicketsWorker, number: Number, key: Key = "") -> Response:
    return await move(request, who, number, key, moving.acknowledge)


@router.post("/{number}/comment", operation_id="commentTicket", summary="Say something", response_model=TicketDetailOut)
async def comment(
    request: Request, who: TicketsReporter, number: Number, body: Annotated[CommentIn, Body()], key: Key = ""
) -> Response:
    outside = who.role is Role.CUSTOMER
    visibility = "customer" if outside else body.visibility
    return await move(request, who, number, key, comments.add, body.text, visibility=visibility, from_customer=outside)


@router.post(
    "/{number}/assign", operation_id="assignTicket", summary="Give it to somebody", response_model=TicketDetailOut
)
async def assign(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[AssignIn, Body()], key: Key = ""
) -> Response:
    if body.to:
        return await move(request, who, number, key, assigning.assign, body.to, reason=body.reason)
    return await move(request, who, number, key, assigning.give)


@router.post(
    "/{number}/unassign", operation_id="unassignTicket", summary="Nobody has it", response_model=TicketDetailOut
)
async def unassign(request: Request, who: TicketsWorker, number: Number, key: Key = "") -> Response:
    return await move(request, who, number, key, assigning.unassign)


@router.post("/{number}/start", operation_id="startTicket", summary="Work begins", response_model=TicketDetailOut)
async def start(request: Request, who: TicketsWorker, number: Number, key: Key = "") -> Response:
    return await move(request, who, number, key, moving.start)


@router.post(
    "/{number}/wait",
    operation_id="waitTicket",
    summary="Nothing can be done for now; the contract says whether its clocks pause",
    response_model=TicketDetailOut,
)
async def wait(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[WaitIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, moving.wait, body.reason, text=body.text)


@router.post(
    "/{number}/resume",
    operation_id="resumeTicket",
    summary="What it waited for has come",
    response_model=TicketDetailOut,
)
async def resume(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[SayIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, moving.resume, text=body.text)


@router.post("/{number}/resolve", operation_id="resolveTicket", summary="It is solved", response_model=TicketDetailOut)
async def resolve(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[HowIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, moving.resolve, body.how)


@router.post(
    "/{number}/confirm",
    operation_id="confirmTicket",
    summary="The customer says that it is solved: it is closed",
    response_model=TicketDetailOut,
)
async def confirm(
    request: Request, who: TicketsReporter, number: Number, body: Annotated[SayIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, moving.confirm, comment=body.text)


@router.post(
    "/{number}/reopen",
    operation_id="reopenTicket",
    summary="It is not solved after all",
    response_model=TicketDetailOut,
)
async def reopen(
    request: Request, who: TicketsReporter, number: Number, body: Annotated[WhyIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, moving.reopen, body.why)


@router.post(
    "/{number}/close", operation_id="closeTicket", summary="It is over for good", response_model=TicketDetailOut
)
async def close(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[SayIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, moving.close, why=body.text)


@router.post(
    "/{number}/category", operation_id="setTicketCategory", summary="What it is about", response_model=TicketDetailOut
)
async def set_category(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[CategoryIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, moving.set_category, body.category, body.component)


@router.post(
    "/{number}/merge",
    operation_id="mergeTicket",
    summary="Let it go into another one; holds for what comes next, too, and can be undone",
    response_model=TicketDetailOut,
)
async def merge(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[IntoIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, merging.merge, body.into, reason=body.reason, others=(body.into,))


@router.post(
    "/{number}/unmerge",
    operation_id="unmergeTicket",
    summary="Take a merged one out again",
    response_model=TicketDetailOut,
)
async def unmerge(request: Request, who: TicketsWorker, number: Number, key: Key = "") -> Response:
    return await move(request, who, number, key, merging.unmerge)


@router.post(
    "/{number}/split",
    operation_id="splitTicket",
    summary="One of its records is a fault of its own: it gets a ticket, which is answered",
    response_model=TicketDetailOut,
)
async def split(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[SplitIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, merging.split, body.fingerprint)


@router.post(
    "/{number}/link",
    operation_id="linkTicket",
    summary="What it has to do with another",
    response_model=TicketDetailOut,
)
async def link(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[LinkIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, linking.link, body.kind, body.to, others=(body.to,))


@router.post(
    "/{number}/unlink", operation_id="unlinkTicket", summary="Take a link back", response_model=TicketDetailOut
)
async def unlink(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[LinkIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, linking.unlink, body.kind, body.to, others=(body.to,))


@router.post(
    "/{number}/parent", operation_id="setTicketParent", summary="What it is a part of", response_model=TicketDetailOut
)
async def set_parent(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[ParentIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, linking.set_parent, body.parent)


async def move(
    request: Request,
    who: Principal,
    number: str,
    key: str,
    service: Callable[..., Any],
    *arguments: Any,
    others: tuple[str, ...] = (),
    **named: Any,
) -> Response:
    """Call `service(tx, number, ..., by=, now_ns=)` where `who` may see the ticket (and `others`), and answer with it
    as it is then; where the service gives back another ticket, with that."""
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> str:
        for one in (number, *others):
            must_see(tx, one, who)
        made = service(tx, number, *arguments, **named, by=who.name, now_ns=now_ns)
        return str(getattr(made, "number", "") or number)

    def shape(tx: Tx, which: str) -> TicketDetailOut:
        return detail(tx, which, who, now_ns=now_ns)

    return await change(request, who, effect, shape, key=key)
