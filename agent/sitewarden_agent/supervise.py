"""Keeps the agent's two processes running: starts observe and link, restarts what ends, starts renewals, stops cleanly.

Promises: it reads no log and speaks to nobody; a process that ends is started again, sooner after a long healthy run
than after a short one; SIGTERM and SIGINT reach both, and after a grace nothing of the agent is left. When the
supervisor itself is killed the kernel ends its children (`end_with_parent`). A renewal of the certificate is a short
process of its own, because link can start none.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sitewarden_agent.errors import AgentError

CHILDREN = ("observe", "link")
BACKOFF_BASE_S = 0.2
BACKOFF_CAP_S = 30.0
HEALTHY_S = 60.0
GRACE_S = 15.0
RENEW_LOOK_S = 5.0
RENEW_TIMEOUT_S = 120.0
RENEW_BACKOFF_S = (60.0, 3_600.0)
_PR_SET_PDEATHSIG = 1

log = logging.getLogger("sitewarden.supervise")

RenewalDue = Callable[[], str | None]
"""The serial of the certificate in use when link noted that it is to be renewed, else None."""


async def run(config_path: Path | None, renewal_due: RenewalDue, stop: asyncio.Event) -> None:
    """Keep everything running until `stop` is set."""
    tail = [] if config_path is None else ["--config", str(config_path)]
    async with asyncio.TaskGroup() as group:
        for name in CHILDREN:
            group.create_task(_keep_running(name, ["run", name, "--supervised", *tail], stop))
        group.create_task(_renew_when_due(tail, renewal_due, stop))


def end_with_parent() -> None:
    """Called by a child: the kernel kills it when the supervisor is gone, however it went. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == 1 and os.getpid() != 1:
            sys.exit(1)  # it was gone before the kernel was told


async def _keep_running(name: str, arguments: list[str], stop: asyncio.Event) -> None:
    wait_s = BACKOFF_BASE_S
    while not stop.is_set():
        began_s = time.monotonic()
        code = await _run_once(arguments, stop, timeout_s=None)
        if stop.is_set():
            return
        if time.monotonic() - began_s >= HEALTHY_S:
            wait_s = BACKOFF_BASE_S
        log.warning("%s ended with %s; starting it again in %.1f s", name, _said(code), wait_s)
        await _rest(wait_s, stop)
        wait_s = min(BACKOFF_CAP_S, wait_s * 2)


async def _renew_when_due(tail: list[str], renewal_due: RenewalDue, stop: asyncio.Event) -> None:
    wait_s, first_s = RENEW_BACKOFF_S[0], RENEW_BACKOFF_S[0]
    renewed = None
    while not stop.is_set():
        serial = None
        with contextlib.suppress(AgentError, OSError):
            serial = await asyncio.to_thread(renewal_due)
        if serial is None or serial == renewed:
            await _rest(RENEW_LOOK_S, stop)
            continue
        code = await _run_once(["renew", *tail], stop, timeout_s=RENEW_TIMEOUT_S)
        if code == 0:
            renewed, wait_s = serial, first_s
            continue
        pause_s = random.uniform(wait_s / 2, wait_s)  # noqa: S311 - spreads load, hides nothing
        log.warning("the renewal of the certificate failed (%s); trying again in %.0f s", _said(code), pause_s)
        await _rest(pause_s, stop)
        wait_s = min(RENEW_BACKOFF_S[1], wait_s * 2)


async def _run_once(arguments: list[str], stop: asyncio.Event, *, timeout_s: float | None) -> int:
    """Run a process of ours until it ends, is to stop, or takes too long. Returns its exit code."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sitewarden_agent", *arguments, stdin=asyncio.subprocess.DEVNULL
    )
    ended = asyncio.create_task(process.wait())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({ended, stopping}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await asyncio.wait({ended}, timeout=GRACE_S)
        if not ended.done():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        return await ended
    finally:
        stopping.cancel()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


async def _rest(seconds: float, stop: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def _said(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
