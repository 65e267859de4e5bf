"""GET /: the board. What burns, sorted by the time left on its clocks, live."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from sitewarden_alerting.model import PRIORITIES
from sitewarden_collector.console import choices, tables
from sitewarden_collector.console.pages import page
from sitewarden_collector.services import desk_view
from sitewarden_collector.services.access import Permission, Principal
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
    wanted = choices.wanted(table, principal, states=choices.OPEN)
    seen = await ctx.db.read(
        desk_view.board,
        wanted,
        now_ns=ctx.now_ns(),
        sort=table.sort,
        down=table.down,
        offset=table.offset,
        limit=table.size + 1,
        customer_id=principal.only_customer,
    )
    table, rows = table.shown(list(seen.rows))
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
