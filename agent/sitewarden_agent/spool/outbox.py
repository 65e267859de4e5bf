"""The very records that wait for headquarters or went there, newest first, page by page: for the customer's eyes.

Functions on an open transaction. First what waits to be sealed, then the batches, the youngest first. A cursor names
the place by numbers that never change, so that a page goes on where the last one ended whatever came meanwhile.
"""

from __future__ import annotations

import heapq
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from sitewarden_agent.model import Observation
from sitewarden_agent.spool import batches, rows
from sitewarden_agent.spool.file import QUEUES

_CURSOR = re.compile(rf"w((?:\d+\.){{{len(QUEUES) - 1}}}\d+)|b(\d+)\.(\d+)")
_YOUNGEST = 1 << 62


@dataclass(frozen=True, slots=True)
class Record:
    """One observation and where it is: waiting, sent (not acknowledged yet) or delivered."""

    state: str
    seq: int | None
    """The number of its batch; None while it waits for one."""
    observation: Observation | None
    """None for what this version of the agent cannot read."""
    cursor: str
    """Names what comes after it."""


def records(tx: sqlite3.Connection, cursor: str = "") -> Iterator[Record]:
    """From the cursor on, or from the youngest. Raises ValueError for what is no cursor."""
    below, seq, index = dict.fromkeys(QUEUES, _YOUNGEST), _YOUNGEST, _YOUNGEST
    if cursor:
        found = _CURSOR.fullmatch(cursor)
        if found is None:
            raise ValueError(f"{cursor!r} is no place in the outbox; take the one that the page before printed")
        if found[1]:
            below = dict(zip(QUEUES, map(int, found[1].split(".")), strict=True))
        else:
            below, seq, index = dict.fromkeys(QUEUES, 0), int(found[2]), int(found[3])
    yield from _waiting(tx, below)
    yield from _batched(tx, seq, index)


def _waiting(tx: sqlite3.Connection, below: dict[str, int]) -> Iterator[Record]:
    roads = [_queue(tx, queue, below[queue]) for queue in QUEUES]
    for _, row_id, queue, body in heapq.merge(*roads, key=lambda each: -each[0]):
        below[queue] = row_id
        yield Record("waiting", None, _readable(body), "w" + ".".join(str(below[each]) for each in QUEUES))


def _queue(tx: sqlite3.Connection, queue: str, below: int) -> Iterator[tuple[int, int, str, bytes]]:
    sql = f"SELECT wall_ns, id, body FROM {queue} WHERE id < ? ORDER BY id DESC"  # noqa: S608
    for wall_ns, row_id, body in tx.execute(sql, (below,)):
        yield wall_ns, row_id, queue, body


def _batched(tx: sqlite3.Connection, seq: int, index: int) -> Iterator[Record]:
    """Batch `seq` below `index`, then those before it."""
    acked = int(rows.get(tx, "acked_seq", 0))
    sql = "SELECT seq, body FROM batches WHERE seq <= ? ORDER BY seq DESC"
    for each, body in tx.execute(sql, (min(seq, _YOUNGEST),)):
        bodies = batches.bodies(body)
        start = min(index, len(bodies)) if each == seq else len(bodies)
        for place in range(start - 1, -1, -1):
            state = "delivered" if each <= acked else "sent"
            yield Record(state, each, _readable(bodies[place]), f"b{each}.{place}")


def _readable(body: bytes) -> Observation | None:
    try:
        return rows.decoded(body)
    except msgspec.DecodeError:
        return None
