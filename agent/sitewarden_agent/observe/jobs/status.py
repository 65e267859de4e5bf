"""Leaves the note that `sitewarden-agent status` shows: what every job says of itself, and what is wrong.

Promises: the note is written when it changed, at most every few seconds, and otherwise seldom, as a sign of life: each
write is a transaction on the customer's disk.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from sitewarden_agent.errors import Transient
from sitewarden_agent.observe.jobs.job import Ground, Job

NOTE = "observe"
NOTE_EVERY_S = 10.0
SIGN_OF_LIFE_NS = 60_000_000_000
"""`status` calls a process silent that left no note for twice as long."""
COMPLAINTS_MAX = 100


class Status(Job):
    name = "status"

    def __init__(self, ground: Ground, others: Sequence[Job], *, about: dict[str, Any]) -> None:
        """`about`: what stays the same while this process lives."""
        super().__init__(ground)
        self._others = others
        self._about = about
        self._written: dict[str, Any] = {}
        self._written_ns = 0

    async def run(self) -> None:
        while True:
            await self.note("observing")
            await self.ground.clock.sleep(NOTE_EVERY_S)

    async def stopped(self) -> None:
        await self.note("stopped")

    async def note(self, state: str) -> None:
        """Write how things are, unless that is what was written last."""
        now_ns = self.ground.clock.monotonic_ns()
        note = self._gathered(state)
        if note == self._written and now_ns - self._written_ns < SIGN_OF_LIFE_NS:
            return
        with contextlib.suppress(Transient):
            await asyncio.to_thread(self.ground.spool.note, NOTE, note)
            self._written, self._written_ns = note, now_ns

    def _gathered(self, state: str) -> dict[str, Any]:
        note: dict[str, Any] = {**self._about, "state": state}
        for job in self._others:
            for key, value in job.status().items():
                # Several jobs of one kind add to one list.
                note[key] = [*note.get(key, ()), *value] if isinstance(value, list) else value
        complaints = self.ground.complaints.values()
        note["complaints"] = [complaint for found in complaints for complaint in found][:COMPLAINTS_MAX]
        return note
