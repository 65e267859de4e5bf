"""Numbered batches: sealing, acknowledging, going back after a restore, parking what headquarters refuses for good.

Functions on an open transaction. A sealed batch is one row with its observations in it, so its content cannot change.
Acknowledged batches stay as a tail for a day. Not here: when to send (link), how much room there is (room).
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass

import msgspec
import zstandard

from sitewarden_agent.spool import rows, tally
from sitewarden_agent.spool.file import QUEUES
from sitewarden_agent.spool.words import Sealed

BULK = ("probes", "samples")
URGENT = tuple(queue for queue in reversed(QUEUES) if queue not in BULK)
BULK_TURN = 4
"""Every fourth batch takes samples and probe results first, so that a flood of log events cannot starve them."""
BODY_MAX_BYTES = 64 * 1024 * 1024

_encode_bodies = msgspec.msgpack.Encoder().encode
_decode_bodies = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Packed:
    """A sealed batch with its observations still encoded."""

    seq: int
    bodies: tuple[bytes, ...]
    bytes: int

    def opened(self) -> Sealed:
        """Raises msgspec.DecodeError for what this version of the agent cannot read."""
        return Sealed(self.seq, tuple(rows.decoded(body) for body in self.bodies), self.bytes)


def seal(tx: sqlite3.Connection, *, max_bytes: int, max_observations: int) -> Packed | None:
    """Number what goes next: outcomes and gaps, changes, logs; samples and probe results when nothing else waits.

    A fresh error so never stands behind a backlog of samples, and never shares a batch with one. The first row always
    goes, however large.
    """
    seq = int(rows.get(tx, "last_sealed_seq", 0)) + 1
    turns = (BULK, URGENT) if seq % BULK_TURN == 0 else (URGENT, BULK)
    bodies: list[bytes] = []
    counts: dict[str, int] = {}
    size, oldest_ns = 0, None
    for queues in turns:
        if bodies:
            break
        for queue in queues:
            last_id = None
            for row_id, wall_ns, body in tx.execute(
                f"SELECT id, wall_ns, body FROM {queue} ORDER BY id LIMIT ?",  # noqa: S608
                (max_observations - len(bodies),),
            ):
                if bodies and size + len(body) > max_bytes:
                    break
                last_id, size = row_id, size + len(body)
                oldest_ns = wall_ns if oldest_ns is None else min(oldest_ns, wall_ns)
                bodies.append(body)
                counts[queue] = counts.get(queue, 0) + 1
            if last_id is not None:
                tx.execute(f"DELETE FROM {queue} WHERE id <= ?", (last_id,))  # noqa: S608
            if len(bodies) >= max_observations or size >= max_bytes:
                break
    if not bodies:
        return None
    _store(tx, seq, bodies, size=size, oldest_ns=oldest_ns or 0)
    tally.sealed(tx, seq, counts)
    return Packed(seq, tuple(bodies), size)


def after(tx: sqlite3.Connection, seq: int) -> Packed | None:
    """The sealed batch that follows `seq`."""
    found = tx.execute("SELECT seq, bytes, body FROM batches WHERE seq > ? ORDER BY seq LIMIT 1", (seq,)).fetchone()
    if found is None:
        return None
    return Packed(found[0], tuple(bytes(raw) for raw in _opened(found[2])), found[1])


def acknowledge(tx: sqlite3.Connection, through_seq: int, *, spool_ns: int, day: str) -> None:
    """Headquarters has all up to and with `through_seq`. They become the tail, and count on the site's `day`."""
    acked = int(rows.get(tx, "acked_seq", 0))
    through = min(through_seq, int(rows.get(tx, "last_sealed_seq", 0)))
    if through <= acked:
        return
    size, count = tx.execute(
        "SELECT coalesce(sum(length(body)), 0), coalesce(sum(observations), 0) FROM batches"
        " WHERE seq > ? AND seq <= ? AND acked_spool_ns IS NULL",
        (acked, through),
    ).fetchone()
    tally.acknowledged(tx, after_seq=acked, through_seq=through, observations=count, day=day)
    tx.execute("UPDATE batches SET acked_spool_ns = ? WHERE seq > ? AND seq <= ?", (spool_ns, acked, through))
    rows.add(tx, "tail_bytes", size)
    rows.put(tx, "acked_seq", through)


def trim_tail(tx: sqlite3.Connection, *, before_spool_ns: int) -> None:
    """Let go of what was acknowledged before `before_spool_ns`."""
    acked = int(rows.get(tx, "acked_seq", 0))
    found = tx.execute(
        "SELECT seq FROM batches WHERE seq <= ? AND acked_spool_ns >= ? ORDER BY seq LIMIT 1", (acked, before_spool_ns)
    ).fetchone()
    last = acked if found is None else int(found[0]) - 1
    (size,) = tx.execute("SELECT coalesce(sum(length(body)), 0) FROM batches WHERE seq <= ?", (last,)).fetchone()
    if tx.execute("DELETE FROM batches WHERE seq <= ?", (last,)).rowcount:
        rows.put(tx, "dropped_seq", last)
    rows.add(tx, "tail_bytes", -size)


@dataclass(frozen=True, slots=True)
class Back:
    """What going back to an earlier batch found."""

    resent: int
    lost: tuple[int, int] | None


