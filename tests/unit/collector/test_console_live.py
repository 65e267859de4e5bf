"""What is live: each reader hears of what exists for them, and of nothing else; a stream ends with the collector."""

from __future__ import annotations

import asyncio
import json

from sitewarden_collector.console.live import events, topics_of
from sitewarden_collector.services.access import Principal, Role
from sitewarden_collector.store import changes
from sitewarden_collector.store.changes import Change
from sitewarden_collector.store.engine import Database
from sitewarden_collector.web.live import Live
from tests.cast import NOON, FakeClock

ADA = Principal("ada", Role.ENGINEER)
WANG = Principal("wang", Role.CUSTOMER, customer_id="acme")


def _change(ref: str, customer_id: str = "acme", topic: str = "ticket") -> Change:
    return Change(1, NOON, topic, "comment", ref, customer_id)


def test_an_engineer_hears_of_every_change() -> None:
    assert topics_of([_change("t1"), _change("t2", "globex")], ADA) == ["ticket", "ticket-t1", "ticket-t2"]


def test_a_customer_hears_of_what_is_theirs_alone() -> None:
    told = topics_of([_change("t1"), _change("t2", "globex"), _change("s1", "", "oncall")], WANG)
    assert told == ["ticket", "ticket-t1"]


def test_whoever_lost_changes_is_told_to_look_anew() -> None:
    assert topics_of([None, _change("t1")], WANG) == ["all"]


async def test_changes_that_come_together_are_told_together_and_the_stream_ends_with_the_feed(db: Database) -> None:
    feed = Live(db, FakeClock())
    await feed.step()
    stream = events(feed, ADA)
    assert "retry:" in await anext(stream)
    for ref in ("t1", "t2"):
        await db.run(changes.note, "ticket", ref, what="comment", customer_id="acme", now_ns=NOON)
    await feed.step()
    told = await asyncio.wait_for(anext(stream), 5)
    assert json.loads(told.partition("data: ")[2])["topics"] == ["ticket", "ticket-t1", "ticket-t2"]
    ending = asyncio.ensure_future(anext(stream, None))
    await asyncio.sleep(0)
    feed.close()
    assert await asyncio.wait_for(ending, 1) is None


async def test_a_stream_ends_after_its_time_so_that_the_session_is_looked_at_again(db: Database) -> None:
    stream = events(Live(db, FakeClock()), ADA, life_s=0.1)
    parts = [part async for part in stream]
    assert parts[0].startswith("retry:")
