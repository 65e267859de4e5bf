"""/admin/accounts and /admin/accounts/ID: who may sign in as what; made, changed, switched off, given a new start."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from sitewarden_collector.console import tables
from sitewarden_collector.console.fields import fields
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import done, gettext, moved, page
from sitewarden_collector.services import accounts as accounting
from sitewarden_collector.services import administration
from sitewarden_collector.services.access import Permission, Principal, Role
from sitewarden_collector.store import accounts, site_names
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import need

router = APIRouter(prefix="/admin/accounts")
SORTS = ("name", "role", "seen")
ROLES = tuple(role.value for role in Role)

Accounts = Annotated[Principal, Depends(need(Permission.ACCOUNTS_WRITE))]


@router.get("")
async def listing(request: Request, principal: Accounts) -> HTMLResponse:
    ctx = context(request)
    table = tables.asked(request, sorts=SORTS, sort="name", filters=("text", "role", "off"))
    text, role, off = (table.filters[name] for name in ("text", "role", "off"))
    every = await ctx.db.read(accounts.every)
    found = [
        one
        for one in every
        if text.casefold() in f"{one.name} {one.email}".casefold()
        and role in ("", one.role)
        and (off == "1" or one.disabled_ns is None)
    ]
    keys: dict[str, Any] = {
        "name": lambda one: one.name.casefold(),
        "role": lambda one: ROLES.index(one.role),
        "seen": lambda one: -(one.signed_in_ns or 0),
    }
    found.sort(key=keys[table.sort], reverse=table.down)
    table, rows = table.shown(found[table.offset : table.offset + table.size + 1])
    return page(
        request,
        principal,
        "accounts.html",
        table=table,
        rows=rows,
        roles=ROLES,
        customers=await ctx.db.read(site_names.customer_names),
        site_names=await ctx.db.read(site_names.every),
        must_have=ctx.config.sign_in.second_factor_roles,
    )


@router.post("")
async def add(request: Request, principal: Accounts) -> HTMLResponse:
    """A new account, and the link with which its owner sets a password, shown once."""
    ctx = context(request)
    form = await fields(request, principal)
    made, secret = await ctx.db.run(
        administration.invite,
        form.text("name", required=True),
        role=form.text("role", required=True),
        customer=form.text("customer"),
        of_sites=form.words("sites"),
        email=form.text("email"),
        locale=form.text("locale"),
        by=principal.name,
        now_ns=ctx.now_ns(),
    )
    return _link(request, principal, made.name, secret, back=f"/admin/accounts/{made.id}")


@router.get("/{account_id}")
async def account(account_id: str, request: Request, principal: Accounts) -> HTMLResponse:
    shown = await context(request).db.read(administration.show_account, account_id)
    return page(request, principal, "admin_account.html", roles=ROLES, shown=shown, account=shown.account)


async def _name(request: Request, account_id: str) -> str:
    return (await context(request).db.read(accounts.by_id, account_id)).name


@router.post("/{account_id}/role")
async def set_role(account_id: str, request: Request, principal: Accounts) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    name = await _name(request, account_id)
    await ctx.db.run(
        accounting.set_role,
        name,
        role=form.text("role", required=True),
        customer=form.text("customer"),
        site_names=form.words("sites"),
        by=principal.name,
        now_ns=ctx.now_ns(),
    )
    text = N_("Changed. %(name)s signs in anew.")
    return done(request, gettext(request, principal, text, name=name), back=f"/admin/accounts/{account_id}")


@router.post("/{account_id}/email")
async def set_email(account_id: str, request: Request, principal: Accounts) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    name = await _name(request, account_id)
    await ctx.db.run(accounting.set_email, name, email=form.text("email"), by=principal.name, now_ns=ctx.now_ns())
    return done(request, gettext(request, principal, N_("Changed.")), back=f"/admin/accounts/{account_id}")


@router.post("/{account_id}/disable")
async def disable(account_id: str, request: Request, principal: Accounts) -> Response:
    ctx = context(request)
    name = await _name(request, account_id)
    await ctx.db.run(accounting.disable, name, by=principal.name, now_ns=ctx.now_ns())
    text = N_("%(name)s is switched off: sessions and tokens have ended.")
    return done(request, gettext(request, principal, text, name=name), back=f"/admin/accounts/{account_id}")


@router.post("/{account_id}/enable")
async def enable(account_id: str, request: Request, principal: Accounts) -> Response:
    ctx = context(request)
    name = await _name(request, account_id)
    await ctx.db.run(accounting.enable, name, by=principal.name, now_ns=ctx.now_ns())
    text = gettext(request, principal, N_("%(name)s may sign in again."), name=name)
    return done(request, text, back=f"/admin/accounts/{account_id}")


@router.post("/{account_id}/reset")
async def reset(account_id: str, request: Request, principal: Accounts) -> HTMLResponse:
    """The old password is void; a link to set another is shown once."""
    ctx = context(request)
    name = await _name(request, account_id)
    secret = await ctx.db.run(accounting.make_reset, name, by=principal.name, now_ns=ctx.now_ns())
    return _link(request, principal, name, secret, back=f"/admin/accounts/{account_id}")


@router.post("/{account_id}/factor")
async def drop_factor(account_id: str, request: Request, principal: Accounts) -> Response:
    ctx = context(request)
    name = await _name(request, account_id)
    await ctx.db.run(accounting.drop_second_factor, name, by=principal.name, now_ns=ctx.now_ns())
    text = N_("The second factor of %(name)s is gone; they set up another.")
    return done(request, gettext(request, principal, text, name=name), back=f"/admin/accounts/{account_id}")


@router.post("/{account_id}/sessions")
async def end_sessions(account_id: str, request: Request, principal: Accounts) -> Response:
    ctx = context(request)
    form = await fields(request, principal)
    number = await ctx.db.run(
        accounting.end_sessions,
        account_id,
        session_id=form.text("session"),
        by=principal.name,
        now_ns=ctx.now_ns(),
    )
    if account_id == principal.account_id and not form.text("session"):
        return moved(request, "/signin")
    text = gettext(request, principal, N_("%(number)s sessions have ended."), number=number)
    return done(request, text, back=f"/admin/accounts/{account_id}")


def _link(request: Request, principal: Principal, name: str, secret: str, *, back: str) -> HTMLResponse:
    base = context(request).config.console.public_url.rstrip("/") or str(request.base_url).rstrip("/")
    return page(
        request,
        principal,
        "secret.html",
        title=gettext(request, principal, N_("The link for %(name)s"), name=name),
        lead=gettext(request, principal, N_("With it %(name)s sets a password, once and within a day."), name=name),
        secret=f"{base}/signin/reset/{secret}",
        back=back,
    )
