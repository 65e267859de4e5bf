"""Sites: how they are, their agents, and their health over time."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from sitewarden_alerting.model import DAY_NS, HOUR_NS
from sitewarden_collector.errors import Invalid, NotFound
from sitewarden_collector.http_api.paging import Cursor, Limit, Page, page, window
from sitewarden_collector.http_api.shapes import (
    Moment,
    Out,
    Search,
    SitesReader,
    instant,
    moment,
    nanoseconds,
    narrowed,
)
from sitewarden_collector.http_api.v1.inventory_shapes import InventoryOut, inventory_of
from sitewarden_collector.services import charts, remote_read, site_configs
from sitewarden_collector.services.access import Principal
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store import agents, listings, samples, sites
from sitewarden_collector.store.listings import SiteRow
from sitewarden_collector.store.pages import Window
from sitewarden_collector.store.tracks import Track
from sitewarden_collector.web.context import context

SPAN_MAX_NS = 31 * DAY_NS
POINTS_MAX = 2000
TRACKS_MAX = 50
NOTE = "Sitewarden-Note"

router = APIRouter(prefix="/sites", tags=["sites"])
Name = Annotated[str, Path(max_length=200, description="the site's name", examples=["acme-berlin"])]


class SiteOut(Out):
    """A site."""

    name: str
    id: str
    customer: str
    agents: int = Field(description="active agents")
    last_seen: datetime | None = Field(description="when one of its agents was last heard")
    open_tickets: int
    created: datetime


class ConfigurationOut(Out):
    """How a host stands to what is configured for it from here."""

    version: int | None = Field(description="what should run; null: nothing was configured from here")
    configured_for: str = Field(description="customer, site or agent; empty: nothing was configured")
    state: str = Field(
        description="none, unsupported, queued, received, applying, applied, failed, refused, expired or superseded"
    )
    detail: str = Field(description="why, and of a failure the end of the agent's log")
    since: datetime | None


class AgentOut(Out):
    """A host with an agent."""

    id: str
    hostname: str
    version: str
    state: str
    state_why: str
    enrolled: datetime
    last_seen: datetime | None
    configuration: ConfigurationOut | None = Field(description="null: the agent is gone, or not yours to see")
    inventory: InventoryOut | None = Field(description="what the host is; null: its agent has not told yet")


class SiteDetailOut(SiteOut):
    """A site with its agents and the newest numbers of its health."""

    hosts: list[AgentOut]
    series: list[str] = Field(description="what there are charts of: names for `GET /sites/{name}/series`")


class TrackOut(Out):
    """One series of one host: a chart's line. `times` are milliseconds since 1970."""

    hostname: str
    name: str
    labels: dict[str, str]
    unit: str
    times: list[int]
    numbers: list[float]


