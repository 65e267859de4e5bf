"""What every transaction of the spool keeps straight: its time, its fill level, its gaps, and what has to go for age.

`Books` writes into the transaction that is open on its connection; it opens and commits none of its own. What it keeps
between transactions (its clock's last reading, losses that could not be written yet) is of one process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sitewarden_agent.clock import Clock
from sitewarden_agent.model import Change, Gap, GapReason, Observation, Outcome, What
from sitewarden_agent.spool import batches, desk, room, rows, tally
from sitewarden_agent.spool.age import Tick, advance
from sitewarden_agent.spool.file import QUEUES
from sitewarden_agent.spool.words import NANOSECONDS, DiskUsage, SpoolLimits

TIDY_EVERY_NS = 60 * NANOSECONDS


class Books:
    """One for each open spool."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        *,
        limits: SpoolLimits,
        clock: Clock,
        disk_usage: DiskUsage,
    ) -> None:
        self._connection = connection
        self._path = path
        self._limits = limits
        self._clock = clock
        self._disk_usage = disk_usage
        self._tick: Tick | None = None
        self._tidied_ns: int | None = None
        self._remembered: dict[str, rows.Taken] = {}
        self.give_back = False
        """Free pages may go back to the file system, once no transaction is open."""

    def now(self) -> Tick:
        """The spool's time. Read from the file once, then it advances with the clock."""
        if self._tick is None:
            self._tick = self._stored_tick()
        self._tick = advance(
            self._tick,
            wall_ns=self._clock.wall_ns(),
            monotonic_ns=self._clock.monotonic_ns(),
            boot_id=self._clock.boot_id(),
        )
        return self._tick

    def _stored_tick(self) -> Tick | None:
        stored = rows.get(self._connection, "tick")
        if stored is None:
            return None
        spool_ns, wall_ns, monotonic_ns, boot_id = msgspec.msgpack.decode(stored)
        return Tick(spool_ns, wall_ns, monotonic_ns, boot_id)

    def tidy(self) -> None:
        """Once a minute: give up what is too old, let go of the old tail, give space back."""
        now = self.now()
        if self._tidied_ns is not None and now.spool_ns - self._tidied_ns < TIDY_EVERY_NS:
            return
        self._tidied_ns = now.spool_ns
        tx = self._connection
        stored = self._stored_tick()
        if stored is None or now.spool_ns >= stored.spool_ns:
            rows.put(tx, "tick", msgspec.msgpack.encode((now.spool_ns, now.wall_ns, now.monotonic_ns, now.boot_id)))
        expired_before = now.spool_ns - int(self._limits.max_age_s * NANOSECONDS)
        for queue in QUEUES:
            taken = rows.drop_oldest(tx, queue, before_spool_ns=expired_before)
            if taken is not None:
                self.gap(Gap(GapReason.EXPIRED, queue, taken.count, taken.from_ns, taken.to_ns))
                rows.add(tx, "shed", taken.count)
                tally.add(tx, "shed", {queue: taken.count}, day=self.day())
        tally.tidy(tx, now_ns=now.wall_ns)
        batches.trim_tail(tx, before_spool_ns=now.spool_ns - int(self._limits.acked_keep_s * NANOSECONDS))
        self.give_back = True

    def capacity(self) -> int:
        """How many bytes may be in use now."""
        return room.capacity_bytes(self._connection, self._limits, path=self._path, disk_usage=self._disk_usage)

    def used(self) -> int:
        """How many bytes are, without the acknowledged tail, which may go at once."""
        return max(0, room.used_bytes(self._connection) - int(rows.get(self._connection, "tail_bytes", 0)))

    def tell_level(self) -> None:
        """Headquarters hears when the spool fills up, and when it has room again."""
        before = str(rows.get(self._connection, "level", "ok"))
        after = room.level(self.used(), capacity=self.capacity(), before=before)
        if after != before:
            rows.put(self._connection, "level", after)
            self.insert(Change("shedding", subject="spool", before=before, after=after))

    def day(self) -> str:
        """The site's own day, for the tallies."""
        return tally.day_of(self._clock.wall_ns())

    def insert(self, what: What) -> None:
        """Something that the spool itself has to tell."""
        rows.insert(self._connection, [rows.row(self._seen(what))], spool_ns=self.now().spool_ns)

    def _seen(self, what: What) -> Observation:
        return Observation(what, self._clock.wall_ns(), self._clock.boot_id(), self._clock.monotonic_ns())

    def gap(self, gap: Gap) -> None:
        """Something is missing."""
        rows.write_gap(self._connection, gap, seen=self._seen(gap), spool_ns=self.now().spool_ns)
        tally.add(self._connection, "gap", {gap.reason.value: max(1, gap.count)}, day=self.day())

    def shed(self, kind: str, taken: rows.Taken) -> None:
        """Something was given up for want of room."""
        self.gap(Gap(GapReason.SHED, kind, taken.count, taken.from_ns, taken.to_ns, detail="the spool was full"))
        rows.add(self._connection, "shed", taken.count)
        tally.add(self._connection, "shed", {kind: taken.count}, day=self.day())

    def drop_all(self, detail: str) -> None:
        """Give up everything that was not acknowledged, and say so."""
        tx = self._connection
        count = batches.held(tx).observations + sum(rows.count(tx, queue) for queue in QUEUES)
        batches.begin_epoch(tx)
        for queue in QUEUES:
            tx.execute(f"DELETE FROM {queue}")  # noqa: S608
        if count:
            self.gap(Gap(GapReason.SHED, count=count, detail=detail))
            rows.add(tx, "shed", count)

    def remember(self, wanted: Sequence[rows.Row]) -> None:
        """Not even a gap could be written (the disk is full): the next write that works tells it."""
        shed = room.Shed(self._remembered)
        for each in wanted:
            shed.add(each.queue, rows.Taken(1, each.wall_ns, each.wall_ns))

    def forget_remembered(self) -> None:
        """They are written for good."""
        self._remembered.clear()

    def write_remembered(self) -> None:
        for kind, taken in self._remembered.items():
            self.shed(kind, taken)

    def park(self, seq: int, reason: str) -> bool:
        """Move a batch out of the road and write the gap that it leaves. False when it is not there."""
        count = batches.park(
            self._connection, seq, reason=reason, wall_ns=self._clock.wall_ns(), keep=self._limits.parked_max
        )
        if count is None:
            return False
        tally.add(self._connection, "refused", {"batches": 1, "observations": count}, day=self.day())
        self.gap(Gap(GapReason.REFUSED, count=count, first_seq=seq, last_seq=seq, detail=reason))
        return True

    def settle(self, outcome: Outcome) -> None:
        """Keep the outcome of an action, and report it. Raises SpoolFull: actions come from outside, without end."""
        desk.settle(self._connection, outcome)
        self.report(outcome)

    def report(self, outcome: Outcome) -> None:
        """Report how far an action is. Raises SpoolFull."""
        row = rows.row(self._seen(outcome))
        _, shed = room.make_room(self._connection, [row], capacity=self.capacity())
        for kind, taken in shed.taken.items():
            self.shed(kind, taken)
        rows.insert(self._connection, [row], spool_ns=self.now().spool_ns)
