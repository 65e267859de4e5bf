"""Idempotency keys: what was answered to a request that must have its effect once.

A key belongs to who asked and where. Its row is written in the transaction of the effect, so that the two cannot part:
after a crash either both are there or neither. Not here: what a request does (`http_api.idempotency`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, Integer, LargeBinary, String, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from sitewarden_collector.store.base import Ns, metadata

KEPT_NS = 24 * 3_600 * 1_000_000_000

keys = Table(
    "idempotency_keys",
    metadata,
    Column("id", String(64), primary_key=True),  # hash of who, where and the key
    Column("request", String(64), nullable=False),  # hash of what was asked
    Column("status", Integer, nullable=False),  # 0: under way in the transaction that holds the row
    Column("body", LargeBinary, nullable=False),
    Column("created_ns", Ns, nullable=False, index=True),
)


@dataclass(frozen=True, slots=True)
class Answered:
    """What was asked under a key (as a hash), and the answer to it."""

    request: str
    status: int
    body: bytes


def claim(tx: Connection, key: str, *, request: str, now_ns: int) -> Answered | None:
    """Take a key for this transaction: None, or what was answered under it already.

    Another transaction that holds the same key is waited for.
    """
    tx.execute(delete(keys).where(keys.c.id == key, keys.c.created_ns < now_ns - KEPT_NS))
    row = {"id": key, "request": request, "status": 0, "body": b"", "created_ns": now_ns}
    try:
        with tx.begin_nested():
            tx.execute(insert(keys).values(row))
    except IntegrityError:
        found = tx.execute(select(keys).where(keys.c.id == key)).one()
        return Answered(found.request, found.status, bytes(found.body))
    return None


def settle(tx: Connection, key: str, *, status: int, body: bytes) -> None:
    """Keep the answer under a key that this transaction took."""
    tx.execute(update(keys).where(keys.c.id == key).values(status=status, body=body))


def forget_old(tx: Connection, *, now_ns: int, limit: int) -> int:
    """Delete keys that nobody may ask for again, `limit` at most; how many."""
    old = select(keys.c.id).where(keys.c.created_ns < now_ns - KEPT_NS).limit(limit)
    return tx.execute(delete(keys).where(keys.c.id.in_(old))).rowcount
