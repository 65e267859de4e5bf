"""The patterns of one log, and where in a block something of it may matter.

Promises: `ends` misses no record that the log's `min_severity` or its `keep` patterns want, whatever engine runs;
`keeps` says of one record whether a `keep` pattern finds it. Scanners of logs with the same settings are shared, and
compile at the first use. From any thread. Not here: what a `keep` pattern may be (`config`), the engines (`engine`).
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

from sitewarden_agent.config.keeping import prepared
from sitewarden_agent.observe.scanning import engine
from sitewarden_agent.observe.scanning.engine import Crowded, Engine
from sitewarden_alerting.reading import header, prefilter
from sitewarden_alerting.reading.prefilter import Patterns
from sitewarden_alerting.reading.severity import Severity

_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


class Scanner:
    """Life: made, then `ends` and `keeps` any number of times."""

    def __init__(self, least: Severity, keep: Sequence[str] = (), *, engine_name: str | None = None) -> None:
        self._needed = prefilter.needed(least)
        self._kept = tuple(prepared(pattern) for pattern in keep)
        foreign = tuple(prepared(pattern, encoding="gb18030") for pattern in keep if not pattern.isascii())
        self._kept_in_blocks = self._kept + foreign
        self._engine_name = engine_name
        self._lock = threading.Lock()
        self._compiled: dict[str, Engine] = {}

    @property
    def searches(self) -> bool:
        """Whether searching blocks gains anything: not when every record is wanted."""
        return self._needed is not None

    @property
    def has_keep(self) -> bool:
        return bool(self._kept)

    def ends(self, block: bytes | memoryview) -> list[int]:
        """Where in the block matches end, in order; the line of each is to be read. Every line's, when too many are."""
        assert self._needed is not None
        try:
            with self._lock:
                coloured = self._engine("colours", (rb"\x1b\[",)).found(block)
            return self._matches(block, self._needed) if not coloured else self._below_colours(block, self._needed)
        except Crowded:
            return [found.end() for found in _LINE.finditer(block)]

    def _below_colours(self, block: bytes | memoryview, needed: Patterns) -> list[int]:
        """What is found when what a terminal is told is taken out, line by line at the same places."""
        plain = prefilter.COLOURS.sub(b"", block)
        line_ends = [found.end() for found in _LINE.finditer(block)]
        plain_ends = [found.end() for found in _LINE.finditer(plain)]
        return [line_ends[bisect_left(plain_ends, end)] for end in self._matches(plain, needed)]

    def _matches(self, block: bytes | memoryview, needed: Patterns) -> list[int]:
        with self._lock:
            ends = self._engine("always", (*needed.always, *self._kept_in_blocks)).ends(block)
            if self._engine("signs", needed.signs).found(block):
                ends = sorted(ends + self._engine("signed", needed.signed).ends(block))
        return ends

    def keeps(self, text: str) -> bool:
        """Whether a `keep` pattern finds something in a line of a record."""
        if not self._kept:
            return False
        with self._lock:
            found = self._engine("keep", self._kept).found
            plain = header.COLOURS.sub("", text) if "\x1b" in text else text
            return any(found(line) for line in plain.encode("utf-8", "replace").split(b"\n"))

    def _engine(self, part: str, patterns: Sequence[bytes]) -> Engine:
        found = self._compiled.get(part)
        if found is None:
            found = self._compiled[part] = engine.compiled_by_any(patterns, name=self._engine_name)
        return found


@lru_cache(maxsize=64)
def scanner_of(least: Severity, keep: tuple[str, ...]) -> Scanner:
    """The scanner for these settings, shared by the logs that have them."""
    return Scanner(least, keep)
