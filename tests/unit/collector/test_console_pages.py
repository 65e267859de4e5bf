"""Pages for whoever asks: signed in or not, with htmx or without; errors that say what to do; no other host."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import Request

from sitewarden_alerting.model import Evidence
from sitewarden_collector.console import assets
from sitewarden_collector.services import log_lines
from sitewarden_collector.services.access import Principal, Role
from sitewarden_collector.services.desk import comments, reporting
from sitewarden_collector.store import agents, board, observations, sites
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.observations import Arrived
from sitewarden_collector.store.ticket_pages import Wanted
from sitewarden_collector.web import identity
from tests import cast
from tests.cast import ACME_BERLIN, GLOBEX, GLOBEX_OSAKA, MINUTE, NOON, SECOND
from tests.desk import make_app, make_context

HTML = {"accept": "text/html"}


@pytest.fixture
async def client(db: Database) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(make_context(db))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk") as made:
        yield made


def _as(monkeypatch: pytest.MonkeyPatch, who: Principal) -> None:
    async def principal(request: Request) -> Principal:
        request.state.principal = who
        return who

    monkeypatch.setattr(identity, "principal", principal)


async def test_a_stranger_is_sent_to_sign_in_and_comes_back_to_the_page(client: httpx.AsyncClient) -> None:
    answer = await client.get("/tickets?state=new", headers=HTML)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/signin?next=/tickets%3Fstate%3Dnew"
    part = await client.get("/tickets", headers={"hx-request": "true", "hx-current-url": "http://desk/tickets"})
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/signin?next=/tickets")


async def test_pages_allow_nothing_from_elsewhere_and_are_kept_nowhere(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nowhere", headers=HTML)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert " style=" not in answer.text


async def test_an_error_says_what_to_do_in_the_readers_language(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nowhere", headers=HTML | {"accept-language": "zh-CN,zh;q=0.9"})
    assert answer.status_code == 404
    assert "页面不存在" in answer.text


async def test_without_its_look_a_page_says_what_to_run(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "manifest", dict)
    answer = await client.get("/nowhere", headers=HTML)
    assert "uv sync --reinstall-package sitewarden" in answer.text


async def test_a_customer_sees_their_own_tickets_and_no_note_of_engineers(
    client: httpx.AsyncClient, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await db.run(cast.settle_agent, "web-1")
    await db.run(cast.settle_agent, "app-1", GLOBEX_OSAKA, GLOBEX)
    mine = await db.run(reporting.report, ACME_BERLIN, "login is slow", by="ada", now_ns=NOON)
    other = await db.run(reporting.report, GLOBEX_OSAKA, "their secret", by="ada", now_ns=NOON)
    await db.run(comments.add, mine.number, "careless admin", by="ada", now_ns=NOON)
    await db.run(comments.add, mine.number, "we look at it", by="ada", visibility="customer", now_ns=NOON)
    site = await db.read(sites.by_name, ACME_BERLIN)
    _as(monkeypatch, Principal("wang", Role.CUSTOMER, customer_id=site.customer_id))
    listed = (await client.get("/tickets", headers=HTML)).text
    assert "login is slow" in listed
    assert "their secret" not in listed
    shown = (await client.get(f"/tickets/{mine.number}", headers=HTML)).text
    assert "we look at it" in shown
    assert "careless admin" not in shown
    for path in ("", "/charts", "/lines"):
        assert (await client.get(f"/tickets/{other.number}{path}", headers=HTML)).status_code == 404


async def test_a_form_that_was_taken_is_told_to_htmx_and_to_a_browser_without_scripts(
    client: httpx.AsyncClient, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await db.run(cast.settle_agent, "web-1")
    ticket = await db.run(reporting.report, ACME_BERLIN, "login is slow", by="ada", now_ns=NOON)
    _as(monkeypatch, Principal("ada", Role.ENGINEER))
    here = f"/tickets/{ticket.number}"
    taken = await client.post(f"{here}/acknowledge", headers={"hx-request": "true"})
    assert taken.status_code == 204
    assert '"changed"' in taken.headers["hx-trigger"]
    again = await client.post(f"{here}/comment", data={"text": "looked at"})
    assert (again.status_code, again.headers["location"]) == (303, here)
    wrong = await client.post(f"{here}/wait", data={"reason": "lunch"}, headers={"hx-request": "true"})
    assert wrong.status_code == 422
    assert "lunch" in wrong.headers["x-said"]


def test_the_board_is_sorted_by_what_is_due_first(db: Database) -> None:
    db.write_now(cast.settle_agent, "web-1")
    for hours, title in ((1, "young"), (30, "old"), (1.9, "soon due")):
        told_ns = NOON - int(hours * 60) * MINUTE
        db.write_now(reporting.report, ACME_BERLIN, title, by="ada", now_ns=NOON, reported_ns=told_ns)
    rows = db.read_now(board.page, Wanted(), now_ns=NOON)
    assert [row.ticket.title for row in rows] == ["old", "soon due", "young"]
    assert [row.breached for row in rows] == [True, False, False]
    counts = db.read_now(board.counts, now_ns=NOON)
    assert (counts.open, counts.breached, counts.due_soon, counts.unassigned) == (3, 1, 2, 3)


def test_the_log_around_a_fault_has_what_the_host_said_before_and_after(db: Database) -> None:
    agent = db.write_now(cast.settle_agent, "web-1")
    said = [(-30, "pool is full"), (0, "payment failed"), (20, "order parked"), (3600, "much later")]
    arrived = [Arrived(i, NOON + s * SECOND, cast.error_line(text, offset=i)) for i, (s, text) in enumerate(said)]
    db.write_now(observations.add, agent, epoch=cast.EPOCH, seq=1, arrived=arrived, received_ns=NOON)
    own = Evidence(agent.id, cast.EPOCH, 1, 1, NOON, "web-1", "payment failed")
    lines = db.read_now(log_lines.around, db.read_now(agents.by_id, agent.id).site_id, own)
    assert [(line.text, line.own) for line in lines] == [
        ("pool is full", False),
        ("payment failed", True),
        ("order parked", False),
    ]
