"""When to look into the spool: at a ring of the bell, or when its file changed since the last look."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from sitewarden_agent.clock import Clock
from sitewarden_agent.spool import Spool

LOOK_EVERY_S = 10.0
"""The bell carries the speed; looking is for rings that got lost, and where there are no named pipes."""
LOOK_EVERY_WITHOUT_BELL_S = 0.05


@contextlib.asynccontextmanager
async def watching(spool: Spool, clock: Clock) -> AsyncIterator[asyncio.Event]:
    """An event that is set whenever there may be something new in the spool. For one listener at a time."""
    wake = asyncio.Event()
    loop = asyncio.get_running_loop()
    descriptor = spool.bell.listen()

    def rung() -> None:
        spool.bell.hush()
        wake.set()

    if descriptor is not None:
        loop.add_reader(descriptor, rung)
    look = asyncio.create_task(
        _look(spool, clock, wake, every_s=LOOK_EVERY_WITHOUT_BELL_S if descriptor is None else LOOK_EVERY_S)
    )
    try:
        yield wake
    finally:
        look.cancel()
        if descriptor is not None:
            loop.remove_reader(descriptor)
        with contextlib.suppress(asyncio.CancelledError):
            await look


async def _look(spool: Spool, clock: Clock, wake: asyncio.Event, *, every_s: float) -> None:
    seen = spool.changed()
    while True:
        await clock.sleep(every_s)
        now = spool.changed()
        if now != seen:
            seen = now
            wake.set()
