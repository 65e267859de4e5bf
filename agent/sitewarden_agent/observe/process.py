"""The life of the observing process: its jobs side by side, from the first to the last thing that it says.

Promises: one bad file, probe or measurement is said in the status and stops nothing else; what was read is saved before
the process ends. It has no road to headquarters: everything goes into the spool. Not here: each of these jobs (`jobs`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from sitewarden_agent.clock import Clock
from sitewarden_agent.config import Config
from sitewarden_agent.model import Change, What
from sitewarden_agent.observe import redaction, sitekey
from sitewarden_agent.observe.jobs.health import Health
from sitewarden_agent.observe.jobs.job import Ground, Job, keep_going
from sitewarden_agent.observe.jobs.limits import KeepWithin
from sitewarden_agent.observe.jobs.logs import Logs
from sitewarden_agent.observe.jobs.probing import Probing
from sitewarden_agent.observe.jobs.remote import RemoteConfiguration
from sitewarden_agent.observe.jobs.site import Site
from sitewarden_agent.observe.jobs.status import NOTE, Status
from sitewarden_agent.observe.trial import Configured
from sitewarden_agent.release import version
from sitewarden_agent.spool import Spool


def jobs(ground: Ground, *others: Job, about: dict[str, Any]) -> list[Job]:
    """Everything that goes on in this process; the status comes last, because it tells of the others at the end."""
    working: list[Job] = [Logs(ground), *(Probing(ground, probe) for probe in ground.config.probes), *others]
    working += _journals(ground)
    working.append(Site(ground))
    working.append(KeepWithin(ground))
    working.append(Health(ground, tuple(working)))
    working.append(Status(ground, tuple(working), about=about))
    return working


def _journals(ground: Ground) -> list[Job]:
    """Most sites follow none: what that needs is loaded where one is followed."""
    logs = [log for log in ground.config.logs if log.journal]
    if not logs:
        return []
    from sitewarden_agent.observe.jobs.journals import Journals

    return [Journals(ground, log) for log in logs]


async def run(config: Config, spool: Spool, clock: Clock, stop: asyncio.Event) -> None:
    """Observe until `stop` is set, with what headquarters configured within the local `config`; sets it when that has
    changed. Raises ConfigError and SpoolDamaged; everything else is said in the status."""
    configured = await asyncio.to_thread(Configured.begin, config, boot_id=clock.boot_id())
    try:
        await _observe(configured, spool, clock, stop)
    except Exception as error:
        if not await asyncio.to_thread(configured.broke, error):
            raise
    else:
        await asyncio.to_thread(configured.ended_well)


async def _observe(configured: Configured, spool: Spool, clock: Clock, stop: asyncio.Event) -> None:
    config = configured.config
    key = await asyncio.to_thread(sitekey.read_or_make, config.state_dir)
    ground = Ground(config, spool, clock, redaction.redactor(config.redact, key=key))
    about = {"boot_id": clock.boot_id(), "version": version(), "since_ns": clock.wall_ns()}
    await _started(ground)
    working = jobs(ground, RemoteConfiguration(ground, configured, stop), about=about)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(keep_going(job)) for job in working]
            await stop.wait()
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    finally:
        for job in working:
            with contextlib.suppress(Exception):
                await job.stopped()


async def _started(ground: Ground) -> None:
    """Say that the agent started, and whether the host did."""
    before = (await asyncio.to_thread(ground.spool.notes)).get(NOTE, {})
    boot_id = ground.clock.boot_id()
    changes: list[What] = [Change("agent_started", socket.gethostname(), before.get("version", ""), version())]
    if before.get("boot_id", boot_id) != boot_id:
        changes.append(Change("reboot", socket.gethostname(), before["boot_id"], boot_id))
    await ground.append(*changes)
