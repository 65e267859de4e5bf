"""What came, went and was given up, by day and kind: for the customer, who wants to know what leaves the house.

Functions on an open transaction; a tally is written in the transaction of what it counts, so it is exact. Days are the
site's own. After a month a day becomes part of the time before. Not here: showing it (`status`).

    kept      entered the spool, by class          gap       something is missing, by reason
    sent      headquarters has it, by class        shed      given up for want of room or for age, by class
    refused   headquarters will never take it      redacted  taken out of log records, by kind
    repeated  records told as a count alone, because the same was told often enough
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sitewarden_agent.model import Gap, LogEvent, Observation

DAYS = 31
BEFORE = ""
"""The day of all that is older."""
UNKNOWN = "other"
TABLES = (
    "CREATE TABLE IF NOT EXISTS tallies (day TEXT NOT NULL, what TEXT NOT NULL, kind TEXT NOT NULL,"
    " count INTEGER NOT NULL, PRIMARY KEY (day, what, kind)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS batch_kinds (seq INTEGER NOT NULL, kind TEXT NOT NULL, count INTEGER NOT NULL,"
    " PRIMARY KEY (seq, kind)) WITHOUT ROWID",
)
_PSEUDONYM = re.compile(r"<([a-z][a-z_]{1,19}):[0-9a-f]{16}>")


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of a kind, on a day and in all."""

    what: str
    kind: str
    today: int
    total: int


def day_of(wall_ns: int) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(wall_ns / 1e9))


def add(tx: sqlite3.Connection, what: str, counts: Mapping[str, int], *, day: str) -> None:
    for kind, count in counts.items():
        tx.execute(
            "INSERT INTO tallies VALUES (?, ?, ?, ?) ON CONFLICT (day, what, kind) DO UPDATE"
            " SET count = count + excluded.count",
            (day, what, kind, count),
        )


def appended(tx: sqlite3.Connection, kept: Iterable[str], observations: Iterable[Observation], *, day: str) -> None:
    """Observations entered the spool; `kept` are their classes."""
    add(tx, "kept", Counter(kept), day=day)
    redacted: Counter[str] = Counter()
    gaps: Counter[str] = Counter()
    repeated = 0
    for observation in observations:
        match observation.what:
            case LogEvent(message=message, count=count):
                if "<" in message:
                    redacted.update(_PSEUDONYM.findall(message))
                repeated += max(0, count - 1)
            case Gap(reason=reason, count=count):
                gaps[reason.value] += max(1, count)
            case _:
                pass
    add(tx, "redacted", redacted, day=day)
    add(tx, "gap", gaps, day=day)
    if repeated:
        add(tx, "repeated", {"logs": repeated}, day=day)


def sealed(tx: sqlite3.Connection, seq: int, counts: Mapping[str, int]) -> None:
    """Remember what a batch holds until headquarters has it."""
    tx.executemany("INSERT OR REPLACE INTO batch_kinds VALUES (?, ?, ?)", [(seq, *each) for each in counts.items()])


def acknowledged(tx: sqlite3.Connection, *, after_seq: int, through_seq: int, observations: int, day: str) -> None:
    """Headquarters has these batches, of so many observations. What is sent again later is not counted again."""
    counts = dict(
        tx.execute(
            "SELECT kind, sum(count) FROM batch_kinds WHERE seq > ? AND seq <= ? GROUP BY kind",
            (after_seq, through_seq),
        ).fetchall()
    )
    if (rest := observations - sum(counts.values())) > 0:
        counts[UNKNOWN] = rest  # batches that were numbered anew
    add(tx, "sent", counts, day=day)
    tx.execute("DELETE FROM batch_kinds WHERE seq <= ?", (through_seq,))


def forget_batches(tx: sqlite3.Connection, seq: int | None = None) -> None:
    """That batch, or all of them, will not be acknowledged under its number."""
    tx.execute("DELETE FROM batch_kinds WHERE ? IS NULL OR seq = ?", (seq, seq))


def tidy(tx: sqlite3.Connection, *, now_ns: int) -> None:
    """Fold days of long ago into the time before."""
    last = day_of(now_ns - DAYS * 86_400 * 1_000_000_000)
    old = tx.execute("SELECT what, kind, count FROM tallies WHERE day <> ? AND day < ?", (BEFORE, last)).fetchall()
    for what, kind, count in old:
        add(tx, what, {kind: count}, day=BEFORE)
    if old:
        tx.execute("DELETE FROM tallies WHERE day <> ? AND day < ?", (BEFORE, last))


def tallies(tx: sqlite3.Connection, *, day: str) -> tuple[Tally, ...]:
    found = tx.execute(
        "SELECT what, kind, sum(CASE WHEN day = ? THEN count ELSE 0 END), sum(count) FROM tallies"
        " GROUP BY what, kind ORDER BY what, kind",
        (day,),
    )
    return tuple(Tally(*row) for row in found)
