"""The audit log: rows that are only ever added, each holding the hash of the one before.

What a row says in words (who, what, details) is hashed by itself, with a salt: erasing the words of a customer leaves
the chain whole. One writer at a time extends it: on PostgreSQL whoever holds the advisory lock, until their transaction
ends.
Not here: what is worth a row, and whether the chain holds (`services.audit`).
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Index, String, Table, Text, delete, func, insert, or_, select, text, update

from sitewarden_collector.store import append_only
from sitewarden_collector.store.base import Id, Ns, RowId, metadata

FIRST = "0" * 64
_LOCK = zlib.crc32(b"sitewarden audit")

audit_log = Table(
    "audit_log",
    metadata,
    Column("seq", RowId, primary_key=True, autoincrement=False),
    Column("at_ns", Ns, nullable=False),
    Column("action", String(64), nullable=False),
    Column("customer_id", Id, nullable=False),
    Column("who", String(120), nullable=False),
    Column("what", Text, nullable=False),
    Column("data", Text, nullable=False),  # JSON
    Column("salt", String(32), nullable=False),  # empty: the words were erased
    Column("words_sha256", String(64), nullable=False),
    Column("before_sha256", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Index("ix_audit_log_at", "at_ns"),
    Index("ix_audit_log_customer", "customer_id"),
)
append_only.guard(audit_log)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that somebody did or saw."""

    who: str
    action: str
    what: str
    customer_id: str = ""
    data: str = "{}"  # JSON
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    seq: int
    at_ns: int
    action: str
    customer_id: str
    who: str
    what: str
    data: str
    salt: str
    words_sha256: str
    before_sha256: str
    sha256: str


def add(tx: Connection, entries: Iterable[Entry]) -> None:
    """Extend the chain."""
    if tx.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
    seq, before = head(tx)
    rows = []
    for entry in entries:
        seq += 1
        row: dict[str, Any] = {"seq": seq, "before_sha256": before, "salt": os.urandom(16).hex()}
        row |= {"at_ns": entry.at_ns, "action": entry.action[:64], "customer_id": entry.customer_id}
        row |= {"who": entry.who[:120], "what": entry.what[:2000], "data": entry.data}
        row["words_sha256"] = words_hash(row["salt"], row["who"], row["what"], row["data"])
        before = row["sha256"] = row_hash(**{key: row[key] for key in _HASHED})
        rows.append(row)
    if rows:
        tx.execute(insert(audit_log), rows)


_HASHED = ("seq", "at_ns", "action", "customer_id", "words_sha256", "before_sha256")


def words_hash(salt: str, who: str, what: str, data: str) -> str:
    return sha256(msgspec.json.encode([salt, who, what, data])).hexdigest()


def row_hash(*, seq: int, at_ns: int, action: str, customer_id: str, words_sha256: str, before_sha256: str) -> str:
    """The hash of a row and, through that of the row before, of all before it."""
    return sha256(msgspec.json.encode([before_sha256, seq, at_ns, action, customer_id, words_sha256])).hexdigest()


def head(tx: Connection) -> tuple[int, str]:
    """The newest row's number and hash; (0, FIRST) where there is none."""
    newest = select(audit_log.c.seq, audit_log.c.sha256).order_by(audit_log.c.seq.desc()).limit(1)
    row = tx.execute(newest).one_or_none()
    return (0, FIRST) if row is None else (int(row.seq), str(row.sha256))


def walk(tx: Connection, *, after: int = 0, batch: int = 2000) -> Iterator[Row]:
    """All rows in order."""
    while True:
        rows = tx.execute(select(audit_log).where(audit_log.c.seq > after).order_by(audit_log.c.seq).limit(batch)).all()
        for row in rows:
            yield Row(**row._mapping)
        if len(rows) < batch:
            return
        after = int(rows[-1].seq)


def some(
    tx: Connection,
    *,
    who: str = "",
    action: str = "",
    what: str = "",
    customer_id: str = "",
    since_ns: int = 0,
    until_ns: int = 0,
    before_seq: int = 0,
    limit: int = 200,
) -> list[Row]:
    """The newest rows that match, the newest first. `what` is any part of what it was about."""
    query = select(audit_log).order_by(audit_log.c.seq.desc()).limit(limit)
    if who:
        query = query.where(func.lower(audit_log.c.who) == who.lower())
    if action:
        query = query.where(audit_log.c.action == action)
    if what:
        query = query.where(audit_log.c.what.contains(what, autoescape=True))
    if customer_id:
        query = query.where(audit_log.c.customer_id == customer_id)
    if since_ns:
        query = query.where(audit_log.c.at_ns >= since_ns)
    if until_ns:
        query = query.where(audit_log.c.at_ns < until_ns)
    if before_seq:
        query = query.where(audit_log.c.seq < before_seq)
    return [Row(**row._mapping) for row in tx.execute(query)]


def erase_words(tx: Connection, *, customer_id: str, words: Iterable[str]) -> list[int]:
    """Take the words out of rows of a customer, and of those that hold one of these words; which. In `unlocked`."""
    columns = (audit_log.c.who, audit_log.c.what, audit_log.c.data)
    holds = [column.contains(word, autoescape=True) for word in words if word for column in columns]
    here = or_(audit_log.c.customer_id == customer_id, *holds) & (audit_log.c.salt != "")
    change = update(audit_log).where(here).values(who="", what="", data="{}", salt="")
    return sorted(tx.execute(change.returning(audit_log.c.seq)).scalars())


def drop_until(tx: Connection, seq: int) -> int:
    """Delete the rows up to this one; how many. In `unlocked`."""
    return tx.execute(delete(audit_log).where(audit_log.c.seq <= seq)).rowcount


def last_before(tx: Connection, at_ns: int) -> Row | None:
    """The last of the rows that are all older than a time."""
    younger = select(func.min(audit_log.c.seq)).where(audit_log.c.at_ns >= at_ns).scalar_subquery()
    row = tx.execute(
        select(audit_log).where(audit_log.c.seq < younger).order_by(audit_log.c.seq.desc()).limit(1)
    ).one_or_none()
    return None if row is None else Row(**row._mapping)
