"""Whether a program runs: by its name or a part of its command line, this agent's own processes not counted.

Promises: as long as those that were found last still run, nothing else is read; a look at every process makes room for
others in between. Reads /proc. Not here: what they take of the host (`metrics_processes`).
"""

from __future__ import annotations

import asyncio

from sitewarden_agent.config import ProcessProbe
from sitewarden_agent.observe.looks import Look
from sitewarden_agent.observe.procfs import Kernel, command_line, process

_OWN = ("sitewarden_agent", "sitewarden-agent")
_AT_A_TIME = 100
_GONE = ("Z", "X", "x")


class Processes:
    """Looks for the processes of one probe."""

    def __init__(self, probe: ProcessProbe, *, root: str = "") -> None:
        self._probe = probe
        self._kernel = Kernel(root)
        self._known: dict[str, int] = {}

    async def __call__(self) -> Look:
        self._known = {pid: began for pid, began in self._known.items() if self._began(pid) == began}
        if len(self._known) < self._probe.at_least:
            await self._find()
        count = len(self._known)
        return Look(count >= self._probe.at_least, f"{count} running, {self._probe.at_least} needed")

    def _began(self, pid: str) -> int | None:
        seen = process(self._kernel, pid)
        return None if seen is None or seen.state in _GONE else seen.started

    async def _find(self) -> None:
        self._known = {}
        pids = [name for name in self._kernel.names("/proc") if name.isdigit()]
        for number, pid in enumerate(pids, 1):
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)
            seen = process(self._kernel, pid)
            if seen is None or seen.state in _GONE:
                continue
            command = command_line(self._kernel, pid)
            if any(own in command for own in _OWN):
                continue
            if seen.name == self._probe.process or self._probe.process in command:
                self._known[pid] = seen.started
