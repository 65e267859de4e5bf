"""Follows the logs: wakes the tail when something changes in its folders, and saves what it read at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from sitewarden_agent.observe.jobs.job import Ground, Job
from sitewarden_agent.observe.limits import Step
from sitewarden_agent.observe.records import forget_shapes
from sitewarden_agent.observe.scanning import engine
from sitewarden_agent.observe.tail import Tail
from sitewarden_agent.observe.watch import Watch

FOLDERS_EVERY_NS = 30_000_000_000
"""Looked for at once when names changed in a folder that is watched, and so often for the rest."""
FILES_SHOWN_MAX = 1_000
FILES_EVERY_NS = 10_000_000_000
LEAN_REST_S = 0.2
PAUSED_S = 2.0
"""While the agent is at its limit of memory it looks so often whether it may read again."""


class Logs(Job):
    name = "logs"

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._tail = Tail(
            [log for log in ground.config.logs if not log.journal],
            ground.spool,
            clock=ground.clock,
            redact=ground.redact,
        )

        self._folders_ns = 0
        """When to look for folders again."""
        self._files: list[dict[str, str | int]] = []
        self._files_ns = 0
        self._is_short = False
        ground.easing.shrinking.append(self._memory_is_short)

    async def run(self) -> None:
        clock = self.ground.clock
        watch = Watch(self._tail.concerns)
        try:
            self._folders_ns = 0
            await asyncio.to_thread(self._tail.restore)
            while True:
                if watch.heard():
                    self._look_anew()
                if self._is_short:
                    self._is_short = False
                    forget_shapes()  # here, because no turn runs now
                if self.ground.easing.step is Step.PAUSED:
                    await clock.sleep(PAUSED_S)
                    continue
                rest_s = await asyncio.to_thread(self._turn, watch)
                await self._paced()
                if rest_s > 0 and await watch.change(rest_s):
                    self._look_anew()
        finally:
            await asyncio.shield(asyncio.to_thread(self._tail.close))
            watch.close()

    def _memory_is_short(self) -> None:
        self._is_short = True

    def _look_anew(self) -> None:
        self._tail.look_anew()
        self._folders_ns = 0

    def _turn(self, watch: Watch) -> float:
        """All that may wait for a disk, in one go: a hop to another thread costs more than most of it."""
        now_ns = self.ground.clock.monotonic_ns()
        if now_ns >= self._folders_ns:
            self._folders_ns = now_ns + FOLDERS_EVERY_NS
            watch.folders(self._tail.folders())
            self._tail.is_told = watch.hears_all
        rest_s = self._tail.turn(watch.told())
        self.ground.complaints[self.name] = [*self._tail.complaints(), *watch.complaints()]
        if now_ns >= self._files_ns:
            self._files_ns = now_ns + FILES_EVERY_NS
            self._files = self._tail.files()[:FILES_SHOWN_MAX]
        return rest_s

    async def _paced(self) -> None:
        """Wait so long that reading keeps within the agent's share of the processor."""
        owed_s = self.ground.easing.pacer.owed_s(
            now_s=self.ground.clock.monotonic_ns() / 1e9, used_s=time.process_time()
        )
        if self.ground.easing.step is Step.LEAN:
            owed_s = max(owed_s, LEAN_REST_S)
        if owed_s > 0:
            await self.ground.clock.sleep(owed_s)

    def status(self) -> Mapping[str, Any]:
        return {
            "files": self._files,
            "waiting_for_room": self._tail.full,
            "events_sent": self._tail.saved,
            "records_counted": self._tail.counted,
            "scanner": engine.chosen(),
        }

    async def stopped(self) -> None:
        """The spool may be full: then it is read again after the next start."""
        await asyncio.to_thread(self._tail.close)
