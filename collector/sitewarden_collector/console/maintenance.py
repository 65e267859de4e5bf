"""/maintenance: planned times in which a site wakes nobody, once or again every some days."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from sitewarden_collector.console import tables
from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import done, gettext, page
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import maintenance as planning
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store import site_names
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()
SORTS = ("from", "until", "site")

Reads = Annotated[Principal, Depends(need(Permission.ONCALL_READ))]
Writes = Annotated[Principal, Depends(need(Permission.SILENCES_WRITE))]


@router.get("/maintenance")
async def windows(request: Request, principal: Reads) -> HTMLResponse:
    ctx = context(request)
    table = tables.asked(request, sorts=SORTS, sort="from", filters=("over", "text"))
    now_ns = ctx.now_ns()
    found = await ctx.db.read(planning.listing, over=table.filters["over"] == "1", now_ns=now_ns)
    wanted = table.filters["text"].casefold()
    found = [
        (window, site)
        for window, site in found
        if wanted in f"{site} {window.reason} {window.by} {window.number}".casefold()
    ]
    if table.sort == "site":
        found.sort(key=lambda one: one[1], reverse=table.down)
    else:
        ends = table.sort == "until"
        found.sort(key=lambda one: one[0].until_ns if ends else one[0].from_ns, reverse=table.down)
    table, rows = table.shown(found[table.offset : table.offset + table.size + 1])
    names = await ctx.db.read(site_names.every) if principal.may(Permission.SILENCES_WRITE) else []
    shown = [(window, site, window.at(now_ns)) for window, site in rows]
    return page(request, principal, "maintenance.html", table=table, rows=shown, site_names=names)


@router.post("/maintenance")
async def plan(request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    from_ns, until_ns = form.moment("from"), form.moment("until")
    if from_ns is None or until_ns is None:
        raise Invalid("a maintenance window needs a beginning and an end; fill in both")
    made = await ctx.db.run(
        planning.plan,
        form.text("site", required=True),
        from_ns=from_ns,
        until_ns=until_ns,
        every_days=form.number("every_days", least=0, most=366, default=0),
        last_ns=form.moment("last"),
        reason=form.text("reason", required=True),
        by=principal.name,
        now_ns=ctx.now_ns(),
    )
    said = gettext(request, principal, N_("%(number)s is planned."), number=made.number)
    return done(request, said, back="/maintenance")


@router.post("/maintenance/{number}/end")
async def end(number: str, request: Request, principal: Writes) -> Response:
    ctx = context(request)
    ended = await ctx.db.run(planning.end, number, by=principal.name, now_ns=ctx.now_ns())
    text = N_("%(number)s is over. What still goes on gets its ticket and its page.")
    return done(request, gettext(request, principal, text, number=ended.number), back="/maintenance")
