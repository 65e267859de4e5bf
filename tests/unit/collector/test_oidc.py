"""Signing in with a provider: a small one of our own, over real HTTP, with tokens that are really signed."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sitewarden_collector.config import Config, Oidc
from sitewarden_collector.console import app as console_app
from sitewarden_collector.store import accounts
from sitewarden_collector.store.engine import Database
from tests.cast import settle_site
from tests.desk import make_context

KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}, private=True)
OTHER = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}, private=True)
NOW_S = int(time.time())


class FakeProvider:
    """Lets everybody in at once, and remembers what was asked. `lie` changes claims, `key` signs."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: dict[str, str] = {}
        self.claims: dict[str, Any] = {"sub": "s-1", "preferred_username": "ada", "groups": ["desk"]}
        self.lie: dict[str, Any] = {}
        self.key = KEY

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.configuration),
                Route("/keys", self.keys),
                Route("/token", self.token, methods=["POST"]),
            ]
        )

    async def configuration(self, _request: Request) -> JSONResponse:
        places = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
        return JSONResponse({"issuer": self.url} | {name: self.url + path for name, path in places.items()})

    async def keys(self, _request: Request) -> JSONResponse:
        return JSONResponse({"keys": [KEY.as_dict(private=False)]})

    async def token(self, request: Request) -> JSONResponse:
        sent = parse_qs((await request.body()).decode())
        challenge = base64.urlsafe_b64encode(sha256(sent["code_verifier"][0].encode()).digest()).rstrip(b"=").decode()
        if sent["code"] != ["good"] or challenge != self.asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        said = {"iss": self.url, "aud": "desk", "exp": NOW_S + 300, "iat": NOW_S, "nonce": self.asked["nonce"]}
        token = jwt.encode({"alg": "RS256", "kid": "one"}, said | self.claims | self.lie, self.key)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": token})


@asynccontextmanager
async def running() -> AsyncIterator[FakeProvider]:
    provider = FakeProvider()
    server = uvicorn.Server(uvicorn.Config(provider.app(), port=0, log_config=None, lifespan="off"))
    serving = asyncio.ensure_future(server.serve())
    while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
        await asyncio.sleep(0.01)
    provider.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield provider
    finally:
        server.should_exit = True
        await serving


def browser(db: Database, provider: FakeProvider, **more: Any) -> httpx.AsyncClient:
    roles = {"desk": "engineer", "clients": "customer"}
    oidc = Oidc(issuer=provider.url, client_id="desk", roles=roles, customers={"acme-people": "acme"}, **more)
    app = console_app.make(make_context(db, config=Config(oidc=oidc), now_ns=lambda: NOW_S * 1_000_000_000))
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://desk", headers={"Accept": "text/html"}
    )


async def come_back(client: httpx.AsyncClient, provider: FakeProvider, **changes: str) -> httpx.Response:
    away = await client.get("/signin/oidc?next=/sites")
    address = urlsplit(away.headers["location"])
    provider.asked = {key: values[0] for key, values in parse_qs(address.query).items()}
    assert provider.asked["code_challenge_method"] == "S256"
    query = {"code": "good", "state": provider.asked["state"]} | changes
    return await client.get("/signin/oidc/back", params=query)


async def test_whoever_is_in_a_group_gets_in_with_its_role(db: Database) -> None:
    async with running() as provider, browser(db, provider) as client:
        answer = await come_back(client, provider)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sites")
        assert (await client.get("/account")).status_code == 200
        made = db.read_now(accounts.by_name, "ada")
        assert (made.role, made.subject) == ("engineer", "s-1")
        db.write_now(settle_site)
        provider.claims["groups"] = ["clients", "acme-people"]
        assert (await come_back(client, provider)).status_code == 303
        assert db.read_now(accounts.by_name, "ada").role == "customer"


async def test_a_local_account_of_the_same_name_is_not_taken_over(db: Database) -> None:
    from tests.desk import signed_in

    signed_in(db, "admin", name="ada")
    async with running() as provider, browser(db, provider) as client:
        assert (await come_back(client, provider)).status_code == 303
    assert db.read_now(accounts.by_name, "ada").role == "admin"
    assert db.read_now(accounts.by_name, "ada (2)").role == "engineer"


@pytest.mark.parametrize(
    "lie",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": ["desk", "another"]},
        {"exp": NOW_S - 3600},
        {"iat": NOW_S + 3600},
        {"nonce": "another"},
        {"sub": ""},
        {"azp": "another"},
        {"groups": ["strangers"]},
        {"groups": ["clients"]},
    ],
)
async def test_a_token_with_something_wrong_lets_nobody_in(tmp_path: Any, lie: dict[str, Any]) -> None:
    db = _database(tmp_path)
    async with running() as provider, browser(db, provider) as client:
        provider.lie = lie
        assert (await come_back(client, provider)).status_code == 403
        assert (await client.get("/account")).status_code == 303
    assert db.read_now(accounts.every) == []
    db.close()


async def test_another_key_state_code_or_browser_lets_nobody_in(tmp_path: Any) -> None:
    db = _database(tmp_path)
    async with running() as provider, browser(db, provider) as client:
        assert (await come_back(client, provider, state="another")).status_code == 403
        assert (await come_back(client, provider, code="stolen")).status_code == 403
        provider.key = OTHER
        assert (await come_back(client, provider)).status_code == 403
        provider.key = KEY
        client.cookies.clear()
        query = {"code": "good", "state": provider.asked["state"]}
        assert (await client.get("/signin/oidc/back", params=query)).status_code == 403
    assert db.read_now(accounts.every) == []
    db.close()


async def test_an_address_must_be_verified_and_of_an_allowed_domain(tmp_path: Any) -> None:
    db = _database(tmp_path)
    async with running() as provider, browser(db, provider, domains=("example.com",)) as client:
        for told, status in (
            ({"email": "ada@evil.example", "email_verified": True}, 403),
            ({"email": "ada@example.com", "email_verified": False}, 403),
            ({"email": "ada@example.com", "email_verified": True}, 303),
        ):
            provider.lie = told
            assert (await come_back(client, provider)).status_code == status, told
    db.close()


def _database(tmp_path: Any) -> Database:
    from sitewarden_collector.store.base import tables

    database = Database(f"sqlite:///{tmp_path / 'collector.db'}")
    tables().create_all(database.engine)
    return database
