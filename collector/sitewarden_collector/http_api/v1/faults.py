"""Faults in logs: what counts as one and why; engineers merge and split them, and tickets follow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import Field

from sitewarden_alerting.grouping import Alias
from sitewarden_alerting.reading.severity import Severity
from sitewarden_collector.http_api.changing import Key, change
from sitewarden_collector.http_api.shapes import In, Line, Out, TicketsWorker, instant, moment
from sitewarden_collector.services import corrections, faults
from sitewarden_collector.services.faults import Shown
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store import faults as stored
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/faults", tags=["rules"])
Fault = Annotated[str, Path(max_length=255, description="a fingerprint, or the number of one of its tickets")]


class FaultOut(Out):
    fault: str = Field(description="its name: the fingerprint that it began with")
    template: str
    severity: str
    fingerprints: int
    events: int
    sites: int
    open_tickets: int
    first: datetime
    last: datetime | None


class AliasOut(Out):
    """A fingerprint stands for a fault, and who says so why."""

    fingerprint: str
    fault: str
    reason: str
    by: str


class MemberOut(Out):
    fingerprint: str
    template: str
    first: datetime
    merges: list[AliasOut] = Field(description="each merge on its way to the fault")
    apart_from: list[str]


class FaultDetailOut(Out):
    fault: str
    template: str
    severity: str
    members: list[MemberOut]
    tickets: list[str] = Field(description="their numbers")


class CorrectedOut(Out):
    changed: list[AliasOut]


class IntoIn(In):
    into: Line = Field(description="the fault that remains, named in the same way")
    reason: Annotated[str, Field(max_length=1000)] = ""


@router.get("", operation_id="listFaults", summary="Faults in logs, those with the newest events first")
async def list_faults(
    request: Request,
    who: TicketsWorker,
    site: Annotated[str, Query(max_length=200, description="only those that have tickets at this site")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[FaultOut]:
    found = await context(request).db.read(stored.listing, site=site, limit=limit)
    return [
        FaultOut(
            fault=one.fault,
            template=one.template,
            severity=_word(one.severity),
            fingerprints=one.fingerprints,
            events=one.events,
            sites=one.sites,
            open_tickets=one.open_tickets,
            first=instant(one.first_ns),
            last=moment(one.last_ns),
        )
        for one in found
    ]


@router.get("/{fault}", operation_id="getFault", summary="One fault: its fingerprints, what made them one, its tickets")
async def get_fault(request: Request, who: TicketsWorker, fault: Fault) -> FaultDetailOut:
    return _detail(await context(request).db.read(faults.show, fault))


@router.post(
    "/{fault}/merge",
    operation_id="mergeFault",
    summary="It and another are one fault; their tickets become one",
    response_model=CorrectedOut,
)
async def merge(
    request: Request, who: TicketsWorker, fault: Fault, body: Annotated[IntoIn, Body()], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> tuple[Alias, ...]:
        return corrections.merge(tx, fault, body.into, by=who.name, reason=body.reason, now_ns=now_ns)

    return await change(request, who, effect, _corrected, key=key)


@router.post(
    "/{fault}/split",
    operation_id="splitFault",
    summary="Undo a merge; it is not learned again",
    response_model=CorrectedOut,
)
async def split(request: Request, who: TicketsWorker, fault: Fault, key: Key = "") -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> tuple[Alias, ...]:
        return corrections.split(tx, fault, by=who.name, now_ns=now_ns)

    return await change(request, who, effect, _corrected, key=key)


def _corrected(_tx: Tx, changed: Sequence[Alias]) -> CorrectedOut:
    return CorrectedOut(changed=[_alias(one) for one in changed])


def _detail(shown: Shown) -> FaultDetailOut:
    return FaultDetailOut(
        fault=shown.fault,
        template=shown.template,
        severity=_word(shown.severity),
        members=[
            MemberOut(
                fingerprint=one.fingerprint,
                template=one.template,
                first=instant(one.first_ns),
                merges=[_alias(alias) for alias in one.merges],
                apart_from=list(one.apart_from),
            )
            for one in shown.members
        ],
        tickets=[one.ticket.number for one in shown.tickets],
    )


def _alias(one: Alias) -> AliasOut:
    return AliasOut(fingerprint=one.fingerprint, fault=one.fault, reason=one.reason, by=one.by)


def _word(severity: int) -> str:
    return Severity(severity).name.lower()
