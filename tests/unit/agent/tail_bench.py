"""What the tests of the tail share: a log folder, a store that can be killed, a clock that is an argument."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from sitewarden_agent.config import Log
from sitewarden_agent.errors import Transient
from sitewarden_agent.model import Change, FileMark, Gap, LogEvent, Observation, RecordPart
from sitewarden_agent.observe.tail import Tail


class Killed(BaseException):
    """The process is gone: nothing after this line ran."""


class HandClock:
    """Time moves when a test says so; the wall clock starts at today, because files carry real times."""

    def __init__(self) -> None:
        self.passed_ns = 10**15
        self._asked = 0

    def wall_ns(self) -> int:
        self._asked += 1  # two births never share a nanosecond
        return time.time_ns() + self.passed_ns - 10**15 + self._asked

    def monotonic_ns(self) -> int:
        return self.passed_ns

    def boot_id(self) -> str:
        return "b" * 32

    async def sleep(self, seconds: float) -> None:
        self.pass_s(seconds)

    def pass_s(self, seconds: float) -> None:
        self.passed_ns += int(seconds * 1e9)


class MemoryStore:
    """What the spool promises to the tail: both or neither, and what was stored survives a kill."""

    def __init__(self) -> None:
        self.observations: list[Observation] = []
        self.kept: dict[tuple[str, str], FileMark] = {}
        self.steps = 0
        self.kill_at: int | None = None
        self.full = False

    def append(self, observations: Sequence[Observation], *, marks: Sequence[FileMark] = ()) -> None:
        if self.full:
            raise Transient("full")
        self._step()
        self.observations += observations
        for mark in marks:
            self.kept[mark.source, mark.file_id] = mark
        self._step()

    def marks(self, source: str | None = None) -> tuple[FileMark, ...]:
        return tuple(mark for mark in self.kept.values() if source in (None, mark.source))

    def forget_mark(self, source: str, file_id: str) -> None:
        self._step()
        self.kept.pop((source, file_id), None)
        self._step()

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self.kill_at:
            raise Killed


class Site:
    """A folder of logs and an agent that follows it, restarted at will."""

    def __init__(
        self,
        folder: Path,
        *patterns: str,
        start: str = "start",
        min_severity: str = "debug",
        encoding: str = "auto",
        storm_per_minute: int = 0,
        keep: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.store = MemoryStore()
        self.clock = HandClock()
        self.log = Log(
            name="app",
            paths=tuple(str(folder / pattern) for pattern in patterns or ("app.log",)),
            start=start,  # type: ignore[arg-type]
            min_severity=min_severity,  # type: ignore[arg-type]
            zone="UTC",
            encoding=encoding,  # type: ignore[arg-type]
            keep=keep,
            storm_per_minute=storm_per_minute,
        )
        self.tail: Tail | None = None
        self.redact = lambda text: text

    @property
    def path(self) -> Path:
        return self.folder / "app.log"

    def write(self, text: str | bytes, name: str = "app.log") -> None:
        with (self.folder / name).open("ab") as file:
            file.write(text.encode() if isinstance(text, str) else text)

    def start(self) -> None:
        self.tail = Tail([self.log], self.store, clock=self.clock, redact=self.redact)
        self.tail.restore()

    def look(self, *, turns: int = 1) -> None:
        """Let the agent look, a second later each time."""
        if self.tail is None:
            self.start()
        assert self.tail is not None
        for _ in range(turns):
            while self.tail.turn() == 0:
                pass
            self.clock.pass_s(1.1)

    def at_once(self) -> float:
        """One turn, no time passes."""
        assert self.tail is not None
        return self.tail.turn()

    def settle(self) -> None:
        """Until everything is read and every record closed."""
        self.look(turns=6)

    def stop(self) -> None:
        assert self.tail is not None
        self.tail.close()
        self.tail = None

    def kill(self) -> None:
        """As SIGKILL does: descriptors close, nothing is saved."""
        assert self.tail is not None
        for follower in self.tail._followers:
            follower.close()
        self.tail = None

    def events(self) -> list[LogEvent]:
        return [seen.what for seen in self.store.observations if isinstance(seen.what, LogEvent)]

    def gaps(self) -> list[Gap]:
        return [seen.what for seen in self.store.observations if isinstance(seen.what, Gap)]

    def softly_told(self) -> list[Change]:
        """Files that were gone, though all that had been seen of them was read."""
        return [seen.what for seen in self.store.observations if isinstance(seen.what, Change)]

    def parts(self) -> list[tuple[str, str]]:
        return [(event.part.value, event.message) for event in self.events()]

    def records(self) -> list[str]:
        """What headquarters has in the end: one record a name, a FULL in the place of its HEAD. Fails on repeats."""
        kept: dict[tuple[str, int], str] = {}
        for event in self.events():
            name = (event.file_id, event.offset)
            assert name not in kept or event.part is RecordPart.FULL, f"sent twice: {event}"
            kept[name] = event.message
        return list(kept.values())
