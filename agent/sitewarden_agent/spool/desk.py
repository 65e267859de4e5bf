"""What lies on the spool's desk besides the queues: file marks, notes for status, watch levels, actions and notices.

Functions on an open transaction. Not here: what a mark or an action means.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from sitewarden_agent.model import ConfigOffer, FileMark, Outcome, SiteNotice
from sitewarden_agent.spool import rows
from sitewarden_agent.spool.words import WatchLevel

ACTIONS_KEPT = 10_000
NOTICES_KEPT = 1_000
NOTICES_MAX_BYTES = 1024 * 1024
"""Notices are never given up for observations, so they may not take the room of these."""

_pack = msgspec.msgpack.Encoder().encode
_unpack_mark = msgspec.msgpack.Decoder(FileMark).decode
_unpack_levels = msgspec.msgpack.Decoder(tuple[WatchLevel, ...]).decode
_unpack_notice = msgspec.msgpack.Decoder(SiteNotice).decode
_unpack_offer = msgspec.msgpack.Decoder(ConfigOffer).decode
_unpack_outcome = msgspec.msgpack.Decoder(Outcome).decode


def set_marks(tx: sqlite3.Connection, marks: Iterable[FileMark]) -> None:
    tx.executemany(
        "INSERT INTO marks VALUES (?, ?, ?) ON CONFLICT (source, file_id) DO UPDATE SET body = excluded.body",
        [(mark.source, mark.file_id, _pack(mark)) for mark in marks],
    )


def marks(tx: sqlite3.Connection, source: str | None) -> tuple[FileMark, ...]:
    if source is None:
        found = tx.execute("SELECT body FROM marks ORDER BY source, file_id")
    else:
        found = tx.execute("SELECT body FROM marks WHERE source = ? ORDER BY file_id", (source,))
    return tuple(_unpack_mark(body) for (body,) in found)


def forget_mark(tx: sqlite3.Connection, source: str, file_id: str) -> None:
    tx.execute("DELETE FROM marks WHERE source = ? AND file_id = ?", (source, file_id))


def set_note(tx: sqlite3.Connection, key: str, value: dict[str, Any]) -> None:
    tx.execute(
        "INSERT INTO notes VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET body = excluded.body", (key, _pack(value))
    )


def noted(tx: sqlite3.Connection, key: str) -> dict[str, Any]:
    found = tx.execute("SELECT body FROM notes WHERE key = ?", (key,)).fetchone()
    return {} if found is None else dict(msgspec.msgpack.decode(found[0]))


def notes(tx: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    return {key: msgspec.msgpack.decode(body) for key, body in tx.execute("SELECT key, body FROM notes ORDER BY key")}


def set_watch_levels(tx: sqlite3.Connection, levels: Iterable[WatchLevel]) -> None:
    rows.put(tx, "watch_levels", _pack(tuple(levels)))


def watch_levels(tx: sqlite3.Connection) -> tuple[WatchLevel, ...]:
    packed = rows.get(tx, "watch_levels")
    return () if packed is None else _unpack_levels(packed)


def set_offer(tx: sqlite3.Connection, offer: ConfigOffer) -> None:
    rows.put(tx, "config_offer", _pack(offer))


def offer(tx: sqlite3.Connection) -> ConfigOffer | None:
    """The configuration that headquarters wants here, as long as it has no outcome."""
    packed = rows.get(tx, "config_offer")
    if packed is None:
        return None
    found = _unpack_offer(packed)
    open_still = "SELECT 1 FROM actions WHERE action_id = ? AND outcome IS NULL"
    return found if tx.execute(open_still, (found.action_id,)).fetchone() else None


@dataclass(frozen=True, slots=True)
class Known:
    """An action that was begun: with its outcome, or without one when the agent stopped in between."""

    outcome: Outcome | None


def begin(tx: sqlite3.Connection, action_id: str, *, wall_ns: int) -> Known | None:
    """Remember the action. Returns what is known of it when it was begun before, else None."""
    found = tx.execute("SELECT outcome FROM actions WHERE action_id = ?", (action_id,)).fetchone()
    if found is not None:
        return Known(None if found[0] is None else _unpack_outcome(found[0]))
    tx.execute("INSERT INTO actions (action_id, begun_ns) VALUES (?, ?)", (action_id, wall_ns))
    tx.execute("DELETE FROM actions WHERE number <= (SELECT max(number) FROM actions) - ?", (ACTIONS_KEPT,))
    return None


def settle(tx: sqlite3.Connection, outcome: Outcome) -> None:
    tx.execute("UPDATE actions SET outcome = ? WHERE action_id = ?", (_pack(outcome), outcome.action_id))


def put_notice(tx: sqlite3.Connection, notice: SiteNotice) -> None:
    tx.execute("INSERT OR IGNORE INTO notices (action_id, body) VALUES (?, ?)", (notice.action_id, _pack(notice)))
    tx.execute(
        "DELETE FROM notices WHERE number NOT IN (SELECT number FROM"
        " (SELECT number, sum(length(body)) OVER (ORDER BY number DESC) AS newer FROM notices"
        " ORDER BY number DESC LIMIT ?) WHERE newer <= ?)",
        (NOTICES_KEPT, NOTICES_MAX_BYTES),
    )


def notices(tx: sqlite3.Connection) -> tuple[SiteNotice, ...]:
    return tuple(_unpack_notice(body) for (body,) in tx.execute("SELECT body FROM notices ORDER BY number"))
