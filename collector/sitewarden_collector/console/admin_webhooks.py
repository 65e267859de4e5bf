"""/admin/webhooks: which programs are told of what; what became of each message; sent again from here."""

from __future__ import annotations

from typing import Annotated, get_args

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import HTMLResponse

from sitewarden_collector.console import tables
from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import done, gettext, page
from sitewarden_collector.services import administration
from sitewarden_collector.services import webhooks as telling
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store import site_names, webhooks
from sitewarden_collector.store.pages import Window
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter(prefix="/admin/webhooks")
STATES = tuple(get_args(webhooks.State))
DELIVERIES_MAX = 100

Sets = Annotated[Principal, Depends(need(Permission.SETTINGS_WRITE))]


@router.get("")
async def listing(request: Request, principal: Sets) -> HTMLResponse:
    ctx = context(request)
    table = tables.asked(request, sorts=("created",), sort="created", filters=("webhook", "state"), size=DELIVERIES_MAX)
    state = table.filters["state"]
    subscriptions = await ctx.db.read(webhooks.every)
    deliveries = await ctx.db.read(
        webhooks.page,
        Window(DELIVERIES_MAX),
        subscription_id=table.filters["webhook"],
        states=(state,) if state in STATES else (),
    )
    counts = await ctx.db.read(webhooks.counts)
    return page(
        request,
        principal,
        "webhooks.html",
        table=table,
        subscriptions=subscriptions,
        named={one.id: one.about or one.url for one in subscriptions},
        deliveries=deliveries[:DELIVERIES_MAX],
        parked={one.id: counts.get((one.id, "parked"), 0) for one in subscriptions},
        waiting={one.id: counts.get((one.id, "pending"), 0) for one in subscriptions},
        customers=await ctx.db.read(site_names.customer_names),
        states=STATES,
    )


@router.post("")
async def add(request: Request, principal: Sets) -> HTMLResponse:
    ctx = context(request)
    form = await fields(request, principal)
    made = await ctx.db.run(
        administration.subscribe,
        ctx.secret,
        url=form.text("url", required=True),
        events=form.words("events"),
        customer=form.text("customer"),
        about=form.text("about")[:200],
        by=principal.name,
        now_ns=ctx.now_ns(),
    )
    return page(
        request,
        principal,
        "secret.html",
        title=gettext(request, principal, N_("The secret of the webhook")),
        lead=gettext(request, principal, N_("Its receiver checks the signature of each message with it.")),
        secret=made.secret,
        back="/admin/webhooks",
    )


@router.post("/{subscription_id}/test")
async def test(subscription_id: str, request: Request, principal: Sets) -> Response:
    ctx = context(request)
    await ctx.db.run(telling.test, subscription_id, by=principal.name, now_ns=ctx.now_ns())
    ctx.wake()
    text = gettext(request, principal, N_("A test message is on its way; see below what becomes of it."))
    return done(request, text, back="/admin/webhooks")


@router.post("/{subscription_id}/switch")
async def switch(subscription_id: str, request: Request, principal: Sets) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    active = form.flag("active")
    await ctx.db.run(administration.switch, subscription_id, active=active, by=principal.name, now_ns=ctx.now_ns())
    text = N_("Told again from now on.") if active else N_("Told no more.")
    return done(request, gettext(request, principal, text), back="/admin/webhooks")


@router.post("/{subscription_id}/remove")
async def remove(subscription_id: str, request: Request, principal: Sets) -> Response:
    ctx = context(request)
    await ctx.db.run(administration.unsubscribe, subscription_id, by=principal.name, now_ns=ctx.now_ns())
    return done(request, gettext(request, principal, N_("The webhook is gone.")), back="/admin/webhooks")


@router.post("/deliveries/{delivery_id}/retry")
async def retry(delivery_id: Annotated[int, Path(ge=0, lt=2**62)], request: Request, principal: Sets) -> Response:
    ctx = context(request)
    await ctx.db.run(telling.retry, delivery_id, now_ns=ctx.now_ns())
    ctx.wake()
    return done(request, gettext(request, principal, N_("It is tried again.")), back="/admin/webhooks")
