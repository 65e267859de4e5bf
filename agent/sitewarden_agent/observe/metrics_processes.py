"""Processes: which take the most of the host, and how the product's own are.

Promises: looking at every process is done rarely enough to cost next to nothing, however many there are; the set of
series stays the same for long, because each new set costs a block of its own. Programs are told by their short name,
never by their arguments. Processor time is a share of the whole host's. Not here: whether one that should run, runs
(`probes`).
"""

from __future__ import annotations

import heapq
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sitewarden_agent.config import Health, WatchedProcess
from sitewarden_agent.model import Series
from sitewarden_agent.observe import metrics_cgroup
from sitewarden_agent.observe.procfs import (
    PAGE_BYTES,
    TICKS_A_SECOND,
    Kernel,
    Process,
    after,
    command_line,
    process,
)

Values = Iterator[tuple[Series, float]]

_EVERY_S = 60.0
_SHARE = 5_000
"""Looking at every process takes at most one part in this many of a processor's time."""
_TOP = 5
_TOP_CPU_FROM = 0.01
_TOP_MEMORY_FROM = 0.02
_SHOWN_MAX = 10
_KEEP_S = 3_600.0
_EACH_MAX = 64  # of the product's processes are looked at with every sample; more, with every round
_YOUNG_S = 60.0
_RESTARTS_EVERY_S = 600.0
"""A program that begins anew all the time is told that often, with how often it was."""
_OWN = ("sitewarden-agent", "sitewarden_agent")
_NUMBERED = re.compile(r"(?<=[-_:./#])\d+|\d{3,}")


@dataclass(slots=True)
class _Known:
    """A process as it was looked at last. `group` is the product's that it belongs to."""

    seen: Process
    group: int | None
    judged_s: float


@dataclass(slots=True)
class _Shown:
    """A program that is, or lately was, among those that take the most."""

    cpu: Series
    memory: Series
    top_s: float


