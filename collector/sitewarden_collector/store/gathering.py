"""Work of one kind that is gathered while the writer is busy, and done together in its next transaction.

What is given waits for the group before it, and until `pause_s` after that one began, or longer where that one took
long: few streams are served at once, and many share a commit. Should a group fail, each of its items is done alone, so
that a bad one harms no other. What comes from one source stays together: its rows lie on the same pages, and it hears
of all of them at once. Used from one event loop. Not here: what the work is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from sqlalchemy import Connection

from sitewarden_collector.store.engine import Database, damaged, in_doubt

ITEMS_MAX = 256
PAUSE_S, PAUSE_MAX_S = 0.01, 0.025
SHARE = 3.0  # of what a group took, until the next one begins: the busier the writer is, the more share a commit

Item = TypeVar("Item")
T = TypeVar("T")
Together = Callable[[Connection, Sequence[Item]], Sequence[T | Exception]]
"""Does items in their order; what comes back is a result or an error for each. An error that comes back is the item's
own and leaves what was written; one that is raised takes everything with it."""

_log = logging.getLogger("sitewarden.gathering")


class Gathered(Generic[Item, T]):
    """Life: made once, used until its loop ends. Items of one source are done in the order in which they were given."""

    def __init__(
        self,
        db: Database,
        together: Together[Item, T],
        *,
        pause_s: float = PAUSE_S,
        after: Callable[[], None] | None = None,
    ) -> None:
        """`after` is called when everybody in a group has heard what came of it, and must not raise."""
        self._db = db
        self._after = after
        self._together = together
        self._pause_s = pause_s
        self._waiting: dict[str, list[tuple[Item, Callable[[T | Exception], None]]]] = {}
        self._working: asyncio.Task[None] | None = None
        self._next_s = 0.0

    def give(self, source: str, item: Item, settle: Callable[[T | Exception], None]) -> None:
        """Have `item` done; `settle` is called with what came of it, after its commit, and must not raise."""
        self._waiting.setdefault(source, []).append((item, settle))
        if self._working is None:
            self._working = asyncio.ensure_future(self._work())

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                await asyncio.sleep(max(0.0, self._next_s - loop.time()))
                began_s = loop.time()
                some = self._next()
                results = await self._done([item for item, _ in some])
                took_s = loop.time() - began_s
                self._next_s = began_s + max(self._pause_s, min(SHARE * took_s, PAUSE_MAX_S))
                for (_, settle), result in zip(some, results, strict=True):
                    settle(result)
                if self._after is not None:
                    self._after()
        finally:
            self._working = None

    def _next(self) -> list[tuple[Item, Callable[[T | Exception], None]]]:
        """All of the sources that wait longest."""
        some: list[tuple[Item, Callable[[T | Exception], None]]] = []
        while self._waiting and len(some) < ITEMS_MAX:
            some += self._waiting.pop(next(iter(self._waiting)))
        return some

    async def _done(self, items: Sequence[Item]) -> Sequence[T | Exception]:
        try:
            return await self._db.run(partial(_each, together=self._together), items)
        except Exception as error:  # noqa: BLE001  everybody in the group hears it
            return [error] * len(items)


def _each(tx: Connection, items: Sequence[Item], *, together: Together[Item, T]) -> Sequence[T | Exception]:
    try:
        with tx.begin_nested():
            return together(tx, items)
    except Exception as error:  # somebody hears it; the others go on
        if in_doubt(error):
            raise
        if len(items) == 1:
            return [damaged(error)]
        _log.warning("a group of %d is done one by one: %s", len(items), error)
    results: list[T | Exception] = []
    for item in items:
        results += _each(tx, [item], together=together)
    return results
