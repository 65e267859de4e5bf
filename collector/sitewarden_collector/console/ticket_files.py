"""/tickets/NUMBER/files and /visits: files kept with a ticket, and visits to its site.

Files are given back as something to save, never as something that a browser would show or run.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response, UploadFile
from starlette.datastructures import UploadFile as Uploaded

from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.ticket_actions import answer
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import ticket_view, ticket_work
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.services.desk import attaching, visits
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()
Reader = Annotated[Principal, Depends(need(Permission.TICKETS_READ))]
Reporter = Annotated[Principal, Depends(need(Permission.TICKETS_REPORT))]
Worker = Annotated[Principal, Depends(need(Permission.TICKETS_WORK))]
FILES_MAX = 10


@router.post("/tickets/{number}/files")
async def attach(request: Request, principal: Reporter, number: str) -> Response:
    """One file or several, all of them or none. What a customer's account sends, the customer sees."""
    ctx = context(request)
    await ctx.db.read(ticket_view.must_see, number, principal)
    form = await request.form()
    sent = [one for one in form.getlist("file") if isinstance(one, UploadFile | Uploaded) and one.filename]
    if not sent:
        raise Invalid("no file came along; choose one and send it again")
    if len(sent) > FILES_MAX:
        raise Invalid(f"at most {FILES_MAX} files at once; send the rest after them, or as one archive")
    content = [(str(one.filename), await one.read(attaching.SIZE_MAX + 1)) for one in sent]
    visibility = "customer" if principal.only_customer else str(form.get("visibility", "internal"))
    by, now_ns = principal.name, ctx.now_ns()

    await ctx.db.run(ticket_work.attach, number, content, ctx.secret, by=by, now_ns=now_ns, visibility=visibility)
    return answer(request, principal, number, N_("Kept with the ticket."))


@router.get("/tickets/{number}/files/{file_id}")
async def download(request: Request, principal: Reader, number: str, file_id: str) -> Response:
    ctx = context(request)
    ticket = await ctx.db.read(ticket_view.must_see, number, principal)
    found, content = await ctx.db.read(ticket_work.file_of, ticket, file_id, principal, ctx.secret)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.post("/tickets/{number}/visits")
async def plan(request: Request, principal: Worker, number: str) -> Response:
    """A visit, at a time by the wall of the reader."""
    ctx = context(request)
    form = await fields(request, principal)
    planned_ns = form.moment("planned")
    if planned_ns is None:
        raise Invalid("a visit has a time; say when the engineer is to be there")
    who = form.text("engineer") or principal.name
    await ctx.db.run(visits.plan, number, who, planned_ns, by=principal.name, now_ns=ctx.now_ns())
    return answer(request, principal, number, N_("The visit is planned."))


@router.post("/tickets/{number}/visits/{step}")
async def visited(request: Request, principal: Worker, number: str, step: str) -> Response:
    """The next step of a visit: arrive, leave (with findings), sign (by a name), cancel (with a reason)."""
    ctx = context(request)
    form = await fields(request, principal)
    visit_id = form.text("visit", required=True)
    needs = ticket_work.VISIT_STEPS[step][1] if step in ticket_work.VISIT_STEPS else ""
    said = form.text(needs, required=True) if needs else ""
    await ctx.db.run(ticket_work.visit_on, number, visit_id, step, said, by=principal.name, now_ns=ctx.now_ns())
    return answer(request, principal, number, N_("The visit is a step further."))
