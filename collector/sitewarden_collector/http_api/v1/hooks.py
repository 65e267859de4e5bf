"""Alerts of other monitoring come in here, as it sends them, and become tickets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from pydantic import Field

from sitewarden_alerting.foreign import Read, Unreadable, alertmanager, grafana, zabbix
from sitewarden_collector.errors import Invalid
from sitewarden_collector.http_api.shapes import Out, Teller
from sitewarden_collector.services import alerts_in
from sitewarden_collector.services.alerts_in import Taken
from sitewarden_collector.services.policies import policy_of
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/hooks", tags=["alerts in"])

Site = Annotated[str, Query(max_length=200, description="the site of alerts that name none", examples=["acme-berlin"])]
Label = Annotated[str, Query(max_length=200, description="the label (in Zabbix: the tag) that names the site")]
HOW = (
    "The token may be sent as a bearer token, as the password of basic authentication, or, where neither can be set, "
    "in the address: `/hooks/{kind}/token/TOKEN`. What is sent again changes nothing."
)


class TakenOut(Out):
    """What became of the alerts."""

    began: int = Field(description="alerts that are new, or began anew")
    went_on: int = Field(description="alerts that go on, as was known")
    ended: int = Field(description="alerts that are over")
    told_before: int = Field(description="alerts of which everything was known")
    opened: int = Field(description="tickets opened or reopened")
    unplaced: int = Field(description="alerts whose site nobody knows, which were left out")
    unknown_sites: list[str] = Field(description="sites that alerts name and that are not here")
    left_out: int = Field(description="alerts that the sender cut off, or that were too many")
    complaints: list[str] = Field(description="what could not be read")


@router.post(
    "/alertmanager",
    operation_id="tellAlertsOfAlertmanager",
    summary="Prometheus Alertmanager (version 4)",
    description=f"For a receiver with `webhook_configs`. {HOW}",
    response_model=TakenOut,
)
async def of_alertmanager(
    request: Request, who: Teller, body: Annotated[dict[str, Any], Body()], site: Site = "", site_label: Label = "site"
) -> TakenOut:
    return await take(request, alertmanager.read, body, site=site, site_label=site_label)


@router.post(
    "/grafana",
    operation_id="tellAlertsOfGrafana",
    summary="Grafana unified alerting",
    description=f"For a contact point of kind webhook. {HOW}",
    response_model=TakenOut,
)
async def of_grafana(
    request: Request, who: Teller, body: Annotated[dict[str, Any], Body()], site: Site = "", site_label: Label = "site"
) -> TakenOut:
    return await take(request, grafana.read, body, site=site, site_label=site_label)


@router.post(
    "/zabbix",
    operation_id="tellAlertsOfZabbix",
    summary="Zabbix",
    description=f"For the media type in `deploy/collector/zabbix-media-type.yaml`. {HOW}",
    response_model=TakenOut,
)
async def of_zabbix(
    request: Request, who: Teller, body: Annotated[dict[str, Any], Body()], site: Site = "", site_label: Label = "site"
) -> TakenOut:
    return await take(request, zabbix.read, body, site=site, site_label=site_label)


async def take(
    request: Request, read: Callable[[object], Read], body: dict[str, Any], *, site: str, site_label: str
) -> TakenOut:
    """Read a payload and let its alerts have their effect, part by part. Raises Invalid where nothing can be done with
    it: then the sender need not try again."""
    ctx = context(request)
    try:
        found = await asyncio.to_thread(read, body)  # up to 20,000 alerts: others are served meanwhile
    except Unreadable as error:
        raise Invalid(str(error)) from error
    placed = await ctx.db.read(alerts_in.place, found.alerts, default_site=site, site_label=site_label)
    if found.alerts and not placed.parts:
        named = f"; {', '.join(placed.unknown_sites)} is not here" if placed.unknown_sites else ""
        raise Invalid(
            f"no alert names a site that is here{named}: give the label {site_label!r} the name of a site, or add "
            "?site=NAME to the address"
        )
    taken = Taken()
    for part in placed.parts:
        taken.add(await ctx.db.run_alone(alerts_in.take, part, policy_of(ctx.config), now_ns=ctx.now_ns()))
    ctx.wake()
    return TakenOut(
        began=taken.began,
        went_on=taken.went_on,
        ended=taken.ended,
        told_before=taken.told_before,
        opened=taken.opened,
        unplaced=placed.unplaced,
        unknown_sites=list(placed.unknown_sites),
        left_out=found.left_out,
        complaints=list(found.complaints),
    )
