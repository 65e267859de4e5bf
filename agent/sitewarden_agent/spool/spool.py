"""`Spool`: the one class of the package. Each method that writes is one transaction with one commit.

Life: `open`, any of the methods from any thread, `close`. Observe and link each open their own. After an exception the
spool is as it was before the call. See the package's docstring for what is promised.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sitewarden_agent.clock import Clock
from sitewarden_agent.errors import SpoolDamaged
from sitewarden_agent.model import (
    Change,
    FileMark,
    Gap,
    GapReason,
    Observation,
)
from sitewarden_agent.spool import batches, desk, file, outbox, room, rows, tally
from sitewarden_agent.spool.actions import ActionsHere
from sitewarden_agent.spool.bell import Bell
from sitewarden_agent.spool.books import Books
from sitewarden_agent.spool.file import QUEUES, Commit
from sitewarden_agent.spool.words import (
    DiskUsage,
    Resume,
    Sealed,
    SpoolFull,
    SpoolLimits,
    SpoolState,
    WatchLevel,
)

OBSERVATION_MAX_BYTES = 1024 * 1024


class Spool(ActionsHere):
    """Everything that waits for headquarters. Make one with `open`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        *,
        limits: SpoolLimits,
        clock: Clock,
        commit: Commit,
        disk_usage: DiskUsage,
    ) -> None:
        self._connection = connection
        self._path = path
        self._clock = clock
        self._commit = commit
        self._lock = threading.RLock()
        self._inode = path.stat().st_ino
        self._books = Books(connection, path, limits=limits, clock=clock, disk_usage=disk_usage)
        self.bell = Bell(path)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        clock: Clock,
        limits: SpoolLimits | None = None,
        commit: Commit = file.commit,
        disk_usage: DiskUsage = shutil.disk_usage,
    ) -> Spool:
        """Open the spool at `path`, making it when there is none and setting a damaged one aside.

        Raises SpoolDamaged when the folder cannot be written or a newer agent made the file.
        """
        connection, aside = file.open_file(path, commit=commit)
        spool = cls(
            connection,
            path,
            limits=limits or SpoolLimits(),
            clock=clock,
            commit=commit,
            disk_usage=disk_usage,
        )
        if aside is not None:
            with spool._writing("spool_lost"):
                detail = f"the spool was damaged, set aside as {aside.name} and begun anew"
                spool._books.gap(Gap(GapReason.SPOOL_LOST, detail=detail))
        return spool

    def close(self) -> None:
        with self._lock:
            self.bell.close()
            self._connection.close()

    # What observe writes.

    def append(self, observations: Sequence[Observation], *, marks: Sequence[FileMark] = ()) -> None:
        """Store observations and the places to resume reading at, together or not at all.

        Raises SpoolFull when log events, changes or outcomes don't fit: nothing was stored, keep the position, try
        again later. Samples and probe results never raise it: without room they are given up, and a gap says so.
        """
        wanted = self._rows(observations)
        try:
            with self._writing("append"):
                self._books.write_remembered()
                self._books.tidy()
                kept, shed = room.make_room(self._connection, wanted, capacity=self._books.capacity())
                for kind, taken in shed.taken.items():
                    self._books.shed(kind, taken)
                rows.insert(self._connection, kept, spool_ns=self._books.now().spool_ns)
                tally.appended(self._connection, (each.queue for each in kept), observations, day=self._books.day())
                desk.set_marks(self._connection, marks)
                self._books.tell_level()
        except SpoolFull:
            if marks or any(each.queue not in room.GIVEN_UP for each in wanted):
                raise
            self._books.remember(wanted)
            return
        self._books.forget_remembered()
        self.bell.ring()

    def marks(self, source: str | None = None) -> tuple[FileMark, ...]:
        with self._reading() as tx:
            return desk.marks(tx, source)

    def forget_mark(self, source: str, file_id: str) -> None:
        """The file is gone and read to its end."""
        with self._writing("forget_mark") as tx:
            desk.forget_mark(tx, source, file_id)

    def watch_levels(self) -> tuple[WatchLevel, ...]:
        with self._reading() as tx:
            return desk.watch_levels(tx)

    def set_watch_levels(self, levels: Iterable[WatchLevel]) -> None:
        with self._writing("set_watch_levels") as tx:
            desk.set_watch_levels(tx, levels)

    def note(self, key: str, value: dict[str, Any]) -> None:
        """Leave a note for status, replacing the last one of `key`. `at_ns` is added."""
        with self._writing("note") as tx:
            desk.set_note(tx, key, {**value, "at_ns": self._clock.wall_ns()})

    def noted(self, key: str) -> dict[str, Any]:
        """One note; empty when nobody left it."""
        with self._reading() as tx:
            return desk.noted(tx, key)

    def notes(self) -> dict[str, dict[str, Any]]:
        with self._reading() as tx:
            return desk.notes(tx)

    # What link takes.

    @property
    def epoch(self) -> str:
        """32 hex characters; another spool, or a restored one, has another."""
        with self._reading() as tx:
            return str(rows.get(tx, "epoch"))

    def seal(self, max_bytes: int, max_observations: int) -> Sealed | None:
        """Number the next batch durably; None when nothing waits. Urgent rows go first (see batches.seal)."""
        while self.waiting():
            with self._writing("seal") as tx:
                packed = batches.seal(tx, max_bytes=max_bytes, max_observations=max_observations)
            if packed is not None and (readable := self._opened(packed)) is not None:
                return readable
        return None

    def after(self, seq: int) -> Sealed | None:
        """The sealed batch that follows `seq`; None when that was the last one."""
        while True:
            with self._reading() as tx:
                packed = batches.after(tx, seq)
            if packed is None:
                return None
            if (readable := self._opened(packed)) is not None:
                return readable
            seq = packed.seq

    def sealed(self, seq: int) -> Sealed | None:
        """The batch of this number, if it is kept."""
        found = self.after(seq - 1)
        return found if found is not None and found.seq == seq else None

    def unacked(self) -> tuple[int, ...]:
        """The numbers of the batches that headquarters has not acknowledged."""
        with self._reading() as tx:
            return batches.unacked(tx)

    def waiting(self) -> bool:
        """Whether anything waits to be sealed."""
        with self._reading() as tx:
            union = " UNION ALL ".join(f"SELECT * FROM (SELECT 1 FROM {queue} LIMIT 1)" for queue in QUEUES)  # noqa: S608
            return tx.execute(f"{union} LIMIT 1").fetchone() is not None

    def changed(self) -> int:
        """A number that differs after the other process wrote. Cheap: no disk is touched."""
        with self._reading() as tx:
            return int(tx.execute("PRAGMA data_version").fetchone()[0])

    def acknowledge(self, through_seq: int) -> None:
        """Headquarters has committed all up to and with this batch."""
        with self._writing("acknowledge") as tx:
            batches.acknowledge(tx, through_seq, spool_ns=self._books.now().spool_ns, day=self._books.day())
            rows.put(tx, "acked_wall_ns", self._clock.wall_ns())
            self._books.tidy()
            self._books.tell_level()

    def seek(self, last_stored_seq: int) -> Resume:
        """Headquarters said at hello what it stored last: find what to send next.

        Normally that is what follows. When headquarters lost batches (restored from a backup), the kept tail is sent
        again and a gap names what is not kept any more. When it knows later batches than this spool ever sealed, this
        spool is a copy or was restored: it begins a new epoch, and hello has to be said again.
        """
        with self._writing("seek") as tx:
            if last_stored_seq > int(rows.get(tx, "last_sealed_seq", 0)):
                old = str(rows.get(tx, "epoch"))
                new = batches.begin_epoch(tx)
                self._books.insert(Change("spool", subject="copied or restored", before=old, after=new))
                return Resume(0, new_epoch=True)
            if last_stored_seq >= int(rows.get(tx, "acked_seq", 0)):
                batches.acknowledge(tx, last_stored_seq, spool_ns=self._books.now().spool_ns, day=self._books.day())
                return Resume(last_stored_seq)
            back = batches.go_back(tx, last_stored_seq)
            if back.lost is not None:
                detail = "headquarters was restored to a state older than what this site keeps"
                self._books.gap(Gap(GapReason.RESTORED, first_seq=back.lost[0], last_seq=back.lost[1], detail=detail))
            return Resume(last_stored_seq, resent=back.resent, lost=back.lost)

    def claim(self, agent_id: str, *, vendor: str) -> bool:
        """Say whose this spool is now; `vendor` names the root that this host trusts. True when it changed hands.

        After a new enrolment what was not acknowledged goes to headquarters under the new agent, in a new epoch. What
        was meant for another vendor is not sent at all, and a gap says that.
        """
        with self._reading() as tx:
            if (rows.get(tx, "agent_id"), rows.get(tx, "vendor")) == (agent_id, vendor):
                return False
        with self._writing("claim") as tx:
            before, vendor_before = rows.get(tx, "agent_id"), rows.get(tx, "vendor")
            rows.put(tx, "agent_id", agent_id)
            rows.put(tx, "vendor", vendor)
            if before is None:
                return False
            if before != agent_id:
                batches.change_hands(tx)
            if vendor_before != vendor:
                self._books.drop_all("it was meant for another vendor")
            return True

    def park(self, seq: int, reason: str) -> bool:
        """Headquarters will never take this batch: move it aside and write a gap. False when it is not there."""
        with self._writing("park"):
            return self._books.park(seq, reason)

    def split(self, seq: int) -> bool:
        """A batch was too large: number its halves anew. False when it can't be split: park it then."""
        with self._writing("split") as tx:
            return batches.split(tx, seq)

    # For status.

    def tallies(self) -> tuple[tally.Tally, ...]:
        """What came, went and was given up, today and in all."""
        with self._reading() as tx:
            return tally.tallies(tx, day=self._books.day())

    def outbox(self, most: int, *, cursor: str = "") -> list[outbox.Record]:
        """What waits and what went, newest first, from the cursor on. Raises ValueError for what is no cursor."""
        with self._reading() as tx:
            return list(itertools.islice(outbox.records(tx, cursor), most))

    def state(self) -> SpoolState:
        with self._glance() as tx:
            sealed = batches.held(tx)
            oldest = (sealed.oldest_ns, *(rows.oldest_wall_ns(tx, queue) for queue in QUEUES))
            return SpoolState(
                epoch=str(rows.get(tx, "epoch")),
                bytes=self._books.used(),
                bytes_max=self._books.capacity(),
                held=sealed.observations + sum(rows.count(tx, queue) for queue in QUEUES),
                unacked=sealed.batches,
                shed=int(rows.get(tx, "shed", 0)),
                parked=int(rows.get(tx, "parked", 0)),
                oldest_ns=min((ns for ns in oldest if ns is not None), default=0),
                last_sealed_seq=int(rows.get(tx, "last_sealed_seq", 0)),
                acked_seq=int(rows.get(tx, "acked_seq", 0)),
                oldest_kept_seq=sealed.oldest_kept_seq,
                level=str(rows.get(tx, "level", "ok")),
                acked_ns=int(rows.get(tx, "acked_wall_ns", 0)),
            )

    # Inside a transaction.

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise file.explained(error, self._path) from error

    @contextlib.contextmanager
    def _glance(self) -> Iterator[sqlite3.Connection]:
        """Many questions about one moment: the file is locked once for all, which costs more than most answers."""
        with self._reading() as tx:
            tx.execute("BEGIN")
            try:
                yield tx
            finally:
                tx.execute("COMMIT")

    @contextlib.contextmanager
    def _writing(self, step: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._connection.in_transaction:
                raise AssertionError("a transaction inside a transaction")
            self._same_file()
            try:
                with file.transaction(self._connection, step, path=self._path, commit=self._commit):
                    yield self._connection
            except SpoolFull:
                # The journal may hold what the disk lacks: fold it into the file, so that the next try finds room.
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
                raise
            if self._books.give_back:
                self._books.give_back = False
                with contextlib.suppress(sqlite3.Error):  # the next minute tries again
                    room.give_back(self._connection)

    def _same_file(self) -> None:
        """The other process may have set the file aside: then this one must open the new one."""
        try:
            same = self._path.stat().st_ino == self._inode
        except OSError:
            same = False
        if not same:
            raise SpoolDamaged(f"The spool {self._path} was replaced while it was open. The agent opens the new one.")

    def _rows(self, observations: Sequence[Observation]) -> list[rows.Row]:
        wanted = []
        for observation in observations:
            row = rows.row(observation)
            if len(row.body) > OBSERVATION_MAX_BYTES:
                gap = Gap(
                    GapReason.SHED,
                    kind=row.queue,
                    count=1,
                    from_ns=observation.wall_ns,
                    to_ns=observation.wall_ns,
                    detail=f"a single observation of {len(row.body)} bytes, more than {OBSERVATION_MAX_BYTES}",
                )
                row = rows.row(msgspec.structs.replace(observation, what=gap))
            wanted.append(row)
        return wanted

    def _opened(self, packed: batches.Packed) -> Sealed | None:
        """None for a batch with something of a newer agent in it (after a downgrade): it is parked."""
        try:
            return packed.opened()
        except msgspec.DecodeError as error:
            self.park(packed.seq, f"cannot be read by this version of the agent: {error}")
            return None