class Processes:
    """`complaints` says what could not be measured the last time."""

    def __init__(self, kernel: Kernel, health: Health, redact: Callable[[str], str] = str) -> None:
        self._kernel = kernel
        self._redact = redact
        self._groups = [_Group(kernel, wanted) for wanted in health.processes]
        self._ranks = health.top_processes
        self._known: dict[str, _Known] = {}
        self._names: dict[str, str] = {}
        self._shown: dict[str, _Shown] = {}
        self._top: list[tuple[Series, float]] = []
        self._round_at_s = 0.0
        self._round_s: float | None = None
        self._cpus = os.cpu_count() or 1
        self._memory_bytes = (after(kernel.once("/proc/meminfo") or b"", b"MemTotal:") or 0) * 1024
        self.complaints: list[str] = []

    def __call__(self, now_s: float) -> Values:
        if not self._ranks and not self._groups:
            return
        began_s = time.thread_time()
        all_of_them = now_s >= self._round_at_s
        if all_of_them:
            self._round(now_s)
        else:
            self._refresh(now_s)
        for number, group in enumerate(self._groups):
            members = {pid: known.seen for pid, known in self._known.items() if known.group == number}
            group.look(members, now_s, self._cpus)
        if all_of_them:
            self._round_at_s = now_s + max(_EVERY_S, _SHARE * (time.thread_time() - began_s))
        self.complaints = [group.complaint for group in self._groups if group.complaint]
        yield from self._top
        for group in self._groups:
            yield from group.values

    def restarts(self, now_s: float) -> list[tuple[str, int]]:
        """The product's processes that began anew and how often: the first at once, those after it in sums."""
        return [(group.name, count) for group in self._groups if (count := group.take_restarts(now_s))]

    # Looking.

    def _round(self, now_s: float) -> None:
        """Every process once."""
        before = self._known
        spent_s = 0.0 if self._round_s is None else now_s - self._round_s
        cpu: dict[str, int] = {}
        memory: dict[str, int] = {}
        self._known = {}
        for pid in self._pids():
            seen = process(self._kernel, pid)
            if seen is None:
                continue
            then = before.get(pid)
            same = then is not None and then.seen.started == seen.started
            self._known[pid] = self._judged(pid, seen, then if same else None, now_s)
            name = "kernel" if seen.kernel else seen.name
            if spent_s > 0:
                ticks = seen.ticks - (then.seen.ticks if same and then is not None else _spent_before(seen, spent_s))
                cpu[name] = cpu.get(name, 0) + max(0, ticks)
            memory[name] = memory.get(name, 0) + seen.resident
        if self._ranks and spent_s > 0:
            self._rank(cpu, memory, now_s, spent_s)
        self._round_s = now_s

    def _refresh(self, now_s: float) -> None:
        """The product's processes; all names anew when one of them is gone or none is there."""
        mine = [pid for pid, known in self._known.items() if known.group is not None]
        gone = len({known.group for known in self._known.values() if known.group is not None}) < len(self._groups)
        for pid in mine[:_EACH_MAX]:
            seen = process(self._kernel, pid)
            known = self._known[pid]
            if seen is None or seen.started != known.seen.started:
                del self._known[pid]
                gone = True
            else:
                known.seen = seen
        if gone:
            for pid in self._pids():
                if pid not in self._known and (seen := process(self._kernel, pid)) is not None:
                    self._known[pid] = self._judged(pid, seen, None, now_s)

    def _pids(self) -> list[str]:
        return [name for name in self._kernel.names("/proc") if name[0] in "123456789"]

    def _judged(self, pid: str, seen: Process, then: _Known | None, now_s: float) -> _Known:
        """Which of the product's groups it belongs to. Judged again while young: it may become another program."""
        settled = then is not None and then.seen.name == seen.name and then.judged_s - now_s < -_YOUNG_S
        if then is not None and (settled or seen.kernel or not self._groups):
            return _Known(seen, then.group, then.judged_s)
        judged_s = now_s if then is None else then.judged_s
        if seen.kernel or not self._groups or seen.state == "Z":
            return _Known(seen, None, judged_s)
        command = command_line(self._kernel, pid)
        found = None
        if not any(own in command for own in _OWN):
            for number, group in enumerate(self._groups):
                if group.match == seen.name or group.match in command:
                    found = number
                    break
        return _Known(seen, found, judged_s)

    # Those that take the most.

    def _rank(self, cpu: dict[str, int], memory: dict[str, int], now_s: float, spent_s: float) -> None:
        capacity = TICKS_A_SECOND * spent_s * self._cpus
        heavy = {
            *(name for name in heapq.nlargest(_TOP, cpu, key=cpu.__getitem__) if cpu[name] / capacity >= _TOP_CPU_FROM),
            *(
                name
                for name in heapq.nlargest(_TOP, memory, key=memory.__getitem__)
                if memory[name] * PAGE_BYTES >= _TOP_MEMORY_FROM * self._memory_bytes
            ),
        }
        by_label: dict[str, list[str]] = {}
        for name in {*cpu, *memory}:
            by_label.setdefault(self._label(name), []).append(name)
        for label in {self._label(name) for name in heavy}:
            if label in self._shown:
                self._shown[label].top_s = now_s
            elif len(self._shown) < _SHOWN_MAX or self._make_room(now_s):
                labels = (("process", label),)
                self._shown[label] = _Shown(
                    Series("top_process_cpu_used_ratio", labels, "ratio"),
                    Series("top_process_memory_bytes", labels, "bytes"),
                    now_s,
                )
        for label in [label for label, shown in self._shown.items() if now_s - shown.top_s > _KEEP_S]:
            del self._shown[label]
        self._top = []
        for label, shown in self._shown.items():
            names = by_label.get(label, ())
            self._top.append((shown.cpu, min(1.0, sum(cpu.get(name, 0) for name in names) / capacity)))
            self._top.append((shown.memory, float(sum(memory.get(name, 0) for name in names) * PAGE_BYTES)))
        if len(self._names) > 4_096:
            self._names.clear()

    def _make_room(self, now_s: float) -> bool:
        """Drop the one that was among them longest ago, unless all are now."""
        label = min(self._shown, key=lambda each: self._shown[each].top_s)
        if now_s - self._shown[label].top_s < 10 * _EVERY_S:
            return False
        del self._shown[label]
        return True

    def _label(self, name: str) -> str:
        """A program's name as it is told: without numbers that make each of many its own, and redacted."""
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = self._redact(_NUMBERED.sub("N", name)) or "?"
        return known


