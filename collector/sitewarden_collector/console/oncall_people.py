"""/oncall/people: how each person is reached, when they want quiet; a test page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from sitewarden_collector.console.fields import Fields, fields
from sitewarden_collector.console.i18n import LOCALES, N_
from sitewarden_collector.console.pages import done, gettext, page
from sitewarden_collector.services import oncall_view, reach
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store.people import Reachable, Road
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter(prefix="/oncall/people")

Reads = Annotated[Principal, Depends(need(Permission.ONCALL_READ))]
Writes = Annotated[Principal, Depends(need(Permission.ONCALL_WRITE))]


@router.get("")
async def everybody(request: Request, principal: Reads) -> HTMLResponse:
    ctx = context(request)
    shown = await ctx.db.read(oncall_view.everybody, now_ns=ctx.now_ns())
    channels = sorted(ctx.config.channels)
    return page(request, principal, "oncall_people.html", shown=shown, channels=channels)


@router.post("")
async def save(request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    person = _person(form)
    await ctx.db.run(reach.save, person, channels=ctx.config.channels, now_ns=ctx.now_ns())
    text = N_("Kept. Send a test page to be sure.")
    return done(request, gettext(request, principal, text), back="/oncall/people")


@router.post("/remove")
async def remove(request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    await ctx.db.run(reach.remove, form.text("person", required=True), now_ns=ctx.now_ns())
    return done(request, gettext(request, principal, N_("Forgotten.")), back="/oncall/people")


@router.post("/test")
async def test(request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    name = form.text("person", required=True)
    number = await ctx.db.run(reach.test, name, now_ns=ctx.now_ns())
    ctx.wake()
    text = N_("A test page goes to %(person)s by %(number)s channels.")
    said = gettext(request, principal, text, person=name, number=number)
    return done(request, said, back="/oncall/people")


def _person(form: Fields) -> Reachable:
    roads = []
    for place in range(10):
        channel = form.text(f"channel{place}")
        if channel:
            roads.append(Road(channel, form.text(f"address{place}")))
    return Reachable(
        form.text("person", required=True),
        tuple(roads),
        form.minute("quiet_from"),
        form.minute("quiet_until"),
        form.text("zone") or form.zone,
        form.text("locale") if form.text("locale") in LOCALES else "en",
    )
