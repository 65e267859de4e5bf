"""Keeps all processes of the agent within their limits together, and says when that costs the customer something.

Promises: measured every ten seconds; a step is taken before a limit is reached, told to headquarters as a change
(`limited`) when it begins and when it ends, and shown in status with what to do. Not here: which step (`limits`).
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping
from typing import Any

from sitewarden_agent import lean
from sitewarden_agent.model import Change, Series
from sitewarden_agent.observe.footprint import Footprint, folder_bytes, supervisor, taken
from sitewarden_agent.observe.jobs.job import Ground, Job
from sitewarden_agent.observe.limits import Limits, Step, Use
from sitewarden_agent.observe.metrics_cgroup import allowed
from sitewarden_agent.observe.procfs import Kernel

LOOK_EVERY_S = 10.0
AFTER_OTHERS_S = 3.0
"""Most jobs look every ten seconds from the start; at another moment than theirs nobody waits for anybody."""
_MIB = 1024 * 1024
_READING_MIN = 0.25
"""Reading keeps this part of the share, however much the link takes."""
_DO = {
    "memory": "Raise memory_mb under [limits], or follow fewer files.",
    "cpu": "Raise cpu_share under [limits], or follow fewer busy logs; what is unread stays in the log files.",
}
_MEANS = {
    Step.SPARING: "samples are taken a third as often",
    Step.LEAN: "reading goes on in pauses and caches are emptied",
    Step.PAUSED: "reading waits; the log files hold what is to come",
}


class KeepWithin(Job):
    name = "limits"

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        settings, group = ground.config.limits, allowed(Kernel())
        memory_bytes = min([settings.memory_mb * _MIB, *([group.memory_bytes] if group.memory_bytes else [])])
        cpu_share = min([settings.cpu_share, *([group.cores] if group.cores else [])])
        self._limits = Limits(cpu_share=cpu_share, memory_bytes=memory_bytes)
        self._footprint = Footprint()
        self._supervisor = supervisor()
        self._disk_bytes = 0
        ground.easing.pacer.share = cpu_share

    async def run(self) -> None:
        clock, then_s = self.ground.clock, self.ground.clock.monotonic_ns() / 1e9
        await clock.sleep(min(LOOK_EVERY_S, AFTER_OTHERS_S))
        while True:
            pids = await asyncio.to_thread(self._pids)
            now_s = clock.monotonic_ns() / 1e9
            self._footprint.look(pids, now_s)
            self._disk_bytes = folder_bytes(self.ground.config.state_dir)
            before = self._limits.step
            self._limits.look(self._use(), passed_s=now_s - then_s)
            self._ease()
            if self._limits.step is not before:
                await self._told(before)
            then_s = now_s
            await clock.sleep(LOOK_EVERY_S)

    def _pids(self) -> dict[str, int]:
        """Both processes left their ids in the spool when they began."""
        found = {} if self._supervisor is None else {"supervisor": self._supervisor}
        for name in ("observe", "link"):
            note = self.ground.spool.noted(f"confinement_{name}")
            pid, started = note.get("pid"), note.get("started")
            if isinstance(pid, int) and (process := taken(pid)) is not None and process.started == started:
                found[name] = pid
        return found

    def _use(self) -> Use:
        return Use(sum(self._footprint.cpu_share.values()), sum(self._footprint.memory_bytes.values()))

    def _ease(self) -> None:
        """Tell the other jobs, and give back what can be."""
        limits, easing = self._limits, self.ground.easing
        easing.step = limits.step
        link = self._footprint.cpu_share.get("link", 0.0)
        easing.pacer.share = max(limits.cpu_share * _READING_MIN, limits.cpu_share - link)
        if limits.step >= Step.LEAN and limits.because == "memory":
            easing.shrink()
            gc.collect()
            lean.trim()

    async def _told(self, before: Step) -> None:
        limits = self._limits
        self.ground.complaints[self.name] = []
        if limits.step is not Step.OK:
            said = f"The agent is close to its limit of {limits.because}: {_MEANS[limits.step]}. {_DO[limits.because]}"
            self.ground.complaints[self.name] = [said]
        await self.ground.append(Change("limited", limits.because or "agent", before.word, limits.step.word))

    def samples(self) -> Mapping[Series, float]:
        found: dict[Series, float] = {}
        for name, share in self._footprint.cpu_share.items():
            found[Series("agent_cpu_used_ratio", (("process", name),), "ratio")] = round(share, 4)
        for name, resident in self._footprint.memory_bytes.items():
            found[Series("agent_memory_bytes", (("process", name),), "bytes")] = float(resident)
        if self._disk_bytes:
            found[Series("agent_disk_bytes", (), "bytes")] = float(self._disk_bytes)
        found[Series("agent_limited_step")] = float(self._limits.step)
        return found

    def status(self) -> Mapping[str, Any]:
        """Rounded: the note is written anew when it changed."""
        limits, use = self._limits, self._use()
        return {
            "limits": {
                "step": limits.step.word,
                "because": limits.because,
                "memory_mb": _rounded(use.memory_bytes / _MIB, 10),
                "memory_mb_max": limits.memory_bytes // _MIB,
                "cpu_percent": _rounded(limits.cpu_mean * 100, 1),
                "cpu_percent_max": round(limits.cpu_share * 100, 1),
                "disk_mb": _rounded(self._disk_bytes / _MIB, 10),
                "disk_mb_max": self.ground.config.spool.max_bytes // _MIB,
            }
        }


def _rounded(value: float, to: int) -> int:
    """Up: a small figure is not none."""
    return -int(-value // to) * to
