"""Samples the host and everything else that has samples, closes them into blocks, and notices when the clock jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sitewarden_agent.model import Change, Series
from sitewarden_agent.observe.blocks import Collecting
from sitewarden_agent.observe.jobs.job import Ground, Job
from sitewarden_agent.observe.limits import SPARING_FACTOR
from sitewarden_agent.observe.metrics import Sampler
from sitewarden_agent.spool import WatchLevel

CLOCK_STEP_S = 2.0


class Health(Job):
    name = "health"

    def __init__(self, ground: Ground, others: Sequence[Job]) -> None:
        """`others`: the jobs whose samples go with those of the host."""
        super().__init__(ground)
        self._others = others
        self._collecting = Collecting()

    async def run(self) -> None:
        ground, clock = self.ground, self.ground.clock
        sampler = await asyncio.to_thread(lambda: Sampler(ground.config.health, redact=ground.redact))
        drift_ns = clock.wall_ns() - clock.monotonic_ns()
        next_ns = clock.monotonic_ns()
        while True:
            drift_ns = await self._notice_clock_step(drift_ns)
            values, offset_ns, levels = await asyncio.to_thread(self._looked, sampler)
            ground.complaints[self.name] = list(sampler.complaints)
            if restarts := sampler.processes.restarts(clock.monotonic_ns() / 1e9):
                whats = [Change("process_restarted", name, "", f"{count}\u00d7") for name, count in restarts]
                await ground.append(*whats)
            for job in self._others:
                values.update(job.samples())
            if isinstance(offset_ns, int):
                values[Series("clock_offset_seconds", unit="seconds")] = offset_ns / 1e9
            blocks = self._collecting.add(clock.wall_ns(), values, levels=levels)
            if blocks:
                await ground.append(*blocks)
            interval_s = ground.config.health.interval_s * (SPARING_FACTOR if ground.easing.step else 1)
            next_ns = max(next_ns + int(interval_s * 1e9), clock.monotonic_ns())
            await clock.sleep((next_ns - clock.monotonic_ns()) / 1e9)

    def _looked(self, sampler: Sampler) -> tuple[dict[Series, float], object, tuple[WatchLevel, ...]]:
        """All that may wait for a disk, in one go: the samples, the offset of the clock, the levels to watch."""
        spool = self.ground.spool
        return sampler.sample(), spool.noted("clock").get("offset_ns"), spool.watch_levels()

    async def stopped(self) -> None:
        if block := self._collecting.close():
            await self.ground.append(block)

    async def _notice_clock_step(self, drift_ns: int) -> int:
        now_drift_ns = self.ground.clock.wall_ns() - self.ground.clock.monotonic_ns()
        step_s = (now_drift_ns - drift_ns) / 1e9
        if abs(step_s) < CLOCK_STEP_S:
            return now_drift_ns
        await self.ground.append(Change("clock_step", "wall clock", "", f"{step_s:+.3f} s"))
        return now_drift_ns
