"""The life of the observing process: the log tail, health samples, probes and a note for status, side by side.

Promises: one bad file, probe or measurement is said in the status and stops nothing else; what was read is saved before
the process ends. It has no road to headquarters: everything goes into the spool. Not here: each of these jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import socket
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from sitewarden_agent.clock import Clock
from sitewarden_agent.config import Config, Probe
from sitewarden_agent.errors import Permanent, Transient
from sitewarden_agent.model import Change, Observation, Series, What
from sitewarden_agent.observe import redaction, sitekey
from sitewarden_agent.observe.blocks import Collecting
from sitewarden_agent.observe.metrics import Sampler
from sitewarden_agent.observe.probes import ProbeState, look
from sitewarden_agent.observe.tail import Tail
from sitewarden_agent.observe.watch import Watch
from sitewarden_agent.spool import Spool

NOTE_EVERY_S = 5.0
FOLDERS_EVERY_NS = 1_000_000_000
TRY_AGAIN_S = 5.0
CLOCK_STEP_S = 2.0
NOTE = "observe"


async def run(config: Config, spool: Spool, clock: Clock, stop: asyncio.Event) -> None:
    """Observe until `stop` is set. Raises ConfigError and SpoolDamaged; everything else is said in the status."""
    key = await asyncio.to_thread(sitekey.read_or_make, config.state_dir)
    redactor = redaction.redactor(config.redact, key=key)
    observing = _Observing(config, spool, clock, redactor.redact)
    await observing.started()
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job) for job in observing.jobs()]
            await stop.wait()
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    finally:
        await observing.stopped()


class _Observing:
    def __init__(self, config: Config, spool: Spool, clock: Clock, redact: Callable[[str], str]) -> None:
        self._config = config
        self._spool = spool
        self._clock = clock
        self._redact = redact
        self._tail = Tail(config.logs, spool, clock=clock, redact=redact)
        self._collecting = Collecting()
        self._probes = [ProbeState(probe, redact) for probe in config.probes]
        self._complaints: dict[str, list[str]] = {}
        self._began_ns = clock.wall_ns()
        self._last_note: dict[str, Any] = {}

    def jobs(self) -> list[Coroutine[Any, Any, None]]:
        probes = [self._again_and_again(f"probe {state.probe.name}", self._probe, state) for state in self._probes]
        return [
            self._again_and_again("logs", self._follow_logs),
            self._again_and_again("health", self._sample_health),
            self._again_and_again("status", self._note_status),
            *probes,
        ]

    async def _again_and_again(self, name: str, job: Callable[..., Coroutine[Any, Any, None]], *what: Any) -> None:
        """A job that fails is said and begun anew; only what needs a person ends the process."""
        while True:
            try:
                await job(*what)
            except Permanent:
                raise
            except Exception as error:  # noqa: BLE001 - the other jobs go on
                place = traceback.extract_tb(error.__traceback__)[-1]
                said = f"{name}: {type(error).__name__}: {error} (in {place.name}, line {place.lineno}); trying again"
                self._complaints[name] = [said]
            await self._clock.sleep(TRY_AGAIN_S)

    # Starting and stopping.

    async def started(self) -> None:
        """Say that the agent started, and whether the host did."""
        before = (await asyncio.to_thread(self._spool.notes)).get(NOTE, {})
        boot_id = self._clock.boot_id()
        changes: list[What] = [Change("agent_started", socket.gethostname(), before.get("version", ""), version())]
        if before.get("boot_id", boot_id) != boot_id:
            changes.append(Change("reboot", socket.gethostname(), before["boot_id"], boot_id))
        await self._append(*changes)
        self._last_note = {"boot_id": boot_id, "version": version(), "since_ns": self._began_ns}
        await self._note("starting")

    async def stopped(self) -> None:
        """Save what is in hand. The spool may be full: then it is read again after the next start."""
        with contextlib.suppress(Exception):
            await asyncio.to_thread(self._tail.close)
        if block := self._collecting.close():
            await self._append(block)
        await self._note("stopped")

    # The jobs.

    async def _follow_logs(self) -> None:
        loop, wake = asyncio.get_running_loop(), asyncio.Event()

        def wake_up(anew: bool) -> None:
            if anew:
                self._tail.look_anew()
            with contextlib.suppress(RuntimeError):  # the loop has ended, the watching thread not yet
                loop.call_soon_threadsafe(wake.set)

        watch = await asyncio.to_thread(Watch, wake_up, self._tail.concerns)
        try:
            folders_ns = 0
            await asyncio.to_thread(self._tail.restore)
            while True:
                if self._clock.monotonic_ns() - folders_ns >= FOLDERS_EVERY_NS:
                    folders_ns = self._clock.monotonic_ns()
                    await asyncio.to_thread(lambda: watch.folders(self._tail.folders()))
                wake.clear()
                rest_s = await asyncio.to_thread(self._tail.turn)
                self._complaints["logs"] = [*await asyncio.to_thread(self._tail.complaints), *watch.complaints()]
                if rest_s > 0:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(wake.wait(), rest_s)
        finally:
            await asyncio.shield(asyncio.to_thread(self._tail.close))
            await asyncio.to_thread(watch.close)

    async def _sample_health(self) -> None:
        sampler = await asyncio.to_thread(Sampler, self._config.health)
        drift_ns = self._clock.wall_ns() - self._clock.monotonic_ns()
        next_ns = self._clock.monotonic_ns()
        while True:
            drift_ns = await self._notice_clock_step(drift_ns)
            values = await asyncio.to_thread(sampler.sample)
            self._complaints["health"] = list(sampler.complaints)
            for state in self._probes:
                values.update(state.samples())
            notes = await asyncio.to_thread(self._spool.notes)
            if isinstance(offset_ns := notes.get("clock", {}).get("offset_ns"), int):
                values[Series("clock_offset_seconds", unit="seconds")] = offset_ns / 1e9
            levels = await asyncio.to_thread(self._spool.watch_levels)
            blocks = self._collecting.add(self._clock.wall_ns(), values, levels=levels)
            if blocks:
                await self._append(*blocks)
            next_ns = max(next_ns + int(self._config.health.interval_s * 1e9), self._clock.monotonic_ns())
            await self._clock.sleep((next_ns - self._clock.monotonic_ns()) / 1e9)

    async def _notice_clock_step(self, drift_ns: int) -> int:
        now_drift_ns = self._clock.wall_ns() - self._clock.monotonic_ns()
        step_s = (now_drift_ns - drift_ns) / 1e9
        if abs(step_s) < CLOCK_STEP_S:
            return now_drift_ns
        await self._append(Change("clock_step", "wall clock", "", f"{step_s:+.3f} s"))
        return now_drift_ns

    async def _probe(self, state: ProbeState) -> None:
        probe: Probe = state.probe
        while True:
            began_ns = self._clock.monotonic_ns()
            result = state.seen(await look(probe, self._clock), self._clock.monotonic_ns())
            if result is not None:
                await self._append(result)
            spent_s = (self._clock.monotonic_ns() - began_ns) / 1e9
            await self._clock.sleep(max(0.05, probe.interval_s - spent_s))

    async def _note_status(self) -> None:
        while True:
            await self._note("observing")
            await self._clock.sleep(NOTE_EVERY_S)

    # What they share.

    async def _append(self, *whats: What) -> None:
        """Into the spool; given up when it has no room. Logs take another way, with their marks."""
        seen = [
            Observation(what, self._clock.wall_ns(), self._clock.boot_id(), self._clock.monotonic_ns())
            for what in whats
        ]
        try:
            await asyncio.to_thread(self._spool.append, seen)
        except Transient as error:
            self._complaints["spool"] = [f"{len(seen)} observations were given up: {error}"]

    async def _note(self, state: str) -> None:
        note = {
            **self._last_note,
            "state": state,
            "files": (await asyncio.to_thread(self._tail.files))[:1_000],
            "waiting_for_room": self._tail.full,
            "events_sent": self._tail.saved,
            "probes": [
                {"name": each.probe.name, "ok": each.ok, "detail": each.last.detail if each.last else "not looked yet"}
                for each in self._probes
            ],
            "complaints": [complaint for found in self._complaints.values() for complaint in found][:100],
        }
        with contextlib.suppress(Transient):
            await asyncio.to_thread(self._spool.note, NOTE, note)


def version() -> str:
    """The version of this agent."""
    for name in ("sitewarden-agent", "sitewarden"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return "0"
