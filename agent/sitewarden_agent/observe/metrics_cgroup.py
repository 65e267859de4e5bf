"""What a control group allows and uses: memory, processor, processes; version 1 and 2.

A container sees the whole host in /proc, but may use only what its group allows: that is what fills up. Promises: only
limits that somebody set are told; a group without one of memory says nothing of memory. Not here: which group is meant.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from sitewarden_agent.model import Series
from sitewarden_agent.observe.procfs import Kernel, after, rows, unescaped, whole

Values = Iterator[tuple[Series, float]]

_NO_LIMIT_BYTES = 1 << 60  # version 1 says a number of this size for none


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of a group lie: one folder in version 2, one for each controller in version 1."""

    memory: str
    cpu: str
    pids: str
    version: int


class Mounts:
    """Where groups are shown. Read once: it does not change while a host runs."""

    def __init__(self, kernel: Kernel) -> None:
        self.unified: tuple[str, str] | None = None
        self.of: dict[str, tuple[str, str]] = {}
        for row in rows(kernel.once("/proc/self/mountinfo") or b""):
            if b"-" not in row or len(row) < 10:
                continue
            kind, options = row[row.index(b"-") + 1], row[-1]
            root, mount = unescaped(row[3]), unescaped(row[4])
            if kind == b"cgroup2":
                self.unified = (root, mount)
            elif kind == b"cgroup":
                for controller in options.decode("ascii", "replace").split(","):
                    self.of[controller] = (root, mount)


