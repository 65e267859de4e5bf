"""What was seen and how far was read, until both go into the spool in one transaction.

Promises: nothing gathered is lost while the spool has no room, and `full` says so, so that nobody gathers more. Marks
alone wait for the next observations, at most MARK_EVERY_NS: to read again what gave nothing does no harm. What is only
counted (`storms`) is kept in the mark of its file until its count goes up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from sitewarden_agent.clock import Clock
from sitewarden_agent.errors import Transient
from sitewarden_agent.model import FileMark, LogEvent, Observation, What
from sitewarden_agent.observe.storms import Counted, Held

MARK_EVERY_NS = 1_000_000_000


class Store(Protocol):
    """What the tail needs of the spool."""

    def append(self, observations: Sequence[Observation], *, marks: Sequence[FileMark] = ()) -> None:
        """Store both or neither. Raises Transient when there is no room now."""

    def marks(self, source: str | None = None) -> tuple[FileMark, ...]:
        """The marks of a log."""

    def forget_mark(self, source: str, file_id: str) -> None:
        """That file will not be read again."""


class Gathered:
    """Life: `begin` and `recall`, then `observe`, `mark`, `forget` in any order, then `save`; for ever."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._observations: list[Observation] = []
        self._marks: dict[tuple[str, str], FileMark] = {}
        self._last: dict[tuple[str, str], FileMark] = {}
        """The last mark of each file, saved or not: its count may go up while nothing new is read of it."""
        self._held = Held()
        self._forget: list[tuple[str, str]] = []
        self._saved_ns = 0
        self.bytes = 0
        """Bytes of log files that became records since the last save."""
        self.full = False
        """Whether the last save found no room."""
        self.saved = 0
        """Observations saved since the start."""
        self.counted = 0
        """Records that were only counted since the start."""

    def begin(self) -> None:
        """Reading goes on at the saved marks: what was read after them and not saved is read again."""
        self._observations = [seen for seen in self._observations if not isinstance(seen.what, LogEvent)]
        self._marks, self._last, self._forget = {}, {}, []
        self._held.clear()

    def recall(self, marks: Sequence[FileMark]) -> None:
        """The marks of the last run: what it had counted and not told yet goes up now."""
        for mark in marks:
            self._last[mark.source, mark.file_id] = mark
            if mark.counted:
                self.mark(mark)
                for event in mark.counted:
                    self.observe(event)

    def observe(self, what: What) -> None:
        if isinstance(what, Counted):
            self.counted += 1
            self._held.add(what, self._clock.monotonic_ns())
            return
        seen = Observation(what, self._clock.wall_ns(), self._clock.boot_id(), self._clock.monotonic_ns())
        self._observations.append(seen)

    def mark(self, mark: FileMark) -> None:
        self._marks[mark.source, mark.file_id] = self._last[mark.source, mark.file_id] = mark

    def forget(self, source: str, file_id: str) -> None:
        """Once everything gathered so far is saved."""
        self._forget.append((source, file_id))

    @property
    def waits(self) -> bool:
        """Whether anything is in hand that the next save stores."""
        return bool(self._observations or self._marks)

    @property
    def due_ns(self) -> int | None:
        """When the next count goes up (monotonic), if there is one."""
        return self._held.due_ns

    def save(self, *, at_once: bool = False) -> bool:
        """Save what there is, or nothing yet when there are only fresh marks. False when the spool has no room."""
        now_ns = self._clock.monotonic_ns()
        for event in self._held.due(now_ns, ending=self._forget):
            self.observe(event)
            file = (event.source, event.file_id)
            self._marks.setdefault(file, self._last[file])
        waiting = not self._observations and not self._forget and now_ns - self._saved_ns < MARK_EVERY_NS
        if waiting and not self.full and not at_once:
            self.bytes = 0
            return True
        try:
            if self._observations or self._marks:
                self._store.append(self._observations, marks=[self._with_counts(each) for each in self._marks.values()])
                self.saved += len(self._observations)
                self._observations, self._marks = [], {}
            while self._forget:
                self._store.forget_mark(*self._forget[-1])
                self._last.pop(self._forget.pop(), None)
        except Transient:
            self.full = True
            return False
        self.full = False
        self.bytes = 0
        self._saved_ns = now_ns
        return True

    def _with_counts(self, mark: FileMark) -> FileMark:
        held = self._held.of(mark.source, mark.file_id)
        return mark if held == mark.counted else msgspec.structs.replace(mark, counted=held)
