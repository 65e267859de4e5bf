"""The outgoing heartbeat: sent while the collector does its work, and not otherwise."""

from __future__ import annotations

import contextlib
import json

import pytest
from sqlalchemy.exc import ProgrammingError

from sitewarden_collector.config import Heartbeat
from sitewarden_collector.services import heartbeat
from sitewarden_collector.store import notices
from sitewarden_collector.store.engine import Database
from tests.cast import HOUR, NOON
from tests.fakes.web import WebService


async def test_a_collector_that_does_its_work_is_heard(db: Database) -> None:
    with WebService() as web:
        assert await heartbeat.beat(db, Heartbeat(url=f"{web.origin}/ping"), now_ns=NOON)
        assert [(one.path, json.loads(one.body)["status"]) for one in web.requests] == [("/ping", "ok")]


async def test_a_page_that_nobody_sends_silences_the_beat(db: Database) -> None:
    await db.run(
        notices.add, kind="page", person="ada", channel="phone", subject="s", body="b", dedup_key="k", now_ns=NOON
    )
    with WebService() as web:
        assert not await heartbeat.beat(db, Heartbeat(url=web.origin), now_ns=NOON + HOUR)
        assert web.requests == []


async def test_a_database_that_takes_no_writes_silences_the_beat(db_url: str) -> None:
    database = Database(db_url)  # without its tables
    try:
        with WebService() as web:
            with contextlib.suppress(ProgrammingError):  # PostgreSQL's word for it; the loop logs it
                assert not await heartbeat.beat(database, Heartbeat(url=web.origin), now_ns=NOON)
            assert web.requests == []
    finally:
        database.close()


async def test_a_monitor_that_is_gone_stops_nothing(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    with WebService(status=500) as web:
        assert not await heartbeat.beat(db, Heartbeat(url=f"{web.origin}/secret-token"), now_ns=NOON)
    assert "secret-token" not in caplog.text