def place(kernel: Kernel, mounts: Mounts, pid: str = "self") -> Place | None:
    """The group of a process; None where there is none to be seen."""
    unified = ""
    by_controller: dict[str, str] = {}
    for line in kernel.text(f"/proc/{pid}/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            unified = path
        else:
            by_controller.update(dict.fromkeys(controllers.split(","), path))
    if "memory" in by_controller and "memory" in mounts.of:
        found = [_below(mounts.of.get(name), by_controller.get(name, "")) for name in ("memory", "cpu", "pids")]
        return Place(found[0], found[1], found[2], 1)
    if mounts.unified is not None and unified:
        folder = _below(mounts.unified, unified)
        return Place(folder, folder, folder, 2)
    return None


def _below(mount: tuple[str, str] | None, path: str) -> str:
    if mount is None:
        return ""
    root, there = mount
    if root != "/" and path.startswith(root):  # a container of version 1 sees its own group as the root
        path = path[len(root) :]
    return there + "/" + os.path.normpath("/" + path).strip("/") if path.strip("/") else there


class Group:
    """One group, told with `labels`."""

    def __init__(self, kernel: Kernel, where: Place, *, labels: tuple[tuple[str, str], ...] = ()) -> None:
        self._kernel = kernel
        self.where = where
        self._before: tuple[float, int, int, int] | None = None
        self._memory_used = Series("cgroup_memory_used_bytes", labels, "bytes")
        self._memory_limit = Series("cgroup_memory_limit_bytes", labels, "bytes")
        self._memory_ratio = Series("cgroup_memory_used_ratio", labels, "ratio")
        self._oom_kills = Series("cgroup_oom_kills_total", labels)
        self._cpu_limit = Series("cgroup_cpu_limit_cores", labels, "cores")
        self._cpu_ratio = Series("cgroup_cpu_used_ratio", labels, "ratio")
        self._throttled = Series("cgroup_cpu_throttled_ratio", labels, "ratio")
        self._pids_ratio = Series("cgroup_processes_used_ratio", labels, "ratio")

    def __call__(self, now_s: float) -> Values:
        yield from self._memory()
        yield from self._cpu(now_s)
        limit = self._number(self.where.pids, "pids.max")
        if self.where.pids and limit and (used := self._number(self.where.pids, "pids.current")) is not None:
            yield self._pids_ratio, used / limit

    def limited(self) -> bool:
        """Whether anybody set a limit of memory or processor."""
        return bool(self._memory_max() or self._cores())

    def allowed(self) -> Allowed:
        return Allowed(self._memory_max(), self._cores())

    def _memory(self) -> Values:
        folder, two = self.where.memory, self.where.version == 2
        limit = self._memory_max()
        used = self._number(folder, "memory.current" if two else "memory.usage_in_bytes")
        if limit and used is not None:
            stat = self._kernel.once(f"{folder}/memory.stat") or b""
            # Files that were read once count as used, and go at the first need: nobody runs out of memory by them.
            idle_files = after(b"\n" + stat, b"\ninactive_file " if two else b"\ntotal_inactive_file ") or 0
            used = max(0, used - idle_files)
            yield self._memory_used, float(used)
            yield self._memory_limit, float(limit)
            yield self._memory_ratio, used / limit
        events = self._kernel.once(f"{folder}/{'memory.events' if two else 'memory.oom_control'}") or b""
        if (kills := after(b"\n" + events, b"\noom_kill ")) is not None:
            yield self._oom_kills, float(kills)

    def _memory_max(self) -> int | None:
        name = "memory.max" if self.where.version == 2 else "memory.limit_in_bytes"
        limit = self._number(self.where.memory, name)
        return limit if limit and limit < _NO_LIMIT_BYTES else None

    def _cores(self) -> float | None:
        folder = self.where.cpu
        if self.where.version == 2:
            part = (self._kernel.once(f"{folder}/cpu.max") or b"").split()
            quota, period = (whole(part[0]), whole(part[1])) if len(part) == 2 else (None, None)
        else:
            quota, period = self._number(folder, "cpu.cfs_quota_us"), self._number(folder, "cpu.cfs_period_us")
        return quota / period if quota and period and quota > 0 else None

    def _cpu(self, now_s: float) -> Values:
        cores = self._cores()
        if not cores:
            return
        stat = b"\n" + (self._kernel.once(f"{self.where.cpu}/cpu.stat") or b"")
        periods, throttled = after(stat, b"\nnr_periods "), after(stat, b"\nnr_throttled ")
        used_us = after(stat, b"\nusage_usec ")
        if used_us is None and (used_ns := self._number(self.where.cpu, "cpuacct.usage")) is not None:
            used_us = used_ns // 1000
        now = (now_s, used_us or 0, periods or 0, throttled or 0)
        then, self._before = self._before or now, now
        spent_s, spent_us, passed, held = (max(0, a - b) for a, b in zip(now, then, strict=True))
        yield self._cpu_limit, cores
        if used_us is not None:
            yield self._cpu_ratio, spent_us / 1e6 / spent_s / cores if spent_s > 0 else 0.0
        if periods is not None and throttled is not None:
            yield self._throttled, held / passed if passed > 0 else 0.0

    def _number(self, folder: str, name: str) -> int | None:
        return self._kernel.number(f"{folder}/{name}") if folder else None


class OwnContainer:
    """The group around this agent, where it runs inside a container with limits; nothing anywhere else."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        found = place(kernel, Mounts(kernel)) if in_container(kernel) else None
        group = Group(kernel, found) if found is not None else None
        self._group = group if group is not None and group.limited() else None

    def __call__(self, now_s: float) -> Values:
        if self._group is not None:
            yield from self._group(now_s)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the group of this process may use; None where nobody set a limit."""

    memory_bytes: int | None = None
    cores: float | None = None


def allowed(kernel: Kernel) -> Allowed:
    """The limits of the group that this process is in, be it a container or a service."""
    found = place(kernel, Mounts(kernel))
    return Group(kernel, found).allowed() if found is not None else Allowed()


def in_container(kernel: Kernel) -> str:
    """What kind of container this is; empty on a host."""
    for path, kind in (("/.dockerenv", "docker"), ("/run/.containerenv", "podman")):
        if os.path.exists(kernel.root + path):
            return kind
    if kind := kernel.text("/run/systemd/container"):
        return kind[:32]
    if os.path.isdir(f"{kernel.root}/var/run/secrets/kubernetes.io"):
        return "kubernetes"
    first = kernel.text("/proc/1/cgroup")
    for word, kind in (("kubepods", "kubernetes"), ("docker", "docker"), ("lxc", "lxc"), ("containerd", "containerd")):
        if word in first:
            return kind
    return ""
