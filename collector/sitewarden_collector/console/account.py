"""/account: what belongs to whoever is signed in: password, second factor, sessions, language, time zone, theme."""

from __future__ import annotations

from zoneinfo import available_timezones

from fastapi import APIRouter, Request, Response

from sitewarden_collector.console import signin
from sitewarden_collector.console.i18n import COOKIE as LANGUAGE
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.pages import gettext, go, page, told
from sitewarden_collector.errors import Forbidden, Invalid
from sitewarden_collector.services import accounts as accounting
from sitewarden_collector.services import signing_in
from sitewarden_collector.services.access import Principal
from sitewarden_collector.services.signing_in import SignedIn
from sitewarden_collector.store import api_tokens, web_sessions
from sitewarden_collector.web import signing_in as steps
from sitewarden_collector.web.context import context
from sitewarden_collector.web.identity import principal, signed_in

router = APIRouter()
HERE = "/account"
ZONES = tuple(sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")))


@router.get("/account")
async def account(request: Request) -> Response:
    return await _page(request, *await _who(request))


@router.post("/account/preferences")
async def preferences(request: Request) -> Response:
    who, me = await _who(request)
    ctx, sent = context(request), await request.form()
    chosen = {name: str(sent.get(name, "")) for name in ("locale", "timezone", "theme")}
    await ctx.db.run(accounting.set_preferences, who.account.id, **chosen)
    response = go(HERE, text=gettext(request, me, N_("Saved.")))
    response.delete_cookie(LANGUAGE, path="/")  # what was chosen for this browser gives way
    return response


@router.post("/account/password")
async def password(request: Request) -> Response:
    who, me = await _who(request)
    sent = await request.form()
    try:
        if sent.get("password", "") != sent.get("again", ""):
            raise Invalid("the two passwords are not the same; type the new one twice")
        begun = await steps.set_password(request, who, str(sent.get("password", "")), old=str(sent.get("old", "")))
    except (Invalid, Forbidden) as error:
        return await _page(request, who, me, wrong=told(request, me, str(error)), status=422)
    said = gettext(request, me, N_("Your password is changed. You are signed out everywhere else."))
    response = go(HERE, text=said)
    signin.keep(request, response, begun)
    return response


@router.get("/account/factor")
async def factor_form(request: Request) -> Response:
    who, _me = await _who(request)
    return signin.show_offer(request, who, "factor.html")


@router.post("/account/factor")
async def factor(request: Request) -> Response:
    who, _me = await _who(request)
    if who.account.has_second_factor and not await _has_password(request, who):
        return signin.show_offer(request, who, "factor.html", wrong=_not_it(request))
    return await signin.confirm(request, who, "factor.html", back=HERE)


@router.post("/account/factor/drop")
async def drop_factor(request: Request) -> Response:
    who, me = await _who(request)
    ctx = context(request)
    if who.account.role in ctx.config.sign_in.second_factor_roles:
        raise Forbidden("your role must have a second factor; set up another one instead")
    if not await _has_password(request, who):
        return await _page(request, who, me, wrong=_not_it(request), status=422)
    name = who.account.name
    await ctx.db.run(accounting.drop_second_factor, name, by=name, now_ns=ctx.now_ns())
    return go("/signin", text=gettext(request, me, N_("The second factor is off. Sign in again.")))


@router.post("/account/sessions/end")
async def end_session(request: Request) -> Response:
    who, me = await _who(request)
    ctx, sent = context(request), await request.form()
    one = str(sent.get("session", ""))
    but = "" if one else who.session.id
    name = who.account.name
    await ctx.db.run(accounting.end_sessions, who.account.id, session_id=one, but=but, by=name, now_ns=ctx.now_ns())
    return go(HERE, text=gettext(request, me, N_("Signed out there.")))


async def _who(request: Request) -> tuple[SignedIn, Principal]:
    me = await principal(request)
    return await signed_in(request), me


async def _has_password(request: Request, who: SignedIn) -> bool:
    """Whether the form holds the password; counted like an attempt to sign in, as a stolen session may guess here."""
    ctx, given = context(request), str((await request.form()).get("old", ""))
    if not who.account.password_hash:
        return True
    where = steps.caller(request)["address"]
    await ctx.db.run(signing_in.attempt, who.account.name, where, now_ns=ctx.now_ns())
    return await steps.is_right(who.account.password_hash, given)


def _not_it(request: Request) -> str:
    return gettext(request, None, N_("This is not your password of today."))


async def _page(request: Request, who: SignedIn, me: Principal, *, wrong: str = "", status: int = 200) -> Response:
    ctx = context(request)
    return page(
        request,
        me,
        "signin/account.html",
        status=status,
        wrong=wrong,
        account=who.account,
        session=who.session,
        sessions=await ctx.db.read(web_sessions.of_account, who.account.id),
        tokens=await ctx.db.read(api_tokens.every, account_id=who.account.id),
        zones=ZONES,
        must=who.account.role in ctx.config.sign_in.second_factor_roles,
        password_min=ctx.config.sign_in.password_min,
    )
