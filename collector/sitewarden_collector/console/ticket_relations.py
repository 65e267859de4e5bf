"""POST /tickets/NUMBER/...: how a ticket stands to others: merged, split, linked, a part of one, an incident of a
problem."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import gettext, moved
from sitewarden_collector.console.ticket_actions import answer
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.services.desk import linking, merging, problems
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()
Worker = Annotated[Principal, Depends(need(Permission.TICKETS_WORK))]

# A link as a form offers it, from this ticket's side: the kind, and whether the other ticket is where it begins.
LINKS = {
    "relates": ("relates", False, N_("relates to")),
    "duplicates": ("duplicates", False, N_("duplicates")),
    "duplicated": ("duplicates", True, N_("is duplicated by")),
    "causes": ("causes", False, N_("causes")),
    "caused": ("causes", True, N_("is caused by")),
    "blocks": ("blocks", False, N_("blocks")),
    "blocked": ("blocks", True, N_("is blocked by")),
}


@router.post("/tickets/{number}/merge")
async def merge(request: Request, principal: Worker, number: str) -> Response:
    """Into another ticket, which the reader is taken to."""
    ctx = context(request)
    form = await fields(request, principal)
    into = form.text("into", required=True).upper()
    reason = form.text("reason")
    whole = await ctx.db.run(merging.merge, number, into, by=principal.name, now_ns=ctx.now_ns(), reason=reason)
    ctx.wake()
    said = gettext(request, principal, N_("%(number)s goes on in this ticket."), number=number.upper())
    return moved(request, f"/tickets/{whole.number}", text=said)


@router.post("/tickets/{number}/unmerge")
async def unmerge(request: Request, principal: Worker, number: str) -> Response:
    """Take `number`, or the ticket that the form names (one that went into it), out again."""
    ctx = context(request)
    form = await fields(request, principal)
    which = form.text("which").upper() or number.upper()
    back = await ctx.db.run(merging.unmerge, which, by=principal.name, now_ns=ctx.now_ns())
    return answer(request, principal, number, N_("%(other)s stands for itself again."), other=back.number)


@router.post("/tickets/{number}/split")
async def split(request: Request, principal: Worker, number: str) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    fault = form.text("fingerprint", required=True)
    made = await ctx.db.run(merging.split, number, fault, by=principal.name, now_ns=ctx.now_ns())
    if made.number == number.upper():
        return answer(request, principal, number, N_("Split: what comes of it gets a ticket of its own."))
    ctx.wake()
    said = gettext(request, principal, N_("Split from %(number)s."), number=number.upper())
    return moved(request, f"/tickets/{made.number}", text=said)


@router.post("/tickets/{number}/link")
async def link(request: Request, principal: Worker, number: str) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    kind, other = form.text("kind", required=True), form.text("to", required=True).upper()
    plain, backwards, _ = LINKS.get(kind, (kind, False, ""))
    ends = (other, plain, number) if backwards else (number, plain, other)
    await ctx.db.run(linking.link, *ends, by=principal.name, now_ns=ctx.now_ns())
    return answer(request, principal, number, N_("Linked with %(other)s."), other=other)


@router.post("/tickets/{number}/unlink")
async def unlink(request: Request, principal: Worker, number: str) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    kind, other = form.text("kind", required=True), form.text("to", required=True)
    await ctx.db.run(linking.unlink, number, kind, other, by=principal.name, now_ns=ctx.now_ns())
    return answer(request, principal, number, N_("No longer linked with %(other)s."), other=other)


@router.post("/tickets/{number}/parent")
async def parent(request: Request, principal: Worker, number: str) -> Response:
    """A part of another ticket; of none where the form names none."""
    ctx = context(request)
    above = (await fields(request, principal)).text("parent").upper()
    await ctx.db.run(linking.set_parent, number, above, by=principal.name, now_ns=ctx.now_ns())
    if not above:
        return answer(request, principal, number, N_("It stands for itself."))
    return answer(request, principal, number, N_("It is a part of %(other)s."), other=above)


@router.post("/tickets/{number}/problem")
async def problem(request: Request, principal: Worker, number: str) -> Response:
    """An incident of a problem that is known, or of a new one with the title that the form gives."""
    ctx = context(request)
    form = await fields(request, principal)
    known, now_ns = form.text("problem").upper(), ctx.now_ns()
    if known:
        await ctx.db.run(problems.include, known, number, by=principal.name, now_ns=now_ns)
        return answer(request, principal, number, N_("It is an incident of %(other)s."), other=known)
    title = form.text("title", required=True)
    made = await ctx.db.run(problems.open_problem, title, [number], by=principal.name, now_ns=now_ns)
    return answer(request, principal, number, N_("%(other)s is opened."), other=made.number)


@router.post("/tickets/{number}/problem/leave")
async def leave_problem(request: Request, principal: Worker, number: str) -> Response:
    ctx = context(request)
    known = (await fields(request, principal)).text("problem", required=True)
    await ctx.db.run(problems.exclude, known, number, by=principal.name, now_ns=ctx.now_ns())
    return answer(request, principal, number, N_("It is no incident of %(other)s any more."), other=known)
