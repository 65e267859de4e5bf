"""Counts that stand above lists: however many consoles look at them, each is counted once in a while for all.

A count is `FRESH_S` old at most, and where it is told what it is of (`as_of`) none where something changed since. Those
who come while it is counted wait for the same answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

from fastapi import Request

from sitewarden_collector.services.access import Principal

T = TypeVar("T")
FRESH_S = 5.0


def scope(principal: Principal) -> tuple[str, frozenset[str]]:
    """What `principal` may see: of one customer, of some of its sites."""
    return principal.only_customer, principal.only_sites


async def once(request: Request, what: Hashable, count: Callable[[], Coroutine[Any, Any, T]], *, as_of: int = 0) -> T:
    """The answer of `count`, or the one that somebody got a moment ago for the same `what`."""
    kept = _kept(request)
    at_s = time.monotonic()
    if what in kept:
        change, counted_s, counting = kept[what]
        if change == as_of and at_s - counted_s < FRESH_S and not (counting.done() and counting.exception()):
            found: T = await asyncio.shield(counting)
            return found
    mine = asyncio.ensure_future(count())
    kept[what] = (as_of, at_s, mine)
    return await asyncio.shield(mine)


def _kept(request: Request) -> dict[Hashable, tuple[int, float, asyncio.Future[Any]]]:
    state = request.app.state
    if not hasattr(state, "counted"):
        state.counted = {}
    found: dict[Hashable, tuple[int, float, asyncio.Future[Any]]] = state.counted
    return found
