"""A loop outlives its steps, works while there is work, and waits to be woken when there is none."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sitewarden_collector import loops
from sitewarden_collector.errors import DatabaseBusy


class Recorded:
    """A clock whose sleeps take no time and are remembered."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.passed_s = 0.0

    def now_ns(self) -> int:
        return 0

    def monotonic_s(self) -> float:
        return self.passed_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def _running(work: asyncio.Future[None]) -> AsyncIterator[None]:
    yield
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work


def test_pauses_grow_and_are_bounded() -> None:
    assert [loops.pause_s(n) for n in (1, 2, 3, 8, 100)] == [0.5, 1.0, 2.0, 60.0, 60.0]


async def test_a_step_that_fails_is_tried_again_after_growing_pauses() -> None:
    clock, calls, done = Recorded(), [0], asyncio.Event()

    async def step() -> None:
        calls[0] += 1
        if calls[0] < 4:
            raise DatabaseBusy("locked") if calls[0] == 2 else ValueError("poison")
        done.set()

    async with _running(asyncio.ensure_future(loops.every(0.1, step, name="step", clock=clock))):
        await asyncio.wait_for(done.wait(), 5)
    assert clock.slept[:3] == [0.5, 1.0, 2.0]


async def test_a_step_that_takes_long_comes_less_often() -> None:
    clock, calls, done = Recorded(), [0], asyncio.Event()

    async def step() -> None:
        calls[0] += 1
        clock.passed_s += calls[0]
        if calls[0] == 3:
            done.set()

    work = asyncio.ensure_future(loops.every(5.0, step, name="step", clock=clock, share=0.1))
    async with _running(work):
        await asyncio.wait_for(done.wait(), 5)
    assert clock.slept[:2] == [9.0, loops.PACE_CAP_S]


async def test_a_drain_works_until_nothing_is_left_and_then_waits_to_be_woken() -> None:
    clock, wake, left, idle = Recorded(), asyncio.Event(), [3], asyncio.Event()

    async def step() -> int:
        if left[0] == 0:
            idle.set()
            return 0
        left[0] -= 1
        return 1

    work = asyncio.ensure_future(loops.drain(step, wake=wake, name="drain", clock=clock, idle_s=60))
    async with _running(work):
        await asyncio.wait_for(idle.wait(), 5)
        assert left == [0]
        idle.clear()
        left[0] = 2
        wake.set()
        await asyncio.wait_for(idle.wait(), 5)
        assert left == [0]
    assert clock.slept == []


async def test_what_comes_while_a_step_runs_is_not_slept_over() -> None:
    clock, wake, calls, twice = Recorded(), asyncio.Event(), [0], asyncio.Event()

    async def step() -> bool:
        calls[0] += 1
        if calls[0] == 1:
            wake.set()  # something arrives after the step has looked
        else:
            twice.set()
        return False

    async with _running(asyncio.ensure_future(loops.drain(step, wake=wake, name="d", clock=clock, idle_s=60))):
        await asyncio.wait_for(twice.wait(), 5)


async def test_a_poisoned_step_is_logged_and_not_spun_on(caplog: pytest.LogCaptureFixture) -> None:
    clock, wake, calls, enough = Recorded(), asyncio.Event(), [0], asyncio.Event()

    async def step() -> bool:
        calls[0] += 1
        if calls[0] == 3:
            enough.set()
        raise ValueError("poison")

    async with _running(asyncio.ensure_future(loops.drain(step, wake=wake, name="poisoned", clock=clock))):
        await asyncio.wait_for(enough.wait(), 5)
    assert clock.slept[:2] == [0.5, 1.0]
    assert "poisoned failed; it is tried again" in caplog.text
