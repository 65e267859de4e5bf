"""A major incident while it goes on and afterwards: experts, its review and what follows from it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response
from pydantic import Field

from sitewarden_collector.http_api.changing import Key, change
from sitewarden_collector.http_api.shapes import In, Line, Moment, Number, Text, TicketsWorker, moment, nanoseconds
from sitewarden_collector.http_api.v1.problems import MajorOut, major_out
from sitewarden_collector.http_api.v1.tasks import TaskOut, stored_out
from sitewarden_collector.services.desk import majors
from sitewarden_collector.services.desk.majors import ShownMajor
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store.majors import Major
from sitewarden_collector.store.tasks import StoredTask
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/tickets/{number}/major", tags=["problems"])


class MajorDetailOut(MajorOut):
    title: str
    concerned: list[str] = Field(description="the numbers of the open tickets that it is about, its own first")
    reviewed: datetime | None
    reviewed_by: str
    actions: list[TaskOut]


class ExpertsIn(In):
    experts: list[Line] = Field(min_length=1, max_length=50)


class ReviewIn(In):
    text: Text = Field(description="what happened, why, and what was learned")


class ActionIn(In):
    text: Text
    owner: Line
    due: Moment


@router.get("", operation_id="getMajor", summary="One major incident with its review and actions")
async def get_major(request: Request, who: TicketsWorker, number: Number) -> MajorDetailOut:
    return _detail(await context(request).db.read(majors.show, number))


@router.post("/experts", operation_id="callInExperts", summary="Page further experts, once", response_model=MajorOut)
async def call_in(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[ExpertsIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Major:
        return majors.call_in(tx, number, body.experts, by=who.name, now_ns=now_ns)

    return await change(request, who, effect, lambda _tx, made: major_out(made), key=key)


@router.put("/review", operation_id="reviewMajor", summary="The review, once it is over", response_model=MajorDetailOut)
async def review(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[ReviewIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Major:
        return majors.review(tx, number, body.text, by=who.name, now_ns=now_ns)

    return await change(request, who, effect, lambda tx, made: _detail(majors.show(tx, made.number)), key=key)


@router.post(
    "/actions",
    operation_id="addReviewAction",
    summary="What is to be done so that it does not happen again",
    status_code=201,
    response_model=TaskOut,
)
async def add_action(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[ActionIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()
    due_ns = nanoseconds(body.due)

    def effect(tx: Tx) -> StoredTask:
        return majors.add_action(tx, number, body.text, body.owner, due_ns, by=who.name, now_ns=now_ns)

    return await change(request, who, effect, lambda _tx, made: stored_out(made), key=key, status=201)


def _detail(shown: ShownMajor) -> MajorDetailOut:
    return MajorDetailOut(
        **major_out(shown.major).model_dump(),
        title=shown.ticket.title,
        concerned=list(shown.concerned),
        reviewed=moment(shown.major.reviewed_ns),
        reviewed_by=shown.major.reviewed_by,
        actions=[stored_out(one) for one in shown.actions],
    )
