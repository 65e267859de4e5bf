"""Waiting for changes: PostgreSQL tells of them (LISTEN), SQLite has to be looked at.

Not here: the changes themselves (`store.changes`), and whom they are told to (`web.live`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Protocol

import psycopg

from sitewarden_collector.loops import Clock
from sitewarden_collector.store import changes
from sitewarden_collector.store.engine import Database

LOOK_INTERVAL_S = 0.5  # commands write to SQLite from other processes
NOTIFIED_AT_MOST_S = 5.0  # a notification that was lost with its connection


class News(Protocol):
    async def wait(self) -> None:
        """Return when there may be something new."""


@asynccontextmanager
async def listening(db: Database, clock: Clock) -> AsyncIterator[News]:
    """News of this database, until the end of the context. Raises what the driver raises when the connection ends."""
    if db.is_sqlite:
        yield _Intervals(clock)
        return
    url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(f"LISTEN {changes.CHANNEL}")
        yield _Notifications(connection)


class _Intervals:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def wait(self) -> None:
        await self._clock.sleep(LOOK_INTERVAL_S)


class _Notifications:
    def __init__(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        self._connection = connection

    async def wait(self) -> None:
        async with aclosing(self._connection.notifies(timeout=NOTIFIED_AT_MOST_S, stop_after=1)) as notified:
            async for _ in notified:
                return
