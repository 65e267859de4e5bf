"""/admin/tokens: what programs use to speak to the API as an account, within its scopes; shown once when made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from sitewarden_collector.console import tables
from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import done, gettext, page
from sitewarden_collector.services import administration, tokens_api
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store import accounts, api_tokens
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter(prefix="/admin/tokens")

Accounts = Annotated[Principal, Depends(need(Permission.ACCOUNTS_WRITE))]


@router.get("")
async def listing(request: Request, principal: Accounts) -> HTMLResponse:
    ctx = context(request)
    table = tables.asked(request, sorts=("name",), sort="name", filters=("text", "all"))
    now_ns = ctx.now_ns()
    text = table.filters["text"].casefold()
    found = [
        one
        for one in await ctx.db.read(api_tokens.every)
        if text in f"{one.name} {one.account_name}".casefold()
        and (table.filters["all"] == "1" or one.state(now_ns=now_ns) == "good")
    ]
    table, rows = table.shown(found[table.offset : table.offset + table.size + 1])
    names = [one.name for one in await ctx.db.read(accounts.every) if one.disabled_ns is None]
    scopes = [permission.value for permission in Permission]
    return page(
        request,
        principal,
        "tokens.html",
        table=table,
        rows=rows,
        names=names,
        scopes=scopes,
        days_max=tokens_api.DAYS_MAX,
    )


@router.post("")
async def create(request: Request, principal: Accounts) -> HTMLResponse:
    ctx = context(request)
    form = await fields(request, principal)
    name = form.text("name", required=True)
    made = await ctx.db.run(
        administration.create_token,
        form.text("account", required=True),
        name,
        scopes=form.many("scopes"),
        days=form.number("days", least=1, most=tokens_api.DAYS_MAX, default=90),
        by=principal.name,
        now_ns=ctx.now_ns(),
    )
    return page(
        request,
        principal,
        "secret.html",
        title=gettext(request, principal, N_("The API token %(name)s"), name=name),
        lead=gettext(request, principal, N_("Programs send it as: Authorization: Bearer TOKEN")),
        secret=made.text,
        back="/admin/tokens",
    )


@router.post("/{token_id}/revoke")
async def revoke(token_id: str, request: Request, principal: Accounts) -> Response:
    ctx = context(request)
    found = await ctx.db.run(administration.revoke_token, token_id, by=principal.name, now_ns=ctx.now_ns())
    text = gettext(request, principal, N_("%(name)s is revoked."), name=found.name)
    return done(request, text, back="/admin/tokens")
