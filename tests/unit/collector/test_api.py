"""What the API promises for every resource: problems, cursors, keys, its description; and a ticket worked by it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from sitewarden_collector.errors import DatabaseBusy
from sitewarden_collector.services.desk import reporting
from sitewarden_collector.store import listings
from sitewarden_collector.store import tickets as stored
from sitewarden_collector.store.engine import Database
from sitewarden_collector.web.context import Context
from tests.cast import ACME, ACME_BERLIN, ADA, GLOBEX, GLOBEX_OSAKA, HOUR, NOON, SECOND, settle_site
from tests.desk import bearer, make_app, make_context


def _client(db: Database, headers: dict[str, str], context: Context | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=make_app(context or make_context(db)))
    return httpx.AsyncClient(transport=transport, base_url="http://desk/api/v1", headers=headers)


def _report(db: Database, number: int, site: str = ACME_BERLIN, customer: str = ACME) -> None:
    db.write_now(settle_site, site, customer)
    for i in range(number):
        db.write_now(reporting.report, site, f"fault {i}", by=ADA, now_ns=NOON + i * SECOND)


async def _pages(client: httpx.AsyncClient, address: str) -> list[Any]:
    found: list[Any] = []
    while address:
        answer = (await client.get(f"http://desk{address}")).json()
        found += answer["items"]
        address = answer["next"]
    return found


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("GET", "/nowhere", {}, 404),
        ("GET", "/tickets/INC-9", {}, 404),
        ("DELETE", "/tickets", {}, 405),
        ("POST", "/silences", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 422),
        ("POST", "/silences", {"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415),
        ("POST", "/silences", {"content": b"x" * (2 << 20), "headers": {"Content-Type": "application/json"}}, 413),
        ("POST", "/silences", {"json": {"site": "a\x00b", "for_s": 1, "reason": "x"}}, 422),
        ("POST", "/silences", {"json": {"site": "x", "for_s": 1, "reason": "x", "unknown": 1}}, 422),
        ("GET", "/tickets?limit=0", {}, 422),
        ("GET", "/tickets?q=%00", {}, 422),
        ("GET", "/tickets?cursor=made-up", {}, 422),
        ("GET", f"/tickets?q={'x' * 9000}", {}, 414),
        ("GET", "/tickets?updated_since=2026-11-24T12:00:00", {}, 422),
    ],
)
async def test_every_refusal_is_a_problem_that_says_what_to_do(
    db: Database, method: str, path: str, sent: dict[str, Any], status: int
) -> None:
    async with _client(db, bearer(db, "admin")) as client:
        answer = await client.request(method, path, **sent)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert len(problem["detail"]) > 10
    assert problem["instance"] == f"urn:uuid:{answer.headers['x-request-id']}"


async def test_nobody_is_told_who_to_be(db: Database) -> None:
    async with _client(db, {}) as client:
        answer = await client.get("/tickets")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="sitewarden"')


async def test_what_nobody_foresaw_shows_nothing_of_itself(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = bearer(db, "admin")
    for error, status in ((RuntimeError("secret inside"), 500), (DatabaseBusy("the disk is full"), 503)):

        def broken(*_given: Any, why: Exception = error, **_named: Any) -> None:
            raise why

        monkeypatch.setattr(listings, "sites_page", broken)
        async with _client(db, headers) as client:
            answer = await client.get("/sites")
        assert answer.status_code == status
        assert "secret inside" not in answer.text
        assert ("retry-after" in answer.headers) == (status == 503)


async def test_pages_show_everything_once_while_more_comes_in(db: Database) -> None:
    _report(db, 25)
    async with _client(db, bearer(db, "engineer")) as client:
        first = (await client.get("/tickets?limit=10&sort=-opened")).json()
        db.write_now(reporting.report, ACME_BERLIN, "later", by=ADA, now_ns=NOON + HOUR)
        found = first["items"] + await _pages(client, first["next"])
        assert [one["title"] for one in found] == [f"fault {i}" for i in reversed(range(25))]
        assert len(await _pages(client, "/api/v1/tickets?limit=7&sort=priority")) == 26


async def test_a_cursor_is_of_its_listing_alone(db: Database) -> None:
    _report(db, 3)
    async with _client(db, bearer(db, "engineer")) as client:
        cursor = (await client.get("/tickets", params={"limit": 1})).json()["next_cursor"]
        assert (await client.get("/tickets", params={"limit": 2, "cursor": cursor})).status_code == 200
        for path, more in (("/tickets", {"state": "new"}), ("/tickets", {"sort": "opened"}), ("/sites", {})):
            refused = await client.get(path, params={"cursor": cursor, **more})
            assert refused.status_code == 422
            assert "another listing" in refused.json()["detail"]


async def test_filters_narrow(db: Database) -> None:
    _report(db, 3)
    _report(db, 2, GLOBEX_OSAKA, GLOBEX)
    async with _client(db, bearer(db, "engineer")) as client:

        async def count(**asked: Any) -> int:
            return len((await client.get("/tickets", params=asked)).json()["items"])

        assert await count(customer=GLOBEX) == 2
        assert await count(site=ACME_BERLIN, q="FAULT 2") == 1
        assert await count(q="%") == 0
        assert await count(state=["resolved", "closed"]) == 0
        assert await count(type="complaint") == 0
        assert await count(assignee="") == 5
        assert await count(updated_since="2026-11-24T12:00:02Z") == 1


async def test_a_key_has_its_effect_once(db: Database) -> None:
    db.write_now(settle_site)
    body = {"site": ACME_BERLIN, "title": "Orders hang"}
    async with _client(db, bearer(db, "engineer")) as client:
        first, *others = await asyncio.gather(
            *(client.post("/tickets", json=body, headers={"Idempotency-Key": "k1"}) for _ in range(5))
        )
        assert {one.status_code for one in (first, *others)} == {201}
        assert {one.json()["number"] for one in (first, *others)} == {"REQ-1001", "INC-1001"} & {first.json()["number"]}
        assert sum("idempotency-replayed" in one.headers for one in (first, *others)) == 4
        other = await client.post("/tickets", json=body | {"title": "x"}, headers={"Idempotency-Key": "k1"})
        assert other.status_code == 422
    async with _client(db, bearer(db, "admin")) as client:
        theirs = await client.post("/tickets", json=body, headers={"Idempotency-Key": "k1"})
        assert "idempotency-replayed" not in theirs.headers
    assert len(db.read_now(stored.listing)) == 2


async def test_a_key_is_forgotten_after_a_day_and_kept_by_no_refusal(db: Database) -> None:
    headers = bearer(db, "engineer", now_ns=NOON)
    now = [NOON]
    context = make_context(db, now_ns=lambda: now[0])
    async with _client(db, headers | {"Idempotency-Key": "k1"}, context) as client:
        body = {"site": ACME_BERLIN, "title": "Orders hang"}
        assert (await client.post("/tickets", json=body)).status_code == 404
        db.write_now(settle_site)
        assert (await client.post("/tickets", json=body)).status_code == 201
        now[0] += 25 * HOUR
        again = await client.post("/tickets", json=body)
        assert "idempotency-replayed" not in again.headers


async def test_a_ticket_lives_through_the_api(db: Database) -> None:
    db.write_now(settle_site)
    async with _client(db, bearer(db, "engineer")) as client:
        number = (await client.post("/tickets", json={"site": ACME_BERLIN, "title": "Orders hang"})).json()["number"]
        for move, body in (
            ("acknowledge", {}),
            ("start", {}),
            ("comment", {"text": "looking", "visibility": "internal"}),
            ("comment", {"text": "we are on it", "visibility": "customer"}),
            ("solution/propose", {"text": "restart the pool"}),
            ("resolve", {"how": "restarted"}),
        ):
            answer = await client.post(f"/tickets/{number}/{move}", json=body)
            assert answer.status_code == 200, answer.text
        ticket = (await client.get(f"/tickets/{number.lower()}")).json()
        assert (ticket["state"], ticket["resolution"]) == ("resolved", "restarted")
        assert {one["target"] for one in ticket["clocks"]} >= {"first_response", "solution"}
        assert len(ticket["comments"]) == 2
        conflict = await client.post(f"/tickets/{number}/acknowledge", json={})
        assert conflict.status_code == 409
    async with _client(db, bearer(db, "customer", customer=ACME)) as client:
        theirs = (await client.get(f"/tickets/{number}")).json()
        assert [one["text"] for one in theirs["comments"]] == ["we are on it"]
        assert "looking" not in str(theirs)
        assert (await client.post(f"/tickets/{number}/close", json={})).status_code == 403
        assert (await client.post(f"/tickets/{number}/confirm", json={})).json()["state"] == "closed"


async def test_a_file_comes_back_as_it_was_and_is_run_by_no_browser(db: Database) -> None:
    _report(db, 1)
    async with _client(db, bearer(db, "engineer")) as client:
        sent = await client.post("/tickets/INC-1001/attachments", files={"file": ("a.log", b"line 1\nline 2\n")})
        assert sent.status_code == 201, sent.text
        got = await client.get(f"/tickets/INC-1001/attachments/{sent.json()['id']}")
        assert got.content == b"line 1\nline 2\n"
        assert got.headers["content-disposition"].startswith("attachment")
        assert got.headers["content-type"] == "application/octet-stream"
    async with _client(db, bearer(db, "customer", customer=ACME)) as client:
        assert (await client.get(f"/tickets/INC-1001/attachments/{sent.json()['id']}")).status_code == 404


async def test_the_description_is_whole(db: Database) -> None:
    async with _client(db, {}) as client:
        said = (await client.get("/openapi.json")).json()
    operations = [one for path in said["paths"].values() for one in path.values()]
    assert said["openapi"].startswith("3.1")
    assert len({one["operationId"] for one in operations}) == len(operations) > 60
    known = {tag["name"] for tag in said["tags"]}
    for one in operations:
        assert one["summary"]
        assert set(one["tags"]) <= known
        assert one["operationId"] in ("getMe", "tellTrackerNews") or one["x-permissions"]
        assert "application/problem+json" in one["responses"]["404"]["content"]
