"""/oncall/schedules/ID: one schedule: its weeks, layers, escalation, overrides, who carries how much; changed here."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from sitewarden_alerting.escalation import EscalationPolicy, Step, Target
from sitewarden_alerting.oncall import Layer, Unit
from sitewarden_collector.console import moments, shift_calendar
from sitewarden_collector.console.fields import Fields, fields
from sitewarden_collector.console.i18n import N_, language
from sitewarden_collector.console.pages import done, gettext, moved, page
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import oncall, oncall_view, shift_calendars
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter(prefix="/oncall/schedules/{schedule_id}")
WEEKS = 6
STEPS_SPARE = 2

Reads = Annotated[Principal, Depends(need(Permission.ONCALL_READ))]
Writes = Annotated[Principal, Depends(need(Permission.ONCALL_WRITE))]


async def _name(request: Request, schedule_id: str) -> str:
    return (await context(request).db.read(oncall_view.by_id, schedule_id)).name


@router.get("")
async def schedule(schedule_id: str, request: Request, principal: Reads) -> HTMLResponse:
    ctx = context(request)
    zone, now_ns = moments.zone_of(request, principal), ctx.now_ns()

    from_ns, until_ns = shift_calendar.span_of(zone, weeks=WEEKS, skip=0, now_ns=now_ns)
    shown = await ctx.db.read(oncall_view.one, schedule_id, from_ns=from_ns, until_ns=until_ns, now_ns=now_ns)
    return page(
        request,
        principal,
        "schedule.html",
        schedule=shown.period.schedule,
        drawn=shift_calendar.draw(shown.period, zone=zone, from_ns=from_ns, weeks=WEEKS, now_ns=now_ns),
        policy=shown.policy,
        loads=shown.loads,
        customers=shown.customers,
        day=partial(shift_calendar.day_label, locale=language(request, principal)),
        units=list(Unit),
        targets=list(Target),
        spare=STEPS_SPARE,
    )


@router.post("")
async def edit(schedule_id: str, request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    name = await _name(request, schedule_id)
    now_ns = ctx.now_ns()
    changed = await ctx.db.run(
        oncall.edit,
        name,
        zone=form.text("zone", required=True),
        managers=form.words("managers"),
        rename=form.text("name", required=True),
        now_ns=now_ns,
    )
    await ctx.db.run(oncall.serve, changed.name, customer=form.text("customer"), now_ns=now_ns)
    return done(request, gettext(request, principal, N_("Changed.")), back=request.url.path)


@router.post("/remove")
async def remove(schedule_id: str, request: Request, principal: Writes) -> Response:
    ctx = context(request)
    await ctx.db.run(oncall.remove, await _name(request, schedule_id), now_ns=ctx.now_ns())
    return moved(request, "/oncall", text=gettext(request, principal, N_("The schedule is gone.")))


@router.post("/layers")
async def set_layer(schedule_id: str, request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    place = form.text("place")
    await ctx.db.run(
        oncall.set_layer,
        await _name(request, schedule_id),
        _layer(form),
        place=form.number("place", least=0, most=100) if place else None,
        now_ns=ctx.now_ns(),
    )
    return done(request, gettext(request, principal, N_("The layer is set.")), back=f"/oncall/schedules/{schedule_id}")


@router.post("/layers/drop")
async def drop_layer(schedule_id: str, request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    name = await _name(request, schedule_id)
    await ctx.db.run(oncall.drop_layer, name, form.text("layer"), now_ns=ctx.now_ns())
    return done(request, gettext(request, principal, N_("The layer is gone.")), back=f"/oncall/schedules/{schedule_id}")


@router.post("/policy")
async def set_policy(schedule_id: str, request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    policy = _policy(form)
    await ctx.db.run(oncall.set_policy, await _name(request, schedule_id), policy, now_ns=ctx.now_ns())
    text = gettext(request, principal, N_("It holds from the next page on."))
    return done(request, text, back=f"/oncall/schedules/{schedule_id}")


@router.post("/import")
async def take_in(schedule_id: str, request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    content = await form.file("file")
    if not content:
        raise Invalid("choose a calendar file (.ics) first")
    name = await _name(request, schedule_id)
    number = await ctx.db.run(shift_calendars.take_in, name, content, by=principal.name, now_ns=ctx.now_ns())
    text = gettext(request, principal, N_("%(number)s entries put people on call."), number=number)
    return done(request, text, back=f"/oncall/schedules/{schedule_id}")


@router.get("/calendar.ics")
async def export(schedule_id: str, request: Request, principal: Reads) -> PlainTextResponse:
    ctx = context(request)
    found = await ctx.db.read(oncall_view.by_id, schedule_id)
    text = shift_calendars.ical(found, now_ns=ctx.now_ns())
    headers = {"Content-Disposition": 'attachment; filename="oncall.ics"'}
    return PlainTextResponse(text, media_type="text/calendar", headers=headers)


@router.post("/feed")
async def feed(schedule_id: str, request: Request, principal: Writes) -> HTMLResponse:
    """A new secret address for the schedule's calendar; shown once."""
    ctx = context(request)
    address = await ctx.db.run(shift_calendars.publish, schedule=await _name(request, schedule_id))
    return page(
        request,
        principal,
        "secret.html",
        title=gettext(request, principal, N_("The calendar of this schedule")),
        lead=gettext(request, principal, N_("Subscribe to this address in your calendar. It replaces the one before.")),
        secret=address if "://" in address else f"{str(request.base_url).rstrip('/')}{address}",
        back=f"/oncall/schedules/{schedule_id}",
    )


def _layer(form: Fields) -> Layer:
    until = form.minute("until")
    return Layer(
        form.text("layer", required=True),
        form.words("people"),
        form.text("start", required=True),
        form.number("every", least=1, most=1000, default=1),
        Unit(form.text("unit")) if form.text("unit") in set(Unit) else Unit.WEEKS,
        tuple(sorted(int(day) for day in form.many("weekdays") if day in "0123456")),
        form.minute("from") or 0,
        24 * 60 if until is None or until == 0 else until,
    )


def _policy(form: Fields) -> EscalationPolicy:
    """The steps whose target was chosen, in order."""
    steps = []
    for place in range(20):
        whom = form.text(f"whom{place}")
        if whom in set(Target):
            minutes = form.number(f"after{place}", least=0, most=7 * 24 * 60, default=0)
            steps.append(Step(60.0 * minutes, Target(whom), form.text(f"person{place}")))
    again = form.number("repeat_after", least=1, most=7 * 24 * 60, default=15)
    return EscalationPolicy(
        form.text("policy") or "default",
        tuple(steps),
        form.number("repeats", least=0, most=100, default=3),
        60.0 * again,
    )
