"""Tells what this host is and what changed here: the inventory, versions, configuration files, packages.

Promises: the inventory goes at start, when it changed, and once a day; a change goes once, in one transaction with the
mark that says it was told; without room in the spool it is found again at the next look. Not here: what each looks at
(`inventory`, `versions`, `changes`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from sitewarden_agent.errors import Transient
from sitewarden_agent.model import Component, Inventory, Observation
from sitewarden_agent.observe import sitekey
from sitewarden_agent.observe.changes import (
    FILES,
    PACKAGES,
    VERSIONS,
    FileWatch,
    Found,
    Snapshots,
    of_packages,
    of_versions,
)
from sitewarden_agent.observe.inventory import gathered
from sitewarden_agent.observe.jobs.job import Ground, Job
from sitewarden_agent.observe.procfs import Kernel
from sitewarden_agent.observe.versions import Packages, version_of
from sitewarden_agent.release import version

FOLDER = "watched"
INVENTORY_EVERY_S = 600.0
INVENTORY_AGAIN_S = 86_400.0
PACKAGES_EVERY_S = 60.0
REST_MIN_S = 1.0


class Site(Job):
    name = "site"

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._kernel = Kernel()
        self._packages = Packages()
        self._components: dict[str, Component] = {}
        self._told: Inventory | None = None
        self._told_s = 0.0
        self._due: dict[str, float] = {}

    async def run(self) -> None:
        config, clock = self.ground.config, self.ground.clock
        snapshots = Snapshots(config.state_dir / FOLDER)
        marks = await asyncio.to_thread(self.ground.spool.marks)
        await asyncio.to_thread(snapshots.forget_all_but, [mark for mark in marks if mark.source in (FILES, PACKAGES)])
        known = {mark.path: mark.signature for mark in marks if mark.source == VERSIONS}
        packages = next((mark.signature for mark in marks if mark.source == PACKAGES), None)
        watches = []
        if config.watch_files:
            key = await asyncio.to_thread(sitekey.read_or_make, config.state_dir)
            files = [mark for mark in marks if mark.source == FILES]
            watches = [
                (f"files {number}", each, FileWatch(each, snapshots, key=key, redact=self.ground.redact, marks=files))
                for number, each in enumerate(config.watch_files)
            ]
        while True:
            complaints: list[str] = []
            found = of_versions(await self._versions(), known)
            if await self._append(found, complaints):
                known.update({mark.path: mark.signature for mark in found.marks})
            for name, section, watch in watches:
                if self._is_due(name, section.interval_s):
                    seen = await asyncio.to_thread(watch.look)
                    if await self._append(seen, complaints):
                        await asyncio.to_thread(watch.taken, seen)
                    else:
                        watch.not_taken()
                    self.ground.complaints[f"site {name}"] = seen.complaints
            if config.changes.packages and self._is_due("packages", PACKAGES_EVERY_S):
                packages = await self._look_at_packages(snapshots, packages, complaints)
            if config.inventory.enabled:
                await self._tell_inventory()
            complaints += [
                f"component {each.name}: {each.trouble}" for each in self._components.values() if each.trouble
            ]
            self.ground.complaints[self.name] = complaints
            await clock.sleep(max(REST_MIN_S, min(self._due.values(), default=INVENTORY_EVERY_S) - self._now_s()))

    def status(self) -> Mapping[str, Any]:
        found = [
            {"name": each.name, "version": each.version, "trouble": each.trouble} for each in self._components.values()
        ]
        return {"components": found} if found else {}

    async def _versions(self) -> list[Component]:
        """Those components that are due."""
        looked = []
        for wanted in self.ground.config.components:
            if self._is_due(f"component {wanted.name}", wanted.interval_s):
                seen = await version_of(wanted, self._packages, self.ground.redact)
                self._components[wanted.name] = seen
                looked.append(seen)
        return looked

    async def _look_at_packages(self, snapshots: Snapshots, known: str | None, complaints: list[str]) -> str | None:
        there = await asyncio.to_thread(self._packages.read)
        if self._packages.complaint:
            complaints.append(self._packages.complaint)
        found = await asyncio.to_thread(of_packages, there, snapshots, known=known, redact=self.ground.redact)
        if not found.marks or not await self._append(found, complaints):
            return known
        await asyncio.to_thread(found.settled)
        return found.marks[0].signature

    async def _tell_inventory(self) -> None:
        if not self._is_due("inventory", INVENTORY_EVERY_S) and not self._has_other_components():
            return
        now = gathered(
            self._kernel,
            redact=self.ground.redact,
            agent_version=version(),
            components=self._components.values(),
            addresses=self.ground.config.inventory.addresses,
        )
        if now != self._told or self._now_s() - self._told_s >= INVENTORY_AGAIN_S:
            await self.ground.append(now)
            self._told, self._told_s = now, self._now_s()

    def _has_other_components(self) -> bool:
        return self._told is not None and self._told.components != tuple(self._components.values())

    async def _append(self, found: Found, complaints: list[str]) -> bool:
        """Changes and their marks into the spool, together; False when it has no room."""
        if not found.marks:
            return True
        clock = self.ground.clock
        seen = [Observation(each, clock.wall_ns(), clock.boot_id(), clock.monotonic_ns()) for each in found.changes]
        try:
            await asyncio.to_thread(lambda: self.ground.spool.append(seen, marks=found.marks))
        except Transient as error:
            complaints.append(f"{len(seen)} changes wait for room in the spool: {error}")
            return False
        return True

    def _is_due(self, name: str, interval_s: float) -> bool:
        now_s = self._now_s()
        if now_s < self._due.get(name, 0.0):
            return False
        self._due[name] = now_s + interval_s
        return True

    def _now_s(self) -> float:
        return self.ground.clock.monotonic_ns() / 1e9
