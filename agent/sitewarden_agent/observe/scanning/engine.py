"""The engines that search blocks for many patterns at once, and which of them this machine can run.

Promises: `choice` never touches Hyperscan unless the CPU has what it needs, because without that it ends the process by
an illegal instruction that nothing can catch; the engines agree on whether a line holds a match, and each says the line
of every match's end, in order. Buffers of any kind are searched in place. Not here: which patterns (`scanner`).
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

ENGINES = ("hyperscan", "re2", "re")
"""The fastest first."""
CPUINFO = Path("/proc/cpuinfo")
_HYPERSCAN_NEEDS = frozenset({"ssse3", "sse4_2", "popcnt"})
_PADDING = tuple(rb"\x00\xff%02d never matches %02d\xff\x00" % (number, number * 7 % 100) for number in range(40))
"""Few patterns go a slow way through Hyperscan; with twenty literals more they go the fast one."""


MATCHES_MAX = 100_000


class Crowded(Exception):
    """More than MATCHES_MAX matches: searching on would cost more than it saves."""


class Engine(Protocol):
    """Patterns of bytes, compiled. One thread at a time."""

    def ends(self, data: bytes | memoryview) -> list[int]:
        """Where matches end, in order: the last byte of each is before it. Raises Crowded."""

    def found(self, data: bytes | memoryview) -> bool:
        """Whether there is a match."""


def choice(cpuinfo: Path = CPUINFO) -> str:
    """The engine for this machine: hyperscan, re2 or re."""
    if importlib.util.find_spec("hyperscan") is not None and _cpu_runs_hyperscan(cpuinfo):
        return "hyperscan"
    return "re2" if importlib.util.find_spec("re2") is not None else "re"


@cache
def chosen() -> str:
    """The engine of this process."""
    return choice()


def compiled(patterns: Sequence[bytes], *, name: str | None = None) -> Engine:
    """The patterns for the engine of this process, or for another. Raises ValueError with the first that it refuses."""
    match name or chosen():
        case "hyperscan":
            return _Hyperscan(patterns)
        case "re2":
            return _Re2(patterns)
    return _Re(patterns)


def compiled_by_any(patterns: Sequence[bytes], *, name: str | None = None) -> Engine:
    """The same by the next engine where one refuses a pattern: what `re` compiled before, `re` compiles again."""
    names = ENGINES[ENGINES.index(name or chosen()) :]
    for each in names[:-1]:
        try:
            return compiled(patterns, name=each)
        except ValueError:
            continue
    return compiled(patterns, name=names[-1])


def _cpu_runs_hyperscan(cpuinfo: Path) -> bool:
    machine = os.uname().machine
    if machine == "aarch64":
        return True
    if machine != "x86_64":
        return False
    try:
        with cpuinfo.open(encoding="utf-8", errors="replace") as lines:
            flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    except OSError:
        return False
    return set(flags) >= _HYPERSCAN_NEEDS


class _Hyperscan:
    def __init__(self, patterns: Sequence[bytes]) -> None:
        import hyperscan  # only where it can run and is needed

        self._terminated = hyperscan.ScanTerminated
        self._database: Any = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        expressions = [*patterns, *_PADDING]
        flags = hyperscan.HS_FLAG_MULTILINE
        try:
            self._database.compile(expressions=expressions, ids=list(range(len(expressions))), flags=flags)
        except hyperscan.HyperscanError as error:
            raise ValueError(str(error)) from error

    def ends(self, data: bytes | memoryview) -> list[int]:
        ends: list[int] = []
        add = ends.append

        def matched(_id: int, _start: int, end: int, _flags: int, _context: Any) -> bool:
            add(end)
            return len(ends) > MATCHES_MAX

        try:
            self._database.scan(data, match_event_handler=matched)
        except self._terminated:
            raise Crowded from None
        ends.sort()
        return ends

    def found(self, data: bytes | memoryview) -> bool:
        try:
            self._database.scan(data, match_event_handler=_stop)
        except self._terminated:
            return True
        return False


def _stop(_id: int, _start: int, _end: int, _flags: int, _context: Any) -> bool:
    return True


class _Alternation:
    """One alternation. Its matches do not overlap: one may hide another that begins in its first line, so that its
    first line counts too.
    """

    _pattern: Any

    def ends(self, data: bytes | memoryview) -> list[int]:
        ends: list[int] = []
        for found in self._pattern.finditer(data):
            start, end = found.span()
            ends += (start + 1, end)
            if len(ends) > 2 * MATCHES_MAX:
                raise Crowded
        ends.sort()
        return ends

    def found(self, data: bytes | memoryview) -> bool:
        return self._pattern.search(data) is not None


class _Re2(_Alternation):
    def __init__(self, patterns: Sequence[bytes]) -> None:
        import re2  # type: ignore[import-untyped]  # only where it is needed

        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.log_errors = False
        options.max_mem = 64 * 1024 * 1024
        try:
            self._pattern = re2.compile(_either(patterns), options=options)
        except re2.error as error:
            raise ValueError(str(error)) from error


class _Re(_Alternation):
    def __init__(self, patterns: Sequence[bytes]) -> None:
        try:
            self._pattern = re.compile(_either(patterns))
        except re.error as error:
            raise ValueError(str(error)) from error


def _either(patterns: Sequence[bytes]) -> bytes:
    return b"(?m)" + b"|".join(b"(?:%s)" % pattern for pattern in patterns)
