"""/sites/NAME/configuration: what is configured at a site's agents, every version of it, and what became of it.

For engineers; who may change settings may write a new version or go back to an old one. What is for one agent or the
whole customer is written by `sitewarden config` and shown here where it counts.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import done, gettext, page
from sitewarden_collector.errors import NotFound
from sitewarden_collector.services import site_configs as configuring
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()
Reads = Annotated[Principal, Depends(need(Permission.SITES_READ))]
Writes = Annotated[Principal, Depends(need(Permission.SETTINGS_WRITE))]


@router.get("/sites/{name}/configuration")
async def configuration(request: Request, principal: Reads, name: str) -> HTMLResponse:
    if principal.only_customer:
        raise NotFound(f"there is no site {name!r}; /sites shows those that are there")
    view = await context(request).db.read(configuring.of_site, name)
    return page(request, principal, "site_configuration.html", view=view)


@router.post("/sites/{name}/configuration")
async def configure(request: Request, principal: Writes, name: str) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    what = await ctx.db.read(configuring.scope, site=name)
    made = await ctx.db.run(
        configuring.configure,
        what,
        form.text("document"),
        author=principal.name,
        note=form.text("note"),
        now_ns=ctx.now_ns(),
    )
    said = gettext(request, principal, N_("Version %(number)s is on its way."), number=made.version)
    return done(request, said, back=f"/sites/{name}/configuration")


@router.post("/sites/{name}/configuration/rollback")
async def roll_back(request: Request, principal: Writes, name: str) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    version = form.number("version", least=1, most=10**9)
    what = await ctx.db.read(configuring.scope, site=name)
    made = await ctx.db.run(configuring.roll_back, what, version, author=principal.name, now_ns=ctx.now_ns())
    said = gettext(request, principal, N_("Version %(number)s is on its way."), number=made.version)
    return done(request, said, back=f"/sites/{name}/configuration")
