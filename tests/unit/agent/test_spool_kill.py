"""Killed at any commit, just before or just after it became durable: nothing lost, nothing twice, nothing out of order.

A course of work is run with a commit that dies at its n-th call, for every n; then the spool is opened again and the
same work is taken up as the agent takes it up: reading resumes at the mark, sending where headquarters says.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sitewarden_agent.clock import SystemClock
from sitewarden_agent.model import (
    FileMark,
    Gap,
    GapReason,
    LogEvent,
    Observation,
    Outcome,
    OutcomeState,
    RecordPart,
    SiteNotice,
    What,
)
from sitewarden_agent.spool import Spool, SpoolLimits

LINES = 8
ACTION = "0" * 31 + "7"
SHOWN = Outcome(ACTION, OutcomeState.DONE, "shown")


class Killed(BaseException):
    """The process is gone. No handler of the product may catch it."""


@dataclass
class Reaper:
    """A commit that dies at its n-th call; `after` says on which side of durability."""

    at: int
    after: bool
    calls: int = 0

    def __call__(self, connection: sqlite3.Connection, step: str) -> None:
        self.calls += 1
        if self.calls == self.at and not self.after:
            raise Killed(step)
        connection.execute("COMMIT")
        if self.calls == self.at:
            raise Killed(step)


@dataclass
class Headquarters:
    """Stores batches exactly once by (epoch, seq); refuses one for good; is restored from a backup once."""

    stored: dict[str, dict[int, tuple[What, ...]]] = field(default_factory=dict)
    refused: set[tuple[str, int]] = field(default_factory=set)
    restored: bool = False

    def last(self, epoch: str) -> int:
        passed = {seq for name, seq in self.refused if name == epoch}
        return max({*self.stored.get(epoch, {}), *passed}, default=0)

    def whats(self) -> list[What]:
        return [what for epoch in self.stored.values() for seq in sorted(epoch) for what in epoch[seq]]


def log(number: int) -> LogEvent:
    return LogEvent("app", "app.log", "1:2", number, RecordPart.WHOLE, 4, "", f"line {number}", "", "f1:0")


def observe(spool: Spool) -> None:
    """Read the log file from the mark on, two lines a turn."""
    clock = SystemClock()
    while (position := next((mark.offset for mark in spool.marks("app")), 0)) < LINES:
        seen = [Observation(log(each), 1, clock.boot_id(), each) for each in (position, position + 1)]
        spool.append(seen, marks=[FileMark("app", "app.log", "1:2", position + 2)])


def link(spool: Spool, headquarters: Headquarters, *, refuse: int | None) -> None:
    """Send all that there is, as link does; `refuse` is the number of a batch that headquarters never takes."""
    epoch = spool.epoch
    place = spool.seek(headquarters.last(epoch)).after_seq
    spool.add_notice(SiteNotice(ACTION, "Patch", "", "patch", "1.2", 1, 2), outcome=SHOWN)
    while (batch := spool.after(place) or spool.seal(200, 3)) is not None:
        place = batch.seq
        if batch.seq == refuse:
            headquarters.refused.add((epoch, batch.seq))
            spool.park(batch.seq, "MALFORMED")
            continue
        known = headquarters.stored.setdefault(epoch, {})
        content = tuple(observation.what for observation in batch.observations)
        assert known.setdefault(batch.seq, content) == content, "a sealed batch changed"
        spool.acknowledge(batch.seq)


def work(open_spool: Callable[[], Spool], headquarters: Headquarters, refuse: int | None) -> Iterator[Spool]:
    spool = open_spool()
    yield spool
    observe(spool)
    link(spool, headquarters, refuse=refuse)
    if not headquarters.restored:
        # Headquarters loses its last batches, and goes on from a backup.
        headquarters.restored = True
        for batches in headquarters.stored.values():
            for seq in [seq for seq in batches if seq > 2]:
                del batches[seq]
        headquarters.refused.clear()
    link(spool, headquarters, refuse=refuse)


def run_killed(path: Path, *, at: int, after: bool, refuse: int | None) -> tuple[Headquarters, bool]:
    """The course, killed once at the given commit, and then taken up again to its end. Also: whether it was killed."""
    reaper, headquarters, killed = Reaper(at, after), Headquarters(), False
    limits = SpoolLimits(parked_max=5)
    spools: list[Spool] = []
    try:
        for spool in work(
            lambda: Spool.open(path, clock=SystemClock(), commit=reaper, limits=limits), headquarters, refuse
        ):
            spools.append(spool)
    except Killed:
        killed = True
    for spool in spools:
        spool.close()
    for spool in work(lambda: Spool.open(path, clock=SystemClock(), limits=limits), headquarters, refuse):
        spools.append(spool)
    assert spools[-1].unacked() == ()
    assert [notice.subject for notice in spools[-1].notices()] == ["Patch"]
    spools[-1].close()
    return headquarters, killed


@pytest.mark.parametrize("after", [False, True], ids=["before it is durable", "after it is durable"])
@pytest.mark.parametrize("refuse", [None, 2], ids=["all taken", "one refused"])
def test_killed_at_every_commit(tmp_path: Path, after: bool, refuse: int | None) -> None:
    kills = 0
    while True:
        kills += 1
        headquarters, killed = run_killed(tmp_path / f"{kills}" / "spool.db", at=kills, after=after, refuse=refuse)
        whats = headquarters.whats()
        lines = [what for what in whats if isinstance(what, LogEvent)]
        gaps = [what for what in whats if isinstance(what, Gap)]
        missing = [log(number) for number in range(LINES) if log(number) not in lines]
        assert len(lines) == len({what.offset for what in lines}), f"kill {kills}: a line came twice"
        assert lines == sorted(lines, key=lambda what: what.offset), f"kill {kills}: out of order"
        assert SHOWN in whats, f"kill {kills}: an outcome was lost"
        assert all(gap.reason is GapReason.REFUSED for gap in gaps)
        if refuse is None:
            assert (missing, gaps) == ([], []), f"kill {kills}: lost in silence"
        else:
            assert gaps, f"kill {kills}: refused in silence"
            assert len(missing) <= sum(gap.count for gap in gaps)
        if not killed:
            break
    assert kills > 20  # every commit of the course had its turn
