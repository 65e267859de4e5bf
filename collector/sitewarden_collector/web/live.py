"""What is live: the feed of changes, from the database to everybody who watches in this process.

`Live.follow` runs as long as the process: it waits for PostgreSQL's notification, or looks every half second (on SQLite
commands write from other processes), and hands each change to every subscriber once. A subscriber that does not keep up
loses the oldest of what it has not taken and is told so by `None`: then it shows everything anew.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sitewarden_collector.loops import Clock
from sitewarden_collector.store import changes
from sitewarden_collector.store.changes import Change
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.feed import Intervals, News

LOOK_BACK = 200  # rows that other writers may commit later than their numbers say
QUEUE_MAX = 256


class Subscription:
    """What one watcher has not taken yet."""

    def __init__(self) -> None:
        self._waiting: deque[Change | None] = deque()
        self._news = asyncio.Event()
        self.closing = asyncio.Event()

    def close(self) -> None:
        self.closing.set()
        self._news.set()

    def put(self, change: Change) -> None:
        if len(self._waiting) >= QUEUE_MAX:
            self._waiting.clear()
            self._waiting.append(None)
        else:
            self._waiting.append(change)
        self._news.set()

    async def take(self, *, timeout_s: float) -> list[Change | None]:
        """Everything that came since the last call; waits for it, and returns an empty list after `timeout_s`."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), timeout_s)
        taken = list(self._waiting)
        self._waiting.clear()
        self._news.clear()
        return taken

    async def rest(self, pause_s: float) -> None:
        """Let changes gather for a while; shorter when the feed closes."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.closing.wait(), pause_s)


class Live:
    """One a process."""

    def __init__(self, db: Database, clock: Clock, news: News | None = None) -> None:
        self._db = db
        self._news = Intervals(clock) if news is None else news
        self._look_back = 0 if db.is_sqlite else LOOK_BACK  # SQLite has one writer at a time
        self._subscriptions: set[Subscription] = set()
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._last = -1
        self.closed = False

    @property
    def seen(self) -> int:
        """The number of the newest change that was handed on."""
        return self._last

    def close(self) -> None:
        """No more will come: whoever watches is woken to end."""
        self.closed = True
        for subscription in self._subscriptions:
            subscription.close()

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[Subscription]:
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    async def step(self) -> int:
        """Hand on what changed since the last call; how many changes."""
        if self._last < 0:
            self._last = await self._db.read(changes.last_id)
            back = await self._db.read(changes.since, self._last - self._look_back)
            self._seen.update((change.id, None) for change in back)
            return 0
        found = await self._db.read(changes.since, self._last - self._look_back)
        new = [change for change in found if change.id not in self._seen]
        for change in new:
            self._seen[change.id] = None
            self._last = max(self._last, change.id)
            for subscription in self._subscriptions:
                subscription.put(change)
        while len(self._seen) > 10 * LOOK_BACK:
            self._seen.popitem(last=False)
        return len(new)

    async def follow(self) -> None:
        """Look whenever there may be something new, until cancelled. Raises what the database raises: `loops.every`
        starts it again."""
        while True:
            while await self.step():
                pass
            await self._news.wait()
