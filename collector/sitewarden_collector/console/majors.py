"""/majors, /majors/INC-1 and /tasks: major incidents, their next updates and reviews with actions; all open tasks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from sitewarden_collector.console import tables
from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import done, gettext, moved, page
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.services.desk import majors, tasks
from sitewarden_collector.store import site_names
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()
KINDS = ("solution", "visit", "maintenance", "review")

Reads = Annotated[Principal, Depends(need(Permission.CUSTOMERS_READ))]
Works = Annotated[Principal, Depends(need(Permission.TICKETS_WORK))]


@router.get("/majors")
async def listing(request: Request, principal: Reads) -> HTMLResponse:
    found = await context(request).db.read(majors.listing)
    going_on = [one for one in found if one.ended_ns is None]
    over = [one for one in found if one.ended_ns is not None]
    names = await context(request).db.read(site_names.customer_names)
    return page(request, principal, "majors.html", going_on=going_on, over=over, customers=names)


@router.post("/majors")
async def declare(request: Request, principal: Works) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    made = await ctx.db.run(
        majors.declare,
        form.text("ticket", required=True).upper(),
        form.text("reason", required=True),
        by=principal.name,
        now_ns=ctx.now_ns(),
        experts=form.words("experts"),
        update_every_s=60.0 * form.number("minutes", least=1, most=10_080) if form.text("minutes") else None,
    )
    ctx.wake()
    return moved(
        request, f"/majors/{made.number}", text=gettext(request, principal, N_("Declared; whoever is needed is paged."))
    )


@router.get("/majors/{number}")
async def major(number: str, request: Request, principal: Reads) -> HTMLResponse:
    shown = await context(request).db.read(majors.show, number)
    return page(request, principal, "major.html", shown=shown)


@router.post("/majors/{number}/call")
async def call_in(number: str, request: Request, principal: Works) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    experts = form.words("experts")
    await ctx.db.run(majors.call_in, number, experts, by=principal.name, now_ns=ctx.now_ns())
    ctx.wake()
    text = gettext(request, principal, N_("%(people)s are paged."), people=", ".join(experts))
    return done(request, text, back=f"/majors/{number}")


@router.post("/majors/{number}/tell")
async def tell(number: str, request: Request, principal: Works) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    told = await ctx.db.run(
        majors.tell_customers, number, form.text("text", required=True), by=principal.name, now_ns=ctx.now_ns()
    )
    ctx.wake()
    text = gettext(request, principal, N_("Told at %(number)s tickets."), number=len(told))
    return done(request, text, back=f"/majors/{number}")


@router.post("/majors/{number}/end")
async def end(number: str, request: Request, principal: Works) -> Response:
    ctx = context(request)
    await ctx.db.run(majors.end, number, by=principal.name, now_ns=ctx.now_ns())
    text = gettext(request, principal, N_("It is over. Write the review while it is fresh."))
    return done(request, text, back=f"/majors/{number}")


@router.post("/majors/{number}/review")
async def review(number: str, request: Request, principal: Works) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    await ctx.db.run(majors.review, number, form.text("text", required=True), by=principal.name, now_ns=ctx.now_ns())
    return done(request, gettext(request, principal, N_("The review is kept.")), back=f"/majors/{number}")


@router.post("/majors/{number}/actions")
async def add_action(number: str, request: Request, principal: Works) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    due_ns = form.moment("due")
    if due_ns is None:
        raise Invalid("every action has a date; fill in until when it is to be done")
    await ctx.db.run(
        majors.add_action,
        number,
        form.text("text", required=True),
        form.text("owner", required=True),
        due_ns,
        by=principal.name,
        now_ns=ctx.now_ns(),
    )
    return done(request, gettext(request, principal, N_("The action is set.")), back=f"/majors/{number}")


@router.get("/tasks")
async def every_task(request: Request, principal: Works) -> HTMLResponse:
    ctx = context(request)
    table = tables.asked(request, sorts=("due",), sort="due", filters=("owner", "kind", "overdue"))
    now_ns = ctx.now_ns()
    mine = principal.name if table.filters["owner"] == "me" else ""
    found = await ctx.db.read(tasks.of, person=mine, overdue_ns=now_ns if table.filters["overdue"] == "1" else None)
    kind = table.filters["kind"]
    found = [one for one in found if kind in ("", one.kind)]
    table, rows = table.shown(found[table.offset : table.offset + table.size + 1])
    return page(request, principal, "tasks.html", table=table, rows=rows, kinds=KINDS)
