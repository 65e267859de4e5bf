"""Follows all logs of a site, each file in small turns, and saves what they gave.

Promises: what a turn read and the mark of how far go into one transaction of the spool; while the spool has no room
nothing is read, the files are the buffer; those with least to read go first, so that a busy one starves nobody. Events
of the file system only wake it: a look every second finds what they missed (network file systems, lost events), and one
every thirty seconds where nothing is missed.

`turn` is a plain function of time and returns how long nothing is due. Not here: rotations (`follow`), the bytes of one
file (`logfile`), being woken (`watch`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from sitewarden_agent.clock import Clock
from sitewarden_agent.config import Log
from sitewarden_agent.observe import discovery
from sitewarden_agent.observe.follow import Follower
from sitewarden_agent.observe.gathered import Gathered, Store

NANOSECONDS = 1_000_000_000
POLL_NS = NANOSECONDS
TOLD_POLL_NS = 30 * NANOSECONDS
"""Time between two looks for files: where nobody tells of changes, and where every change is told."""
POLL_SHARE = 20
"""Looking for files takes at most one part in this many of the time."""
SAVE_BYTES = 512 * 1024
"""After so many bytes of records it is saved."""
SEARCHES_IN_A_ROW = 8
"""So many blocks of a backlog that are searched, and give little, are one turn of its file."""
SEARCHING_NS = 20_000_000
"""Unless they took longer."""
BACKLOG_SAVE_NS = 100_000_000
"""What only a backlog gave may wait so long for more: each save waits for the disk."""
FULL_RETRY_S = 0.5


class Tail:
    """Life: made, `restore` once, `turn` any number of times, `close`. From any thread; they wait for each other."""

    def __init__(self, logs: Sequence[Log], store: Store, *, clock: Clock, redact: Callable[[str], str]) -> None:
        self._store = store
        self._clock = clock
        self._gathered = Gathered(store, clock)
        self._followers = [Follower(log, self._gathered, clock=clock, redact=redact) for log in logs]
        self.is_told = False
        """Whether every change in the folders wakes the tail, so that looking seldom will do."""
        self._poll_ns = 0
        self._rest_until_ns = 0
        self._saved_ns = 0
        self._is_caught_up = False
        """Whether the last turn left nothing unread in any file, so that only what was told since can have news."""
        self._lock = threading.RLock()
        self._closed = False

    def restore(self) -> None:
        """Go on where the last run stopped."""
        with self._lock:
            self._closed = False
            self._gathered.begin()
            for follower in self._followers:
                follower.close()
                marks = self._store.marks(follower.log.name)
                self._gathered.recall(marks)
                follower.restore(marks)

    def look_anew(self) -> None:
        """With the next turn look which files there are. May be called while a turn runs."""
        self._poll_ns = 0

    def turn(self, told: frozenset[str] | None = None) -> float:
        """Do what is due. Returns the seconds for which nothing more is, unless a file changes.

        `told`: every path at which something changed since the last turn, where that is known.
        """
        with self._lock:
            if self._closed:
                return FULL_RETRY_S
            told = self._only(told)
            self._is_caught_up = False
            rest_s = self._turn(told)
            self._is_caught_up = rest_s > 0 and not self._gathered.full
            return rest_s

    def _only(self, told: frozenset[str] | None) -> frozenset[str] | None:
        """The only files to look at, as far as that can be known: not where a path is another name of a file."""
        if told is None or not self._is_caught_up or not self.is_told:
            return None
        paths = {file.path for follower in self._followers for file in follower.files}
        return told if told <= paths else None

    def _turn(self, told: frozenset[str] | None) -> float:
        now_ns = self._clock.monotonic_ns()
        if self._gathered.full and not self._gathered.save():
            return FULL_RETRY_S
        if now_ns >= self._poll_ns and now_ns >= self._rest_until_ns:
            poll_ns = TOLD_POLL_NS if self.is_told else POLL_NS
            told = None
            self._poll_ns = now_ns + poll_ns  # before looking: who calls `look_anew` meanwhile means the next look
            for follower in self._followers:
                follower.discover()
            self._rest_until_ns = now_ns + POLL_SHARE * (self._clock.monotonic_ns() - now_ns)
        again_ns = max(self._poll_ns, self._rest_until_ns)
        due = [(follower, file) for follower in self._followers for file in follower.due(now_ns, told)]
        hurries = False
        for follower, file in sorted(due, key=lambda each: each[1].unread):
            for _ in range(SEARCHES_IN_A_ROW):
                due_ns = follower.turn(file, now_ns)
                again_ns = again_ns if due_ns is None else min(again_ns, due_ns)
                if self._gathered.bytes >= SAVE_BYTES and not self._gathered.save():
                    return FULL_RETRY_S
                hurries = hurries or not file.searched
                if not file.searched or due_ns != 0 or self._clock.monotonic_ns() - now_ns > SEARCHING_NS:
                    break
        if not hurries and due and again_ns <= now_ns < self._saved_ns + BACKLOG_SAVE_NS:
            return 0
        self._saved_ns = now_ns
        if not self._gathered.save():
            return FULL_RETRY_S
        for follower in self._followers:
            for file in follower.files:
                if file.due_ns is not None:
                    again_ns = min(again_ns, max(file.due_ns, file.rests_until_ns))
        if self._gathered.due_ns is not None:
            again_ns = min(again_ns, self._gathered.due_ns)
        return max(0, again_ns - now_ns) / NANOSECONDS

    def close(self) -> None:
        """Save what can be saved and let go of all files."""
        with self._lock:
            self._closed = True
            self._gathered.save(at_once=True)
            for follower in self._followers:
                follower.close()

    # What status shows.

    @property
    def full(self) -> bool:
        """Whether reading waits for room in the spool."""
        return self._gathered.full

    @property
    def saved(self) -> int:
        return self._gathered.saved

    @property
    def counted(self) -> int:
        """Records that were only counted, in storms, since the start."""
        return self._gathered.counted

    def complaints(self) -> list[str]:
        with self._lock:
            return [complaint for follower in self._followers for complaint in follower.complaints]

    def folders(self) -> set[str]:
        """The folders to watch."""
        return set().union(*(discovery.folders(follower.log) for follower in self._followers))

    def files(self) -> list[dict[str, str | int]]:
        """The files that are followed: log, path, place of reading and size in bytes."""
        with self._lock:
            return [
                {"log": follower.log.name, "path": file.path, "offset": file.position, "size": file.seen_size}
                for follower in self._followers
                for file in follower.files
            ]

    def concerns(self, path: str) -> bool:
        """Whether a change of `path` is a reason to look."""
        return any(follower.concerns(path) for follower in self._followers)
