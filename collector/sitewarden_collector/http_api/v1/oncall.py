"""On call: who is, when, and when nobody is; maintenance windows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import Field

from sitewarden_alerting.model import DAY_NS
from sitewarden_collector.errors import Invalid
from sitewarden_collector.http_api.changing import Key, change, nothing
from sitewarden_collector.http_api.shapes import (
    In,
    Line,
    Moment,
    Number,
    OncallReader,
    OncallWriter,
    Out,
    Silencer,
    Text,
    instant,
    moment,
    nanoseconds,
)
from sitewarden_collector.services import maintenance, oncall
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store import sites
from sitewarden_collector.store.maintenance import Window
from sitewarden_collector.web.context import context

router = APIRouter(tags=["on call"])
SPAN_MAX_NS = 92 * DAY_NS
Schedule = Annotated[str, Path(max_length=200, description="the schedule's name")]
Since = Annotated[Moment | None, Query(description="default: now")]
Until = Annotated[Moment | None, Query(description="default: 14 days after `since`; at most 92")]


class OnCallOut(Out):
    schedule: str
    person: str = Field(description="empty: nobody")
    until: datetime | None
    next_person: str
    next: datetime | None


class ShiftOut(Out):
    person: str
    begins: datetime
    ends: datetime
    source: str = Field(description="the layer's name, or override, or swap")


class GapOut(Out):
    schedule: str
    begins: datetime
    ends: datetime


class OverrideIn(In):
    person: Line
    begins: Moment
    ends: Moment
    instead_of: Annotated[str, Field(max_length=200)] = ""
    reason: Annotated[str, Field(max_length=1000)] = ""


class OverrideOut(Out):
    id: str
    person: str
    begins: datetime
    ends: datetime


class WindowIn(In):
    site: Line
    begins: Moment
    ends: Moment
    every_days: Annotated[int, Field(ge=0, le=366)] = Field(0, description="0: once")
    last: Moment | None = None
    reason: Text


class WindowOut(Out):
    number: str = Field(examples=["MNT-1"])
    site: str
    begins: datetime
    ends: datetime
    every_days: int
    last: datetime | None
    reason: str
    by: str


@router.get("/oncall", operation_id="whoIsOnCall", summary="Who is on call, by schedule")
async def who_is(
    request: Request, who: OncallReader, at: Annotated[Moment | None, Query(description="default: now")] = None
) -> list[OnCallOut]:
    ctx = context(request)
    found = await ctx.db.read(oncall.now, ctx.now_ns() if at is None else nanoseconds(at))
    return [
        OnCallOut(
            schedule=one.schedule,
            person=one.person,
            until=moment(one.until_ns),
            next_person=one.next_person,
            next=moment(one.next_ns),
        )
        for one in found
    ]


@router.get("/oncall/gaps", operation_id="listOnCallGaps", summary="When nobody is on call")
async def gaps(request: Request, who: OncallReader, since: Since = None, until: Until = None) -> list[GapOut]:
    begin_ns, end_ns = _span(request, since, until)
    found = await context(request).db.read(oncall.gaps, begin_ns, end_ns)
    return [GapOut(schedule=one.schedule, begins=instant(one.from_ns), ends=instant(one.until_ns)) for one in found]


@router.get("/oncall/{schedule}/shifts", operation_id="listShifts", summary="Who is on call in a period")
async def shifts(
    request: Request, who: OncallReader, schedule: Schedule, since: Since = None, until: Until = None
) -> list[ShiftOut]:
    begin_ns, end_ns = _span(request, since, until)
    found = await context(request).db.read(oncall.shifts, schedule, begin_ns, end_ns)
    return [
        ShiftOut(person=one.person, begins=instant(one.from_ns), ends=instant(one.until_ns), source=one.source)
        for one in found
    ]


@router.post(
    "/oncall/{schedule}/overrides",
    operation_id="addOverride",
    summary="Put a person on call for a time",
    status_code=201,
    response_model=OverrideOut,
)
async def override(
    request: Request, who: OncallWriter, schedule: Schedule, body: Annotated[OverrideIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()
    begin_ns, end_ns = nanoseconds(body.begins), nanoseconds(body.ends)

    def effect(tx: Tx) -> OverrideOut:
        made = oncall.override(
            tx,
            schedule,
            body.person,
            from_ns=begin_ns,
            until_ns=end_ns,
            instead_of=body.instead_of,
            reason=body.reason,
            by=who.name,
            now_ns=now_ns,
        )
        return OverrideOut(id=made.id, person=made.person, begins=instant(made.from_ns), ends=instant(made.until_ns))

    return await change(request, who, effect, lambda _tx, made: made, key=key, status=201)


@router.delete(
    "/oncall/overrides/{override_id}", operation_id="dropOverride", summary="Take an override out", status_code=204
)
async def drop_override(
    request: Request, who: OncallWriter, override_id: Annotated[str, Path(max_length=36)], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()
    return await change(
        request, who, lambda tx: oncall.drop_override(tx, override_id, now_ns=now_ns), nothing, key=key, status=204
    )


@router.get("/maintenance", operation_id="listMaintenance", summary="Maintenance windows, the next first")
async def windows(
    request: Request, who: OncallReader, over: Annotated[bool, Query(description="also those that have ended")] = False
) -> list[WindowOut]:
    ctx = context(request)
    found = await ctx.db.read(maintenance.listing, over=over, now_ns=ctx.now_ns())
    return [_window(one, site) for one, site in found]


@router.post(
    "/maintenance",
    operation_id="planMaintenance",
    summary="Plan a window at a site",
    status_code=201,
    response_model=WindowOut,
)
async def plan(request: Request, who: Silencer, body: Annotated[WindowIn, Body()], key: Key = "") -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Window:
        return maintenance.plan(
            tx,
            body.site,
            from_ns=nanoseconds(body.begins),
            until_ns=nanoseconds(body.ends),
            every_days=body.every_days,
            last_ns=None if body.last is None else nanoseconds(body.last),
            reason=body.reason,
            by=who.name,
            now_ns=now_ns,
        )

    return await change(request, who, effect, lambda _tx, made: _window(made, body.site), key=key, status=201)


@router.post(
    "/maintenance/{number}/end", operation_id="endMaintenance", summary="End a window now", response_model=WindowOut
)
async def end(request: Request, who: Silencer, number: Number, key: Key = "") -> Response:
    now_ns = context(request).now_ns()

    def shape(tx: Tx, ended: Window) -> WindowOut:
        return _window(ended, sites.by_id(tx, ended.site_id).name)

    return await change(
        request, who, lambda tx: maintenance.end(tx, number, by=who.name, now_ns=now_ns), shape, key=key
    )


def _span(request: Request, since: datetime | None, until: datetime | None) -> tuple[int, int]:
    begin_ns = context(request).now_ns() if since is None else nanoseconds(since)
    end_ns = begin_ns + 14 * DAY_NS if until is None else nanoseconds(until)
    if not 0 < end_ns - begin_ns <= SPAN_MAX_NS:
        raise Invalid("a period here is at most 92 days long and ends after it begins; move `since` or `until`")
    return begin_ns, end_ns


def _window(one: Window, site: str) -> WindowOut:
    return WindowOut(
        number=one.number,
        site=site,
        begins=instant(one.from_ns),
        ends=instant(one.until_ns),
        every_days=one.every_days,
        last=moment(one.last_ns),
        reason=one.reason,
        by=one.by,
    )
