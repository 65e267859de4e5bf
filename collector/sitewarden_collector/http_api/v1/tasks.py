"""Whatever has an owner and a due time on the desk: steps of solutions, visits, maintenance, actions of reviews."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from sitewarden_collector.http_api.changing import Key, change
from sitewarden_collector.http_api.shapes import Out, TicketsWorker, moment
from sitewarden_collector.services.desk import tasks
from sitewarden_collector.services.desk.tasks import Task
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store.tasks import StoredTask
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/tasks", tags=["tickets"])
Id = Annotated[str, Path(max_length=36)]


class TaskOut(Out):
    id: str
    kind: str = Field(description="solution, visit, maintenance or review")
    ref: str = Field(description="the number of the ticket or the problem", examples=["INC-1001"])
    text: str
    owner: str
    due: datetime | None
    overdue: bool
    done: datetime | None
    done_by: str


@router.get("", operation_id="listTasks", summary="Open tasks, the most overdue first, those without a time last")
async def list_tasks(
    request: Request,
    who: TicketsWorker,
    owner: Annotated[str, Query(max_length=200, description="only theirs")] = "",
    ref: Annotated[str, Query(max_length=64, description="only of this ticket or problem")] = "",
    overdue: Annotated[bool, Query(description="only what was due before now")] = False,
) -> list[TaskOut]:
    ctx = context(request)
    now_ns = ctx.now_ns()
    found = await ctx.db.read(tasks.of, person=owner, ref=ref, overdue_ns=now_ns if overdue else None)
    return [_out(one, now_ns) for one in found]


@router.post(
    "/{task_id}/finish",
    operation_id="finishTask",
    summary="Maintenance, or an action of a review, is done",
    response_model=TaskOut,
)
async def finish(request: Request, who: TicketsWorker, task_id: Id, key: Key = "") -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> StoredTask:
        return tasks.finish(tx, task_id, by=who.name, now_ns=now_ns)

    return await change(request, who, effect, lambda _tx, done: stored_out(done), key=key)


def stored_out(one: StoredTask) -> TaskOut:
    """What of a problem or a review is to be done, or was."""
    return TaskOut(
        id=one.id,
        kind=one.kind,
        ref=one.ref,
        text=one.text,
        owner=one.owner,
        due=moment(one.due_ns),
        overdue=False,
        done=moment(one.done_ns),
        done_by=one.done_by,
    )


def _out(one: Task, now_ns: int) -> TaskOut:
    return TaskOut(
        id=one.id,
        kind=one.kind,
        ref=one.ref,
        text=one.text,
        owner=one.owner,
        due=moment(one.due_ns),
        overdue=one.overdue(now_ns),
        done=None,
        done_by="",
    )
