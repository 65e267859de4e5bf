"""The HTTP side says in words and numbers how the collector is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from sqlalchemy import text

from sitewarden_collector.http_api.app import make
from sitewarden_collector.services import health
from sitewarden_collector.store import evaluations, notices
from sitewarden_collector.store.engine import Database
from tests.desk import make_context

NOW = 1_764_000_000 * 10**9
S = 10**9


class Time:
    ns = NOW

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def client(db: Database, time: Time) -> AsyncIterator[AsyncClient]:
    registry = CollectorRegistry()
    Counter("sitewarden_batches", "Batches.", registry=registry).inc(3)
    app = make(make_context(db, now_ns=time), registry=registry, ca_pem=b"-----BEGIN CERTIFICATE-----\n")
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://collector") as client:
        yield client


async def _page(db: Database) -> notices.StoredNotice:
    await db.run(
        notices.add, kind="page", person="ada", channel="phone", subject="s", body="b", dedup_key="k", now_ns=NOW
    )
    [taken] = await db.run(notices.claim, 1, "w", now_ns=NOW)
    return taken


async def _numbers(client: AsyncClient) -> dict[tuple[str, str], float]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, sample.labels.get("state", "")): sample.value
        for family in text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]
        for sample in family.samples
    }


async def test_a_collector_with_nothing_to_do_is_well(client: AsyncClient) -> None:
    answer = await client.get("/healthz")
    assert answer.status_code == 200
    said: dict[str, Any] = answer.json()
    assert (said["status"], said["failing"], said["attention"]) == ("ok", [], [])
    assert said["facts"]["evaluation_lag_s"] == 0


async def test_a_parked_notice_asks_for_attention_but_the_work_goes_on(db: Database, client: AsyncClient) -> None:
    taken = await _page(db)
    await db.run(notices.settle_parked, taken, error="no")
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "attention")
    assert "sitewarden notice list --state parked" in answer.json()["attention"][0]


async def test_a_parked_evaluation_asks_for_attention_too(db: Database, client: AsyncClient) -> None:
    where = {"site_id": "s", "agent_id": "a", "epoch": "0a", "seq": 1, "rule": "errors"}
    await db.run(evaluations.park, **where, error="KeyError: 'x'", now_ns=NOW)  # type: ignore[arg-type]
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "attention")
    assert "sitewarden rules retry --all" in answer.json()["attention"][0]
    assert (await _numbers(client))[("sitewarden_evaluation_parked", "")] == 1


async def test_a_notice_that_nobody_sends_is_a_failure(db: Database, client: AsyncClient, time: Time) -> None:
    taken = await _page(db)
    await db.run(notices.settle_retry, taken, error="busy", next_attempt_ns=NOW)
    time.ns = NOW + 121 * S
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "failing")
    assert "waiting for 121 s" in answer.json()["failing"][0]


async def test_a_database_that_is_gone_is_said_in_words(db: Database, client: AsyncClient) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("DROP TABLE notices"))
    answer = await client.get("/healthz")
    assert answer.status_code == 503
    assert "the database" in answer.json()["failing"][0]
    numbers = await _numbers(client)
    assert numbers[("sitewarden_database_readable", "")] == 0


async def test_the_metrics_hold_the_counters_of_the_process_and_the_state_of_the_database(
    db: Database, client: AsyncClient
) -> None:
    await _page(db)
    numbers = await _numbers(client)
    assert numbers[("sitewarden_batches_total", "")] == 3
    assert numbers[("sitewarden_notices", "sending")] == 1
    assert numbers[("sitewarden_notices", "parked")] == 0
    assert numbers[("sitewarden_database_readable", "")] == 1


async def test_the_root_certificate_can_be_fetched(client: AsyncClient) -> None:
    assert (await client.get("/ca.pem")).text.startswith("-----BEGIN CERTIFICATE-----")


async def test_there_is_no_page_that_loads_scripts_from_elsewhere(client: AsyncClient) -> None:
    assert (await client.get("/docs")).status_code == 404


def test_evaluation_that_lags_is_a_failure_with_what_to_do() -> None:
    facts = health.Facts(spools_waiting=3, evaluation_lag_s=500.0, notices={}, oldest_notice_s=0.0)
    verdict = health.judge(facts)
    assert verdict.status == "failing"
    assert "500 s behind for 3 agents" in verdict.failing[0]
