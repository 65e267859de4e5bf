"""What grows: one series compared over all sites."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from sitewarden_collector.http_api.shapes import Out, SitesReader, narrowed
from sitewarden_collector.services import growth
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/growth", tags=["sites"])


class GrowthOut(Out):
    """By how much one series of one host grew since the end of a day."""

    site: str
    hostname: str
    labels: dict[str, str]
    unit: str
    before: float
    now: float
    by: float
    share: float | None = Field(description="of what it was; null when that was nothing")


@router.get("", operation_id="listGrowth", summary="What grew most, over all sites", response_model=list[GrowthOut])
async def list_growth(
    request: Request,
    who: SitesReader,
    series: Annotated[str, Query(max_length=200, examples=["filesystem_used_ratio"])],
    days: Annotated[int, Query(ge=1, le=growth.DAYS_MAX)] = 7,
    limit: Annotated[int, Query(ge=1, le=growth.COUNT_MAX)] = 20,
) -> Any:
    ctx = context(request)
    found = await ctx.db.read(growth.top, series, days=days, count=limit, now_ns=ctx.now_ns(), narrowed=narrowed(who))
    return [
        GrowthOut(
            site=one.site,
            hostname=one.hostname,
            labels=dict(one.series.labels),
            unit=one.series.unit,
            before=one.before,
            now=one.now,
            by=one.by,
            share=one.share,
        )
        for one in found
    ]