@router.get("", operation_id="listSites", summary="Sites by name", response_model=Page[SiteOut])
async def list_sites(
    request: Request,
    who: SitesReader,
    customer: Annotated[str, Query(max_length=200, description="the name of a customer")] = "",
    q: Search = "",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Any:
    asked = window(request, cursor=cursor, limit=limit, descending=False)
    rows = await context(request).db.read(listings.sites_page, asked, narrowed=narrowed(who), customer=customer, text=q)
    return page(request, rows, asked, shape=_site_out, keys=lambda one: (one.name, one.id))


@router.get("/{name}", operation_id="getSite", summary="One site with its hosts", response_model=SiteDetailOut)
async def get_site(request: Request, who: SitesReader, name: Name) -> Any:
    return await context(request).db.read(_detail, name, who)


@router.get(
    "/{name}/series",
    operation_id="getSiteSeries",
    summary="A site's health over time, for charts",
    description=f"At most 31 days, {TRACKS_MAX} lines and {POINTS_MAX} points a line: of more, the lowest and the "
    "highest of equal stretches of time; of more than three days, those of each hour. What is not kept here any more "
    f"is read from the remote store, where one is configured; the header {NOTE} says when it could not be.",
    response_model=list[TrackOut],
)
async def get_series(
    request: Request,
    response: Response,
    who: SitesReader,
    name: Name,
    series: Annotated[str, Query(max_length=200, description="as the site's `series` lists", examples=["load1"])],
    since: Annotated[Moment | None, Query(description="default: a day before `until`")] = None,
    until: Annotated[Moment | None, Query(description="default: now")] = None,
) -> Any:
    ctx = context(request)
    end_ns = ctx.now_ns() + HOUR_NS if until is None else nanoseconds(until)
    begin_ns = end_ns - DAY_NS - HOUR_NS if since is None else nanoseconds(since)
    if not 0 < end_ns - begin_ns <= SPAN_MAX_NS:
        raise Invalid("a chart covers at most 31 days and ends after it begins; move `since` or `until`")
    site = await ctx.db.read(_must_find, name, who)
    span = {"since_ns": begin_ns, "until_ns": end_ns}
    now_ns = ctx.now_ns()
    older = await remote_read.older(ctx.db, ctx.config, site.id, {series}, **span, now_ns=now_ns, points=POINTS_MAX)
    if older.note:
        response.headers[NOTE] = older.note.encode("ascii", "replace").decode()
    return await ctx.db.read(_tracks, name, series, who, **span, older=older.tracks)


def _must_find(tx: Tx, name: str, who: Principal) -> SiteRow:
    found = listings.sites_page(tx, Window(1), narrowed=narrowed(who), name=name)
    if not found:
        raise NotFound(f"there is no site {name!r}; `GET /api/v1/sites` lists those that there are")
    return found[0]


def _detail(tx: Tx, name: str, who: Principal) -> dict[str, Any]:
    row = _must_find(tx, name, who)
    configured = {} if who.only_customer else _configured(tx, row.id)
    hosts = [
        AgentOut(
            id=agent.id,
            hostname=agent.hostname,
            version=agent.version,
            state=agent.state,
            state_why="" if who.only_customer else agent.state_why,
            enrolled=instant(agent.enrolled_ns),
            last_seen=moment(agent.last_seen_ns),
            configuration=configured.get(agent.id),
            inventory=inventory_of(tx, agent.id),
        )
        for agent in agents.of_site(tx, row.id)
    ]
    there = sorted({one.series.name for one in samples.last(tx, site_id=row.id)})
    return {**_site_out(row), "hosts": hosts, "series": there}


def _configured(tx: Tx, site_id: str) -> dict[str, ConfigurationOut]:
    return {
        one.agent.id: ConfigurationOut(
            version=None if one.wanted is None else one.wanted.version,
            configured_for="" if one.wanted is None else one.wanted.scope,
            state=one.state,
            detail=one.detail,
            since=moment(one.changed_ns),
        )
        for one in site_configs.standing(tx, site_id)
    }


def _tracks(
    tx: Tx, name: str, series: str, who: Principal, *, since_ns: int, until_ns: int, older: tuple[Track, ...]
) -> list[TrackOut]:
    site = sites.by_id(tx, _must_find(tx, name, who).id)
    hosts = {agent.id: agent.hostname for agent in agents.of_site(tx, site.id)}
    found = []
    tracks = charts.tracks_between(tx, site.id, {series}, since_ns=since_ns, until_ns=until_ns, older=older)
    for track in tracks[:TRACKS_MAX]:
        points = charts.thinned(track.times, track.values, points=POINTS_MAX)
        points = tuple(point for point in points if math.isfinite(point[1]))
        found.append(
            TrackOut(
                hostname=hosts.get(track.agent_id, ""),
                name=track.series.name,
                labels=dict(track.series.labels),
                unit=track.series.unit,
                times=[at_ms for at_ms, _ in points],
                numbers=[number for _, number in points],
            )
        )
    return found


def _site_out(row: SiteRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "id": row.id,
        "customer": row.customer,
        "agents": row.agents,
        "last_seen": moment(row.last_seen_ns),
        "open_tickets": row.open_tickets,
        "created": instant(row.created_ns),
    }
