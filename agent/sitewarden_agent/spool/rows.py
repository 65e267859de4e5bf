"""What waits to be sealed, by class: a queue each for samples, probes, logs, changes and outcomes (gaps among them).

Functions on an open transaction. A row enters at the young end and leaves at the old end only, so ids have no holes and
counting costs two look-ups. Not here: how much room there is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sitewarden_agent.model import Gap, Observation, ShedClass, shed_class

QUEUE_OF = {
    ShedClass.SAMPLES: "samples",
    ShedClass.PROBES: "probes",
    ShedClass.LOGS: "logs",
    ShedClass.CHANGES: "changes",
    ShedClass.OUTCOMES: "outcomes",
}
ROW_OVERHEAD_BYTES = 40

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Observation).decode


@dataclass(frozen=True, slots=True)
class Row:
    """One observation on its way into a queue."""

    queue: str
    wall_ns: int
    body: bytes

    @property
    def bytes(self) -> int:
        return len(self.body) + ROW_OVERHEAD_BYTES


def row(observation: Observation) -> Row:
    return Row(QUEUE_OF[shed_class(observation.what)], observation.wall_ns, _encode(observation))


def decoded(body: bytes) -> Observation:
    """Raises msgspec.DecodeError for what a newer agent wrote."""
    return _decode(body)


def insert(tx: sqlite3.Connection, rows: Sequence[Row], *, spool_ns: int) -> None:
    by_queue: dict[str, list[tuple[int, int, bytes]]] = {}
    for each in rows:
        by_queue.setdefault(each.queue, []).append((each.wall_ns, spool_ns, each.body))
    for queue, values in by_queue.items():
        tx.executemany(f"INSERT INTO {queue} (wall_ns, spool_ns, body) VALUES (?, ?, ?)", values)  # noqa: S608


def count(tx: sqlite3.Connection, queue: str) -> int:
    # Two sub-queries, because SQLite answers a lone min or max from the tree's edge, and both together by reading all.
    first, last = tx.execute(f"SELECT (SELECT min(id) FROM {queue}), (SELECT max(id) FROM {queue})").fetchone()  # noqa: S608
    return 0 if first is None else int(last) - int(first) + 1


def oldest_wall_ns(tx: sqlite3.Connection, queue: str) -> int | None:
    found = tx.execute(f"SELECT wall_ns FROM {queue} ORDER BY id LIMIT 1").fetchone()  # noqa: S608
    return None if found is None else int(found[0])


@dataclass(frozen=True, slots=True)
class Taken:
    """Rows that left a queue at its old end."""

    count: int
    from_ns: int
    to_ns: int


def drop_oldest(
    tx: sqlite3.Connection, queue: str, *, bytes_wanted: int = 0, before_spool_ns: int | None = None
) -> Taken | None:
    """Delete from the old end until `bytes_wanted` are out, or all that entered before `before_spool_ns`."""
    last_id, taken, freed, from_ns, to_ns = None, 0, 0, 0, 0
    for row_id, wall_ns, spool_ns, size in tx.execute(
        f"SELECT id, wall_ns, spool_ns, length(body) FROM {queue} ORDER BY id"  # noqa: S608
    ):
        enough = freed >= bytes_wanted if before_spool_ns is None else spool_ns >= before_spool_ns
        if enough:
            break
        last_id, taken, freed = row_id, taken + 1, freed + size + ROW_OVERHEAD_BYTES
        from_ns = wall_ns if taken == 1 else min(from_ns, wall_ns)
        to_ns = max(to_ns, wall_ns)
    if last_id is None:
        return None
    tx.execute(f"DELETE FROM {queue} WHERE id <= ?", (last_id,))  # noqa: S608
    return Taken(taken, from_ns, to_ns)


def write_gap(tx: sqlite3.Connection, gap: Gap, *, seen: Observation, spool_ns: int) -> None:
    """Write a gap, or extend the one of the same reason and kind that still waits: a flood makes one gap, not many.

    `seen` is the gap as an observation of now.
    """
    key = f"gap:{gap.reason.value}:{gap.kind}"
    known = get(tx, key)
    found = tx.execute("SELECT body FROM outcomes WHERE id = ?", (known,)).fetchone() if known else None
    if found is not None and not gap.first_seq:
        earlier = _decode(found[0])
        assert isinstance(earlier.what, Gap)
        both = msgspec.structs.replace(
            gap,
            count=-1 if -1 in (gap.count, earlier.what.count) else gap.count + earlier.what.count,
            from_ns=min(gap.from_ns, earlier.what.from_ns),
            to_ns=max(gap.to_ns, earlier.what.to_ns),
        )
        tx.execute(
            "UPDATE outcomes SET body = ? WHERE id = ?", (_encode(msgspec.structs.replace(seen, what=both)), known)
        )
        return
    cursor = tx.execute(
        "INSERT INTO outcomes (wall_ns, spool_ns, body) VALUES (?, ?, ?)", (seen.wall_ns, spool_ns, _encode(seen))
    )
    put(tx, key, cursor.lastrowid)


def get(tx: sqlite3.Connection, key: str, default: Any = None) -> Any:
    found = tx.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return default if found is None else found[0]


def put(tx: sqlite3.Connection, key: str, value: Any) -> None:
    tx.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value))


def add(tx: sqlite3.Connection, key: str, by: int) -> None:
    put(tx, key, int(get(tx, key, 0)) + by)
