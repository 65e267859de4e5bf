"""/customers and /customers/NAME: whose sites these are, whom to call, what is agreed, what was done; CSV out and in.

Names may hold anything, so forms say in a field whom they are about, and only the page itself has the name in its
address.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from sitewarden_alerting.priority import Tier
from sitewarden_collector.console import tables
from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.links import customer_page
from sitewarden_collector.console.pages import done, gettext, moved, page, told
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import customers, spreadsheets
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store import customer_pages, sites
from sitewarden_collector.store.contacts import NEWS, Contact
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()
TIERS = tuple(reversed(Tier))
SERVICE_MAX = 100

Reads = Annotated[Principal, Depends(need(Permission.CUSTOMERS_READ))]
Writes = Annotated[Principal, Depends(need(Permission.CUSTOMERS_WRITE))]


@router.get("/customers")
async def listing(request: Request, principal: Reads) -> HTMLResponse:
    ctx = context(request)
    table = tables.asked(request, sorts=customer_pages.SORTS, sort="name", filters=("text", "tier"))
    found = await ctx.db.read(
        customer_pages.page,
        text=table.filters["text"],
        tier=table.filters["tier"] if table.filters["tier"] in TIERS else "",
        sort=table.sort,
        down=table.down,
        offset=table.offset,
        limit=table.size + 1,
    )
    table, rows = table.shown(found)
    return page(
        request,
        principal,
        "customers.html",
        table=table,
        rows=rows,
        tiers=TIERS,
        endless=customer_pages.ENDLESS,
        kinds=tuple(spreadsheets.COLUMNS),
        columns=spreadsheets.COLUMNS,
    )


@router.post("/customers")
async def add(request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    made = await ctx.db.run(
        customers.add,
        form.text("name", required=True),
        tier=form.text("tier") or Tier.SILVER,
        locale=form.text("locale") or "en",
        notes=form.text("notes"),
        now_ns=ctx.now_ns(),
    )
    text = gettext(request, principal, N_("The customer is there. Add a contract and whom to call."))
    return moved(request, customer_page(made.name), text=text)


@router.get("/customers.csv")
async def export(request: Request, principal: Reads, kind: str = "customers") -> PlainTextResponse:
    if kind not in spreadsheets.COLUMNS:
        raise Invalid(f"there is no file of {kind}; choose one of {', '.join(spreadsheets.COLUMNS)}")
    text = await context(request).db.read(spreadsheets.export, kind)
    headers = {"Content-Disposition": f'attachment; filename="{kind}.csv"'}
    return PlainTextResponse(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/customers/import")
async def take_in(request: Request, principal: Writes) -> Response:
    """Read a file; all of it, or nothing and every mistake with its line."""
    ctx = context(request)
    form = await fields(request, principal)
    kind = form.text("kind")
    if kind not in spreadsheets.COLUMNS:
        raise Invalid(f"say what the file holds: {', '.join(spreadsheets.COLUMNS)}")
    content = await form.file("file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("the file is not UTF-8; save it as «CSV UTF-8»") from None
    try:
        number = await ctx.db.run(spreadsheets.load, kind, text, now_ns=ctx.now_ns())
    except Invalid as error:
        mistakes = [line.strip() for line in told(request, principal, str(error)).splitlines()]
        shown = mistakes[1:] or mistakes
        return page(request, principal, "import_failed.html", status=422, kind=kind, mistakes=shown)
    said = gettext(request, principal, N_("%(number)s rows were taken in."), number=number)
    return moved(request, "/customers", text=said)


@router.post("/customers/edit")
async def edit(request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    name, new_name = form.text("customer", required=True), form.text("name", required=True)
    changed = await ctx.db.run(
        customers.edit,
        name,
        new_name=new_name,
        tier=form.text("tier", required=True),
        locale=form.text("locale", required=True),
        notes=form.text("notes"),
    )
    text = gettext(request, principal, N_("Changed."))
    if changed.name != name:
        return moved(request, customer_page(changed.name), text=text)
    return done(request, text, back=customer_page(name))


@router.post("/customers/sites/edit")
async def edit_site(request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    site = await ctx.db.run(
        customers.edit_site,
        form.text("site", required=True),
        address=form.text("address"),
        timezone=form.text("timezone") or None,
    )
    return done(request, gettext(request, principal, N_("Changed.")), back=customer_page(site.customer_name))


@router.post("/customers/contacts")
async def put_contact(request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    name = form.text("customer", required=True)
    of = await ctx.db.read(sites.customer, name)
    site = await ctx.db.read(sites.by_name, form.text("site")) if form.text("site") else None
    if site is not None and site.customer_id != of.id:
        raise Invalid(f"the site {site.name} is not one of {name}")
    contact = Contact(
        of.id,
        form.text("name", required=True),
        site_id=site.id if site else "",
        role=form.text("role")[:100],
        phone=form.text("phone")[:64],
        mail=form.text("mail")[:254],
        language=form.text("language") or "en",
        told_of=form.many("told_of"),
    )
    await ctx.db.run(customers.put_contact, contact, now_ns=ctx.now_ns())
    return done(request, gettext(request, principal, N_("The contact is kept.")), back=customer_page(name))


@router.post("/customers/contacts/remove")
async def remove_contact(request: Request, principal: Writes) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    name = form.text("customer", required=True)
    await ctx.db.run(customers.remove_contact, name, form.text("name", required=True))
    return done(request, gettext(request, principal, N_("The contact is gone.")), back=customer_page(name))


@router.get("/customers/{name:path}")
async def customer(name: str, request: Request, principal: Reads) -> HTMLResponse:
    ctx = context(request)
    now_ns = ctx.now_ns()
    shown = await ctx.db.read(customers.show, name, now_ns=now_ns)
    service = await ctx.db.read(customers.service, name, limit=SERVICE_MAX)
    more: dict[str, Any] = {"news": NEWS, "tiers": TIERS}
    return page(request, principal, "customer.html", shown=shown, service=service, **more)
