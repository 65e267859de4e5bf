"""What a job of the observing process is, and what all jobs stand on together.

Promises: a job that fails is said in the status and begun anew, and stops no other; what a job appends is on the disk
when `append` returns, or was given up with a complaint. Not here: any job.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from sitewarden_agent.clock import Clock
from sitewarden_agent.config import Config
from sitewarden_agent.errors import Permanent, Transient
from sitewarden_agent.model import Observation, Series, What
from sitewarden_agent.observe.limits import Step
from sitewarden_agent.pacer import Pacer
from sitewarden_agent.spool import Spool

TRY_AGAIN_S = 5.0


class Easing:
    """How much the jobs are to hold back, so that the agent keeps within its limits. `jobs.limits` decides."""

    def __init__(self, cpu_share: float) -> None:
        self.step = Step.OK
        self.pacer = Pacer(cpu_share)
        self.shrinking: list[Callable[[], None]] = []
        """Called when memory is short: whoever has a cache empties it. From the loop; quick."""

    def shrink(self) -> None:
        for empty in self.shrinking:
            empty()


class Ground:
    """What jobs share: the configuration, the spool, the clock, redaction, and what is wrong at the moment."""

    def __init__(self, config: Config, spool: Spool, clock: Clock, redact: Callable[[str], str]) -> None:
        self.config = config
        self.spool = spool
        self.clock = clock
        self.redact = redact
        self.complaints: dict[str, list[str]] = {}
        """What is wrong now, by whom it concerns. In words for the customer, with what to do."""
        self.easing = Easing(config.limits.cpu_share)

    async def append(self, *whats: What) -> None:
        """Into the spool; given up when it has no room. Logs take another way, with their marks."""
        seen = [
            Observation(what, self.clock.wall_ns(), self.clock.boot_id(), self.clock.monotonic_ns()) for what in whats
        ]
        try:
            await asyncio.to_thread(self.spool.append, seen)
        except Transient as error:
            self.complaints["spool"] = [f"{len(seen)} observations were given up: {error}"]


class Job:
    """One thing that goes on for ever. Give it a name and `run`; the rest only where it has something to say."""

    name = ""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    async def run(self) -> None:
        """Do it, for ever. Whatever it raises is said and it is begun anew; Permanent ends the process."""
        raise NotImplementedError

    def samples(self) -> Mapping[Series, float]:
        """What goes with the next samples of health. Quick: nothing is measured here."""
        return {}

    def status(self) -> Mapping[str, Any]:
        """What it adds to the note for `status`. Quick, and the same as long as nothing happened."""
        return {}

    async def stopped(self) -> None:
        """Save what is in hand: the process ends."""


async def keep_going(job: Job) -> None:
    """Run a job; one that fails is said and begun anew. Only what needs a person ends the process."""
    while True:
        try:
            await job.run()
        except Permanent:
            raise
        except Exception as error:  # noqa: BLE001 - the other jobs go on
            place = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{job.name}: {type(error).__name__}: {error} (in {place.name}, line {place.lineno}); trying again"
            job.ground.complaints[job.name] = [said]
        await job.ground.clock.sleep(TRY_AGAIN_S)
