"""The work on a problem after it was opened: its cause, its incidents, its maintenance, its end."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Request, Response
from pydantic import Field

from sitewarden_collector.http_api.changing import Key, change
from sitewarden_collector.http_api.shapes import In, Line, Moment, Number, Text, TicketsWorker, nanoseconds
from sitewarden_collector.http_api.v1.problems import ProblemDetailOut, ProblemOut, problem_detail, problem_out
from sitewarden_collector.http_api.v1.tasks import TaskOut, stored_out
from sitewarden_collector.services.desk import problems
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store.problems import Problem
from sitewarden_collector.store.tasks import StoredTask
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/problems/{number}", tags=["problems"])
Ticket = Annotated[str, Path(max_length=64, description="the incident's number", examples=["INC-1001"])]
Long = Annotated[str, Field(max_length=20_000)]


class ProblemChangeIn(In):
    """What is not given stays as it is."""

    title: Line | None = None
    owner: Annotated[str, Field(max_length=200)] | None = None
    cause: Long | None = None
    workaround: Long | None = Field(None, description="shown at every incident of the problem")


class MoveIn(In):
    to: Literal["investigating", "known_error", "closed"] = Field(description="a known error has its cause")


class ResolveIn(In):
    how: Text
    resolve_incidents: bool = Field(False, description="its open incidents too")


class ResolvedOut(ProblemOut):
    open_incidents: list[str] = Field(description="which were open, and with `resolve_incidents` are resolved now")


class TaskIn(In):
    text: Text
    owner: Line
    due: Moment | None = None


class IncidentIn(In):
    ticket: Line = Field(examples=["INC-1001"])


@router.patch("", operation_id="changeProblem", summary="Title, owner, cause, workaround", response_model=ProblemOut)
async def edit(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[ProblemChangeIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()
    said = {name: text for name, text in body.model_dump().items() if text is not None}

    def effect(tx: Tx) -> Problem:
        return problems.edit(tx, number, by=who.name, now_ns=now_ns, **said)

    return await change(request, who, effect, lambda _tx, made: problem_out(made), key=key)


@router.post("/move", operation_id="moveProblem", summary="How far it is", response_model=ProblemOut)
async def move(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[MoveIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Problem:
        return problems.move(tx, number, body.to, by=who.name, now_ns=now_ns)

    return await change(request, who, effect, lambda _tx, made: problem_out(made), key=key)


@router.post("/resolve", operation_id="resolveProblem", summary="The cause is gone", response_model=ResolvedOut)
async def resolve(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[ResolveIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> tuple[Problem, tuple[str, ...]]:
        return problems.resolve(
            tx, number, body.how, by=who.name, now_ns=now_ns, resolve_incidents=body.resolve_incidents
        )

    def shape(_tx: Tx, made: tuple[Problem, tuple[str, ...]]) -> ResolvedOut:
        return ResolvedOut(**problem_out(made[0]).model_dump(), open_incidents=list(made[1]))

    return await change(request, who, effect, shape, key=key)


@router.post(
    "/tasks",
    operation_id="addProblemTask",
    summary="Maintenance that removes the cause",
    status_code=201,
    response_model=TaskOut,
)
async def add_task(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[TaskIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()
    due_ns = None if body.due is None else nanoseconds(body.due)

    def effect(tx: Tx) -> StoredTask:
        return problems.add_task(tx, number, body.text, body.owner, due_ns, by=who.name, now_ns=now_ns)

    return await change(request, who, effect, lambda _tx, made: stored_out(made), key=key, status=201)


@router.post(
    "/incidents",
    operation_id="includeIncident",
    summary="A ticket is an incident of it; another problem loses it",
    response_model=ProblemDetailOut,
)
async def include(
    request: Request, who: TicketsWorker, number: Number, body: Annotated[IncidentIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Any:
        return problems.include(tx, number, body.ticket, by=who.name, now_ns=now_ns)

    return await change(request, who, effect, lambda tx, _made: problem_detail(problems.show(tx, number)), key=key)


@router.delete(
    "/incidents/{ticket}",
    operation_id="excludeIncident",
    summary="A ticket has nothing to do with it after all",
    response_model=ProblemDetailOut,
)
async def exclude(request: Request, who: TicketsWorker, number: Number, ticket: Ticket, key: Key = "") -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Any:
        return problems.exclude(tx, number, ticket, by=who.name, now_ns=now_ns)

    return await change(request, who, effect, lambda tx, _made: problem_detail(problems.show(tx, number)), key=key)
