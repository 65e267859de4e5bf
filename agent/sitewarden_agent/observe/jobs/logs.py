"""Follows the logs: wakes the tail when something changes in its folders, and saves what it read at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from sitewarden_agent.observe.jobs.job import Ground, Job
from sitewarden_agent.observe.tail import Tail
from sitewarden_agent.observe.watch import Watch

FOLDERS_EVERY_NS = 10_000_000_000
"""Looked for at once when names changed in a folder that is watched, and so often for the rest."""
FILES_SHOWN_MAX = 1_000


class Logs(Job):
    name = "logs"

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._tail = Tail(ground.config.logs, ground.spool, clock=ground.clock, redact=ground.redact)

    async def run(self) -> None:
        clock = self.ground.clock
        watch = Watch(self._tail.concerns)
        try:
            folders_ns: int | None = None
            await asyncio.to_thread(self._tail.restore)
            while True:
                if watch.heard():
                    self._tail.look_anew()
                    folders_ns = None
                if folders_ns is None or clock.monotonic_ns() - folders_ns >= FOLDERS_EVERY_NS:
                    folders_ns = clock.monotonic_ns()
                    await asyncio.to_thread(lambda: watch.folders(self._tail.folders()))
                    self._tail.is_told = watch.hears_all
                rest_s = await asyncio.to_thread(self._tail.turn)
                complaints = [*await asyncio.to_thread(self._tail.complaints), *watch.complaints()]
                self.ground.complaints[self.name] = complaints
                if rest_s > 0 and await watch.change(rest_s):
                    self._tail.look_anew()
                    folders_ns = None
        finally:
            await asyncio.shield(asyncio.to_thread(self._tail.close))
            watch.close()

    def status(self) -> Mapping[str, Any]:
        return {
            "files": self._tail.files()[:FILES_SHOWN_MAX],
            "waiting_for_room": self._tail.full,
            "events_sent": self._tail.saved,
        }

    async def stopped(self) -> None:
        """The spool may be full: then it is read again after the next start."""
        await asyncio.to_thread(self._tail.close)