class _Group:
    """The processes of one of the product's programs."""

    def __init__(self, kernel: Kernel, wanted: WatchedProcess) -> None:
        self.name, self.match = wanted.name, wanted.match
        self.values: list[tuple[Series, float]] = []
        self.complaint = ""
        self._kernel = kernel
        self._labels = labels = (("process", wanted.name),)
        self._count = Series("process_count", labels)
        self._cpu = Series("process_cpu_used_ratio", labels, "ratio")
        self._memory = Series("process_resident_memory_bytes", labels, "bytes")
        self._threads = Series("process_threads", labels)
        self._handles = Series("process_open_fds", labels)
        self._handles_share = Series("process_open_fds_used_ratio", labels, "ratio")
        self._uptime = Series("process_uptime_seconds", labels, "seconds")
        self._restarts = Series("process_restarts_total", labels)
        self._before: dict[str, tuple[int, int]] = {}
        self._before_s: float | None = None
        self._main: tuple[str, int] | None = None
        self._again = self._untold = 0
        self._tell_at_s = 0.0
        self._group: metrics_cgroup.Group | None = None
        self._mounts = metrics_cgroup.Mounts(kernel)

    def take_restarts(self, now_s: float) -> int:
        if not self._untold or now_s < self._tell_at_s:
            return 0
        self._tell_at_s = now_s + _RESTARTS_EVERY_S
        told, self._untold = self._untold, 0
        return told

    def look(self, members: dict[str, Process], now_s: float, cpus: int) -> None:
        self._notice_restart(members)
        values = self.values = [(self._count, float(len(members))), (self._restarts, float(self._again))]
        values.append((self._cpu, self._cpu_share(members, now_s, cpus)))
        values.append((self._memory, float(sum(each.resident for each in members.values()) * PAGE_BYTES)))
        values.append((self._threads, float(sum(each.threads for each in members.values()))))
        self._count_handles(members)
        up_s = 0.0
        if self._main is not None and members:
            up_s = max(0.0, _up_s() - self._main[1] / TICKS_A_SECOND)
        values.append((self._uptime, up_s))
        if self._group is not None:
            values.extend(self._group(now_s))

    def _notice_restart(self, members: dict[str, Process]) -> None:
        """Began anew: the oldest of them that none of the others started is another one. Workers come and go."""
        heads = [(each.started, pid) for pid, each in members.items() if str(each.parent) not in members]
        if not heads:
            return
        started, pid = min(heads)
        if self._main == (pid, started):
            return
        still_there = self._main is not None and self._main[0] in members
        if self._main is not None and not still_there:
            self._again += 1
            self._untold += 1
        self._main = (pid, started)
        where = metrics_cgroup.place(self._kernel, self._mounts, pid)
        group = None if where is None else metrics_cgroup.Group(self._kernel, where, labels=self._labels)
        self._group = group if group is not None and group.limited() else None

    def _cpu_share(self, members: dict[str, Process], now_s: float, cpus: int) -> float:
        spent_s = 0.0 if self._before_s is None else now_s - self._before_s
        ticks = 0
        for pid, each in members.items():
            started, then = self._before.get(pid, (each.started, _spent_before(each, spent_s)))
            ticks += max(0, each.ticks - (then if started == each.started else 0))
        share = ticks / TICKS_A_SECOND / spent_s / cpus if spent_s > 0 else 0.0
        self._before = {pid: (each.started, each.ticks) for pid, each in members.items()}
        self._before_s = now_s
        return min(1.0, share)

    def _count_handles(self, members: dict[str, Process]) -> None:
        """Files and connections that they hold open, and the fullest one's share of what it may."""
        total, fullest, refused = 0, 0.0, 0
        for pid in list(members)[:_EACH_MAX]:
            used = handles(self._kernel, pid)
            if used is None:
                refused += 1
                continue
            total += used
            limits = self._kernel.once(f"/proc/{pid}/limits") or b""
            if most := after(limits, b"Max open files "):
                fullest = max(fullest, used / most)
        self.complaint = ""
        if refused and refused == len(members):
            self.complaint = (
                f"health.processes {self.name}: its open files cannot be counted here; "
                "a kernel of 6.2 or newer, or the same user as the product's, is needed"
            )
        elif members:
            self.values.append((self._handles, float(total)))
            self.values.append((self._handles_share, fullest))


def _up_s() -> float:
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _spent_before(seen: Process, spent_s: float) -> int:
    """What a process that was not looked at before had spent then: nothing if it is new, else nobody knows: all."""
    return 0 if _up_s() - seen.started / TICKS_A_SECOND <= spent_s + 1 else seen.ticks


def handles(kernel: Kernel, pid: str) -> int | None:
    """How many descriptors a process has open; None when this user may not know. Newer kernels tell without a list."""
    folder = f"{kernel.root}/proc/{pid}/fd"
    try:
        return os.stat(folder).st_size or len(os.listdir(folder))
    except OSError:
        return None
