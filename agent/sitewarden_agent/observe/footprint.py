"""What the agent's own processes take of this host, read from /proc: observe, what it started, link and the supervisor.

Promises: a process is counted only while it is the one that was meant (an id that somebody else got is not); what
cannot be read counts as nothing. A look costs a few reads. Not here: what follows from it (`limits`).
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_READ_BYTES = 16 * 1024
SUPERVISOR = "supervise.py"
STARTS = "observe"
"""The one process that starts others, besides the supervisor, whose are all the agent's own."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Of one process: processor seconds since its start, with those of its children that ended; resident bytes."""

    cpu_s: float
    memory_bytes: int
    started: int
    """In the kernel's ticks; with the id it names a process for ever."""


def taken(pid: int, *, proc: Path = Path("/proc")) -> Taken | None:
    """None when there is no such process (any more)."""
    try:
        text = _read(f"{proc}/{pid}/stat")
        words = text[text.rindex(b")") + 2 :].split()
        cpu_s = sum(map(int, words[11:15])) / _TICKS_S
        return Taken(cpu_s, int(words[21]) * _PAGE_BYTES, int(words[19]))
    except (OSError, ValueError, IndexError):
        return None


def children(pid: int, *, proc: Path = Path("/proc")) -> list[int]:
    """The processes that this one started and that still run; none where the kernel does not tell."""
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        for thread in os.listdir(f"{proc}/{pid}/task"):
            found += map(int, _read(f"{proc}/{pid}/task/{thread}/children").split())
    return found


def _read(path: str) -> bytes:
    """A small file of the kernel's at once, without the layers of a text file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _READ_BYTES)
    finally:
        os.close(descriptor)


def supervisor() -> int | None:
    """The id of our parent, when that is the agent's supervisor and not the service manager."""
    parent = os.getppid()
    with contextlib.suppress(OSError):
        words = Path("/proc", str(parent), "cmdline").read_text(errors="replace").split("\0")
        if any(Path(word).name == SUPERVISOR for word in words):  # not any file whose name ends like that
            return parent
    return None


class Footprint:
    """Life: made, `look` any number of times. What ended between two looks is counted no more."""

    def __init__(self, *, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._before: dict[tuple[int, int], float] = {}
        self._before_s: float | None = None
        self.cpu_share: dict[str, float] = {}
        """Of one core since the look before, by process; empty at the first."""
        self.memory_bytes: dict[str, int] = {}

    def look(self, pids: dict[str, int], now_s: float) -> None:
        """Measure these processes, each by its name and with what it started. `now_s` is monotonic."""
        cpu_s: dict[str, float] = {}
        seen: dict[tuple[int, int], float] = {}
        self.memory_bytes = {}
        for name, pid in pids.items():
            for each in (pid, *(children(pid, proc=self._proc) if name == STARTS else ())):
                found = taken(each, proc=self._proc)
                if found is None:
                    continue
                key = each, found.started
                seen[key] = found.cpu_s
                # A process that is seen for the first time had all its life before.
                more_s = found.cpu_s - self._before.get(key, found.cpu_s)
                cpu_s[name] = cpu_s.get(name, 0.0) + max(0.0, more_s)
                self.memory_bytes[name] = self.memory_bytes.get(name, 0) + found.memory_bytes
        passed_s = now_s - self._before_s if self._before_s is not None else 0.0
        self.cpu_share = {name: used_s / passed_s for name, used_s in cpu_s.items()} if passed_s > 0 else {}
        self._before, self._before_s = seen, now_s


def folder_bytes(folder: Path) -> int:
    """What the files of one folder take on the disk."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total
