"""/admin/health: how the collector is, in words, and every queue and lag behind them in numbers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from sitewarden_collector.console.pages import page
from sitewarden_collector.services import health
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter(prefix="/admin/health")

Sets = Annotated[Principal, Depends(need(Permission.SETTINGS_WRITE))]


@router.get("")
async def overview(request: Request, principal: Sets) -> HTMLResponse:
    ctx = context(request)
    facts, local = await ctx.db.read(health.examine, now_ns=ctx.now_ns()), ctx.local()
    verdict = health.judge(facts, local)
    return page(request, principal, "health.html", facts=facts, local=local, verdict=verdict)
