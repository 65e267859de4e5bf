"""The steps of signing in that take time: hashing, off the event loop, between what is read and what is written."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import Request

from sitewarden_collector.errors import Forbidden, Invalid
from sitewarden_collector.services import accounts as accounting
from sitewarden_collector.services import passwords, second_factor, signing_in
from sitewarden_collector.services.signing_in import WRONG, Begun, SignedIn
from sitewarden_collector.store import accounts
from sitewarden_collector.web.context import context

HASHING = asyncio.Semaphore(4)  # each takes 32 MiB


def caller(request: Request) -> dict[str, Any]:
    """Where somebody signs in from."""
    address = request.client.host if request.client else ""
    return {"address": address, "browser": request.headers.get("user-agent", "")[:200]}


async def with_password(request: Request, name: str, password: str) -> Begun:
    """A session for the right password; raises Forbidden. What is wrong is not told, nor by the time it takes."""
    ctx, now_ns = context(request), context(request).now_ns()
    where = caller(request)
    await ctx.db.run(signing_in.attempt, name, where["address"], now_ns=now_ns)
    account = await ctx.db.read(accounts.find, name)
    kept = account.password_hash if account is not None and account.disabled_ns is None else ""
    right = await is_right(kept, password)
    if account is None or not right:
        why = "wrong name or password"
        customer_id = account.customer_id if account is not None else ""
        await ctx.db.run(signing_in.refused, name, why, customer_id=customer_id, now_ns=now_ns)
        raise Forbidden(WRONG)
    if passwords.is_outdated(kept):
        fresh = await make_hash(password)
        await ctx.db.run(accounts.change, account.id, password_hash=fresh)
    return await ctx.db.run(signing_in.begin, account, ctx.config.sign_in, **where, now_ns=now_ns)


async def with_code(request: Request, who: SignedIn, code: str) -> Begun:
    """The second step; raises Forbidden."""
    ctx, now_ns = context(request), context(request).now_ns()
    if who.session.pending != "code":
        raise Invalid("no code is asked for; open the page again")
    await ctx.db.run(signing_in.attempt, who.account.name, caller(request)["address"], now_ns=now_ns)
    if not await ctx.db.run(second_factor.take, ctx.secret, who.account.id, code, now_ns=now_ns):
        note: dict[str, Any] = {"customer_id": who.account.customer_id, "now_ns": now_ns}
        await ctx.db.run(signing_in.refused, who.account.name, "wrong code", **note)
        raise Forbidden("this is not a code that can be used now; wait for the app to show the next one")
    return await ctx.db.run(signing_in.go_on, who.session, ctx.config.sign_in, now_ns=now_ns)


async def set_password(request: Request, who: SignedIn, password: str, *, old: str | None = None) -> Begun:
    """Another password for whoever is signed in; their other sessions end. `old` is asked of those who have one."""
    ctx, now_ns = context(request), context(request).now_ns()
    if old is not None:
        await ctx.db.run(signing_in.attempt, who.account.name, caller(request)["address"], now_ns=now_ns)
        if not await is_right(who.account.password_hash, old):
            raise Forbidden("this is not your password of today")
    passwords.check(password, name=who.account.name, shortest=ctx.config.sign_in.password_min)
    if await is_right(who.account.password_hash, password):
        raise Invalid("this is the password that you have already; choose another")
    kept = await make_hash(password)
    name = who.account.name
    await ctx.db.run(accounting.set_password, who.account.id, kept, keep=who.session.id, by=name, now_ns=now_ns)
    return await ctx.db.run(signing_in.go_on, who.session, ctx.config.sign_in, now_ns=now_ns)


async def with_reset(request: Request, secret: str, password: str) -> None:
    """Set the password by a one-time link; raises Conflict, Invalid."""
    ctx, now_ns = context(request), context(request).now_ns()
    found = await ctx.db.read(accounting.by_reset, secret, now_ns=now_ns)
    passwords.check(password, name=found.name if found else "", shortest=ctx.config.sign_in.password_min)
    kept = await make_hash(password)
    await ctx.db.run(accounting.take_reset, secret, kept, now_ns=now_ns)


async def is_right(kept: str, password: str) -> bool:
    async with HASHING:
        return await asyncio.to_thread(passwords.is_right, kept, password)


async def make_hash(password: str) -> str:
    async with HASHING:
        return await asyncio.to_thread(passwords.make_hash, password)
