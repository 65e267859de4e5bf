"""Reads what the kernel tells in /proc and /sys, by the file and by the number. Linux.

Promises: a file that is not there, may not be read or says nothing is None, never an error; files that are read at each
sample stay open, which halves what a sample costs. The parsing functions are pure. Not here: what the numbers mean.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

_CHUNK_BYTES = 16_384
_SURELY_WHOLE_BYTES = 2_048  # lists come a page at a time, and no line of one is half a page long
_FILE_MAX_BYTES = 1024 * 1024
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Kernel:
    """The kernel's files below `root`, which is another folder in tests. `close` lets the open ones go."""

    def __init__(self, root: str = "") -> None:
        self.root = root.rstrip("/")
        self._open: dict[str, int] = {}

    def read(self, path: str) -> bytes | None:
        """A file that is read again and again."""
        descriptor = self._open.get(path)
        try:
            if descriptor is None:
                descriptor = self._open[path] = os.open(self.root + path, os.O_RDONLY | os.O_CLOEXEC)
            return _whole(descriptor)
        except OSError:
            if path in self._open:
                os.close(self._open.pop(path))
            return None

    def once(self, path: str) -> bytes | None:
        """A file that is read now, and perhaps not again."""
        try:
            descriptor = os.open(self.root + path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return _whole(descriptor)
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def names(self, path: str) -> list[str]:
        """What is in a folder; nothing where there is none."""
        try:
            return os.listdir(self.root + path)
        except OSError:
            return []

    def number(self, path: str) -> int | None:
        """A file that holds one number; None too when it says `max`."""
        return whole(self.once(path) or b"")

    def text(self, path: str) -> str:
        """A short file as text without its line's end; empty where there is none."""
        return (self.once(path) or b"").decode("utf-8", "replace").replace("\0", "").strip()

    def close(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()


def _whole(descriptor: int) -> bytes:
    """From its beginning to its end: the kernel hands long lists out by the page."""
    data = os.pread(descriptor, _CHUNK_BYTES, 0)
    if len(data) < _SURELY_WHOLE_BYTES:
        return data
    while more := os.pread(descriptor, _CHUNK_BYTES, len(data)):
        data += more
        if len(data) > _FILE_MAX_BYTES:
            break
    return data


class Process(NamedTuple):
    """One line of /proc/PID/stat. Times are in ticks of the kernel, since its start; `resident` is in pages."""

    name: str
    state: str
    parent: int
    kernel: bool
    ticks: int
    threads: int
    started: int
    resident: int


_KERNEL_THREAD = 0x00200000


def process(kernel: Kernel, pid: str) -> Process | None:
    """None when it has ended."""
    try:
        descriptor = os.open(f"{kernel.root}/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            line = os.read(descriptor, 2048)
        finally:
            os.close(descriptor)
    except OSError:
        return None
    return process_line(line)


def process_line(line: bytes) -> Process | None:
    """None for what is not such a line. A name may hold blanks and parentheses."""
    begin, end = line.find(b"("), line.rfind(b")")
    part = line[end + 2 :].split(None, 22)
    if begin < 0 or end < begin or len(part) < 22:
        return None
    try:
        return Process(
            line[begin + 1 : end].decode("utf-8", "replace"),
            part[0].decode("ascii", "replace"),
            int(part[1]),
            bool(int(part[6]) & _KERNEL_THREAD),
            int(part[11]) + int(part[12]),
            int(part[17]),
            int(part[19]),
            int(part[21]),
        )
    except ValueError:
        return None


def command_line(kernel: Kernel, pid: str) -> str:
    """The program and its arguments with blanks between them; empty for kernel threads and what has ended."""
    return (kernel.once(f"/proc/{pid}/cmdline") or b"").replace(b"\0", b" ").decode("utf-8", "replace").strip()


def whole(text: bytes) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def after(data: bytes, word: bytes) -> int | None:
    """The whole number after the first `word`."""
    at = data.find(word)
    if at < 0:
        return None
    at += len(word)
    part = data[at : at + 40].split(None, 1)
    return whole(part[0]) if part else None


def processor_ticks(stat: bytes) -> tuple[int, ...]:
    """The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice."""
    found = [int(part) for part in stat[: stat.find(b"\n")].split()[1:11]]
    return tuple(found + [0] * (10 - len(found)))


def rows(table: bytes, *, skip: int = 0) -> Iterator[list[bytes]]:
    """The rows of a table as lists of its cells."""
    for line in table.split(b"\n")[skip:]:
        if cells := line.split():
            yield cells


def named(table: bytes, group: bytes, *names: bytes) -> list[int | None]:
    """/proc/net/snmp and netstat, where a line of names stands above one of numbers, both beginning with `group`."""
    first = table.find(group)
    lines = table[first:].split(b"\n", 2) if first >= 0 else []
    if len(lines) < 2 or not lines[1].startswith(group):
        return [None] * len(names)
    heads, cells = lines[0].split(), lines[1].split()
    places = [heads.index(name) if name in heads else len(cells) for name in names]
    return [whole(cells[place]) if place < len(cells) else None for place in places]


def unescaped(path: bytes) -> str:
    r"""A path of /proc/mounts, where blanks are written as \040."""
    if b"\\" not in path:
        return os.fsdecode(path)
    parts = path.split(b"\\")
    out = [parts[0]]
    for part in parts[1:]:
        code = part[:3]
        octal = len(code) == 3 and all(48 <= digit <= 55 for digit in code)
        out.append(bytes([int(code, 8) & 255]) + part[3:] if octal else b"\\" + part)
    return os.fsdecode(b"".join(out))
