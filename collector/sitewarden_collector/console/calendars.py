"""/calendars and /calendars/NAME: the hours that contracts count by, in versions, with holidays and days worked."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from sitewarden_alerting.model import SECOND_NS
from sitewarden_alerting.servicelevels.calendars import NamedDay, write_week
from sitewarden_collector.console.fields import Fields, fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.links import calendar_page
from sitewarden_collector.console.pages import done, gettext, moved, page
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import calendars, holidays_of
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.services.holidays_of import Snapshot
from sitewarden_collector.store import calendars as kept
from sitewarden_collector.store import contracts
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter(prefix="/calendars")
YEARS_MAX = 5

Reads = Annotated[Principal, Depends(need(Permission.CUSTOMERS_READ))]
Writes = Annotated[Principal, Depends(need(Permission.SETTINGS_WRITE))]


@router.get("")
async def listing(request: Request, principal: Reads) -> HTMLResponse:
    ctx = context(request)
    today = _today(ctx.now_ns())

    rows = await ctx.db.read(calendars.summaries, today=today)
    return page(request, principal, "calendars.html", rows=rows, write_week=write_week, year=today.year)


@router.post("")
async def add(request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    name = form.text("name", required=True)
    await ctx.db.run(
        calendars.add,
        name,
        zone=form.text("zone", required=True),
        week=form.text("week", required=True),
        days=_snapshot(form),
        by=principal.name,
        now_ns=ctx.now_ns(),
    )
    text = gettext(request, principal, N_("The calendar is there; contracts can count by it."))
    return moved(request, calendar_page(name), text=text)


@router.post("/change")
async def change(request: Request, principal: Writes) -> Response:
    """A further version of the calendar that the form names."""
    ctx = context(request)
    form = await fields(request, principal)
    name = form.text("calendar", required=True)
    now_ns = ctx.now_ns()
    zone = form.text("zone")
    from_ns = form.moment("from", zone=(await ctx.db.read(kept.versions, name))[-1].calendar.zone)
    made = await ctx.db.run(
        calendars.change,
        name,
        zone=zone,
        week=form.text("week"),
        days=_snapshot(form),
        holidays=_days(form, "holidays"),
        workdays=_days(form, "workdays"),
        without=form.words("without"),
        from_ns=now_ns if from_ns is None else from_ns,
        by=principal.name,
        reason=form.text("reason", required=True),
        now_ns=now_ns,
    )
    text = gettext(request, principal, N_("Version %(number)s is made."), number=made.calendar.version)
    return done(request, text, back=calendar_page(name))


@router.get("/{name:path}")
async def calendar(name: str, request: Request, principal: Reads) -> HTMLResponse:
    ctx = context(request)
    now_ns = ctx.now_ns()
    versions = await ctx.db.read(kept.versions, name)
    counted = await ctx.db.read(contracts.with_calendar, name)
    last = versions[-1].calendar
    today = _today(now_ns)
    return page(
        request,
        principal,
        "calendar.html",
        name=name,
        versions=list(reversed(versions)),
        last=last,
        contracts=counted,
        built_in=name == kept.BUILT_IN,
        days=sorted(
            [(one, True) for one in last.holidays if one.day >= today]
            + [(one, False) for one in last.workdays if one.day >= today],
            key=lambda one: one[0].day,
        ),
        write_week=write_week,
        year=today.year,
    )


def _snapshot(form: Fields) -> Snapshot | None:
    """The holidays of a country for some years, where the form names one."""
    country = form.text("country")
    if not country:
        return None
    first = form.number("first_year", least=1970, most=2200)
    last = form.number("last_year", least=first, most=first + YEARS_MAX, default=first)
    return holidays_of.snapshot(country, range(first, last + 1), subdivision=form.text("subdivision"))


def _days(form: Fields, name: str) -> list[NamedDay]:
    """One day a line, as `2026-12-24 Christmas Eve`."""
    found = []
    for line in filter(None, (line.strip() for line in form.text(name).splitlines())):
        written, _, called = line.partition(" ")
        try:
            found.append(calendars.named_day(date.fromisoformat(written), called.strip() or written))
        except ValueError:
            raise Invalid(f"{line!r} is no day; write it as 2026-12-24 Christmas Eve") from None
    return found


def _today(now_ns: int) -> date:
    return datetime.fromtimestamp(now_ns // SECOND_NS, UTC).date()
