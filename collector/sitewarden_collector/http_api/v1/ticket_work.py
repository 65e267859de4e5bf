"""What belongs to a ticket: its solution step by step, files kept with it, visits to the site, defects reported."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Body, File, Form, Path, Request, Response, UploadFile
from pydantic import Field

from sitewarden_collector.errors import NotFound
from sitewarden_collector.http_api.changing import Key, change
from sitewarden_collector.http_api.shapes import (
    In,
    Line,
    Moment,
    Number,
    Out,
    Text,
    TicketsReader,
    TicketsReporter,
    TicketsWorker,
    instant,
    moment,
    nanoseconds,
)
from sitewarden_collector.http_api.v1.ticket_moves import SayIn, WhyIn, move
from sitewarden_collector.http_api.v1.ticket_shapes import AttachmentOut, TicketDetailOut, attachment_out
from sitewarden_collector.http_api.v1.tickets import must_see
from sitewarden_collector.services.access import Principal, Role
from sitewarden_collector.services.desk import attaching, solutions, tracker, visits
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store import tickets as stored
from sitewarden_collector.store.attachments import Attachment
from sitewarden_collector.store.visits import Visit
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/tickets/{number}", tags=["tickets"])
Id = Annotated[str, Path(max_length=36)]
Owner = Annotated[str, Field(max_length=200)]


class DutyIn(In):
    step: Literal["agree", "carry_out", "verify"]
    owner: Owner = ""
    due: Moment | None = None


class PlanIn(In):
    owner: Line = Field(description="who is to propose a solution")
    due: Moment | None = None


class ProposeIn(In):
    text: Text
    duties: list[DutyIn] = Field(default=[], max_length=3, description="whose steps the further ones are, until when")


class AgreeIn(In):
    who: Owner = Field("", description="who of the customer agreed, where an engineer writes it down")
    text: Annotated[str, Field(max_length=20_000)] = ""


class VisitIn(In):
    engineer: Line
    planned: Moment


class FindingsIn(In):
    findings: Text


class SignIn(In):
    signed_by: Line = Field(description="the name of whoever signs at the site")


class TrackIn(In):
    kind: Literal["defect", "feature"]
    text: Text


class VisitOut(Out):
    """An engineer at the site."""

    id: str
    engineer: str
    state: str
    planned: datetime
    arrived: datetime | None
    left: datetime | None
    findings: str
    signed_by: str
    signed: datetime | None


@router.post("/solution/plan", operation_id="planSolution", summary="Who proposes one", response_model=TicketDetailOut)
async def plan(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[PlanIn, Body()], key: Key = ""
) -> Response:
    due_ns = None if body.due is None else nanoseconds(body.due)
    return await move(request, who, number, key, solutions.plan, body.owner, due_ns)


@router.post(
    "/solution/propose",
    operation_id="proposeSolution",
    summary="Propose a solution to the customer",
    response_model=TicketDetailOut,
)
async def propose(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[ProposeIn, Body()], key: Key = ""
) -> Response:
    duties = {one.step: (one.owner, None if one.due is None else nanoseconds(one.due)) for one in body.duties}
    return await move(request, who, number, key, solutions.propose, body.text, duties=duties)


@router.post(
    "/solution/agree", operation_id="agreeSolution", summary="The customer agrees", response_model=TicketDetailOut
)
async def agree(
    request: Request, who: TicketsReporter, number: Number, body: Annotated[AgreeIn, Body()], key: Key = ""
) -> Response:
    named = who.name if who.role is Role.CUSTOMER else body.who
    return await move(request, who, number, key, solutions.agree, agreed_by=named, text=body.text)


@router.post(
    "/solution/reject", operation_id="rejectSolution", summary="It is not wanted", response_model=TicketDetailOut
)
async def reject(
    request: Request, who: TicketsReporter, number: Number, body: Annotated[WhyIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, solutions.reject, body.why)


@router.post(
    "/solution/carry-out", operation_id="carryOutSolution", summary="It is done", response_model=TicketDetailOut
)
async def carry_out(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[SayIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, solutions.carry_out, text=body.text)


@router.post("/solution/verify", operation_id="verifySolution", summary="It works", response_model=TicketDetailOut)
async def verify(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[SayIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, solutions.verify, text=body.text)


@router.post(
    "/attachments",
    operation_id="attachFile",
    summary="Keep a file with it; it rests encrypted",
    status_code=201,
    response_model=AttachmentOut,
)
async def attach(
    request: Request,
    who: TicketsReporter,
    number: Number,
    file: Annotated[UploadFile, File(description="the file")],
    visibility: Annotated[Literal["internal", "customer"], Form()] = "internal",
    key: Key = "",
) -> Response:
    ctx = context(request)
    now_ns, content, name = ctx.now_ns(), await file.read(), file.filename or "file"
    seen = "customer" if who.role is Role.CUSTOMER else visibility

    def effect(tx: Tx) -> Attachment:
        must_see(tx, number, who)
        return attaching.attach(tx, number, name, content, ctx.secret, by=who.name, now_ns=now_ns, visibility=seen)

    return await change(request, who, effect, lambda _tx, made: attachment_out(made), key=key, status=201)


@router.get(
    "/attachments/{attachment_id}",
    operation_id="getAttachment",
    summary="A file kept with it",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def get_attachment(request: Request, who: TicketsReader, number: Number, attachment_id: Id) -> Response:
    ctx = context(request)

    def read(tx: Tx) -> tuple[Attachment, bytes]:
        must_see(tx, number, who)
        found, content = attaching.content_of(tx, attachment_id, ctx.secret)
        hidden = who.role is Role.CUSTOMER and found.visibility != "customer"
        if hidden or found.ticket_id != stored.by_number(tx, number).id:
            raise NotFound(f"{number} has no file {attachment_id}; `GET /api/v1/tickets/{number}` lists its files")
        return found, content

    found, content = await ctx.db.read(read)
    # Never shown by a browser as what somebody else says that it is.
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.get("/visits", operation_id="listVisits", summary="Visits to the site for it")
async def list_visits(request: Request, who: TicketsReader, number: Number) -> list[VisitOut]:
    def read(tx: Tx) -> list[VisitOut]:
        must_see(tx, number, who)
        return [_visit(one) for one in visits.of_ticket(tx, stored.by_number(tx, number).id)]

    return await context(request).db.read(read)


@router.post("/visits", operation_id="planVisit", summary="Plan one", status_code=201, response_model=VisitOut)
async def plan_visit(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[VisitIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()
    planned_ns = nanoseconds(body.planned)

    def effect(tx: Tx) -> Visit:
        must_see(tx, number, who)
        return visits.plan(tx, number, body.engineer, planned_ns, by=who.name, now_ns=now_ns)

    return await change(request, who, effect, lambda _tx, made: _visit(made), key=key, status=201)


@router.post(
    "/visits/{visit_id}/arrive", operation_id="arriveAtVisit", summary="The engineer is there", response_model=VisitOut
)
async def arrive(request: Request, who: TicketsWorker, number: Number, visit_id: Id, key: Key = "") -> Response:
    return await _visited(request, who, number, visit_id, key, visits.arrive)


@router.post(
    "/visits/{visit_id}/leave", operation_id="leaveVisit", summary="It is over; what was found", response_model=VisitOut
)
async def leave(
    request: Request,
    who: TicketsWorker,
    number: Number,
    visit_id: Id,
    body: Annotated[FindingsIn, Body()],
    key: Key = "",
) -> Response:
    return await _visited(request, who, number, visit_id, key, visits.leave, body.findings)


@router.post(
    "/visits/{visit_id}/sign", operation_id="signVisit", summary="Somebody at the site signs", response_model=VisitOut
)
async def sign(
    request: Request, who: TicketsWorker, number: Number, visit_id: Id, body: Annotated[SignIn, Body()], key: Key = ""
) -> Response:
    return await _visited(request, who, number, visit_id, key, visits.sign, body.signed_by)


@router.post(
    "/visits/{visit_id}/cancel", operation_id="cancelVisit", summary="It does not take place", response_model=VisitOut
)
async def cancel(
    request: Request, who: TicketsWorker, number: Number, visit_id: Id, body: Annotated[WhyIn, Body()], key: Key = ""
) -> Response:
    return await _visited(request, who, number, visit_id, key, visits.cancel, body.why)


@router.post(
    "/tracker",
    operation_id="trackTicket",
    summary="Report it to development as a defect or a feature request",
    response_model=TicketDetailOut,
)
async def track(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[TrackIn, Body()], key: Key = ""
) -> Response:
    return await move(request, who, number, key, _tracked, body.kind, body.text)


def _tracked(tx: Tx, number: str, kind: str, text: str, *, by: str, now_ns: int) -> None:
    tracker.send(tx, number, kind, text, by=by, now_ns=now_ns)


async def _visited(
    request: Request,
    who: Principal,
    number: str,
    visit_id: str,
    key: str,
    service: Callable[..., Visit],
    *arguments: str,
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Visit:
        must_see(tx, number, who)
        if visit_id not in {one.id for one in visits.of_ticket(tx, stored.by_number(tx, number).id)}:
            raise NotFound(f"{number} has no visit {visit_id}; `GET /api/v1/tickets/{number}/visits` lists its visits")
        return service(tx, visit_id, *arguments, by=who.name, now_ns=now_ns)

    def shape(_tx: Tx, made: Any) -> VisitOut:
        return _visit(made)

    return await change(request, who, effect, shape, key=key)


def _visit(one: Visit) -> VisitOut:
    return VisitOut(
        id=one.id,
        engineer=one.engineer,
        state=one.state,
        planned=instant(one.planned_ns),
        arrived=moment(one.arrived_ns),
        left=moment(one.left_ns),
        findings=one.findings,
        signed_by=one.signed_by,
        signed=moment(one.signed_ns),
    )
