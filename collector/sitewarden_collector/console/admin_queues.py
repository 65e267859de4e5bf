"""/admin/queues: notices that went out or did not, and what could not be evaluated; both tried again from here."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from sitewarden_collector.console import tables
from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import done, gettext, page
from sitewarden_collector.services import parked, policies, rulepacks, suspending
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store import evaluations, listings, notices, site_names, suspensions
from sitewarden_collector.store.notices import STATES
from sitewarden_collector.store.pages import Window
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter(prefix="/admin/queues")
LISTED_MAX = 100

Sets = Annotated[Principal, Depends(need(Permission.SETTINGS_WRITE))]


@router.get("")
async def listing(request: Request, principal: Sets) -> HTMLResponse:
    ctx = context(request)
    table = tables.asked(request, sorts=("created",), sort="created", filters=("state", "person"), size=LISTED_MAX)
    state = table.filters["state"]
    found = await ctx.db.read(
        listings.notices_page,
        Window(LISTED_MAX),
        state=state if state in STATES else "",
        person=table.filters["person"],
    )
    summary = await ctx.db.read(notices.summary, now_ns=ctx.now_ns())
    left = await ctx.db.read(evaluations.parked_listing)
    out = await ctx.db.read(suspensions.every)
    names = await ctx.db.read(site_names.of_ids, [*(one.site_id for one in left), *(one.site_id for one in out)])
    return page(
        request,
        principal,
        "queues.html",
        table=table,
        notices=found[:LISTED_MAX],
        summary=summary,
        states=STATES,
        parked=left,
        suspended=out,
        site_names=names,
    )


@router.post("/notices/{notice_id}/retry")
async def retry_notice(notice_id: str, request: Request, principal: Sets) -> Response:
    ctx = context(request)
    await ctx.db.run(notices.retry, notice_id, now_ns=ctx.now_ns())
    ctx.wake()
    return done(request, gettext(request, principal, N_("It is tried again.")), back="/admin/queues")


@router.post("/parked/retry")
async def retry_parked(request: Request, principal: Sets) -> Response:
    """Try one evaluation again, or all of them."""
    ctx = context(request)
    form = await fields(request, principal)
    rulebook = await asyncio.to_thread(rulepacks.load, ctx.config.rules)
    policy = policies.policy_of(ctx.config)
    if form.text("id"):
        number = form.number("id", least=0, most=2**62)
        tried = [await ctx.db.run_alone(parked.retry, number, rulebook, policy, now_ns=ctx.now_ns())]
    else:
        tried = await ctx.db.run_alone(parked.retry_all, rulebook, policy, now_ns=ctx.now_ns())
    succeeded = sum(one.done for one in tried)
    text = N_("%(done)s of %(all)s are evaluated now.")
    said = gettext(request, principal, text, done=succeeded, all=len(tried))
    return done(request, said, back="/admin/queues", kind="success" if succeeded == len(tried) else "warning")


@router.post("/rules/resume")
async def resume_rule(request: Request, principal: Sets) -> Response:
    """Bring a suspended rule back into force."""
    ctx = context(request)
    form = await fields(request, principal)
    policy = policies.policy_of(ctx.config)
    name = form.text("rule")
    await ctx.db.run_alone(suspending.resume, name, policy, now_ns=ctx.now_ns(), by=principal.name)
    return done(
        request, gettext(request, principal, N_("%(rule)s is in force again."), rule=name), back="/admin/queues"
    )
