"""Problems: the faults behind incidents; and major incidents."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import Field

from sitewarden_collector.http_api.changing import Key, change
from sitewarden_collector.http_api.shapes import In, Line, Number, Out, Text, TicketsWorker, instant, moment
from sitewarden_collector.services.desk import majors, problems
from sitewarden_collector.services.desk.problems import ShownProblem
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store import problems as stored
from sitewarden_collector.store.majors import Major
from sitewarden_collector.store.problems import Problem
from sitewarden_collector.web.context import context

router = APIRouter(tags=["problems"])
State = Literal["new", "investigating", "known_error", "resolved", "closed"]


class ProblemOut(Out):
    number: str = Field(examples=["PRB-101"])
    title: str
    state: str
    fault: str
    owner: str
    cause: str
    workaround: str
    resolution: str
    opened: datetime
    opened_by: str
    resolved: datetime | None


class ProblemDetailOut(ProblemOut):
    incidents: list[str] = Field(description="the numbers of its tickets")


class ProblemIn(In):
    title: Line
    tickets: list[Line] = Field(default=[], max_length=100)


class MajorOut(Out):
    number: str = Field(description="of its ticket")
    reason: str
    declared: datetime
    declared_by: str
    experts: list[str]
    next_update: datetime | None
    ended: datetime | None
    review: str


class DeclareIn(In):
    reason: Text
    experts: list[Line] = Field(default=[], max_length=50)
    update_every_s: Annotated[float, Field(ge=60, le=86_400)] | None = None


class TellIn(In):
    text: Text


@router.get("/problems", operation_id="listProblems", summary="Problems, the newest first")
async def list_problems(
    request: Request,
    who: TicketsWorker,
    state: Annotated[list[State] | None, Query(max_length=5, description="any of these states")] = None,
) -> list[ProblemOut]:
    found = await context(request).db.read(stored.listing, states=state or ())
    return [problem_out(one) for one in found]


@router.get("/problems/{number}", operation_id="getProblem", summary="One problem with its incidents")
async def get_problem(request: Request, who: TicketsWorker, number: Number) -> ProblemDetailOut:
    return problem_detail(await context(request).db.read(problems.show, number))


@router.post(
    "/problems", operation_id="openProblem", summary="Open one", status_code=201, response_model=ProblemDetailOut
)
async def open_problem(
    request: Request, who: TicketsWorker, body: Annotated[ProblemIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Problem:
        return problems.open_problem(tx, body.title, body.tickets, by=who.name, now_ns=now_ns)

    def shape(tx: Tx, made: Problem) -> ProblemDetailOut:
        return problem_detail(problems.show(tx, made.number))

    return await change(request, who, effect, shape, key=key, status=201)


@router.get("/majors", operation_id="listMajors", summary="Major incidents, the newest first")
async def list_majors(
    request: Request, who: TicketsWorker, going_on: Annotated[bool, Query(description="only these")] = False
) -> list[MajorOut]:
    return [major_out(one) for one in await context(request).db.read(majors.listing, going_on=going_on)]


@router.post(
    "/tickets/{number}/major",
    operation_id="declareMajor",
    summary="It is a major incident: on call and experts are paged once",
    response_model=MajorOut,
)
async def declare(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[DeclareIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Major:
        return majors.declare(
            tx,
            number,
            body.reason,
            by=who.name,
            now_ns=now_ns,
            experts=body.experts,
            update_every_s=body.update_every_s,
        )

    return await change(request, who, effect, lambda _tx, made: major_out(made), key=key)


@router.post(
    "/tickets/{number}/major/update",
    operation_id="updateMajor",
    summary="Tell every customer that is concerned",
    response_model=MajorOut,
)
async def tell(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[TellIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Major:
        majors.tell_customers(tx, number, body.text, by=who.name, now_ns=now_ns)
        return majors.show(tx, number).major

    return await change(request, who, effect, lambda _tx, made: major_out(made), key=key)


@router.post(
    "/tickets/{number}/major/end", operation_id="endMajor", summary="It is no longer one", response_model=MajorOut
)
async def end(request: Request, who: TicketsWorker, number: Number, key: Key = "") -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Major:
        return majors.end(tx, number, by=who.name, now_ns=now_ns)

    return await change(request, who, effect, lambda _tx, made: major_out(made), key=key)


def problem_out(one: Problem) -> ProblemOut:
    return ProblemOut(
        number=one.number,
        title=one.title,
        state=str(one.state),
        fault=one.fault,
        owner=one.owner,
        cause=one.cause,
        workaround=one.workaround,
        resolution=one.resolution,
        opened=instant(one.opened_ns),
        opened_by=one.opened_by,
        resolved=moment(one.resolved_ns),
    )


def problem_detail(shown: ShownProblem) -> ProblemDetailOut:
    numbers = [one.ticket.number for one in shown.incidents]
    return ProblemDetailOut(**problem_out(shown.problem).model_dump(), incidents=numbers)


def major_out(one: Major) -> MajorOut:
    return MajorOut(
        number=one.number,
        reason=one.reason,
        declared=instant(one.declared_ns),
        declared_by=one.declared_by,
        experts=list(one.experts),
        next_update=moment(one.next_update_ns),
        ended=moment(one.ended_ns),
        review=one.review,
    )
