"""/risks: what has not happened yet, as a matrix of likelihood and impact and as a table, the highest score first."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from sitewarden_collector.console import tables
from sitewarden_collector.console.pages import page
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store import risk_pages
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()


@router.get("/risks")
async def risks(
    request: Request, principal: Annotated[Principal, Depends(need(Permission.SITES_READ))]
) -> HTMLResponse:
    ctx = context(request)
    filters = ("text", "customer", "kind", "likelihood", "impact", "lowered")
    table = tables.asked(request, sorts=risk_pages.SORTS, sort="score", filters=filters)
    chosen = table.filters
    found = await ctx.db.read(
        risk_pages.page,
        customer_id=principal.only_customer,
        site_ids=principal.only_sites,
        customer=chosen["customer"],
        text=chosen["text"],
        kind=chosen["kind"],
        likelihood=_degree(chosen["likelihood"]),
        impact=_degree(chosen["impact"]),
        lowered=chosen["lowered"] == "1",
        sort=table.sort,
        down=table.down,
        offset=table.offset,
        limit=table.size + 1,
    )
    table, rows = table.shown(found)
    return page(
        request,
        principal,
        "risks.html",
        table=table,
        rows=rows,
        matrix=await ctx.db.read(risk_pages.matrix, customer_id=principal.only_customer, site_ids=principal.only_sites),
        kinds=await ctx.db.read(risk_pages.kinds),
    )


def _degree(text: str) -> int:
    return int(text) if text in ("1", "2", "3", "4", "5") else 0