def go_back(tx: sqlite3.Connection, last_stored_seq: int) -> Back:
    """Headquarters lost what came after `last_stored_seq`: what the tail still has of it is to be sent again."""
    acked = int(rows.get(tx, "acked_seq", 0))
    resent, size = tx.execute(
        "SELECT count(*), coalesce(sum(length(body)), 0) FROM batches WHERE seq > ? AND seq <= ?",
        (last_stored_seq, acked),
    ).fetchone()
    tx.execute("UPDATE batches SET acked_spool_ns = NULL WHERE seq > ? AND seq <= ?", (last_stored_seq, acked))
    rows.add(tx, "tail_bytes", -size)
    rows.put(tx, "acked_seq", last_stored_seq)
    # What is missing above the dropped tail was parked or split; that was told when it happened.
    dropped = min(acked, int(rows.get(tx, "dropped_seq", 0)))
    lost = (last_stored_seq + 1, dropped) if dropped > last_stored_seq else None
    return Back(int(resent), lost)


def begin_epoch(tx: sqlite3.Connection) -> str:
    """Headquarters knows batches that this spool never sealed: this is a copy. Begin anew; what waits goes under new
    numbers. Sealed batches stay behind: the original had sealed the same ones, and headquarters has passed them."""
    epoch = os.urandom(16).hex()
    tx.execute("DELETE FROM batches")
    tally.forget_batches(tx)
    for key, value in (
        ("epoch", epoch),
        ("last_sealed_seq", 0),
        ("acked_seq", 0),
        ("dropped_seq", 0),
        ("tail_bytes", 0),
    ):
        rows.put(tx, key, value)
    return epoch


def change_hands(tx: sqlite3.Connection) -> str:
    """Another agent from now on: a new epoch, in which what was not acknowledged gets the first numbers. The tail goes:
    it is the former agent's, and headquarters would take it for this one's."""
    left = tx.execute(
        "SELECT observations, bytes, oldest_ns, body FROM batches WHERE seq > ? ORDER BY seq",
        (rows.get(tx, "acked_seq", 0),),
    ).fetchall()
    epoch = begin_epoch(tx)
    tx.executemany(
        "INSERT INTO batches (seq, observations, bytes, oldest_ns, body) VALUES (?, ?, ?, ?, ?)",
        [(seq, *batch) for seq, batch in enumerate(left, start=1)],
    )
    rows.put(tx, "last_sealed_seq", len(left))
    return epoch


def park(tx: sqlite3.Connection, seq: int, *, reason: str, wall_ns: int, keep: int) -> int | None:
    """Move a batch out of the road. Returns how many observations it holds; None when it is not there (any more)."""
    found = tx.execute("SELECT observations, body, acked_spool_ns FROM batches WHERE seq = ?", (seq,)).fetchone()
    if found is None or found[2] is not None:
        return None
    tx.execute(
        "INSERT INTO parked (epoch, seq, reason, wall_ns, observations, body) VALUES (?, ?, ?, ?, ?, ?)",
        (rows.get(tx, "epoch"), seq, reason, wall_ns, found[0], found[1]),
    )
    tx.execute("DELETE FROM parked WHERE id <= (SELECT max(id) FROM parked) - ?", (keep,))
    tx.execute("DELETE FROM batches WHERE seq = ?", (seq,))
    rows.add(tx, "parked", 1)
    tally.forget_batches(tx, seq)
    return int(found[0])


def unacked(tx: sqlite3.Connection) -> tuple[int, ...]:
    """The numbers of the batches that headquarters has not acknowledged."""
    found = tx.execute("SELECT seq FROM batches WHERE seq > ? ORDER BY seq", (rows.get(tx, "acked_seq", 0),))
    return tuple(seq for (seq,) in found)


@dataclass(frozen=True, slots=True)
class Held:
    """What is sealed and not acknowledged, and the oldest batch that could still be sent (0: none)."""

    observations: int
    batches: int
    oldest_ns: int | None
    oldest_kept_seq: int


def held(tx: sqlite3.Connection) -> Held:
    observations, count, oldest_ns = tx.execute(
        "SELECT coalesce(sum(observations), 0), count(*), min(oldest_ns) FROM batches WHERE seq > ?",
        (rows.get(tx, "acked_seq", 0),),
    ).fetchone()
    kept = tx.execute("SELECT min(seq) FROM batches").fetchone()[0]
    return Held(int(observations), int(count), oldest_ns, int(kept or 0))


def split(tx: sqlite3.Connection, seq: int) -> bool:
    """Number the two halves of a batch anew, as the last ones. False when it holds a single observation."""
    found = tx.execute(
        "SELECT observations, oldest_ns, body FROM batches WHERE seq = ? AND acked_spool_ns IS NULL", (seq,)
    ).fetchone()
    if found is None or found[0] < 2:
        return False
    bodies = [bytes(raw) for raw in _opened(found[2])]
    tx.execute("DELETE FROM batches WHERE seq = ?", (seq,))
    tally.forget_batches(tx, seq)
    half = len(bodies) // 2
    for part in (bodies[:half], bodies[half:]):
        last = int(rows.get(tx, "last_sealed_seq", 0))
        _store(tx, last + 1, part, size=sum(map(len, part)), oldest_ns=found[1])
    return True


def _store(tx: sqlite3.Connection, seq: int, bodies: list[bytes], *, size: int, oldest_ns: int) -> None:
    packed = zstandard.ZstdCompressor(level=3).compress(_encode_bodies([msgspec.Raw(body) for body in bodies]))
    tx.execute(
        "INSERT INTO batches (seq, observations, bytes, oldest_ns, body) VALUES (?, ?, ?, ?, ?)",
        (seq, len(bodies), size, oldest_ns, packed),
    )
    rows.put(tx, "last_sealed_seq", seq)


def bodies(packed: bytes) -> list[bytes]:
    """The observations of a batch, each still encoded."""
    return [bytes(raw) for raw in _opened(packed)]


def _opened(packed: bytes) -> list[msgspec.Raw]:
    return _decode_bodies(zstandard.ZstdDecompressor().decompress(packed, max_output_size=BODY_MAX_BYTES))
