"""/admin/privacy: everything that is kept of a customer as one file, and its erasure, after the name was typed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import gettext, moved, page
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import privacy
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store import site_names
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter(prefix="/admin/privacy")

Privacy = Annotated[Principal, Depends(need(Permission.PRIVACY_WRITE))]


@router.get("")
async def overview(request: Request, principal: Privacy) -> HTMLResponse:
    ctx = context(request)
    names = await ctx.db.read(site_names.customers_every)
    return page(request, principal, "privacy.html", names=names, retention=ctx.config.retention)


@router.post("/export")
async def export(request: Request, principal: Privacy) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    customer = form.text("customer", required=True)
    with tempfile.TemporaryDirectory(prefix="sitewarden-export-") as folder:
        path = Path(folder) / "export.zip"
        await ctx.db.run_alone(
            privacy.export,
            customer,
            path,
            ctx.secret,
            by=principal.name,
            reason=form.text("reason"),
            now_ns=ctx.now_ns(),
        )
        content = path.read_bytes()
    headers = {"Content-Disposition": 'attachment; filename="customer-export.zip"'}
    return Response(content, media_type="application/zip", headers=headers)


@router.post("/erase")
async def erase(request: Request, principal: Privacy) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    customer = form.text("customer", required=True)
    if form.text("typed") != customer:
        raise Invalid("the name that you typed is not that of the customer; nothing was erased")
    counts = await ctx.db.run_alone(
        privacy.erase, customer, by=principal.name, reason=form.text("reason"), now_ns=ctx.now_ns()
    )
    text = gettext(request, principal, N_("%(number)s rows are erased."), number=sum(counts.values()))
    return moved(request, "/admin/privacy", text=text)
