"""What strangers and users with bad intent try at the pages and the API, and what they get for it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Connection

from sitewarden_alerting.model import Person, Policy
from sitewarden_collector.config import Config, Rules
from sitewarden_collector.console import app as console_app
from sitewarden_collector.http_api import door, serving
from sitewarden_collector.services import (
    accounts as accounting,
)
from sitewarden_collector.services import (
    acknowledging,
    customers,
    evaluation,
    intake,
    maintenance,
    oncall,
    roster,
    rulepacks,
    silences,
    webhook_signing,
)
from sitewarden_collector.services.desk import attaching, comments, majors, problems, reporting, tracker, visits
from sitewarden_collector.store import accounts, audit, notices, sites, tickets
from sitewarden_collector.store.contacts import Contact
from sitewarden_collector.store.engine import Database
from tests.cast import ACME_BERLIN, ADA, HOUR, NOON, batch, change, error_line, probe, settle_agent
from tests.desk import SECRET, bearer, make_app, make_context, signed_in
from tests.integration.test_role_matrix import routes

EVIL = "<img src=x onerror=1>\"'{{7*7}}"
SAFE_PAGES = ("/static/", "/live")


def browsing(app: FastAPI, headers: dict[str, str]) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://desk", headers=headers)


def hostile(tx: Connection) -> dict[str, tuple[str, ...]]:
    """A desk on which everything that somebody else may choose is called like an attack."""
    agent = settle_agent(tx, EVIL, f"site {EVIL}", f"customer {EVIL}", version=EVIL, state_why=EVIL)
    roster.remember(tx, (Person(ADA, ("phone",)), Person(EVIL, ("phone",))))
    sent = batch(1, error_line(f"{EVIL} is lost", component=EVIL, file=EVIL), probe(False), change(after=EVIL))
    intake.accept(tx, agent.id, batch=sent, now_ns=NOON)
    by: dict[str, Any] = {"by": EVIL, "now_ns": NOON}
    site = f"site {EVIL}"
    number = reporting.report(tx, site, EVIL, text=EVIL, reporter=EVIL, **by).number
    comments.add(tx, number, EVIL, visibility="customer", **by)
    attaching.attach(tx, number, f"{EVIL}.txt", b"<script>", SECRET, **by)
    visits.plan(tx, number, EVIL, NOON + HOUR, **by)
    problem = problems.open_problem(tx, EVIL, [number], **by)
    problems.edit(tx, problem.number, by=EVIL, now_ns=NOON, cause=EVIL, workaround=EVIL)
    problems.add_task(tx, problem.number, EVIL, EVIL, NOON + HOUR, **by)
    majors.declare(tx, number, EVIL, experts=(EVIL,), **by)
    tracker.configure(tx, SECRET, url="https://tracker.example.com/in", **by)
    tracker.send(tx, number, "defect", EVIL, **by)
    silences.add(tx, site, for_s=3600, reason=EVIL, **by)
    window = maintenance.plan(tx, site, from_ns=NOON, until_ns=NOON + HOUR, reason=EVIL, **by)
    customer = sites.customer(tx, f"customer {EVIL}")
    customers.put_contact(tx, Contact(customer.id, EVIL, role=EVIL, phone=EVIL, mail="evil@example.com"), now_ns=NOON)
    schedule = oncall.add(tx, EVIL, zone="UTC", managers=(EVIL,), now_ns=NOON)
    audit.add(tx, [])
    names = (site, f"customer {EVIL}")
    numbers = (number, problem.number, window.number)
    return {"number": numbers, "name": names, "schedule": (EVIL,), "schedule_id": (schedule.id,)}


def filled(app: FastAPI, method: str, known: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for route in routes(app):
        if route.method != method or route.path.startswith(SAFE_PAGES):
            continue
        names = [part.split("}")[0].split(":")[0] for part in route.path.split("{")[1:]]
        for values in itertools.product(*(known.get(name, ("nothing",)) for name in names)):
            path = route.path
            for name, value in zip(names, values, strict=True):
                quoted = httpx.URL("http://x/").copy_with(path=f"/{value}").raw_path.decode()[1:]
                quoted = quoted.replace("?", "%3F").replace("#", "%23")
                path = path.replace("{" + name + "}", quoted).replace("{" + name + ":path}", quoted)
            yield path


@pytest.mark.timeout(120)
async def test_no_page_holds_what_somebody_wrote_as_markup(db: Database) -> None:
    known = db.write_now(hostile)
    db.write_now(evaluation.step, rulepacks.load(Rules()), Policy(), now_ns=NOON)
    numbers = tuple(one.ticket.number for one in db.read_now(tickets.listing))
    app, seen = make_app(make_context(db)), 0
    async with browsing(app, signed_in(db, "admin", name="root")) as client:
        for path in filled(app, "GET", known | {"number": (*known["number"], *numbers)}):
            if path.startswith("/api/"):
                continue
            for query in ("", f"?text={EVIL}&customer={EVIL}&lang=zh", "?part=live"):
                async with asyncio.timeout(20):
                    answer = await client.get(path + query)
                assert answer.status_code < 500, path
                if "html" in answer.headers.get("content-type", ""):
                    assert "<img src=x" not in answer.text, path
                    seen += "img src=x" in answer.text
    assert seen > 15


@pytest.mark.timeout(120)
async def test_every_form_needs_the_token_of_a_page_of_ours(db: Database) -> None:
    db.write_now(settle_agent)
    app = make_app(make_context(db))
    headers = signed_in(db, "admin", name="root")
    forged = {"Cookie": headers["Cookie"]}
    elsewhere = headers | {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    open_ones = []
    async with browsing(app, {}) as client:
        for path in filled(app, "POST", {}):
            if path.startswith(("/a/", "/api/v1/hooks/tracker")):
                continue  # known by their own secrets, and no cookie is looked at
            for sent in (forged, elsewhere):
                kind: dict[str, Any] = {"json": {}} if path.startswith("/api/") else {"data": {"text": "x"}}
                if path.endswith("/attachments"):
                    kind = {"files": {"file": ("x.txt", b"x")}}
                answer = await client.post(path, headers=sent, **kind)
                if not (answer.status_code == 403 or path.startswith("/signin/reset/")):
                    open_ones.append((path, answer.status_code))
    assert open_ones == []


@pytest.mark.parametrize("junk", ["%00", "%ED%A0%80", "9" * 30])
async def test_no_address_and_no_form_breaks_a_page(db: Database, junk: str) -> None:
    app = make_app(make_context(db))
    known = dict.fromkeys(
        ("number", "name", "schedule", "schedule_id", "token", "secret", "file_id", "kind"), ("JUNK",)
    )
    broken = []
    async with browsing(app, signed_in(db, "admin", name="root")) as client:
        for method in ("GET", "POST"):
            for path in filled(app, method, known):
                if path in ("/signout",):
                    continue
                at = path.replace("JUNK", junk)
                fields = (
                    "text name q customer site site_label page sort state who number person schedule from until code"
                )
                told = "&".join(f"{name}={junk}" for name in fields.split())
                url = f"{at}?{told}"[:7000]
                form = {"content": told, "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
                if path.startswith("/api/"):
                    form = {"content": "{}", "headers": {"Content-Type": "application/json"}}
                async with asyncio.timeout(20):
                    answer = await client.request(method, url, **(form if method == "POST" else {}))  # type: ignore[arg-type]
                if answer.status_code >= 500:
                    broken.append(f"{method} {at[:80]}: {answer.status_code}")
    assert broken == []


async def test_answers_of_the_api_are_kept_by_nobody(db: Database) -> None:
    async with browsing(make_app(make_context(db)), bearer(db)) as client:
        for path in ("/api/v1/me", "/api/v1/tickets", "/api/v1/tickets/INC-1"):
            headers = (await client.get(path)).headers
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"


async def test_a_body_that_comes_too_slowly_holds_nothing_for_long(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "BODY_S", 0.05)

    async def slowly() -> Any:
        yield b"{"
        await asyncio.sleep(30)

    async with browsing(make_app(make_context(db)), bearer(db)) as client, asyncio.timeout(10):
        sent = {"Content-Type": "application/json"}
        assert (await client.post("/api/v1/tickets", content=slowly(), headers=sent)).status_code == 408


async def test_a_page_that_breaks_is_as_guarded_as_any(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    app = console_app.make(make_context(db))
    monkeypatch.setattr("sitewarden_collector.console.board.store.SORTS", None)
    async with browsing(app, signed_in(db)) as client:
        answer = await client.get("/")
    assert answer.status_code == 500
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_only_a_proxy_on_this_host_says_where_somebody_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    served = serving.settings(FastAPI(), Config())
    assert served.proxy_headers
    assert served.forwarded_allow_ips in ("127.0.0.1", "127.0.0.1,::1")


async def test_a_message_of_the_tracker_that_is_sent_again_changes_nothing(db: Database) -> None:
    db.write_now(settle_agent)
    number = db.write_now(reporting.report, ACME_BERLIN, "it hangs", by=ADA, now_ns=NOON).number
    made = db.write_now(tracker.configure, SECRET, url="https://tracker.example.com/in", by=ADA, now_ns=NOON)
    item = db.write_now(tracker.send, number, "defect", "see there", by=ADA, now_ns=NOON)
    app = make_app(make_context(db))

    async def tell(message: str, state: str) -> httpx.Response:
        body = f'{{"reference":"{item.id}","state":"{state}"}}'.encode()
        headers = webhook_signing.headers(made.secret, message, body, now_ns=NOON)
        sent = headers | {"Content-Type": "application/json"}
        return await client.post("/api/v1/hooks/tracker", content=body, headers=sent)

    async with browsing(app, {}) as client:
        assert (await tell("msg_1", "in progress")).status_code == 200
        assert (await tell("msg_2", "done")).json()["state"] == "done"
        assert (await tell("msg_1", "in progress")).status_code == 200  # somebody listened, and plays it again
    [now] = db.read_now(lambda tx: tracker.of_ticket(tx, tickets.by_number(tx, number).id))
    assert now.state == "done"


def _paged(tx: Connection) -> str:
    agent = settle_agent(tx)
    intake.accept(tx, agent.id, batch=batch(1, error_line()), now_ns=NOON)
    evaluation.step(tx, rulepacks.load(Rules()), Policy(on_call=(Person(ADA, ("phone",)),)), now_ns=NOON)
    [page, *_] = notices.listing(tx)
    return acknowledging.token(acknowledging.link_key(tx, SECRET), page.id, now_ns=NOON)


async def test_a_link_that_takes_a_ticket_is_in_the_audit_log_and_ends_with_its_persons_account(db: Database) -> None:
    db.write_now(accounting.add, "root", role="admin", by="test", now_ns=NOON)
    db.write_now(accounting.add, ADA, role="engineer", by="test", now_ns=NOON)
    token = db.write_now(_paged)
    async with browsing(make_app(make_context(db)), {}) as client:
        db.write_now(accounting.disable, ADA, by="root", now_ns=NOON)
        assert (await client.post(f"/a/{token}")).status_code == 404
        db.write_now(accounting.enable, ADA, by="root", now_ns=NOON)
        assert (await client.get(f"/a/{token}")).status_code == 200
        assert db.read_now(tickets.listing)[0].ticket.acknowledged_ns is None
        assert (await client.post(f"/a/{token}")).status_code == 200
        assert (await client.post(f"/a/{token}")).status_code == 200
    rows = [one for one in db.read_now(lambda tx: list(audit.walk(tx))) if one.action == "acknowledge"]
    assert [(one.who, one.what) for one in rows] == [(ADA, "INC-1001")]


def test_nobody_is_called_as_the_rules_are(db: Database) -> None:
    for name in ("rules", "Tracker"):
        with pytest.raises(Exception, match="stands for the collector"):
            db.write_now(accounting.add, name, role="engineer", by="test", now_ns=NOON)


async def test_what_a_form_does_not_ask_for_changes_nothing(db: Database) -> None:
    headers = signed_in(db, "viewer")
    async with browsing(make_app(make_context(db)), headers) as client:
        sent = {"locale": "zh", "timezone": "", "theme": "dark", "role": "admin", "customer_id": "x", "name": "root"}
        await client.post("/account/preferences", data=sent)
    account = db.read_now(accounts.find, "viewer")
    assert account is not None
    assert (account.locale, account.role, account.name) == ("zh", "viewer", "viewer")


async def test_a_zone_that_a_browser_makes_up_breaks_no_page(db: Database) -> None:
    async with browsing(make_app(make_context(db)), {"Cookie": f"zone=Europe/{'e/' * 1500}e"}) as client:
        assert (await client.get("/signin")).status_code == 200
