"""How full the spool is, and what goes first when it is too full.

The ladder, in this order, each step only if the one before was not enough:

    1. the acknowledged tail, oldest first (headquarters has it)
    2. the content of parked batches, oldest first (headquarters will never take it)
    3. samples, oldest first, with a gap
    4. probe results, oldest first, with a gap
    5. new log events are refused with SpoolFull: the log file itself is the buffer, its reader waits
    6. changes, outcomes and gaps go on into a reserve; when that is used up they are refused as well

Samples and probe results never raise: when there is no room they are given up themselves. What is sealed and not yet
acknowledged is never touched. Full means pages in use, so the file's size is bounded and not an estimate. A disk past
its share is the same ladder with the capacity frozen at what the file has already.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sitewarden_agent.spool import rows
from sitewarden_agent.spool.rows import Row, Taken
from sitewarden_agent.spool.words import DiskUsage, SpoolFull, SpoolLimits

GIVEN_UP = ("samples", "probes")
RESERVE_MAX_BYTES = 8 * 1024 * 1024
_LEVELS = ((0.9, 0.85, "90 %"), (0.7, 0.65, "70 %"))  # reached at, left below


@dataclass(slots=True)
class Shed:
    """What was given up in one transaction, by class."""

    taken: dict[str, Taken]

    def add(self, kind: str, more: Taken | None) -> None:
        if more is None:
            return
        known = self.taken.get(kind)
        self.taken[kind] = (
            more
            if known is None
            else Taken(known.count + more.count, min(known.from_ns, more.from_ns), max(known.to_ns, more.to_ns))
        )


def used_bytes(tx: sqlite3.Connection) -> int:
    """Pages in use. Deleting rows makes this smaller; the file itself shrinks later, or never needs to."""
    (pages,), (free,) = tx.execute("PRAGMA page_count").fetchone(), tx.execute("PRAGMA freelist_count").fetchone()
    return (int(pages) - int(free)) * _page_bytes(tx)


def capacity_bytes(tx: sqlite3.Connection, limits: SpoolLimits, *, path: Path, disk_usage: DiskUsage) -> int:
    """How many bytes of pages may be in use now, by the own limit and by the share of the disk."""
    total, _, free = disk_usage(path.parent)
    growth = free - int(total * (1.0 - limits.max_disk_share))
    file_bytes = int(tx.execute("PRAGMA page_count").fetchone()[0]) * _page_bytes(tx)
    return min(limits.max_bytes, max(limits.floor_bytes, file_bytes + max(0, growth)))


def make_room(tx: sqlite3.Connection, wanted: Sequence[Row], *, capacity: int) -> tuple[Sequence[Row], Shed]:
    """Climb the ladder until `wanted` fits. Returns what may be inserted, and what was given up.

    Raises SpoolFull when log events, changes or outcomes among `wanted` don't fit.
    """
    shed = Shed({})
    droppable = [each for each in wanted if each.queue in GIVEN_UP]
    kept = [each for each in wanted if each.queue not in GIVEN_UP]
    ordinary = capacity - min(RESERVE_MAX_BYTES, capacity // 8)
    limit = ordinary if droppable or any(each.queue == "logs" for each in wanted) else capacity

    # In small steps the same pages would be rewritten at each append while the spool is full.
    step = max(capacity // 64, 4096)
    need = _size(wanted)
    if _missing(tx, need, limit) <= 0:
        return wanted, shed
    if not _drop_tail(tx, need, limit):
        _drop_parked(tx, need, limit)
        for queue in GIVEN_UP:
            while (missing := _missing(tx, need, limit)) > 0:
                taken = rows.drop_oldest(tx, queue, bytes_wanted=max(missing, step))
                if taken is None:
                    break
                shed.add(queue, taken)
    if _missing(tx, need, limit) <= 0:
        return wanted, shed
    for queue in GIVEN_UP:
        gone = [each.wall_ns for each in droppable if each.queue == queue]
        if gone:
            shed.add(queue, Taken(len(gone), min(gone), max(gone)))
    limit = ordinary if any(each.queue == "logs" for each in kept) else capacity
    if kept and _missing(tx, _size(kept), limit) > 0:
        raise SpoolFull(
            f"The spool holds all it may ({capacity // 1_048_576} MiB). New log lines stay in their files until "
            "headquarters takes what waits. Look at the connection with `sitewarden-agent status`."
        )
    return kept, shed


def level(used: int, *, capacity: int, before: str) -> str:
    """ok, 70 % or 90 %: up at once, down only when it is five points below."""
    share = used / capacity if capacity else 1.0
    for reached_at, left_below, name in _LEVELS:
        if share >= reached_at or (share >= left_below and _rank(before) >= _rank(name)):
            return name
    return "ok"


def give_back(connection: sqlite3.Connection, *, keep_free_bytes: int = 4 * 1024 * 1024, pages_max: int = 4096) -> None:
    """Return free pages to the file system, some at a time, when a backlog has gone. Outside of any transaction."""
    free = int(connection.execute("PRAGMA freelist_count").fetchone()[0])
    surplus = min(pages_max, free - keep_free_bytes // _page_bytes(connection))
    if surplus > 0:
        # As a script, because `execute` takes one step of a statement without columns, and that frees a single page.
        connection.executescript(f"PRAGMA incremental_vacuum({surplus})")


def _rank(name: str) -> int:
    return ("ok", "70 %", "90 %").index(name) if name in ("ok", "70 %", "90 %") else 0


def _size(wanted: Iterable[Row]) -> int:
    return sum(each.bytes for each in wanted)


def _missing(tx: sqlite3.Connection, need: int, limit: int) -> int:
    return used_bytes(tx) + need - limit


def _drop_tail(tx: sqlite3.Connection, need: int, limit: int) -> bool:
    """Drop acknowledged batches, oldest first. True when that was enough."""
    while _missing(tx, need, limit) > 0:
        found = tx.execute(
            "SELECT seq, length(body) FROM batches WHERE acked_spool_ns IS NOT NULL ORDER BY seq LIMIT 1"
        ).fetchone()
        if found is None:
            return False
        tx.execute("DELETE FROM batches WHERE seq = ?", (found[0],))
        rows.add(tx, "tail_bytes", -found[1])
        rows.put(tx, "dropped_seq", found[0])
    return True


def _drop_parked(tx: sqlite3.Connection, need: int, limit: int) -> None:
    while _missing(tx, need, limit) > 0:
        if not tx.execute(
            "UPDATE parked SET body = NULL"
            " WHERE id = (SELECT id FROM parked WHERE body IS NOT NULL ORDER BY id LIMIT 1)"
        ).rowcount:
            return


def _page_bytes(tx: sqlite3.Connection) -> int:
    return int(tx.execute("PRAGMA page_size").fetchone()[0])
