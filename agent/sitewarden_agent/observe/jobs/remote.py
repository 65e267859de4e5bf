"""Takes up a configuration from headquarters, watches over its trial, and tells headquarters what became of it.

Promises: an outcome that is owed is told as soon as the spool takes it, once for good; a document that comes during a
trial waits for its end. A change of what runs is a new start of this process, so that what is tried is what starts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from sitewarden_agent.config.kept import Owed
from sitewarden_agent.errors import Transient
from sitewarden_agent.model import Observation, Outcome, OutcomeState
from sitewarden_agent.observe.jobs.job import Ground, Job
from sitewarden_agent.observe.trial import Configured

LOOK_EVERY_S = 5.0
DETAIL_MAX = 8_000


class RemoteConfiguration(Job):
    name = "remote_config"

    def __init__(self, ground: Ground, configured: Configured, stop: asyncio.Event) -> None:
        """`stop` ends this process, which is then started anew."""
        super().__init__(ground)
        self._configured = configured
        self._stop = stop
        self._seen: int | None = None

    async def run(self) -> None:
        configured, ground = self._configured, self.ground
        ground.complaints[self.name] = [configured.complaint] if configured.complaint else []
        if configured.on_trial:
            await self._try()
        while True:
            await self._pay()
            seen = await asyncio.to_thread(ground.spool.changed)
            if seen != self._seen:
                await self._take()
                self._seen = seen
            await ground.clock.sleep(LOOK_EVERY_S)

    def status(self) -> Mapping[str, Any]:
        document = self._configured.document
        if document is None:
            return {}
        return {"remote_config": {"version": document.version, "on_trial": self._configured.on_trial}}

    async def _take(self) -> None:
        offer = await asyncio.to_thread(self.ground.spool.offered_config)
        if offer is None:
            return
        if await asyncio.to_thread(self._configured.received, offer, complaints=self._complaints()):
            self._stop.set()
        await self._pay()

    async def _try(self) -> None:
        """Wait for the end of the window and judge."""
        configured, ground = self._configured, self.ground
        document = configured.document
        if configured.first_start and document is not None:
            await self._report(Outcome(document.action_id, OutcomeState.APPLYING))
        await ground.clock.sleep(ground.config.remote_config.healthy_s)
        if why := self._wrong():
            await asyncio.to_thread(configured.failed, why)
            await self._pay()
            self._stop.set()
        else:
            await asyncio.to_thread(configured.passed)

    def _wrong(self) -> str:
        """Why the trial did not go well; empty when it did."""
        missing = [job for job in ("health", "logs") if job not in self.ground.complaints]
        if missing:
            return f"nothing came of {' and '.join(missing)} in all that time"
        if new := self._configured.new_complaints(self._complaints()):
            return "this was wrong, and was not before:\n" + "\n".join(new)
        return ""

    def _complaints(self) -> list[str]:
        return [said for job, found in self.ground.complaints.items() if job != self.name for said in found]

    async def _pay(self) -> None:
        """Tell what is owed."""
        for owed in self._configured.owed:
            outcome = Outcome(owed.action_id, owed.state, await asyncio.to_thread(self._detail, owed))
            with contextlib.suppress(Transient):
                if owed.settles:
                    await asyncio.to_thread(self.ground.spool.finish_action, outcome)
                else:
                    await self._report(outcome)
                await asyncio.to_thread(self._configured.settled, owed)

    def _detail(self, owed: Owed) -> str:
        """What headquarters reads, redacted like everything."""
        detail = owed.detail
        if owed.state is OutcomeState.FAILED and (tail := self._configured.tail()):
            detail += f"\n\nThe end of the agent's log:\n{tail}"
        return self.ground.redact(detail)[:DETAIL_MAX]

    async def _report(self, outcome: Outcome) -> None:
        clock = self.ground.clock
        seen = Observation(outcome, clock.wall_ns(), clock.boot_id(), clock.monotonic_ns())
        await asyncio.to_thread(self.ground.spool.append, [seen])
