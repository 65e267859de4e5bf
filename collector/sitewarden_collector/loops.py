"""Time and repetition for the shells: the clock, and tasks that do one step again and again.

`every` runs a step at an interval; `drain` runs it until there is nothing left to do and then waits to be woken. A step
that fails is logged and tried again with growing pauses: a poisoned piece of work delays its loop, but never ends it.
Not here: what the steps do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from sitewarden_collector.errors import Transient

PAUSE_BASE_S = 0.5
PAUSE_CAP_S = 60.0
PACE_CAP_S = 15.0

_log = logging.getLogger("sitewarden.loops")


class Clock(Protocol):
    def now_ns(self) -> int:
        """UTC nanoseconds since 1970."""

    def monotonic_s(self) -> float:
        """Seconds that never go back."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


class SystemClock:
    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def processor_s() -> float:
    """Seconds of the processor that the calling thread has used: what others do on the machine does not count."""
    return time.thread_time()


def pause_s(failures: int) -> float:
    """How long to wait after so many failures in a row: 0.5, 1, 2 ... 60 seconds."""
    return float(min(PAUSE_CAP_S, PAUSE_BASE_S * 2.0 ** min(failures - 1, 20)))


async def every(
    interval_s: float, step: Callable[[], Awaitable[object]], *, name: str, clock: Clock, share: float = 1.0
) -> None:
    """Run `step`, then wait `interval_s`, until cancelled. A step that looks at everything there is may take a `share`
    of the time at most: where it takes long, the next one comes later, by `PACE_CAP_S` at most."""
    failures = 0
    while True:
        began_s = clock.monotonic_s()
        failures = await _guarded(step, name=name, failures=failures)
        paced_s = min((clock.monotonic_s() - began_s) * (1 / share - 1), PACE_CAP_S)
        await clock.sleep(max(interval_s, paced_s, pause_s(failures) if failures else 0.0))


async def drain(
    step: Callable[[], Awaitable[int | bool]],
    *,
    wake: asyncio.Event,
    name: str,
    clock: Clock,
    idle_s: float = 5.0,
) -> None:
    """Run `step` as long as it says that it did something; then wait for `wake`, `idle_s` at most, until cancelled."""
    failures = 0
    while True:
        wake.clear()
        did: list[int | bool] = []

        async def once(done: list[int | bool] = did) -> None:
            done.append(await step())

        failures = await _guarded(once, name=name, failures=failures)
        if failures:
            await clock.sleep(pause_s(failures))
        elif not did or not did[0]:
            await _woken(wake, idle_s)


async def _guarded(step: Callable[[], Awaitable[object]], *, name: str, failures: int) -> int:
    try:
        await step()
    except Transient as error:
        _log.warning("%s waits: %s", name, error, extra={"loop": name, "failures": failures + 1})
        return failures + 1
    except Exception:  # noqa: BLE001  a loop must outlive whatever a step does
        _log.exception("%s failed; it is tried again", name, extra={"loop": name, "failures": failures + 1})
        return failures + 1
    return 0


async def _woken(wake: asyncio.Event, timeout_s: float) -> None:
    try:
        await asyncio.wait_for(wake.wait(), timeout_s)
    except TimeoutError:
        return
