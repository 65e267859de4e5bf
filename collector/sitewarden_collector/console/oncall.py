"""/oncall: who is on call now and in the weeks to come, on every schedule; gaps; one's own shifts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from sitewarden_alerting import oncall as rota
from sitewarden_alerting.model import DAY_NS
from sitewarden_alerting.oncall import Schedule, Shift
from sitewarden_collector.console import moments, shift_calendar
from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_, language
from sitewarden_collector.console.pages import done, gettext, moved, page
from sitewarden_collector.console.shift_calendar import Week
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import oncall, shift_calendars
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.services.oncall import Gap, OnCall
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store import people, schedules, site_names
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()
WEEKS = 4
SKIP_MAX = 52
MINE_NS = 60 * DAY_NS
GAPS_NS = 14 * DAY_NS

Reads = Annotated[Principal, Depends(need(Permission.ONCALL_READ))]
Writes = Annotated[Principal, Depends(need(Permission.ONCALL_WRITE))]


@dataclass(frozen=True, slots=True)
class Drawn:
    schedule: Schedule
    serves: str
    weeks: list[Week]
    people: dict[str, int]  # with their colours


@dataclass(frozen=True, slots=True)
class View:
    now: list[OnCall]
    drawn: list[Drawn]
    gaps: list[Gap]
    unreachable: list[tuple[str, str]]
    mine: list[tuple[str, Shift]]
    names: list[str]  # whom one can put on call


@router.get("/oncall")
async def overview(request: Request, principal: Reads) -> HTMLResponse:
    ctx = context(request)
    zone = moments.zone_of(request, principal)
    written = request.query_params.get("skip", "0")
    skip = min(max(int(written), -SKIP_MAX), SKIP_MAX) if written.lstrip("-").isdigit() and len(written) < 5 else 0
    now_ns = ctx.now_ns()
    view = await ctx.db.read(_view, principal.name, zone, skip, now_ns=now_ns)
    day = partial(shift_calendar.day_label, locale=language(request, principal))
    return page(request, principal, "oncall.html", view=view, skip=skip, day=day)


def drawn(
    tx: Tx, schedule: Schedule, zone: str, *, weeks: int, skip: int, customers: Mapping[str, str], now_ns: int
) -> Drawn:
    """A schedule's coming weeks."""
    from_ns, until_ns = shift_calendar.period(zone, weeks=weeks, skip=skip, now_ns=now_ns)
    shifts = rota.shifts(schedule, from_ns, until_ns)
    colour_of = shift_calendar.colours(one.person for one in shifts)
    rows = shift_calendar.rows(
        shifts,
        rota.gaps(schedule, from_ns, until_ns),
        zone=zone,
        from_ns=from_ns,
        weeks=weeks,
        colour_of=colour_of,
        now_ns=now_ns,
    )
    return Drawn(schedule, customers.get(schedules.served(tx, schedule.id), ""), rows, colour_of)


def _view(tx: Tx, me: str, zone: str, skip: int, *, now_ns: int) -> View:
    customers = site_names.customer_names(tx)
    weeks: list[Drawn] = []
    mine: list[tuple[str, Shift]] = []
    names: dict[str, None] = {one.name: None for one in people.every(tx)}
    begins, _ = shift_calendar.period(zone, weeks=WEEKS, skip=skip, now_ns=now_ns)
    for schedule in schedules.every(tx, since_ns=min(begins, now_ns)):
        weeks.append(drawn(tx, schedule, zone, weeks=WEEKS, skip=skip, customers=customers, now_ns=now_ns))
        names |= dict.fromkeys(person for layer in schedule.layers for person in layer.people)
        ahead = rota.shifts(schedule, now_ns, now_ns + MINE_NS)
        mine += [(schedule.name, one) for one in ahead if one.person == me]
    return View(
        oncall.now(tx, now_ns),
        weeks,
        oncall.gaps(tx, now_ns, now_ns + GAPS_NS),
        oncall.unreachable(tx, now_ns=now_ns),
        sorted(mine, key=lambda one: one[1].from_ns),
        sorted(names),
    )


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
