"""GET /: the board. What burns, sorted by the time left on its clocks, live."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from sitewarden_alerting.model import PRIORITIES
from sitewarden_collector.console import choices, counting, tables
from sitewarden_collector.console.pages import page
from sitewarden_collector.services import desk_view
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.services.desk_view import Figures
from sitewarden_collector.store import board as store
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()


@router.get("/")
async def board(
    request: Request, principal: Annotated[Principal, Depends(need(Permission.TICKETS_READ))]
) -> HTMLResponse:
    ctx = context(request)
    table = tables.asked(request, sorts=store.SORTS, sort="left", filters=choices.FILTERS)
    found, seen = await asyncio.gather(
        ctx.db.read(
            store.page,
            choices.wanted(table, principal, states=choices.OPEN),
            now_ns=ctx.now_ns(),
            sort=table.sort,
            down=table.down,
            offset=table.offset,
            limit=table.size + 1,
        ),
        _figures(request, principal),
    )
    table, rows = table.shown(found)
    live = choices.part(request) == "live"
    return page(
        request,
        principal,
        "board_live.html" if live else "board.html",
        table=table,
        rows=rows,
        seen=seen,
        columns="board",
        offered=choices,
        priorities=PRIORITIES,
    )


async def _figures(request: Request, principal: Principal) -> Figures:
    """What stands above the board. However many consoles look after a change, it is counted once for all of them."""
    ctx = context(request)
    customer_id, site_ids = seen = counting.scope(principal)

    async def count() -> Figures:
        return await ctx.db.read(desk_view.figures, now_ns=ctx.now_ns(), customer_id=customer_id, site_ids=site_ids)

    return await counting.once(request, ("board", seen), count, as_of=ctx.live.seen)
