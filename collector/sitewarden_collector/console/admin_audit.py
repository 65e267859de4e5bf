"""/admin/audit: who saw and did what, and whether the log is whole."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from sitewarden_collector.console import moments, tables
from sitewarden_collector.console.fields import Fields
from sitewarden_collector.console.pages import page
from sitewarden_collector.services import audit
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store import audit as log
from sitewarden_collector.store import sites
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter(prefix="/admin/audit")
FILTERS = ("who", "action", "what", "customer", "since", "until", "before")

Reads = Annotated[Principal, Depends(need(Permission.AUDIT_READ))]


@router.get("")
async def listing(request: Request, principal: Reads) -> HTMLResponse:
    ctx = context(request)
    table = tables.asked(request, sorts=("seq",), sort="seq", filters=FILTERS, size=100)
    asked = table.filters
    times = Fields({name: (asked[name],) for name in ("since", "until")}, {}, moments.zone_of(request, principal))
    customer_id = await ctx.db.read(sites.customer_id_of, asked["customer"]) if asked["customer"] else ""
    found = await ctx.db.read(
        log.some,
        who=asked["who"],
        action=asked["action"],
        what=asked["what"],
        customer_id=customer_id,
        since_ns=times.moment("since") or 0,
        until_ns=times.moment("until") or 0,
        before_seq=_number(asked["before"]),
        limit=table.size + 1,
    )
    table, rows = table.shown(found)
    return page(request, principal, "audit.html", table=table, rows=rows)


@router.get("/verify")
async def verify(request: Request, principal: Reads) -> HTMLResponse:
    """Walk the whole chain; a part of the page, fetched when asked for."""
    ctx = context(request)
    kept = audit.read_anchor(ctx.config.data_path / audit.ANCHOR_FILE)
    verdict = await ctx.db.read(audit.verify, [kept] if kept else [])
    return page(request, principal, "audit_verdict.html", verdict=verdict, anchored=kept is not None)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0
