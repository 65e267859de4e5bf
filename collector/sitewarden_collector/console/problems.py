"""/problems and /problems/PRB-1: the cause behind incidents, its workaround, the maintenance that removes it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from sitewarden_alerting.problems import PROBLEM_MOVES
from sitewarden_collector.console import tables
from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import done, gettext, moved, page
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.services.desk import problems, tasks
from sitewarden_collector.store import problem_pages
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()
ALIVE = ("new", "investigating", "known_error")

# A problem spans customers: who sees only one of them sees none.
Reads = Annotated[Principal, Depends(need(Permission.CUSTOMERS_READ))]
Works = Annotated[Principal, Depends(need(Permission.TICKETS_WORK))]


@router.get("/problems")
async def listing(request: Request, principal: Reads) -> HTMLResponse:
    ctx = context(request)
    table = tables.asked(request, sorts=problem_pages.SORTS, sort="opened", filters=("text", "state"))
    state = table.filters["state"]
    states = (state,) if state in problem_pages.STATES else () if state == "all" else ALIVE
    found = await ctx.db.read(
        problem_pages.page,
        states=states,
        text=table.filters["text"],
        sort=table.sort,
        down=table.down,
        offset=table.offset,
        limit=table.size + 1,
    )
    table, rows = table.shown(found)
    counts = await ctx.db.read(problem_pages.counts)
    return page(request, principal, "problems.html", table=table, rows=rows, counts=counts, states=problem_pages.STATES)


@router.post("/problems")
async def open_problem(request: Request, principal: Works) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    made = await ctx.db.run(
        problems.open_problem,
        form.text("title", required=True),
        [number.upper() for number in form.words("tickets")],
        by=principal.name,
        now_ns=ctx.now_ns(),
    )
    text = gettext(request, principal, N_("%(number)s is opened."), number=made.number)
    return moved(request, f"/problems/{made.number}", text=text)


@router.get("/problems/{number}")
async def problem(number: str, request: Request, principal: Reads) -> HTMLResponse:
    shown = await context(request).db.read(problems.show, number)
    moves = [state.value for state in PROBLEM_MOVES[shown.problem.state]]
    return page(
        request,
        principal,
        "problem.html",
        shown=shown,
        moves=[state for state in problem_pages.STATES if state in moves and state != "resolved"],
        resolvable="resolved" in moves,
        history=list(reversed(shown.history)),
    )


@router.post("/problems/{number}/edit")
async def edit(number: str, request: Request, principal: Works) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    before = (await ctx.db.read(problems.show, number)).problem
    said = {name: form.text(name) for name in ("title", "owner", "cause", "workaround") if name in form.all}
    changed = {name: text for name, text in said.items() if text != getattr(before, name)}
    if changed:
        await ctx.db.run(problems.edit, number, by=principal.name, now_ns=ctx.now_ns(), **changed)
    return done(request, gettext(request, principal, N_("Changed.")), back=f"/problems/{number}")


@router.post("/problems/{number}/move")
async def move(number: str, request: Request, principal: Works) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    await ctx.db.run(problems.move, number, form.text("to"), by=principal.name, now_ns=ctx.now_ns())
    return done(request, gettext(request, principal, N_("Changed.")), back=f"/problems/{number}")


@router.post("/problems/{number}/resolve")
async def resolve(number: str, request: Request, principal: Works) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    _, left = await ctx.db.run(
        problems.resolve,
        number,
        form.text("how", required=True),
        by=principal.name,
        now_ns=ctx.now_ns(),
        resolve_incidents=form.flag("incidents"),
    )
    ctx.wake()
    if left and form.flag("incidents"):
        text = gettext(request, principal, N_("Resolved, with %(numbers)s."), numbers=", ".join(left))
    elif left:
        text = gettext(request, principal, N_("Resolved. Still open: %(numbers)s."), numbers=", ".join(left))
    else:
        text = gettext(request, principal, N_("Resolved."))
    return done(request, text, back=f"/problems/{number}")


@router.post("/problems/{number}/include")
async def include(number: str, request: Request, principal: Works) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    ticket = form.text("ticket", required=True).upper()
    await ctx.db.run(problems.include, number, ticket, by=principal.name, now_ns=ctx.now_ns())
    text = gettext(request, principal, N_("%(ticket)s is one of its incidents."), ticket=ticket)
    return done(request, text, back=f"/problems/{number}")


@router.post("/problems/{number}/exclude")
async def exclude(number: str, request: Request, principal: Works) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    ticket = form.text("ticket", required=True)
    await ctx.db.run(problems.exclude, number, ticket, by=principal.name, now_ns=ctx.now_ns())
    text = gettext(request, principal, N_("%(ticket)s is none of its incidents any more."), ticket=ticket)
    return done(request, text, back=f"/problems/{number}")


@router.post("/problems/{number}/tasks")
async def add_task(number: str, request: Request, principal: Works) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    await ctx.db.run(
        problems.add_task,
        number,
        form.text("text", required=True),
        form.text("owner") or principal.name,
        form.moment("due"),
        by=principal.name,
        now_ns=ctx.now_ns(),
    )
    return done(request, gettext(request, principal, N_("The task is set.")), back=f"/problems/{number}")


@router.post("/tasks/{task_id}/finish")
async def finish(task_id: str, request: Request, principal: Works) -> Response:
    ctx = context(request)
    task = await ctx.db.run(tasks.finish, task_id, by=principal.name, now_ns=ctx.now_ns())
    back = f"/problems/{task.ref}" if task.kind == "maintenance" else f"/majors/{task.ref}"
    return done(request, gettext(request, principal, N_("Done.")), back=back)
