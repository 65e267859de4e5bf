"""The bridge between asyncio and the database keeps its word on both engines."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection, text

from sitewarden_collector.errors import Conflict
from sitewarden_collector.store.engine import Database


def _make(tx: Connection) -> None:
    tx.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)"))


def _put(tx: Connection, n: int) -> int:
    tx.execute(text("INSERT INTO t VALUES (:n)"), {"n": n})
    if n % 7 == 3:
        raise Conflict("three in seven may not")
    return n


def _count(tx: Connection) -> int:
    return int(tx.execute(text("SELECT count(*) FROM t")).scalar_one())


async def test_a_job_that_fails_takes_nothing_of_its_group_with_it(db: Database) -> None:
    await db.run(_make)
    results = await asyncio.gather(*(db.run(_put, n) for n in range(100)), return_exceptions=True)
    failed = [r for r in results if isinstance(r, Conflict)]
    assert len(failed) == 14
    assert await db.read(_count) == 86


async def test_what_a_failing_commit_took_with_it_is_told_to_every_caller(db_url: str) -> None:
    first = Database(db_url)
    first.write_now(_make)
    first.close()

    def die(_tx: Connection) -> None:
        raise OSError(28, "No space left on device")

    dying = Database(db_url, commit=die)
    with pytest.raises(OSError, match="No space"):
        await dying.run(_put, 1)
    assert await dying.read(_count) == 0
    dying.close()
