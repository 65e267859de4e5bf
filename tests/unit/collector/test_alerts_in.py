"""Alerts of other monitoring become tickets: exactly one each, whatever is repeated, late, or too much."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from sitewarden_alerting.foreign import Alert, alertmanager
from sitewarden_alerting.model import Policy
from sitewarden_collector.config import Rules
from sitewarden_collector.services import alerts_in, evaluation, rulepacks
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.alerts_in import STORM_AT, Taken
from sitewarden_collector.store import tickets as stored
from sitewarden_collector.store.engine import Database
from tests.cast import ACME_BERLIN, ADA, GLOBEX, GLOBEX_OSAKA, HOUR, MINUTE, NOON, SECOND, settle_site
from tests.desk import bearer, make_app, make_context

DATA = Path(__file__).parents[2] / "data" / "alerts"
POLICY = Policy()
BOOK = rulepacks.load(Rules())


def payload(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


def _alert(name: str = "down", *, firing: bool = True, episode: int = 1, site: str = ACME_BERLIN) -> Alert:
    return Alert("alertmanager", name, episode, firing, 4, f"{name} fires", "", labels={"site": site})


def _take(db: Database, *alerts: Alert, now_ns: int = NOON, site: str = "") -> Taken:
    taken = Taken()
    for part in db.read_now(alerts_in.place, alerts, default_site=site).parts:
        taken.add(db.write_now(alerts_in.take, part, POLICY, now_ns=now_ns))
    return taken


def _tickets(db: Database) -> list[tuple[str, str, str]]:
    rows = db.read_now(stored.listing, limit=1000)
    return [(one.ticket.number, one.ticket.title, one.ticket.state.value) for one in reversed(rows)]


def test_an_alert_opens_one_ticket_however_often_it_is_told(db: Database) -> None:
    db.write_now(settle_site)
    assert _take(db, _alert()) == Taken(began=1, opened=1)
    for minutes in (1, 30, 90):
        assert _take(db, _alert(), now_ns=NOON + minutes * MINUTE) == Taken(went_on=1)
    assert _tickets(db) == [("INC-1001", "down fires", "new")]
    assert db.read_now(stored.by_number, "INC-1001").count == 1


def test_an_alert_that_is_over_lets_its_ticket_resolve_itself(db: Database) -> None:
    db.write_now(settle_site)
    _take(db, _alert())
    assert _take(db, _alert(firing=False), now_ns=NOON + MINUTE).ended == 1
    db.write_now(evaluation.tick, BOOK, POLICY, now_ns=NOON + HOUR)
    assert _tickets(db) == [("INC-1001", "down fires", "resolved")]


def test_a_beginning_that_comes_after_its_end_opens_nothing(db: Database) -> None:
    db.write_now(settle_site)
    assert _take(db, _alert(firing=False)).opened == 0
    assert _take(db, _alert()) == Taken(told_before=1)
    assert _tickets(db) == []


def test_what_fires_anew_reopens_its_ticket(db: Database) -> None:
    db.write_now(settle_site)
    _take(db, _alert())
    _take(db, _alert(firing=False), now_ns=NOON + MINUTE)
    db.write_now(evaluation.tick, BOOK, POLICY, now_ns=NOON + HOUR)
    assert _take(db, _alert(episode=2), now_ns=NOON + 2 * HOUR).opened == 1
    assert _tickets(db) == [("INC-1001", "down fires", "reopened")]


def test_what_still_fires_long_after_a_person_resolved_it_comes_back(db: Database) -> None:
    db.write_now(settle_site)
    _take(db, _alert())
    db.write_now(ticketing.resolve, "INC-1001", ADA, "restarted", now_ns=NOON + MINUTE)
    assert _take(db, _alert(), now_ns=NOON + 2 * MINUTE).opened == 0
    assert _take(db, _alert(), now_ns=NOON + HOUR).opened == 1


def test_sites_are_kept_apart_and_unknown_ones_are_told(db: Database) -> None:
    db.write_now(settle_site)
    db.write_now(settle_site, GLOBEX_OSAKA, GLOBEX)
    here, there, nowhere = _alert(), _alert(site=GLOBEX_OSAKA), _alert(site="atlantis")
    assert _take(db, here, there).opened == 2
    placed = db.read_now(alerts_in.place, [here, nowhere])
    assert (placed.unplaced, placed.unknown_sites) == (1, ("atlantis",))
    assert db.read_now(alerts_in.place, [nowhere], default_site=ACME_BERLIN).unplaced == 0


def test_many_alerts_at_once_are_one_ticket_and_one_page_more(db: Database) -> None:
    db.write_now(settle_site)
    many = [_alert(f"a{i}") for i in range(1200)]
    assert _take(db, *many).began == 1200
    found = _tickets(db)
    assert len(found) == STORM_AT + 1
    storm = next(row for row in found if row[1] == "Storm of alerts from alertmanager")
    ticket = db.read_now(stored.by_number, storm[0])
    assert ticket.count == 1200 - STORM_AT
    assert _take(db, *many, now_ns=NOON + MINUTE).opened == 0
    assert len(_tickets(db)) == STORM_AT + 1
    _take(db, *(replace(one, firing=False) for one in many), now_ns=NOON + 2 * MINUTE)
    db.write_now(evaluation.tick, BOOK, POLICY, now_ns=NOON + HOUR)
    assert {state for _, _, state in _tickets(db)} == {"resolved"}


async def _client(db: Database, headers: dict[str, str]) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=make_app(make_context(db)))
    return httpx.AsyncClient(transport=transport, base_url="http://desk/api/v1", headers=headers)


@pytest.mark.parametrize(
    ("door", "name"),
    [("alertmanager", "alertmanager_firing"), ("grafana", "grafana_firing"), ("zabbix", "zabbix_problem")],
)
async def test_each_payload_opens_its_tickets_once(db: Database, door: str, name: str) -> None:
    db.write_now(settle_site)
    async with await _client(db, bearer(db, "engineer", scopes=["webhooks:in"])) as client:
        first = await client.post(f"/hooks/{door}", json=payload(name))
        assert first.status_code == 200, first.text
        assert first.json()["opened"] >= 1
        again = await client.post(f"/hooks/{door}", json=payload(name))
        assert again.json()["opened"] == again.json()["began"] == 0
    assert len(_tickets(db)) == first.json()["opened"]


async def test_zabbix_recovers_what_it_opened(db: Database) -> None:
    db.write_now(settle_site)
    async with await _client(db, bearer(db, "engineer")) as client:
        await client.post("/hooks/zabbix", json=payload("zabbix_problem"))
        over = await client.post("/hooks/zabbix", json=payload("zabbix_recovery"))
    assert over.json()["ended"] == 1
    assert db.read_now(stored.by_number, "INC-1001").recovered_ns == NOON


async def test_the_token_may_come_as_a_password_or_in_the_address(db: Database) -> None:
    db.write_now(settle_site)
    token = bearer(db, "engineer", scopes=["webhooks:in"])["Authorization"].removeprefix("Bearer ")
    body = payload("alertmanager_firing")
    async with await _client(db, {}) as client:
        assert (await client.post("/hooks/alertmanager", json=body)).status_code == 401
        assert (await client.post("/hooks/alertmanager", json=body, auth=("any", "wrong"))).status_code == 401
        assert (await client.post("/hooks/alertmanager", json=body, auth=("any", token))).status_code == 200
        assert (await client.post(f"/hooks/alertmanager/token/{token}", json=body)).status_code == 200
        assert (await client.get("/tickets", auth=("any", token))).status_code == 401


async def test_a_token_without_the_scope_is_refused(db: Database) -> None:
    async with await _client(db, bearer(db, "engineer", scopes=["tickets:read"])) as client:
        assert (await client.post("/hooks/grafana", json=payload("grafana_firing"))).status_code == 403


async def test_a_payload_that_fits_nowhere_says_what_to_do(db: Database) -> None:
    async with await _client(db, bearer(db, "engineer")) as client:
        refused = await client.post("/hooks/alertmanager", json=payload("alertmanager_firing"))
        assert refused.status_code == 422
        assert "acme-berlin is not here" in refused.json()["detail"]
        assert "?site=NAME" in refused.json()["detail"]
        assert (await client.post("/hooks/zabbix", json={"event_value": "?"})).status_code == 422


def test_what_was_taken_before_a_crash_is_no_news_after_it(db: Database) -> None:
    db.write_now(settle_site)
    alerts = [_alert(f"a{i}") for i in range(30)]
    part = db.read_now(alerts_in.place, alerts[:10]).parts[0]
    db.write_now(alerts_in.take, part, POLICY, now_ns=NOON)
    taken = _take(db, *alerts, now_ns=NOON + SECOND)
    assert (taken.began, taken.went_on) == (20, 10)
    assert len(_tickets(db)) == 30


def test_the_reader_and_the_placing_agree_on_labels() -> None:
    assert alertmanager.read(payload("alertmanager_firing")).alerts[0].labels["site"] == ACME_BERLIN
