"""/tickets/new: a person reports something; the form, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from sitewarden_collector.console import choices, i18n
from sitewarden_collector.console.pages import go, page, told
from sitewarden_collector.errors import Invalid, NotFound
from sitewarden_collector.services import ticket_form
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.services.desk import reporting
from sitewarden_collector.services.ticket_form import Offered
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter()
Reporter = Annotated[Principal, Depends(need(Permission.TICKETS_REPORT))]
Text = Annotated[str, Form()]


@dataclass(frozen=True, slots=True)
class Given:
    """What stands in the form."""

    title: str = ""
    site: str = ""
    type: str = "incident"
    text: str = ""
    severity: int = 3
    reporter: str = ""
    category: str = ""
    component: str = ""


@router.get("/tickets/new")
async def form(request: Request, principal: Reporter, site: str = "") -> Response:
    return await _form(request, principal, Given(site=site))


@router.post("/tickets/new")
async def report(
    request: Request,
    principal: Reporter,
    title: Text,
    site: Text,
    type: Text = "incident",
    text: Text = "",
    severity: Annotated[int, Form()] = 3,
    reporter: Text = "",
    category: Text = "",
    component: Text = "",
) -> Response:
    """Open it and go on there; what is wrong is said above the form, which keeps what was typed."""
    ctx = context(request)
    outside = bool(principal.only_customer)
    given = Given(title, site, type, text, severity, reporter, category, component)
    offered = await _offered(request, principal)
    if outside and site not in offered.sites:
        return await _form(request, principal, given, wrong=f"there is no site {site!r}")
    try:
        ticket = await ctx.db.run(
            reporting.report,
            site,
            title,
            by=principal.name,
            now_ns=ctx.now_ns(),
            type=type,
            severity=3 if outside else severity,
            text=text,
            reporter=principal.name if outside else reporter,
            category="" if outside else category,
            component="" if outside else component,
            from_customer=outside,
        )
    except (Invalid, NotFound) as error:
        return await _form(request, principal, given, wrong=told(request, principal, str(error)))
    ctx.wake()
    return go(f"/tickets/{ticket.number}")


async def _offered(request: Request, principal: Principal) -> Offered:
    return await context(request).db.read(
        ticket_form.offered, customer_id=principal.only_customer, site_ids=principal.only_sites
    )


async def _form(request: Request, principal: Principal, given: Given, *, wrong: str = "") -> Response:
    offered = await _offered(request, principal)
    locale = i18n.language(request, principal)
    return page(
        request,
        principal,
        "ticket_new.html",
        status=422 if wrong else 200,
        given=given,
        wrong=wrong,
        sites=offered.sites,
        categories=[(one.name, one.zh if locale == "zh" else one.en) for one in offered.categories],
        components=[(one.name, one.zh if locale == "zh" else one.en) for one in offered.components],
        offered=choices,
    )
