"""Looks through one probe again and again; what it saw is told as `probe_state` decides, and every look is a sample."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from sitewarden_agent.config import Probe
from sitewarden_agent.config.probes import kind_of
from sitewarden_agent.model import Series
from sitewarden_agent.observe.jobs.job import Ground, Job
from sitewarden_agent.observe.probe_state import ProbeState
from sitewarden_agent.observe.probes import look, looker

REST_MIN_S = 0.05


class Probing(Job):
    """One for each probe."""

    def __init__(self, ground: Ground, probe: Probe) -> None:
        super().__init__(ground)
        self.name = f"probe {probe.name}"
        self._state = ProbeState(probe, ground.redact)

    async def run(self) -> None:
        state, ground, clock = self._state, self.ground, self.ground.clock
        see = await asyncio.to_thread(looker, state.probe, clock, ground.redact)  # it may have to load a module
        while True:
            began_ns = clock.monotonic_ns()
            result = state.seen(await look(state.probe, clock, see), clock.monotonic_ns())
            if result is not None:
                await ground.append(result)
            spent_s = (clock.monotonic_ns() - began_ns) / 1e9
            await clock.sleep(max(REST_MIN_S, state.probe.interval_s - spent_s))

    def samples(self) -> Mapping[Series, float]:
        return self._state.samples()

    def status(self) -> Mapping[str, Any]:
        state = self._state
        detail = state.last.detail if state.last else "not looked yet"
        return {
            "probes": [
                {
                    "name": state.probe.name,
                    "kind": kind_of(state.probe),
                    "ok": state.ok,
                    "level": state.level,
                    "detail": detail,
                }
            ]
        }
