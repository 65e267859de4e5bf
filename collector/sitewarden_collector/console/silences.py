"""/silences: what is held back at which site, until when and why; begun and ended here."""

from __future__ import annotations

import asyncio
from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from sitewarden_collector.console import tables
from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import done, gettext, page
from sitewarden_collector.services import rulepacks
from sitewarden_collector.services import silences as silencing
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store import site_names
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()
SORTS = ("site", "until", "from", "held")
LISTED_MAX = 2000

Reads = Annotated[Principal, Depends(need(Permission.ONCALL_READ))]
Writes = Annotated[Principal, Depends(need(Permission.SILENCES_WRITE))]


@router.get("/silences")
async def silences(request: Request, principal: Reads) -> HTMLResponse:
    ctx = context(request)
    table = tables.asked(request, sorts=SORTS, sort="until", filters=("site", "over", "text"))
    now_ns = ctx.now_ns()
    over = table.filters["over"] == "1"
    found = await ctx.db.read(silencing.listing, over=over, site=table.filters["site"], limit=LISTED_MAX, now_ns=now_ns)
    wanted = table.filters["text"].casefold()
    found = [
        one
        for one in found
        if wanted in f"{one.site} {one.silence.reason} {one.silence.by} {one.silence.number}".casefold()
    ]
    keys = {
        "site": attrgetter("site"),
        "until": attrgetter("silence.until_ns"),
        "from": attrgetter("silence.from_ns"),
        "held": attrgetter("held"),
    }
    found.sort(key=keys[table.sort], reverse=table.down)
    table, rows = table.shown(found[table.offset : table.offset + table.size + 1])
    names = await ctx.db.read(site_names.every) if principal.may(Permission.SILENCES_WRITE) else []
    return page(request, principal, "silences.html", table=table, rows=rows, site_names=names)


@router.post("/silences")
async def add(request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    rulebook = await asyncio.to_thread(rulepacks.load, ctx.config.rules)
    made = await ctx.db.run(
        silencing.add,
        form.text("site", required=True),
        fault=form.text("fault"),
        rule=form.text("rule") if not form.text("fault") else "",
        for_s=form.span_s("length"),
        reason=form.text("reason", required=True),
        by=principal.name,
        now_ns=ctx.now_ns(),
        rules=[rule.name for rule in rulebook.rules],
    )
    said = gettext(request, principal, N_("%(number)s holds back what happens there."), number=made.number)
    return done(request, said, back="/silences")


@router.post("/silences/{number}/end")
async def end(number: str, request: Request, principal: Writes) -> Response:
    ctx = context(request)
    ended = await ctx.db.run(silencing.end, number, by=principal.name, now_ns=ctx.now_ns())
    text = N_("%(number)s is over. What still goes on gets its ticket and its page.")
    return done(request, gettext(request, principal, text, number=ended.number), back="/silences")
