"""Feeds an assembler only what matters of a block: the lines of matches and those that their records need.

Promises: of the records that hold a match it gives exactly those that feeding every byte would give, with the same
offsets and texts; of the others it gives some and passes over the rest. Afterwards the assembler stands where it would
stand, unless the record that is open holds no match: then it may be a later part of the same uninteresting lines.
What was open before the block is always finished, so a match may lie over the border of two blocks.

How: a line that begins a record whatever is open is looked for before each match, and everything up to it is skipped.
Where there is none, everything is fed. Not here: the search (`scanner`), what a record says (`records`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sitewarden_alerting.reading.lines import Assembler, Record

_BEFORE_NO_INDENT = re.compile(rb"\n(?![ \t])")


def skim(
    assembler: Assembler, data: bytes | bytearray, size: int, ends: Sequence[int], *, start: int = 0
) -> list[Record]:
    """Feed `data[start:size]`, in which matches end at `ends` (in order, counted from `start`)."""
    return _Skimming(assembler, data, size, start).run(ends)


class _Skimming:
    def __init__(self, assembler: Assembler, data: bytes | bytearray, size: int, start: int) -> None:
        self._assembler = assembler
        self._data = data
        self._base = assembler.next_offset - start  # the file offset of data[0]
        self._fed = start
        self._lines_end = max(start, data.rfind(b"\n", start, size) + 1)
        self._size = size
        self._records: list[Record] = []

    def run(self, ends: Sequence[int]) -> list[Record]:
        assembler, base, find = self._assembler, self._base, self._data.find
        first = self._fed
        while self._fed < self._lines_end and assembler.resume_offset < base + first:
            self._feed_on()
        for end in ends:
            at = first + end - 1  # the last byte of the match
            if at >= self._lines_end:
                break  # in the last line, whose end is not there yet: it is fed below
            if at >= self._fed:
                self._begin_before(at)
                self._feed_to(find(b"\n", at, self._lines_end) + 1)
            while self._fed < self._lines_end and base + at >= assembler.resume_offset:
                self._feed_on()
        if self._fed < self._lines_end:
            self._begin_before(self._lines_end - 1)
        self._feed_to(self._size)
        return self._records

    def _feed_on(self) -> None:
        """Feed a line, and the indented ones after it."""
        found = _BEFORE_NO_INDENT.search(self._data, self._fed, self._lines_end)
        self._feed_to(found.end() if found is not None else self._lines_end)

    def _feed_to(self, stop: int) -> None:
        if stop > self._fed:
            self._records += self._assembler.feed(bytes(memoryview(self._data)[self._fed : stop]))
            self._fed = stop

    def _begin_before(self, at: int) -> None:
        """Skip to the last line, at most that of `at`, which begins a record whatever is open. None: skip nothing."""
        data, fed = self._data, self._fed
        line_end = data.find(b"\n", at, self._lines_end)
        line_start = max(fed, data.rfind(b"\n", fed, at) + 1)
        while line_start > fed:
            before_end, blank = line_start - 1, False
            while True:  # to the last line before that is not blank
                before = max(fed, data.rfind(b"\n", fed, before_end) + 1)
                previous = data[before:before_end]
                if not _is_blank(previous):
                    break
                if before == fed:
                    return
                before_end, blank = before - 1, True
            line = data[line_start:line_end]
            if not _is_blank(line) and self._assembler.begins_record(bytes(line), bytes(previous), blank=blank):
                self._assembler.skip_to(self._base + line_start)
                self._fed = line_start
                return
            line_start, line_end = before, before_end


def _is_blank(line: bytes | bytearray) -> bool:
    line = line.lstrip(b"\0")
    return not line or line.isspace()
