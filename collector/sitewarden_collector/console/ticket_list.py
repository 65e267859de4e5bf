"""GET /tickets: every ticket, filtered and sorted. A number typed into the search opens its ticket."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from sitewarden_alerting.model import PRIORITIES
from sitewarden_collector.console import choices, tables
from sitewarden_collector.console.pages import go, page
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store import board as store
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()


@router.get("/tickets")
async def listing(
    request: Request, principal: Annotated[Principal, Depends(need(Permission.TICKETS_READ))]
) -> Response:
    ctx = context(request)
    table = tables.asked(request, sorts=store.SORTS, sort="opened", down=True, filters=choices.FILTERS)
    if re.fullmatch(r"[A-Za-z]{2,4}-\d+", table.filters["text"]):
        return go(f"/tickets/{table.filters['text'].upper()}")
    wanted = choices.wanted(table, principal, states=())
    found = await ctx.db.read(
        store.page,
        wanted,
        now_ns=ctx.now_ns(),
        sort=table.sort,
        down=table.down,
        offset=table.offset,
        limit=table.size + 1,
    )
    table, rows = table.shown(found)
    return page(
        request,
        principal,
        "tickets_live.html" if choices.part(request) == "live" else "tickets.html",
        table=table,
        rows=rows,
        columns="tickets",
        customers=[] if principal.only_customer else await ctx.db.read(store.customer_names),
        offered=choices,
        priorities=PRIORITIES,
    )
