"""Any course of events, against a model: each line comes to headquarters once, in order, or a gap accounts for it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sitewarden_agent.clock import SystemClock
from sitewarden_agent.model import FileMark, Gap, LogEvent, Observation, RecordPart, What
from sitewarden_agent.spool import Spool


def log(number: int) -> LogEvent:
    return LogEvent("app", "app.log", "1", number, RecordPart.WHOLE, 4, "", f"line {number}", "", "")


class SpoolCourse(RuleBasedStateMachine):
    """Observe appends, link sends and hears or does not hear, headquarters stores, forgets and refuses, all restart."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "spool.db"
        self.spool = Spool.open(self.path, clock=SystemClock())
        self.written = 0
        self.stored: dict[int, list[What]] = {}
        self.passed: set[int] = set()
        self.seen: dict[int, list[What]] = {}
        self.place: int | None = None

    @rule(count=st.integers(1, 6))
    def append(self, count: int) -> None:
        clock = SystemClock()
        seen = [Observation(log(self.written + each), 1, clock.boot_id(), 1) for each in range(count)]
        self.written += count
        self.spool.append(seen, marks=[FileMark("app", "app.log", "1", self.written)])

    @rule()
    def hello(self) -> None:
        resume = self.spool.seek(self.last())
        assert not resume.new_epoch
        assert resume.lost is None  # the tail is young
        self.place = resume.after_seq

    @rule(heard=st.booleans(), answer=st.sampled_from(["store", "store", "store", "refuse", "split"]))
    def send(self, heard: bool, answer: str) -> None:
        if self.place is None:
            self.hello()
        assert self.place is not None
        batch = self.spool.after(self.place) or self.spool.seal(300, 3)
        if batch is None:
            return
        content = [each.what for each in batch.observations]
        assert self.seen.setdefault(batch.seq, content) == content  # a number never stands for other content
        self.place = batch.seq
        if answer == "store" or not heard:
            self.stored[batch.seq] = content
            if heard:
                self.spool.acknowledge(batch.seq)
            else:
                self.place = None  # the line was cut after the commit and before the answer
            return
        self.passed.add(batch.seq)
        if answer == "refuse" or not self.spool.split(batch.seq):
            self.spool.park(batch.seq, "MALFORMED")

    @rule(back=st.integers(1, 4))
    def headquarters_is_restored(self, back: int) -> None:
        keep = self.last() - back
        self.stored = {seq: content for seq, content in self.stored.items() if seq <= keep}
        self.passed = {seq for seq in self.passed if seq <= keep}
        self.place = None

    @rule()
    def the_agent_restarts(self) -> None:
        self.spool.close()
        self.spool = Spool.open(self.path, clock=SystemClock())
        self.place = None

    @invariant()
    def the_mark_stands_after_what_was_written(self) -> None:
        marks = self.spool.marks("app")
        assert (marks[0].offset if marks else 0) == self.written

    def last(self) -> int:
        return max({*self.stored, *self.passed}, default=0)

    def teardown(self) -> None:
        self.hello()
        assert self.place is not None
        while (batch := self.spool.after(self.place) or self.spool.seal(300, 3)) is not None:
            self.stored[batch.seq] = [each.what for each in batch.observations]
            self.place = batch.seq
            self.spool.acknowledge(batch.seq)
        came = [what for seq in sorted(self.stored) for what in self.stored[seq]]
        offsets = [what.offset for what in came if isinstance(what, LogEvent)]
        lost = sum(what.count for what in came if isinstance(what, Gap))
        assert len(offsets) == len(set(offsets))
        assert len(offsets) + lost >= self.written
        if not lost:
            assert sorted(offsets) == list(range(self.written))
        self.spool.close()
        self.folder.cleanup()


SpoolCourse.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestSpoolCourse = SpoolCourse.TestCase
