"""Who asks: cookies, tokens, and what is refused."""

from __future__ import annotations

from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.responses import PlainTextResponse

from sitewarden_collector.errors import Forbidden
from sitewarden_collector.services import accounts as accounting
from sitewarden_collector.services import tokens_api
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store import api_tokens
from sitewarden_collector.store.engine import Database
from sitewarden_collector.web.identity import Unauthenticated, need, permission_of
from tests.cast import DAY, HOUR, NOON, FakeClock
from tests.desk import bearer, make_context, signed_in


def client(db: Database, clock: FakeClock | None = None) -> httpx.AsyncClient:
    app = FastAPI()
    app.state.context = make_context(db, now_ns=(clock or FakeClock()).now_ns)

    @app.exception_handler(Unauthenticated)
    async def unauthenticated(_request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse(str(error), 401)

    @app.exception_handler(Forbidden)
    async def forbidden(_request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse(str(error), 403)

    @app.get("/read")
    async def read(who: Annotated[Principal, Depends(need(Permission.TICKETS_READ))]) -> str:
        return who.name

    @app.post("/work")
    async def work(who: Annotated[Principal, Depends(need(Permission.TICKETS_WORK))]) -> str:
        return who.name

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk")


async def test_a_cookie_says_who_asks(db: Database) -> None:
    async with client(db) as browser:
        assert (await browser.get("/read", headers=signed_in(db, "viewer"))).json() == "viewer"
        assert (await browser.get("/read")).status_code == 401
        assert (await browser.get("/read", headers={"Cookie": "sitewarden=stolen"})).status_code == 401


async def test_a_change_needs_the_token_of_the_page_and_the_same_site(db: Database) -> None:
    headers = signed_in(db, "engineer")
    cookie = {"Cookie": headers["Cookie"]}
    async with client(db) as browser:
        assert (await browser.post("/work", headers=headers)).status_code == 200
        form = {"csrf_token": headers["X-CSRF-Token"]}
        assert (await browser.post("/work", headers=cookie, data=form)).status_code == 200
        assert (await browser.post("/work", headers=cookie)).status_code == 403
        assert (await browser.post("/work", headers=cookie, data={"csrf_token": "0" * 64})).status_code == 403
        other = signed_in(db, "engineer")["X-CSRF-Token"]
        assert (await browser.post("/work", headers=cookie | {"X-CSRF-Token": other})).status_code == 403
        assert (await browser.post("/work", headers=headers | {"Sec-Fetch-Site": "cross-site"})).status_code == 403
        assert (await browser.post("/work", headers=headers | {"Origin": "https://evil.example"})).status_code == 403
        assert (await browser.post("/work", headers=headers | {"Origin": "http://desk"})).status_code == 200


async def test_a_role_may_only_what_it_may(db: Database) -> None:
    async with client(db) as browser:
        refused = await browser.post("/work", headers=signed_in(db, "viewer"))
    assert refused.status_code == 403
    assert "the role viewer may not" in refused.text


async def test_a_session_ends_when_nobody_uses_it_and_after_a_week_at_the_latest(db: Database) -> None:
    clock = FakeClock()
    headers = signed_in(db, "viewer")
    async with client(db, clock) as browser:
        for _ in range(16):
            clock.now += 11 * HOUR
            assert (await browser.get("/read", headers=headers)).status_code == (
                200 if clock.now < NOON + 7 * DAY else 401
            )
        again = signed_in(db, "viewer", now_ns=clock.now)
        clock.now += 13 * HOUR
        assert (await browser.get("/read", headers=again)).status_code == 401


async def test_an_api_token_does_what_its_scopes_and_its_role_allow(db: Database) -> None:
    async with client(db) as program:
        assert (await program.post("/work", headers=bearer(db, "engineer"))).json() == "engineer-program"
        narrow = bearer(db, "engineer", scopes=["tickets:read"])
        assert (await program.get("/read", headers=narrow)).status_code == 200
        refused = await program.post("/work", headers=narrow)
        assert (refused.status_code, "lacks that scope" in refused.text) == (403, True)
        db.write_now(accounting.set_role, "engineer-program", role="viewer", by="admin", now_ns=NOON)
        assert (await program.post("/work", headers=bearer(db, "engineer", scopes=["tickets:read"]))).status_code == 403


async def test_a_token_that_was_revoked_expired_or_made_up_is_nobodys(db: Database) -> None:
    clock = FakeClock()
    async with client(db, clock) as program:
        headers = bearer(db, "engineer")
        assert (await program.get("/read", headers=headers)).status_code == 200
        (token,) = db.read_now(api_tokens.every)
        assert token.used_ns == NOON
        db.write_now(api_tokens.revoke, token.id, now_ns=NOON)
        assert (await program.get("/read", headers=headers)).status_code == 401
        expiring = bearer(db, "engineer")
        clock.now += 31 * DAY
        assert (await program.get("/read", headers=expiring)).status_code == 401
        assert (await program.get("/read", headers={"Authorization": "Bearer swt_made_up"})).status_code == 401
        assert (await program.get("/read", headers={"Authorization": "Basic YTpi"})).status_code == 401


async def test_nobody_signed_in_goes_on_once_the_account_is_switched_off(db: Database) -> None:
    headers, program = signed_in(db, "viewer"), bearer(db, "viewer")
    db.write_now(accounting.disable, "viewer", by="admin", now_ns=NOON)
    db.write_now(accounting.disable, "viewer-program", by="admin", now_ns=NOON)
    async with client(db) as browser:
        assert (await browser.get("/read", headers=headers)).status_code == 401
        assert (await browser.get("/read", headers=program)).status_code == 401


def test_a_token_can_be_told_from_other_words(db: Database) -> None:
    text = bearer(db, "viewer")["Authorization"].removeprefix("Bearer ")
    assert text.startswith("swt_")
    assert tokens_api.is_wellformed(text)
    assert not tokens_api.is_wellformed(text[:-1] + ("0" if text[-1] != "0" else "1"))
    with pytest.raises(Forbidden, match="may not"):
        bearer(db, "viewer", scopes=["tickets:work"])


def test_what_a_route_needs_can_be_read_off_it() -> None:
    app = FastAPI()

    @app.get("/read")
    async def read(who: Annotated[Principal, Depends(need(Permission.TICKETS_READ))]) -> str:
        return who.name

    route = next(route for route in app.routes if getattr(route, "path", "") == "/read")
    assert permission_of(route) == {Permission.TICKETS_READ}
