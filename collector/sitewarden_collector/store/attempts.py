"""How often somebody tried to sign in of late, by the hash of what they tried it with or from."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Integer, String, Table, case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sitewarden_collector.store.base import Ns, metadata

attempts = Table(
    "attempts",
    metadata,
    Column("key_sha256", String(64), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_ns", Ns, nullable=False),
    Column("blocked_until_ns", Ns, nullable=False),
)


def blocked_for(tx: Connection, key: str, *, now_ns: int) -> int:
    """Nanoseconds until the next attempt may be made; 0 when it may be made now."""
    until = tx.execute(select(attempts.c.blocked_until_ns).where(attempts.c.key_sha256 == key)).scalar_one_or_none()
    return max(0, (until or 0) - now_ns)


def count(tx: Connection, key: str, *, forget_ns: int, now_ns: int) -> int:
    """Count one more attempt; how many there were. After `forget_ns` without one, counting starts anew."""
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    fresh = insert(attempts).values(key_sha256=key, count=1, last_ns=now_ns, blocked_until_ns=0)
    is_old = attempts.c.last_ns < now_ns - forget_ns
    counted = fresh.on_conflict_do_update(
        index_elements=["key_sha256"],
        set_={"count": case((is_old, 1), else_=attempts.c.count + 1), "last_ns": now_ns},
    )
    return int(tx.execute(counted.returning(attempts.c.count)).scalar_one())


def block(tx: Connection, key: str, *, until_ns: int) -> None:
    tx.execute(update(attempts).where(attempts.c.key_sha256 == key).values(blocked_until_ns=until_ns))


def clear(tx: Connection, key: str) -> None:
    """It went well: nothing is held against them."""
    tx.execute(delete(attempts).where(attempts.c.key_sha256 == key))


def forget_old(tx: Connection, *, before_ns: int) -> int:
    """Delete what nobody tried since a time; how many."""
    return tx.execute(delete(attempts).where(attempts.c.last_ns < before_ns)).rowcount
