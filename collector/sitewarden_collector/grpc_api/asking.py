"""One question to the database for all that want to know the same thing at the same time.

Who asks while a question is under way, or within `pause_s` of it, is part of the next one; a lone one waits for nobody.
Used from one event loop. Not here: writing together (`store.gathering`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Generic, TypeVar

PAUSE_S = 0.05
AT_ONCE = 250

T = TypeVar("T")


class Asked(Generic[T]):
    """Life: made once, used until its loop ends."""

    def __init__(self, ask: Callable[[Collection[str]], Awaitable[Mapping[str, T]]]) -> None:
        """`ask` answers for each of those that it is asked about."""
        self._ask = ask
        self._waiting: dict[str, asyncio.Future[T]] = {}
        self._working: asyncio.Task[None] | None = None

    async def of(self, name: str) -> T:
        """The answer for `name`; raises what the question raised."""
        answer = self._waiting.get(name)
        if answer is None:
            answer = self._waiting[name] = asyncio.get_running_loop().create_future()
        if self._working is None:
            self._working = asyncio.ensure_future(self._work())
        return await asyncio.shield(answer)  # others may wait for it as well

    async def _work(self) -> None:
        try:
            while self._waiting:
                names = list(self._waiting)[:AT_ONCE]
                some = {name: self._waiting.pop(name) for name in names}
                try:
                    found = await self._ask(names)
                except Exception as error:  # noqa: BLE001  everybody who asked hears it
                    for answer in some.values():
                        answer.set_exception(error)
                        answer.exception()  # whoever asked may be gone
                else:
                    for name, answer in some.items():
                        answer.set_result(found[name])
                await asyncio.sleep(PAUSE_S)
        finally:
            self._working = None
