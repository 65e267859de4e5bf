"""Who asks: a browser by the cookie of its session, a program by its token (`Authorization: Bearer`).

    principal: Principal = Depends(need(Permission.TICKETS_READ))

`need` refuses who is not signed in (Unauthenticated: the console sends them to its sign-in page, the API answers 401)
and who may not (Forbidden). With a cookie, whatever changes something also needs the token of `csrf`. What a route
needs can be read off it: `permission_of`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from fastapi import Request

from sitewarden_collector.services import signing_in, tokens_api
from sitewarden_collector.services.access import Permission, Principal, demand
from sitewarden_collector.services.signing_in import SignedIn
from sitewarden_collector.web import cookies, csrf
from sitewarden_collector.web.context import context

TOUCH_NS = 60 * 1_000_000_000  # how exactly it is known when a session or token was used last


class Unauthenticated(Exception):
    """Nobody knows who asks."""


async def signed_in(request: Request) -> SignedIn:
    """The session of the browser that asks, whether or not it is complete; raises Unauthenticated."""
    ctx = context(request)
    secret = cookies.session(request)
    now_ns = ctx.now_ns()
    found = await ctx.db.read(signing_in.find, secret, ctx.config.sign_in, now_ns=now_ns) if secret else None
    if found is None:
        raise Unauthenticated("sign in first")
    await csrf.check(request)
    if now_ns - found.session.seen_ns > TOUCH_NS:
        await ctx.db.run(signing_in.touch, found.session.id, now_ns=now_ns)
    return found


async def principal(request: Request) -> Principal:
    """Who asks; raises Unauthenticated, or Forbidden when a page of ours did not make this request."""
    known = getattr(request.state, "principal", None)
    if isinstance(known, Principal):
        return known
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        found = await _bearer(request, token.strip())
    elif kind:
        raise Unauthenticated("only Authorization: Bearer TOKEN is taken here; `sitewarden apitoken create` makes one")
    else:
        who = await signed_in(request)
        if who.session.pending:
            raise Unauthenticated("the sign-in is not complete yet")
        found = who.principal
    request.state.principal = found
    return found


def need(permission: Permission) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency: who asks, and may."""

    async def dependency(request: Request) -> Principal:
        found = await principal(request)
        demand(found, permission)
        return found

    dependency.permission = permission  # type: ignore[attr-defined]
    return dependency


def permission_of(route: Any) -> frozenset[Permission]:
    """What a route of FastAPI asks for, by its dependencies; empty where everybody may."""
    return frozenset(_permissions(route.dependant))


def _permissions(dependant: Any) -> Iterator[Permission]:
    found = getattr(dependant.call, "permission", None)
    if isinstance(found, Permission):
        yield found
    for inner in dependant.dependencies:
        yield from _permissions(inner)


async def _bearer(request: Request, token: str) -> Principal:
    ctx = context(request)
    now_ns = ctx.now_ns()
    found = await ctx.db.read(tokens_api.find, token, now_ns=now_ns)
    if found is None:
        raise Unauthenticated("this API token is not known, was revoked, or has expired; make a new one")
    if now_ns - (found.token.used_ns or 0) > TOUCH_NS:
        await ctx.db.run(tokens_api.touch, found.token.id, now_ns=now_ns)
    return found.principal
