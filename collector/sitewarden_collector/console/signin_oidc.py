"""/signin/oidc: to the provider, and back from it. What was asked is kept sealed in a cookie of this browser alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from cryptography.fernet import InvalidToken
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from sitewarden_collector.console import signin
from sitewarden_collector.errors import Forbidden, NotFound
from sitewarden_collector.services import signing_in
from sitewarden_collector.web import cookies
from sitewarden_collector.web import signing_in as steps
from sitewarden_collector.web.context import context

if TYPE_CHECKING:
    from sitewarden_collector.services import oidc  # brings a hundred modules, and most sign in without a provider

router = APIRouter()
COOKIE = "sitewarden_oidc"
LIFE_S = 600


@router.get("/signin/oidc")
async def away(request: Request) -> Response:
    from sitewarden_collector.services import oidc

    ctx = context(request)
    url, asked = oidc.begin(await _provider(request))
    kept = msgspec.json.encode([asked.state, asked.nonce, asked.verifier, signin.next_of(request)])
    response = RedirectResponse(url, status_code=303)
    cookies.put(request, response, COOKIE, ctx.secret.encrypt(kept).decode(), max_age_s=LIFE_S)
    return response


@router.get("/signin/oidc/back")
async def back(request: Request) -> Response:
    from sitewarden_collector.services import oidc

    ctx, now_ns = context(request), context(request).now_ns()
    try:
        kept = ctx.secret.decrypt(cookies.of(request, COOKIE).encode(), ttl=LIFE_S)
        state, nonce, verifier, there = msgspec.json.decode(kept, type=tuple[str, str, str, str])
    except (InvalidToken, msgspec.DecodeError):
        raise Forbidden("this sign-in was not begun in this browser, or took too long; begin again") from None
    query = request.query_params
    if query.get("error"):
        raise Forbidden("the sign-in provider did not let you in; begin again, or ask an administrator")
    provider = await _provider(request)
    asked = oidc.Asked(state, nonce, verifier)
    told = await oidc.claims(provider, asked, state=query.get("state", ""), code=query.get("code", ""), now_ns=now_ns)
    try:
        account = await ctx.db.run(oidc.account_of, ctx.config.oidc, told, now_ns=now_ns)
    except Forbidden:
        await ctx.db.run(signing_in.refused, str(told["sub"]), "not let in by groups or address", now_ns=now_ns)
        raise
    where = steps.caller(request)
    begun = await ctx.db.run(signing_in.begin, account, ctx.config.sign_in, **where, by_provider=True, now_ns=now_ns)
    response = RedirectResponse(there, status_code=303)
    signin.keep(request, response, begun)
    cookies.drop(request, response, COOKIE)
    return response


async def _provider(request: Request) -> oidc.Provider:
    from sitewarden_collector.services import oidc

    config = context(request).config
    if not config.oidc.issuer:
        raise NotFound("no provider is set up to sign in with; use name and password")
    base = config.console.public_url.rstrip("/") or f"{request.url.scheme}://{request.headers.get('host', '')}"
    return await oidc.discover(config.oidc, f"{base}/signin/oidc/back")
