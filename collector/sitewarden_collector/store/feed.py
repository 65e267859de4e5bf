"""What the database tells this process: PostgreSQL's notifications, and whether this process leads. SQLite says
nothing: whoever waits there looks again after a while, and the one process that there is leads.

`Feed.follow` keeps one connection for both. Work that must happen once, however many collectors there are, is done by
the process that leads, which is the one that holds the leader's lock on that connection: when the process dies, its
connection ends and another one leads within seconds. Leading is no promise: the transactions of such work take a lock
of their own (`store.lock`), so two leaders would only be slower than one. And should the leader hang, the others do its
work by themselves now and then (`led`).

Not here: telling (`store.wakeups`), the changes themselves (`store.changes`), whom they are told to (`web.live`).
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Protocol

from sqlalchemy.exc import DBAPIError

from sitewarden_collector.errors import DatabaseBusy
from sitewarden_collector.loops import Clock, pause_s
from sitewarden_collector.store import wakeups
from sitewarden_collector.store.engine import Database, kept_alive

if TYPE_CHECKING:
    import psycopg  # only who has PostgreSQL waits for it

LOOK_INTERVAL_S = 0.5  # commands write to SQLite from other processes
NOTIFIED_AT_MOST_S = 5.0  # a notification that was lost with its connection
LEAD_INTERVAL_S = 2.0  # how often a process asks whether it may lead
FOLLOWER_INTERVAL_S = 30.0  # how often it does the leader's work, should the leader hang
AGAIN_CAP_S = 5.0  # the longest pause before the connection is made again
SETTLE_S = 2.0
PASS_ON_S = 0.02  # arrivals within it are told together
LEADER = zlib.crc32(b"sitewarden leader")

_log = logging.getLogger("sitewarden.feed")

Step = Callable[[], Awaitable[int | bool | None]]
Counting = Callable[[], Awaitable[int]]


class News(Protocol):
    async def wait(self) -> None:
        """Return when there may be something new."""


class Intervals:
    """News as often as one looks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def wait(self) -> None:
        await self._clock.sleep(LOOK_INTERVAL_S)


class Arrivals(asyncio.Event):
    """Set when observations may wait for evaluation; `fresh` until the process that leads was told."""

    fresh = False

    def set(self) -> None:
        self.fresh = True
        super().set()


class Feed:
    """One a process. `follow` runs as long as the process; everything else may be used meanwhile.

    `asked` is set when agents may have been asked for something, `arrived` when observations may wait for evaluation.
    """

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._changed = asyncio.Event()
        self._agents: set[str] = set()
        self._anybody = False
        self._done_s: dict[str, float] = {}
        self.arrived = Arrivals()
        self.asked = asyncio.Event()
        self.leads = db.is_sqlite
        self._settled = asyncio.Event()
        self.hears = False
        """Whether the connection stands: while it does not, everybody looks by themselves."""

    async def settled(self) -> None:
        """Return when it is known who leads, or the database was not there to tell."""
        if not self._db.is_sqlite:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), SETTLE_S)

    async def wait(self) -> None:
        """Return when something that consoles show may have changed."""
        if self._db.is_sqlite:
            await self._clock.sleep(LOOK_INTERVAL_S)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), NOTIFIED_AT_MOST_S)
        self._changed.clear()

    def take_asked(self) -> set[str] | None:
        """The agents that were asked for something since the last call; None: nobody knows, look at all."""
        taken = None if self._anybody or not self._agents else self._agents
        self._agents, self._anybody = set(), False
        return taken

    def led(self, name: str, step: Step) -> Counting:
        """`step` for the process that leads; the others do it every `FOLLOWER_INTERVAL_S` alone."""

        async def when_leading() -> int:
            now_s = self._clock.monotonic_s()
            if not self.leads and now_s - self._done_s.setdefault(name, now_s) < FOLLOWER_INTERVAL_S:
                return 0
            self._done_s[name] = now_s
            return int(await step() or 0)

        return when_leading

    def passed_on(self, name: str, step: Counting) -> Counting:
        """`led`, where what arrived at another process is told to the one that leads."""
        own = self.led(name, step)

        async def when_leading() -> int:
            if not self.leads and self.arrived.fresh:
                self.arrived.fresh = False
                await asyncio.to_thread(self._pass_on)
                await self._clock.sleep(PASS_ON_S)
            return await own()

        return when_leading

    async def follow(self) -> None:
        """Hear until cancelled; a connection that ends is made again, as often as it takes. Returns on SQLite."""
        if self._db.is_sqlite:
            return
        import psycopg

        failures = 0
        while True:
            try:
                await self._hear()
            except (psycopg.Error, OSError) as error:
                failures = 1 if self.hears else failures + 1
                _log.warning("the connection on which the database tells of news ended (%s); it is made again", error)
            finally:
                self.hears = self.leads = False
            await self._clock.sleep(min(AGAIN_CAP_S, pause_s(failures)))

    async def _hear(self) -> None:
        import psycopg

        url = self._db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        kept = kept_alive(self._db.engine.url)
        async with await psycopg.AsyncConnection.connect(url, autocommit=True, **kept) as connection:
            for channel in wakeups.CHANNELS:
                await connection.execute(f"LISTEN {channel}".encode())
            self.hears = True
            self._anybody = True  # whatever was told while nobody heard
            self.asked.set()
            self._changed.set()
            while True:
                if not self.leads:
                    self.leads = await _may_lead(connection)
                    self._settled.set()
                    self.arrived.set()
                async with aclosing(connection.notifies(timeout=LEAD_INTERVAL_S)) as notified:
                    async for one in notified:
                        self._wake(one.channel, one.payload)

    def _wake(self, channel: str, said: str) -> None:
        match channel:
            case wakeups.CHANGES:
                self._changed.set()
            case wakeups.ACTIONS:
                self._agents.add(said)
                self.asked.set()
            case wakeups.ARRIVED if self.leads:
                self.arrived.set()

    def _pass_on(self) -> None:
        try:
            with self._db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
                wakeups.tell(tx, wakeups.ARRIVED)
        except DBAPIError as error:
            raise DatabaseBusy(
                f"the database could not be told of arrivals ({error.orig}); the leader looks"
            ) from error


async def _may_lead(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> bool:
    found = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", [LEADER])).fetchone()
    return found is not None and found[0] is True
