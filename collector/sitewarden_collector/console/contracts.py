"""/contracts and /contracts/CON-1: what is promised for each priority, what stops the clock, what is used up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from sitewarden_alerting.model import PRIORITIES, SECOND_NS, Waiting
from sitewarden_alerting.servicelevels.targets import Target
from sitewarden_collector.console import tables
from sitewarden_collector.console.fields import Fields, fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import done, gettext, moved, page
from sitewarden_collector.services import contracts as contracting
from sitewarden_collector.services import promises
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store import calendars, contracts, site_names, sites
from sitewarden_collector.store.contracts import KINDS, Contract, Goals
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()
SORTS = ("customer", "name", "status", "until")
STATUSES = ("ends_soon", "in_force", "planned", "over")
ENDLESS = "9999-12-31"
TARGETS = tuple(target.value for target in Target)
REASONS = tuple(reason.value for reason in Waiting)

Reads = Annotated[Principal, Depends(need(Permission.CUSTOMERS_READ))]
Writes = Annotated[Principal, Depends(need(Permission.CUSTOMERS_WRITE))]


@router.get("/contracts")
async def listing(request: Request, principal: Reads) -> HTMLResponse:
    ctx = context(request)
    table = tables.asked(request, sorts=SORTS, sort="customer", filters=("text", "status"))
    now_ns = ctx.now_ns()
    every = await ctx.db.read(contracting.every, now_ns=now_ns)
    counts = {status: sum(one.status == status for one in every) for status in STATUSES}
    text, status = table.filters["text"].casefold(), table.filters["status"]
    found = [
        one
        for one in every
        if text in f"{one.contract.customer} {one.contract.name} {one.contract.number}".casefold()
        and status in ("", one.status)
    ]
    keys = {
        "customer": lambda one: one.contract.customer.casefold(),
        "name": lambda one: one.contract.name.casefold(),
        "status": lambda one: STATUSES.index(one.status),
        "until": lambda one: one.contract.until_day or ENDLESS,
    }
    found.sort(key=keys[table.sort], reverse=table.down)
    table, rows = table.shown(found[table.offset : table.offset + table.size + 1])
    return page(
        request,
        principal,
        "contracts.html",
        table=table,
        rows=rows,
        counts=counts,
        statuses=STATUSES,
        write_goal=promises.write_goal,
    )


@router.get("/contracts/new")
async def new(request: Request, principal: Writes, customer: str = "") -> HTMLResponse:
    ctx = context(request)
    today = datetime.fromtimestamp(ctx.now_ns() // SECOND_NS, UTC).date().isoformat()
    blank = Contract("", customer, "", today, "", calendars.BUILT_IN, promises.DEFAULT_GOALS, promises.DEFAULT_PAUSES)
    return await _form(request, principal, blank)


@router.post("/contracts")
async def add(request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    made = await ctx.db.run(contracting.add, await _read(request, form), now_ns=ctx.now_ns())
    text = gettext(request, principal, N_("%(number)s holds from %(day)s on."), number=made.number, day=made.from_day)
    return moved(request, f"/contracts/{made.number}", text=text)


@router.get("/contracts/{number}")
async def contract(number: str, request: Request, principal: Reads) -> HTMLResponse:
    ctx = context(request)
    shown = await ctx.db.read(contracting.show, number, now_ns=ctx.now_ns())
    return page(
        request,
        principal,
        "contract.html",
        shown=shown,
        priorities=PRIORITIES,
        targets=TARGETS,
        reasons=REASONS,
        kinds=KINDS,
    )


@router.get("/contracts/{number}/edit")
async def edit_form(number: str, request: Request, principal: Writes) -> HTMLResponse:
    found = await context(request).db.read(contracts.by_number, number.upper())
    return await _form(request, principal, found)


@router.post("/contracts/{number}")
async def change(number: str, request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    before = await ctx.db.read(contracts.by_number, number.upper())
    wanted = await _read(request, form)
    wanted = replace(wanted, id=before.id, number=before.number, created_ns=before.created_ns)
    await ctx.db.run(contracting.change, wanted, now_ns=ctx.now_ns())
    text = gettext(request, principal, N_("Changed. The clocks of its tickets go by it, back to their beginning."))
    return moved(request, f"/contracts/{before.number}", text=text)


@router.post("/contracts/{number}/use")
async def use(number: str, request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    left = await ctx.db.run(
        contracting.use,
        number.upper(),
        form.text("kind", required=True),
        amount=form.number("amount", least=-1000, most=1000, default=1),
        ticket=form.text("ticket").upper(),
        by=principal.name,
        note=form.text("note"),
        now_ns=ctx.now_ns(),
    )
    said = gettext(request, principal, N_("Written down; %(left)s are left."), left=left.left)
    return done(request, said, back=f"/contracts/{number}")


async def _form(request: Request, principal: Principal, found: Contract) -> HTMLResponse:
    ctx = context(request)
    return page(
        request,
        principal,
        "contract_form.html",
        contract=found,
        customers=await ctx.db.read(site_names.customers_every),
        calendars=sorted(await ctx.db.read(calendars.every)),
        priorities=PRIORITIES,
        targets=TARGETS,
        reasons=REASONS,
        kinds=KINDS,
        write_goal=promises.write_goal,
    )


async def _read(request: Request, form: Fields) -> Contract:
    of = await context(request).db.read(sites.customer, form.text("customer", required=True))
    until = form.text("until")
    goals: dict[int, dict[str, tuple[int, str]]] = {}
    for priority in PRIORITIES:
        for target in TARGETS:
            goal = promises.read_goal(form.text(f"p{priority}_{target}"))
            if goal is not None:
                goals.setdefault(priority, {})[target] = goal
    made: Goals = goals
    pauses = {reason: tuple(one for one in TARGETS if form.flag(f"{reason}_{one}")) for reason in REASONS}
    return Contract(
        of.id,
        of.name,
        form.text("name", required=True),
        promises.read_day(form.text("from"), "from"),
        promises.read_day(until, "until") if until else "",
        form.text("calendar") or calendars.BUILT_IN,
        made,
        {reason: targets for reason, targets in pauses.items() if targets},
        {kind: form.number(kind, least=0, most=100_000) for kind in KINDS if form.text(kind)},
        form.text("notes"),
    )
