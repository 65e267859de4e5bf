"""Every route as every role: who may not is refused, and no route is open that was not meant to be.

A route says by `need(...)` what it demands. Those that demand nothing are named here, each with its reason. What a
route answers to those who may is not looked at here, only that it does not refuse them as not permitted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute, Mount

from sitewarden_collector.services.access import ALLOWED, Permission, Role
from sitewarden_collector.store.engine import Database
from sitewarden_collector.web.identity import permission_of
from tests.cast import ACME, settle_agent
from tests.desk import bearer, make_app, make_context, signed_in

# path -> why it demands no permission. A name in brackets stands for one part of a path.
OPEN = {
    "/healthz": "monitoring asks without an account; it names nobody",
    "/metrics": "monitoring asks without an account; it holds counts",
    "/ca.pem": "agents need it before they are known",
    "/api/v1/hooks/tracker": "known by the signature of its message",
    "/api/v1/openapi.json": "the description of the API is in the repository, too",
}
# Anybody who is signed in, whatever they may: their own things.
SIGNED_IN = {"/api/v1/me": "who I am"}
# Whole parts that decide for themselves (a signed link, a calendar with its token, signing in): their own tests look.
OWN = ("/a/", "/ical/", "/signin", "/signout", "/static", "/account", "/assets")
ENDLESS_S = 0.7
ROLES = tuple(role.value for role in Role)


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    demands: frozenset[Permission]


def routes(app: FastAPI) -> Iterator[Route]:
    """Every route of the application and of those that are mounted in it."""
    yield from _flat(app.routes, "")


def _flat(found: Sequence[BaseRoute], prefix: str) -> Iterator[Route]:
    for one in iter_route_contexts(found):
        original = one.original_route
        if isinstance(original, Mount):
            yield from _flat(original.routes, prefix + original.path)
        elif isinstance(original, APIRoute):
            for method in sorted((one.methods or set()) - {"HEAD", "OPTIONS"}):
                yield Route(method, f"{prefix}{one.path_format}", permission_of(one))


def filled(path: str) -> str:
    """The address of something that is not there."""
    return "".join("nothing" if part.startswith("{") else part for part in _split(path))


def _split(path: str) -> Iterator[str]:
    rest = path
    while rest:
        before, bracket, behind = rest.partition("{")
        yield before
        if not bracket:
            return
        name, _, rest = behind.partition("}")
        yield "{" + name


async def _asked(client: httpx.AsyncClient, route: Route, headers: dict[str, str]) -> int:
    sent: dict[str, Any] = {} if route.method == "GET" else {"json": {}}
    if route.path.endswith("/attachments"):
        sent = {"files": {"file": ("note.txt", b"x")}}
    if route.path.endswith(".csv") and route.method != "GET":
        sent = {"content": b"name", "headers": {"Content-Type": "text/csv"}}
    try:
        async with asyncio.timeout(ENDLESS_S):
            given = headers | sent.pop("headers", {})
            answer = await client.request(route.method, filled(route.path), headers=given, **sent)
    except TimeoutError:
        return 200  # what is live goes on until its reader leaves: who is refused hears at once
    return answer.status_code


@pytest.fixture
def desk(db: Database) -> FastAPI:
    db.write_now(settle_agent)
    return make_app(make_context(db))


def _headers(db: Database, role: str, *, api: bool) -> dict[str, str]:
    account: dict[str, Any] = {"customer": ACME} if role == Role.CUSTOMER else {}
    return (bearer if api else signed_in)(db, role, **account)


@pytest.mark.timeout(300)
async def test_every_route_as_every_role(db: Database, desk: FastAPI) -> None:
    wrong: list[str] = []
    transport = httpx.ASGITransport(app=desk, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        known = {(role, door): _headers(db, role, api=door) for role in ROLES for door in (True, False)}
        for route in routes(desk):
            if not route.demands:
                continue
            status = await _asked(client, route, {})
            if status not in (401, 303):
                wrong.append(f"{route.method} {route.path} as nobody: {status}")
            for role in ROLES:
                may = all(one in ALLOWED[Role(role)] for one in route.demands)
                status = await _asked(client, route, known[role, route.path.startswith("/api/")])
                if not may and status != 403:
                    wrong.append(f"{route.method} {route.path} as {role}: {status}, should be refused")
                if may and status in (401, 403) and role != Role.CUSTOMER:
                    wrong.append(f"{route.method} {route.path} as {role}: {status}, should be let in")
                if status >= 500:
                    wrong.append(f"{route.method} {route.path} as {role}: {status}")
    assert wrong == []


def test_a_route_that_demands_nothing_is_named_with_its_reason(desk: FastAPI) -> None:
    silent = {route.path for route in routes(desk) if not route.demands}
    unnamed = {path for path in silent if path not in OPEN | SIGNED_IN and not path.startswith(OWN)}
    assert unnamed == set(), "give these routes need(...), or name them above with a reason"


def test_the_matrix_sees_the_api_and_the_console(desk: FastAPI) -> None:
    seen = {(route.method, route.path) for route in routes(desk)}
    assert ("GET", "/api/v1/tickets/{number}") in seen
    assert ("POST", "/api/v1/silences") in seen
    assert ("GET", "/healthz") in seen
    assert any(path.startswith("/tickets") for _, path in seen)


async def test_a_customer_finds_nothing_of_others(db: Database) -> None:
    db.write_now(settle_agent)
    db.write_now(settle_agent, "app-1", "globex-osaka", "globex")
    transport = httpx.ASGITransport(app=make_app(make_context(db)))
    headers = bearer(db, "customer", customer=ACME)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk/api/v1", headers=headers) as client:
        assert [one["name"] for one in (await client.get("/sites")).json()["items"]] == ["acme-berlin"]
        assert (await client.get("/sites/acme-berlin")).status_code == 200
        theirs, nobodys = await client.get("/sites/globex-osaka"), await client.get("/sites/atlantis")
        assert theirs.status_code == nobodys.status_code == 404
        assert theirs.json()["detail"].replace("globex-osaka", "") == nobodys.json()["detail"].replace("atlantis", "")
