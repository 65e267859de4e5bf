"""/sites: every installation, the worst first; /sites/NAME: one of them, with its hosts, its work and its health over
time.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse

from sitewarden_alerting.model import DAY_NS, HOUR_NS
from sitewarden_collector.console import counting, tables
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import gettext, page, told
from sitewarden_collector.errors import NotFound
from sitewarden_collector.services import charts, remote_read, site_view
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store import site_pages
from sitewarden_collector.store import sites as site_rows
from sitewarden_collector.store.sites import Site
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()

SPANS = {"1h": HOUR_NS, "6h": 6 * HOUR_NS, "24h": DAY_NS, "7d": 7 * DAY_NS, "30d": 30 * DAY_NS}
SPAN_WORDS = {"1h": N_("1 hour"), "6h": N_("6 hours"), "24h": N_("24 hours"), "7d": N_("7 days"), "30d": N_("30 days")}
CHARTS = {
    "cpu": N_("CPU in use"),
    "memory": N_("Memory in use"),
    "load": N_("Load"),
    "disk": N_("Disks, full to"),
    "folder": N_("Data folders, full to"),
    "probes": N_("Answer times of the probes"),
    "process_cpu": N_("CPU in use by the product's programs"),
    "process_memory": N_("Memory of the product's programs"),
    "process_handles": N_("Files and connections the product's programs hold open"),
    "container": N_("Limits of the containers"),
    "top_cpu": N_("Programs that compute most"),
    "top_memory": N_("Programs with most memory"),
    "waits": N_("CPU waiting for disks, or taken by the hypervisor"),
    "pressure": N_("Work that waits (pressure)"),
    "swap": N_("Swap in use"),
    "disk_busy": N_("Disks, busy"),
    "network": N_("Network"),
    "temperature": N_("Temperatures"),
    "certificates": N_("Days until certificates end"),
    "file_age": N_("Age of files that are written in time"),
    "file_size": N_("Size of files that are written in time"),
    "restarts": N_("Restarts of services"),
    "database": N_("Answer times of databases"),
    "database_value": N_("Answers of databases"),
    "check_seconds": N_("Times that checks measured"),
    "check_ratio": N_("Shares that checks measured"),
    "check_bytes": N_("Sizes that checks measured"),
    "check_value": N_("Numbers that checks measured"),
}
OWN_MAX = 12
"""Charts of series that the product tells of itself."""
ALWAYS = frozenset({"cpu", "memory", "load", "disk"})
"""Charts that are there for every site; the others where one of its hosts told of them."""
Reader = Annotated[Principal, Depends(need(Permission.SITES_READ))]


@router.get("/sites")
async def sites(request: Request, principal: Reader) -> HTMLResponse:
    ctx = context(request)
    table = tables.asked(
        request, sorts=site_pages.SORTS, sort="health", filters=("customer", "health", "version", "text")
    )
    filters = dict(table.filters)
    if filters["health"] not in site_pages.HEALTHS:
        filters["health"] = ""
    now_ns = ctx.now_ns()
    found = await ctx.db.read(
        site_pages.page,
        now_ns=now_ns,
        customer_id=principal.only_customer,
        site_ids=principal.only_sites,
        **filters,
        sort=table.sort,
        down=table.down,
        offset=table.offset,
        limit=table.size + 1,
    )
    table, rows = table.shown(found)
    customer_id, site_ids = seen = counting.scope(principal)

    async def count() -> dict[str, int]:
        return await ctx.db.read(site_pages.counts, now_ns=now_ns, customer_id=customer_id, site_ids=site_ids)

    return page(
        request,
        principal,
        "sites.html",
        table=table,
        rows=rows,
        counts=await counting.once(request, ("sites", seen), count),
        healths=site_pages.HEALTHS,
        versions=[] if principal.only_customer else await ctx.db.read(site_pages.versions),
    )


@router.get("/sites/{name}")
async def site(request: Request, principal: Reader, name: str, span: str = "24h") -> HTMLResponse:
    ctx = context(request)
    await _visible(request, principal, name)
    now_ns = ctx.now_ns()
    view = await ctx.db.read(site_view.show, name, now_ns=now_ns, outside=bool(principal.only_customer))
    return page(
        request,
        principal,
        "site.html",
        site_zone=view.site.timezone,
        view=view,
        span_key=span if span in SPANS else "24h",
        spans=[(key, gettext(request, principal, said)) for key, said in SPAN_WORDS.items()],
        charts=[
            *((kind, gettext(request, principal, CHARTS[kind])) for kind in _charts_of(view)),
            *((f"{charts.OWN}{name}", name) for name in _own_series(view)),
        ],
        silent_before_ns=now_ns - site_pages.SILENT_NS,
    )


@router.get("/sites/{name}/chart")
async def chart(request: Request, principal: Reader, name: str, what: str, span: str = "24h") -> JSONResponse:
    """One chart, as the browser draws it."""
    ctx = context(request)
    where = await _visible(request, principal, name)
    if charts.kind_of(what) is None:
        raise NotFound(f"there is no chart {what}; there are {', '.join(charts.KINDS)}")
    until_ns = ctx.now_ns()
    since_ns = until_ns - SPANS.get(span, DAY_NS)
    found, note = await drawn_with_older(request, principal, where.id, (what,), since_ns=since_ns, until_ns=until_ns)
    return JSONResponse(drawn(found[what], note=note))


async def drawn_with_older(
    request: Request, principal: Principal, site_id: str, kinds: tuple[str, ...], *, since_ns: int, until_ns: int
) -> tuple[dict[str, charts.Chart], str]:
    """The charts called `kinds` of a site, with what only a remote store keeps any more; and what the reader should
    know of them, or nothing."""
    ctx = context(request)
    older = await remote_read.older(
        ctx.db,
        ctx.config,
        site_id,
        charts.names_of(kinds),
        since_ns=since_ns,
        until_ns=until_ns,
        now_ns=ctx.now_ns(),
    )
    found = await ctx.db.read(charts.charts, site_id, kinds, since_ns=since_ns, until_ns=until_ns, older=older.tracks)
    return found, told(request, principal, older.note)


def drawn(chart: charts.Chart, *, marks_ns: tuple[int, ...] = (), note: str = "") -> dict[str, Any]:
    """A chart in the words of assets/charts.js."""
    low, high = chart.scale or (None, None)
    return {
        "unit": chart.unit,
        "from": chart.since_ns // 1_000_000,
        "until": chart.until_ns // 1_000_000,
        "min": low,
        "max": high,
        "mark": [at_ns // 1_000_000 for at_ns in marks_ns] or None,
        "note": note,
        "series": [{"name": line.name, "points": line.points} for line in chart.lines],
    }


def _charts_of(view: site_view.SiteView) -> list[str]:
    told = {figure.series.name for host in view.hosts for figure in host.figures}
    return [kind for kind in CHARTS if kind in ALWAYS or not told.isdisjoint(charts.KINDS[kind].all_series())]


def _own_series(view: site_view.SiteView) -> list[str]:
    """What the product's own metrics are called: whatever a probe told that we have no words for."""
    ours = {name for kind in charts.KINDS.values() for name in kind.all_series()}
    told = {one.series.name for host in view.hosts for one in host.figures if "probe" in dict(one.series.labels)}
    return sorted(name for name in told - ours if not name.startswith(("probe_", "plugin_")))[:OWN_MAX]


async def _visible(request: Request, principal: Principal, name: str) -> Site:
    """The site, if it exists for whoever asks."""
    found = await context(request).db.read(site_rows.find, name)
    if found is None or not principal.sees_site(found.customer_id, found.id):
        raise NotFound(f"there is no site {name!r}; /sites shows those that are there")
    return found
