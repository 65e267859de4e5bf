"""GET /tickets/NUMBER: one ticket. What is live of it comes as parts; its charts and log lines are asked for apart."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse

from sitewarden_alerting.model import HOUR_NS, MINUTE_NS, Ticket
from sitewarden_alerting.solutions import Step
from sitewarden_collector.console import choices, ticket_choices
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import gettext, page
from sitewarden_collector.console.sites import drawn, drawn_with_older
from sitewarden_collector.errors import NotFound
from sitewarden_collector.services import log_lines, ticket_view
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store import evidence as kept
from sitewarden_collector.web.context import Context, context
from sitewarden_collector.web.identity import need

router = APIRouter()
Reader = Annotated[Principal, Depends(need(Permission.TICKETS_READ))]

CHARTS = {
    "cpu": N_("CPU"),
    "memory": N_("Memory"),
    "load": N_("Load"),
    "disk": N_("Disks"),
    "folder": N_("Folders"),
    "probes": N_("Probes"),
}
# How far before and after the fault the charts reach.
SPANS = {
    "1h": (HOUR_NS // 2, HOUR_NS // 2, N_("1 hour")),
    "6h": (4 * HOUR_NS, 2 * HOUR_NS, N_("6 hours")),
    "24h": (18 * HOUR_NS, 6 * HOUR_NS, N_("24 hours")),
}
# What shows at once: the rest is folded.
SHOWN_EVIDENCE = 3


@router.get("/tickets/{number}")
async def ticket(request: Request, principal: Reader, number: str, span: str = "6h") -> HTMLResponse:
    ctx = context(request)
    view = await ctx.db.read(ticket_view.view, number, principal, now_ns=ctx.now_ns())
    lines = []
    live = choices.part(request) == "live"
    if view.shown.evidence and not live:
        lines = await ctx.db.read(log_lines.around, view.shown.ticket.site_id, view.shown.evidence[0])
    return page(
        request,
        principal,
        "ticket_live.html" if live else "ticket.html",
        site_zone=view.work.site_zone,
        view=view,
        ticket=view.shown.ticket,
        lines=lines,
        clocks=view.clocks.clocks,
        steps=tuple(Step),
        shown_evidence=SHOWN_EVIDENCE,
        span_key=span if span in SPANS else "6h",
        spans=[(key, gettext(request, principal, said)) for key, (_, _, said) in SPANS.items()],
        charts=[(kind, gettext(request, principal, said)) for kind, said in CHARTS.items()],
        **ticket_choices.offered(request, principal, view),
    )


@router.get("/tickets/{number}/lines")
async def lines(request: Request, principal: Reader, number: str, entry: int = 0) -> HTMLResponse:
    """The log around one entry of the evidence."""
    ctx = context(request)
    ticket = await _visible(ctx, principal, number)
    evidence = await ctx.db.read(kept.of_ticket, ticket.id)
    if not 0 <= entry < len(evidence):
        raise NotFound("that entry of the evidence is not kept any more; load the ticket anew")
    found = await ctx.db.read(log_lines.around, ticket.site_id, evidence[entry])
    return page(request, principal, "ticket_lines.html", lines=found)


@router.get("/tickets/{number}/charts")
async def health(request: Request, principal: Reader, number: str, span: str = "6h") -> JSONResponse:
    """The health of the ticket's site around its fault, with the moment marked: all charts at once, so that each block
    of samples is opened once."""
    ctx = context(request)
    ticket = await _visible(ctx, principal, number)
    before_ns, after_ns, _ = SPANS.get(span, SPANS["6h"])
    at_ns = ticket.opened_ns
    until_ns = min(at_ns + after_ns, max(ctx.now_ns(), at_ns + MINUTE_NS))
    since_ns = at_ns - before_ns
    found, note = await drawn_with_older(
        request, principal, ticket.site_id, tuple(CHARTS), since_ns=since_ns, until_ns=until_ns
    )
    return JSONResponse({kind: drawn(one, marks_ns=(at_ns,), note=note) for kind, one in found.items()})


async def _visible(ctx: Context, principal: Principal, number: str) -> Ticket:
    """The ticket, if it exists for whoever asks."""
    return await ctx.db.read(ticket_view.must_see, number, principal)
