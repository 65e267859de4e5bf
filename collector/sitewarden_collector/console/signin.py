"""/signin and /signout: name and password, what is still missing after them, one-time links.

The pages work without scripts. Until somebody is signed in a cookie of its own keeps forged forms away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import gettext, go, page, told
from sitewarden_collector.errors import CollectorError, Forbidden, Invalid, NotFound, Transient
from sitewarden_collector.services import accounts as accounting
from sitewarden_collector.services import second_factor, signing_in
from sitewarden_collector.services.signing_in import Begun, SignedIn, TooOften
from sitewarden_collector.web import cookies, csrf
from sitewarden_collector.web import signing_in as steps
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import Unauthenticated, signed_in

router = APIRouter()
STEPS = {"code": "/signin/code", "enrol": "/signin/enrol", "password": "/signin/password"}
WRONG = N_("This name and password do not belong together.")
AGAIN = N_("There were too many attempts. Try again in %(seconds)s seconds.")


@router.get("/signin")
async def form(request: Request) -> Response:
    try:
        who = await signed_in(request)
        return _on(request, who.session.pending)
    except Unauthenticated:
        return show(request, "signin.html", name="")


@router.post("/signin")
async def sign_in(request: Request) -> Response:
    sent = await _sent(request)
    await csrf.check(request)
    try:
        begun = await steps.with_password(request, sent.get("name", "")[:100], sent.get("password", ""))
    except Forbidden as error:
        return show(
            request, "signin.html", status=_status(error), wrong=_said(request, error, WRONG), name=sent["name"]
        )
    response = _on(request, begun.pending)
    keep(request, response, begun)
    return response


@router.get("/signin/code")
async def code_form(request: Request) -> Response:
    who = await signed_in(request)
    return show(request, "code.html") if who.session.pending == "code" else _on(request, who.session.pending)


@router.post("/signin/code")
async def code(request: Request) -> Response:
    who = await signed_in(request)
    sent = await _sent(request)
    try:
        begun = await steps.with_code(request, who, sent.get("code", ""))
    except Forbidden as error:
        wrong = _said(request, error, N_("This code cannot be used now. Wait for the app to show the next one."))
        return show(request, "code.html", status=_status(error), wrong=wrong)
    response = _on(request, begun.pending)
    keep(request, response, begun)
    return response


@router.get("/signin/enrol")
async def enrol_form(request: Request) -> Response:
    who = await signed_in(request)
    if who.session.pending != "enrol":
        return _on(request, who.session.pending)
    return show_offer(request, who, "enrol.html")


@router.post("/signin/enrol")
async def enrol(request: Request) -> Response:
    who = await signed_in(request)
    if who.session.pending != "enrol":
        raise Invalid("no second factor is asked for; open the page again")
    return await confirm(request, who, "enrol.html", back=next_of(request))


@router.get("/signin/password")
async def password_form(request: Request) -> Response:
    who = await signed_in(request)
    return show(request, "password.html") if who.session.pending == "password" else _on(request, who.session.pending)


@router.post("/signin/password")
async def password(request: Request) -> Response:
    who = await signed_in(request)
    if who.session.pending != "password":
        raise Invalid("no new password is asked for; open the page again")
    sent = await _sent(request)
    try:
        begun = await steps.set_password(request, who, _twice(sent))
    except (Invalid, Forbidden) as error:
        return show(request, "password.html", status=422, wrong=told(request, None, str(error)))
    response = _on(request, begun.pending)
    keep(request, response, begun)
    return response


@router.get("/signin/reset/{secret}")
async def reset_form(request: Request, secret: str) -> Response:
    await _reset(request, secret)
    return show(request, "password.html")


@router.post("/signin/reset/{secret}")
async def reset(request: Request, secret: str) -> Response:
    sent = await _sent(request)
    await csrf.check(request)
    await _reset(request, secret)
    try:
        await steps.with_reset(request, secret, _twice(sent))
    except Invalid as error:
        return show(request, "password.html", status=422, wrong=told(request, None, str(error)))
    response = go("/signin", text=gettext(request, None, N_("Your password is set. Sign in with it now.")))
    cookies.drop(request, response, cookies.SESSION)
    return response


@router.post("/signout")
async def sign_out(request: Request) -> Response:
    ctx = context(request)
    response = RedirectResponse("/signin", status_code=303)
    try:
        who = await signed_in(request)
        await ctx.db.run(signing_in.sign_out, who.session, who.account.name, now_ns=ctx.now_ns())
    except Unauthenticated:
        pass
    cookies.drop(request, response, cookies.SESSION)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def show(request: Request, template: str, *, status: int = 200, wrong: str = "", **shown: Any) -> Response:
    """One of these pages, for somebody who is not signed in (yet)."""
    oidc = context(request).config.oidc
    provider = oidc.name if oidc.issuer else ""
    query = f"?{urlencode({'next': next_of(request)})}" if request.query_params.get("next") else ""
    shown |= {"wrong": wrong, "query": query, "provider": provider}
    response = page(request, None, f"signin/{template}", status=status, **shown)
    visitor = csrf.visitor(request)
    if visitor and visitor != cookies.visitor(request):
        cookies.put(request, response, cookies.VISITOR, visitor, max_age_s=86_400)
    return response


def show_offer(request: Request, who: SignedIn, template: str, *, offered: str = "", wrong: str = "") -> Response:
    """The picture for the app; `offered` is the one that was shown before."""
    key = context(request).secret
    try:
        secret = second_factor.secret_of(key, who.account, offered)
    except Invalid:
        offered = second_factor.offer(key, who.account)
        secret = second_factor.secret_of(key, who.account, offered)
    picture = second_factor.picture(secret, who.account)
    spaced = " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))
    status = 422 if wrong else 200
    return show(request, template, status=status, wrong=wrong, offered=offered, picture=picture, secret=spaced)


async def confirm(request: Request, who: SignedIn, template: str, *, back: str) -> Response:
    """Take the first code of a new app, and show the recovery codes once."""
    ctx, sent = context(request), await _sent(request)
    offered, now_ns = sent.get("offered", ""), ctx.now_ns()
    try:
        await ctx.db.run(signing_in.attempt, who.account.name, steps.caller(request)["address"], now_ns=now_ns)
        codes = await ctx.db.run(
            second_factor.confirm, ctx.secret, who.account.id, offered, sent.get("code", ""), now_ns=now_ns
        )
    except (Invalid, Forbidden) as error:
        wrong = _said(request, error, N_("This is not the code that the app shows now. Try the next one."))
        return show_offer(request, who, template, offered=offered, wrong=wrong)
    begun = await ctx.db.run(signing_in.go_on, who.session, ctx.config.sign_in, now_ns=now_ns)
    request.state.csrf_root = begun.secret
    response = show(request, "recovery.html", codes=codes, on=STEPS.get(begun.pending, back))
    keep(request, response, begun)
    return response


def keep(request: Request, response: Response, begun: Begun) -> None:
    """Give the browser its session."""
    cookies.put(request, response, cookies.SESSION, begun.secret)
    cookies.drop(request, response, cookies.VISITOR)


async def _reset(request: Request, secret: str) -> None:
    ctx = context(request)
    if await ctx.db.read(accounting.by_reset, secret, now_ns=ctx.now_ns()) is None:
        raise NotFound("this link was used already or has expired; ask an administrator for another")


async def _sent(request: Request) -> Mapping[str, str]:
    found = await request.form()
    return {"name": ""} | {key: value for key, value in found.items() if isinstance(value, str)}


def _twice(sent: Mapping[str, str]) -> str:
    if sent.get("password", "") != sent.get("again", ""):
        raise Invalid("the two passwords are not the same; type the new one twice")
    return sent.get("password", "")


def next_of(request: Request) -> str:
    """Where to go on, if it is a page of ours."""
    asked = request.query_params.get("next", "")
    safe = asked.startswith("/") and asked[1:2] not in ("/", "\\") and asked.isprintable() and "\\" not in asked
    return asked if safe and not asked.startswith("/signin") else "/"


def _on(request: Request, pending: str) -> Response:
    there = next_of(request)
    if pending:
        there = STEPS[pending] + (f"?next={quote(there)}" if there != "/" else "")
    return RedirectResponse(there, status_code=303)


def _status(error: CollectorError) -> int:
    return 429 if isinstance(error, TooOften) else 401


def _said(request: Request, error: Exception, otherwise: str) -> str:
    if isinstance(error, Transient):
        raise error
    if isinstance(error, TooOften):
        return gettext(request, None, AGAIN, seconds=error.retry_after_s)
    return gettext(request, None, otherwise)
