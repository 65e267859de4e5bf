"""GET /: the board. What burns, sorted by the time left on its clocks, live."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from sitewarden_alerting.model import PRIORITIES
from sitewarden_collector.console import choices, tables
from sitewarden_collector.console.pages import page
from sitewarden_collector.services import desk_view
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.services.desk_view import Figures
from sitewarden_collector.store import board as store
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()
Scope = tuple[str, frozenset[str]]  # of one customer, of some of its sites
FRESH_S = 5.0  # the figures are so old at most, and none where something changed since


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
    kept = _kept(request)
    scope = (principal.only_customer, principal.only_sites)
    change, at_s = ctx.live.seen, time.monotonic()
    if scope in kept:
        as_of, counted_s, counting = kept[scope]
        if as_of == change and at_s - counted_s < FRESH_S and not (counting.done() and counting.exception()):
            return await asyncio.shield(counting)
    customer_id, site_ids = scope
    reading = ctx.db.read(desk_view.figures, now_ns=ctx.now_ns(), customer_id=customer_id, site_ids=site_ids)
    counting = asyncio.ensure_future(reading)
    kept[scope] = (change, at_s, counting)
    return await asyncio.shield(counting)


def _kept(request: Request) -> dict[Scope, tuple[int, float, asyncio.Future[Figures]]]:
    state = request.app.state
    if not hasattr(state, "figures"):
        state.figures = {}
    found: dict[Scope, tuple[int, float, asyncio.Future[Figures]]] = state.figures
    return found
