"""POST /tickets/NUMBER/...: what people do with a ticket, each by its service."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from sitewarden_alerting.model import HOUR_NS
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import done, gettext
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import silences, ticket_view
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.services.desk import assigning, comments, moving, solutions
from sitewarden_collector.store import tickets
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()
Worker = Annotated[Principal, Depends(need(Permission.TICKETS_WORK))]
Reporter = Annotated[Principal, Depends(need(Permission.TICKETS_REPORT))]
Silencer = Annotated[Principal, Depends(need(Permission.SILENCES_WRITE))]
Text = Annotated[str, Form()]
STEP_HOURS = {"agree": 8, "carry_out": 24, "verify": 48}


def answer(request: Request, principal: Principal, number: str, said: str, **values: str) -> Response:
    """A form of a ticket was taken: whatever follows from it is done at once."""
    ctx = context(request)
    ctx.wake()
    return done(request, gettext(request, principal, said, **values), back=f"/tickets/{number.upper()}")


@router.post("/tickets/{number}/acknowledge")
async def acknowledge(request: Request, principal: Worker, number: str) -> Response:
    ctx = context(request)
    await ctx.db.run(moving.acknowledge, number, by=principal.name, now_ns=ctx.now_ns())
    return answer(request, principal, number, N_("Acknowledged: nobody is paged for it any more."))


@router.post("/tickets/{number}/assign")
async def assign(request: Request, principal: Worker, number: str, to: Text = "", reason: Text = "") -> Response:
    """To somebody, to oneself (`me`), to whoever is suggested (`auto`), or to nobody."""
    ctx = context(request)
    now_ns, by = ctx.now_ns(), principal.name
    if to == "auto":
        await ctx.db.run(assigning.give, number, by=by, now_ns=now_ns)
    elif to == "":
        await ctx.db.run(assigning.unassign, number, by=by, now_ns=now_ns)
    else:
        await ctx.db.run(assigning.assign, number, by if to == "me" else to, by=by, now_ns=now_ns, reason=reason)
    return answer(request, principal, number, N_("Assigned."))


@router.post("/tickets/{number}/start")
async def start(request: Request, principal: Worker, number: str) -> Response:
    ctx = context(request)
    ticket = await ctx.db.read(tickets.by_number, number)
    move = moving.resume if ticket.waiting else moving.start
    await ctx.db.run(move, number, by=principal.name, now_ns=ctx.now_ns())
    return answer(request, principal, number, N_("Work goes on."))


@router.post("/tickets/{number}/wait")
async def wait(request: Request, principal: Worker, number: str, reason: Text, text: Text = "") -> Response:
    ctx = context(request)
    await ctx.db.run(moving.wait, number, reason, by=principal.name, now_ns=ctx.now_ns(), text=text)
    return answer(request, principal, number, N_("Waiting. Clocks stand as the contract says."))


@router.post("/tickets/{number}/comment")
async def comment(
    request: Request, principal: Reporter, number: str, text: Text, visibility: Text = "internal"
) -> Response:
    """A customer's account speaks as the customer, and always visibly."""
    ctx = context(request)
    outside = bool(principal.only_customer)
    await ctx.db.read(ticket_view.must_see, number, principal)
    await ctx.db.run(
        comments.add,
        number,
        text,
        by=principal.name,
        now_ns=ctx.now_ns(),
        visibility="customer" if outside else visibility,
        from_customer=outside,
    )
    said = N_("Sent to the customer.") if visibility == "customer" or outside else N_("Noted for engineers.")
    return answer(request, principal, number, said)


@router.post("/tickets/{number}/propose")
async def propose(
    request: Request,
    principal: Worker,
    number: str,
    text: Text,
    owner: Text = "",
    hours: Annotated[float, Form(gt=0, le=24 * 365)] = 24.0,
) -> Response:
    """Propose a solution. `owner` carries it out within `hours`."""
    ctx = context(request)
    now_ns = ctx.now_ns()
    who = owner or principal.name
    due_ns = now_ns + int(hours * HOUR_NS)
    duties = {"agree": (principal.name, None), "carry_out": (who, due_ns), "verify": (who, None)}
    await ctx.db.run(solutions.propose, number, text, by=principal.name, now_ns=now_ns, duties=duties)
    return answer(request, principal, number, N_("Solution proposed."))


@router.post("/tickets/{number}/solution")
async def solution(
    request: Request, principal: Reporter, number: str, step: Text, text: Text = "", who: Text = ""
) -> Response:
    """The next step of the solution. A customer's account may agree or decline; the rest is the desk's."""
    ctx = context(request)
    now_ns, by = ctx.now_ns(), principal.name
    await ctx.db.read(ticket_view.must_see, number, principal)
    if step == "agree":
        await ctx.db.run(
            solutions.agree, number, by=by, now_ns=now_ns, agreed_by=by if principal.only_customer else who, text=text
        )
    elif step == "reject":
        await ctx.db.run(solutions.reject, number, text, by=by, now_ns=now_ns)
    elif principal.only_customer or step not in ("carry_out", "verify"):
        raise Invalid("a solution is agreed to, carried out, verified or declined; choose one of these")
    elif step == "carry_out":
        await ctx.db.run(solutions.carry_out, number, by=by, now_ns=now_ns, text=text)
    else:
        await ctx.db.run(solutions.verify, number, by=by, now_ns=now_ns, text=text)
    return answer(request, principal, number, N_("The solution is a step further."))


@router.post("/tickets/{number}/resolve")
async def resolve(request: Request, principal: Worker, number: str, how: Text = "") -> Response:
    ctx = context(request)
    await ctx.db.run(moving.resolve, number, how, by=principal.name, now_ns=ctx.now_ns())
    return answer(request, principal, number, N_("Resolved."))


@router.post("/tickets/{number}/close")
async def close(request: Request, principal: Reporter, number: str, why: Text = "") -> Response:
    """A customer's account confirms what is resolved; the desk closes."""
    ctx = context(request)
    await ctx.db.read(ticket_view.must_see, number, principal)
    if principal.only_customer or not principal.may(Permission.TICKETS_WORK):
        await ctx.db.run(moving.confirm, number, by=principal.name, now_ns=ctx.now_ns(), comment=why)
    else:
        await ctx.db.run(moving.close, number, by=principal.name, now_ns=ctx.now_ns(), why=why)
    return answer(request, principal, number, N_("Closed."))


@router.post("/tickets/{number}/reopen")
async def reopen(request: Request, principal: Reporter, number: str, why: Text = "") -> Response:
    ctx = context(request)
    await ctx.db.read(ticket_view.must_see, number, principal)
    await ctx.db.run(moving.reopen, number, why, by=principal.name, now_ns=ctx.now_ns())
    return answer(request, principal, number, N_("Reopened."))


@router.post("/tickets/{number}/silence")
async def silence(
    request: Request,
    principal: Silencer,
    number: str,
    reason: Text,
    hours: Annotated[float, Form(gt=0, le=24 * 30)] = 2.0,
) -> Response:
    """Hold the news of this fault at this site back for a while."""
    ctx = context(request)
    ticket = await ctx.db.read(tickets.by_number, number)
    site, _customer = await ctx.db.read(tickets.names, ticket.site_id)
    await ctx.db.run(
        silences.add,
        site,
        fault=ticket.number,
        for_s=int(hours * 3600),
        reason=reason,
        by=principal.name,
        now_ns=ctx.now_ns(),
    )
    return answer(request, principal, number, N_("Silenced: this fault pages nobody until then."))
