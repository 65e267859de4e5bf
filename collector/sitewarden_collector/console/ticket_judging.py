"""POST /tickets/NUMBER/...: what people say about a ticket: how urgent it is, what it is about, how a time should have
been counted, who does which step until when; and reporting it to development."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from sitewarden_alerting.servicelevels.targets import Target
from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.ticket_actions import answer
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import clock_corrections, priorities
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.services.desk import moving, solutions, tracker
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()
Worker = Annotated[Principal, Depends(need(Permission.TICKETS_WORK))]


@router.post("/tickets/{number}/priority")
async def priority(request: Request, principal: Worker, number: str) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    wanted = form.number("priority", least=1, most=4)
    reason = form.text("reason", required=True)
    await ctx.db.run(priorities.set_priority, number, wanted, by=principal.name, reason=reason, now_ns=ctx.now_ns())
    return answer(request, principal, number, N_("Priority set. Its clocks count by the new one from the start."))


@router.post("/tickets/{number}/category")
async def category(request: Request, principal: Worker, number: str) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    about, component = form.text("category"), form.text("component")
    await ctx.db.run(moving.set_category, number, about, component, by=principal.name, now_ns=ctx.now_ns())
    return answer(request, principal, number, N_("Category and component set."))


@router.post("/tickets/{number}/clock")
async def clock(request: Request, principal: Worker, number: str) -> Response:
    """Correct how a time in the past was counted; by the wall of the reader."""
    ctx = context(request)
    form = await fields(request, principal)
    from_ns, until_ns = form.moment("from"), form.moment("until")
    if from_ns is None or until_ns is None:
        raise Invalid("a correction has a beginning and an end; give both times")
    effect, target = form.text("effect"), form.text("target")
    if effect not in ("pause", "count"):
        raise Invalid("say whether the time counts or not")
    if target and target not in list(Target):
        raise Invalid(f"there is no clock {target!r}; there are {', '.join(Target)}")
    await ctx.db.run(
        clock_corrections.correct,
        number,
        from_ns=from_ns,
        until_ns=until_ns,
        counts=effect == "count",
        target=Target(target) if target else None,
        reason=form.text("reason", required=True),
        by=principal.name,
        now_ns=ctx.now_ns(),
    )
    return answer(request, principal, number, N_("The clock is corrected; its explanation names you and the reason."))


@router.post("/tickets/{number}/step")
async def step(request: Request, principal: Worker, number: str) -> Response:
    """Who does a step of the solution, until when. The step `propose` plans a solution where there is none."""
    ctx = context(request)
    form = await fields(request, principal)
    which, who = form.text("step", required=True), form.text("owner", required=True)
    due_ns, now_ns = form.moment("due"), ctx.now_ns()
    if which == "propose":
        await ctx.db.run(solutions.plan, number, who, due_ns, by=principal.name, now_ns=now_ns)
    else:
        await ctx.db.run(solutions.give_step, number, which, who, due_ns, by=principal.name, now_ns=now_ns)
    return answer(request, principal, number, N_("The step has its owner; it stands among the tasks."))


@router.post("/tickets/{number}/track")
async def track(request: Request, principal: Worker, number: str) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    kind, text = form.text("kind"), form.text("text", required=True)
    await ctx.db.run(tracker.send, number, kind, text, by=principal.name, now_ns=ctx.now_ns())
    return answer(request, principal, number, N_("Sent to development; what becomes of it comes back here."))
