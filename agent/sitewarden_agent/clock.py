"""The one place of the agent that reads clocks. Everything else takes a `Clock` or a time as an argument."""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path
from typing import Protocol

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    def wall_ns(self) -> int:
        """UTC nanoseconds since 1970, as the host believes."""

    def monotonic_ns(self) -> int:
        """Nanoseconds that never go back while this boot lasts."""

    def boot_id(self) -> str:
        """32 hex characters; another boot has another."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


class SystemClock:
    def __init__(self) -> None:
        try:
            self._boot_id = _BOOT_ID.read_text().strip().replace("-", "")
        except OSError:
            # Without the kernel's id each start counts as a boot of its own: ordering stays right within one.
            self._boot_id = uuid.uuid4().hex

    def wall_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def boot_id(self) -> str:
        return self._boot_id

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
