"""Calendars that contracts count by: made, and changed by a further version that holds from an instant on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import Field

from sitewarden_alerting.servicelevels.calendars import BadCalendar, NamedDay, parse_hours, write_hours, write_week
from sitewarden_collector.errors import Invalid
from sitewarden_collector.http_api.changing import Key, change
from sitewarden_collector.http_api.shapes import (
    CustomersReader,
    In,
    Moment,
    Out,
    SettingsWriter,
    Text,
    moment,
    nanoseconds,
)
from sitewarden_collector.http_api.v1.contract_shapes import CalendarName, Day
from sitewarden_collector.services import calendars
from sitewarden_collector.services.holidays_of import Snapshot, snapshot
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store import calendars as stored
from sitewarden_collector.store.calendars import Version
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/calendars", tags=["customers"])
Name = Annotated[str, Path(max_length=100, description="the calendar's name", examples=["office"])]
Zone = Annotated[str, Field(min_length=1, max_length=64, examples=["Europe/Berlin"])]
Week = Annotated[str, Field(min_length=1, max_length=500, examples=["mon-fri 09:00-18:00"])]


class DayIn(In):
    day: Day
    name: Annotated[str, Field(max_length=200)] = ""
    hours: Annotated[str, Field(max_length=100)] = Field(
        "", description="in which it is worked, where it has its own", examples=["09:00-12:00"]
    )


class CountryIn(In):
    """The holidays of a country, China's working weekends too, as they are known today."""

    country: Annotated[str, Field(pattern="^[A-Za-z]{2}$")] = Field(examples=["DE"])
    subdivision: Annotated[str, Field(max_length=16)] = Field("", examples=["BY"])
    years: list[Annotated[int, Field(ge=1970, le=2199)]] = Field(min_length=1, max_length=20)


class DaysIn(In):
    holidays: list[DayIn] = Field(
        default=[], max_length=1000, description="nobody works on these, or within their own hours alone"
    )
    workdays: list[DayIn] = Field(default=[], max_length=1000, description="these are worked whatever the week says")
    of_country: CountryIn | None = None


class CalendarIn(DaysIn):
    name: CalendarName
    zone: Zone
    week: Week


class VersionIn(DaysIn):
    """What is not given stays as it is."""

    zone: Zone | None = None
    week: Week | None = None
    without: list[Day] = Field(default=[], max_length=1000, description="are days as any other")
    since: Moment | None = Field(None, description="in force from then on; default: now")
    reason: Text


class CalendarOut(Out):
    name: str
    versions: int
    zone: str = Field(description="of the version in force last")


class DayOut(Out):
    day: str
    name: str
    hours: str = Field(description="in which it is worked, where it has its own")


class VersionOut(Out):
    version: int
    since: datetime | None = Field(description="null: from the beginning")
    zone: str
    week: str
    holidays: list[DayOut]
    workdays: list[DayOut]
    source: str
    by: str
    reason: str
    made: datetime | None


class CalendarDetailOut(CalendarOut):
    history: list[VersionOut] = Field(description="every version, in the order in which they were made")


@router.get("", operation_id="listCalendars", summary="Calendars that contracts count by")
async def list_calendars(
    request: Request, who: CustomersReader, name: Annotated[str, Query(max_length=100)] = ""
) -> list[CalendarOut]:
    found = await context(request).db.read(stored.every)
    return [
        CalendarOut(name=title, versions=len(versions), zone=versions[-1].calendar.zone)
        for title, versions in sorted(found.items())
        if versions and name in ("", title)
    ]


@router.get("/{name}", operation_id="getCalendar", summary="One calendar with its versions and their days")
async def get_calendar(request: Request, who: CustomersReader, name: Name) -> CalendarDetailOut:
    return await context(request).db.read(_detail, name)


@router.post("", operation_id="addCalendar", summary="Make one", status_code=201, response_model=CalendarDetailOut)
async def add(request: Request, who: SettingsWriter, body: Annotated[CalendarIn, Body()], key: Key = "") -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Version:
        return calendars.add(
            tx,
            body.name,
            zone=body.zone,
            week=body.week,
            days=_days(body.of_country),
            holidays=_named(body.holidays),
            workdays=_named(body.workdays),
            by=who.name,
            now_ns=now_ns,
        )

    return await change(request, who, effect, _shape, key=key, status=201)


@router.post(
    "/{name}/versions",
    operation_id="changeCalendar",
    summary="A further version, in force from an instant on",
    status_code=201,
    response_model=CalendarDetailOut,
)
async def add_version(
    request: Request, who: SettingsWriter, name: Name, body: Annotated[VersionIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Version:
        return calendars.change(
            tx,
            name,
            zone=body.zone or "",
            week=body.week or "",
            days=_days(body.of_country),
            holidays=_named(body.holidays),
            workdays=_named(body.workdays),
            without=[day.isoformat() for day in body.without],
            from_ns=now_ns if body.since is None else nanoseconds(body.since),
            by=who.name,
            reason=body.reason,
            now_ns=now_ns,
        )

    return await change(request, who, effect, _shape, key=key, status=201)


def _days(asked: CountryIn | None) -> Snapshot | None:
    return None if asked is None else snapshot(asked.country, sorted(set(asked.years)), subdivision=asked.subdivision)


def _named(days: Iterable[DayIn]) -> list[NamedDay]:
    try:
        return [NamedDay(one.day, one.name, parse_hours(one.hours)) for one in days]
    except BadCalendar as error:
        raise Invalid(str(error)) from error


def _shape(tx: Tx, made: Version) -> CalendarDetailOut:
    return _detail(tx, made.calendar.name)


def _detail(tx: Tx, name: str) -> CalendarDetailOut:
    found = stored.versions(tx, name)
    return CalendarDetailOut(
        name=name,
        versions=len(found),
        zone=found[-1].calendar.zone,
        history=[_version(one) for one in found],
    )


def _version(one: Version) -> VersionOut:
    calendar = one.calendar
    return VersionOut(
        version=calendar.version,
        since=moment(one.from_ns),
        zone=calendar.zone,
        week=write_week(calendar.week),
        holidays=[_day(day) for day in calendar.holidays],
        workdays=[_day(day) for day in calendar.workdays],
        source=one.source,
        by=one.by,
        reason=one.reason,
        made=moment(one.made_ns),
    )


def _day(one: NamedDay) -> DayOut:
    return DayOut(day=one.day.isoformat(), name=one.name, hours=write_hours(one.hours))
