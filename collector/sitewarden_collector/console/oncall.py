"""/oncall: who is on call now and in the weeks to come, on every schedule; gaps; one's own shifts."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from sitewarden_collector.console import moments, shift_calendar
from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_, language
from sitewarden_collector.console.pages import done, gettext, moved, page
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import oncall, oncall_view, shift_calendars
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()
WEEKS = 4
SKIP_MAX = 52

Reads = Annotated[Principal, Depends(need(Permission.ONCALL_READ))]
Writes = Annotated[Principal, Depends(need(Permission.ONCALL_WRITE))]


@router.get("/oncall")
async def overview(request: Request, principal: Reads) -> HTMLResponse:
    ctx = context(request)
    zone = moments.zone_of(request, principal)
    written = request.query_params.get("skip", "0")
    skip = min(max(int(written), -SKIP_MAX), SKIP_MAX) if written.lstrip("-").isdigit() and len(written) < 5 else 0
    now_ns = ctx.now_ns()
    from_ns, until_ns = shift_calendar.span_of(zone, weeks=WEEKS, skip=skip, now_ns=now_ns)
    view = await ctx.db.read(oncall_view.overview, principal.name, from_ns=from_ns, until_ns=until_ns, now_ns=now_ns)
    drawn = [shift_calendar.draw(one, zone=zone, from_ns=from_ns, weeks=WEEKS, now_ns=now_ns) for one in view.periods]
    day = partial(shift_calendar.day_label, locale=language(request, principal))
    return page(request, principal, "oncall.html", view=view, drawn=drawn, skip=skip, day=day)


@router.post("/oncall")
async def add(request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    made = await ctx.db.run(
        oncall.add,
        form.text("name", required=True),
        zone=form.text("zone") or form.zone,
        managers=form.words("managers"),
        now_ns=ctx.now_ns(),
    )
    text = gettext(request, principal, N_("The schedule is there. Add a layer, so that somebody is on call."))
    return moved(request, f"/oncall/schedules/{made.id}", text=text)


@router.post("/oncall/override")
async def override(request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    from_ns, until_ns = form.moment("from"), form.moment("until")
    if from_ns is None or until_ns is None:
        raise Invalid("an override needs a beginning and an end; fill in both")
    person = form.text("person", required=True)
    await ctx.db.run(
        oncall.override,
        form.text("schedule", required=True),
        person,
        from_ns=from_ns,
        until_ns=until_ns,
        instead_of=form.text("instead_of"),
        reason=form.text("reason"),
        by=principal.name,
        now_ns=ctx.now_ns(),
    )
    said = gettext(request, principal, N_("%(person)s is on call then."), person=person)
    return done(request, said, back="/oncall")


@router.post("/oncall/swap")
async def swap(request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    first_ns, second_ns = form.moment("first"), form.moment("second")
    if first_ns is None or second_ns is None:
        raise Invalid("a swap needs a time within each of the two shifts; fill in both")
    one, other = await ctx.db.run(
        oncall.swap,
        form.text("schedule", required=True),
        first_ns=first_ns,
        second_ns=second_ns,
        reason=form.text("reason"),
        by=principal.name,
        now_ns=ctx.now_ns(),
    )
    text = N_("%(one)s and %(other)s take each other's shift.")
    return done(request, gettext(request, principal, text, one=one.person, other=other.person), back="/oncall")


@router.post("/oncall/away")
async def away(request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    from_ns, until_ns = form.moment("from"), form.moment("until")
    if from_ns is None or until_ns is None:
        raise Invalid("being away needs a beginning and an end; fill in both")
    person = form.text("person", required=True)
    await ctx.db.run(oncall.take_time_off, person, from_ns=from_ns, until_ns=until_ns, now_ns=ctx.now_ns())
    text = N_("%(person)s is away then; the next of each rotation stands in.")
    return done(request, gettext(request, principal, text, person=person), back="/oncall")


@router.post("/oncall/overrides/{override_id}/drop")
async def drop_override(override_id: str, request: Request, principal: Writes) -> Response:
    ctx = context(request)
    await ctx.db.run(oncall.drop_override, override_id, now_ns=ctx.now_ns())
    return done(request, gettext(request, principal, N_("Taken back; the rotation holds again.")), back="/oncall")


@router.post("/oncall/feed")
async def feed(request: Request, principal: Reads) -> HTMLResponse:
    """A new secret address for the calendar of one's own shifts; shown once."""
    ctx = context(request)
    address = await ctx.db.run(shift_calendars.publish, person=principal.name)
    return page(
        request,
        principal,
        "secret.html",
        title=gettext(request, principal, N_("The calendar of your shifts")),
        lead=gettext(request, principal, N_("Subscribe to this address in your calendar. It replaces the one before.")),
        secret=address if "://" in address else f"{str(request.base_url).rstrip('/')}{address}",
        back="/oncall",
    )
