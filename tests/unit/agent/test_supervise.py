"""Supervision as it really happens: exit codes and signals of children, the grace, the restart."""

from __future__ import annotations

import asyncio
import signal
import sys
import time

import pytest

from sitewarden_agent import supervise


class Child:
    """Stands in for the agent's own commands: runs a snippet instead."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, snippet: str) -> None:
        async def start(*argv: str, **more: object) -> asyncio.subprocess.Process:
            return await original(sys.executable, "-c", snippet, stdin=asyncio.subprocess.DEVNULL)

        original = asyncio.create_subprocess_exec
        monkeypatch.setattr(asyncio, "create_subprocess_exec", start)


async def test_the_exit_code_of_a_child_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    Child(monkeypatch, "raise SystemExit(3)")
    assert await supervise._run_once([], asyncio.Event(), timeout_s=None) == 3


async def test_a_child_is_asked_to_stop_before_it_is_made_to(monkeypatch: pytest.MonkeyPatch) -> None:
    Child(monkeypatch, "import time; time.sleep(60)")
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.3, stop.set)
    assert await supervise._run_once([], stop, timeout_s=None) == -signal.SIGTERM


async def test_a_child_that_will_not_stop_is_killed_after_the_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "GRACE_S", 0.3)
    Child(monkeypatch, "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)")
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(1.0, stop.set)
    assert await supervise._run_once([], stop, timeout_s=None) in (-signal.SIGKILL, -signal.SIGTERM)


async def test_a_child_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    Child(monkeypatch, "import time; time.sleep(60)")
    began_s = time.monotonic()
    assert await supervise._run_once([], asyncio.Event(), timeout_s=0.3) == -signal.SIGTERM
    assert time.monotonic() - began_s < 30


async def test_a_child_that_keeps_ending_is_started_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    stop = asyncio.Event()

    async def run_once(arguments: list[str], stop: asyncio.Event, *, timeout_s: float | None) -> int:
        return 1

    async def rest(seconds: float, stop: asyncio.Event) -> None:
        waits.append(seconds)
        if len(waits) == 10:
            stop.set()

    monkeypatch.setattr(supervise, "_run_once", run_once)
    monkeypatch.setattr(supervise, "_rest", rest)
    await supervise._keep_running("observe", ["run", "observe"], stop)
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert waits[-1] == supervise.BACKOFF_CAP_S


async def test_a_renewal_that_fails_is_tried_again_with_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    stop = asyncio.Event()

    async def run_once(arguments: list[str], stop: asyncio.Event, *, timeout_s: float | None) -> int:
        return 1

    async def rest(seconds: float, stop: asyncio.Event) -> None:
        pauses.append(seconds)
        if len(pauses) == 8:
            stop.set()

    monkeypatch.setattr(supervise, "_run_once", run_once)
    monkeypatch.setattr(supervise, "_rest", rest)
    await supervise._renew_when_due([], lambda: "01", stop)
    assert 30 <= pauses[0] <= 60
    assert 1_800 <= pauses[-1] <= 3_600
