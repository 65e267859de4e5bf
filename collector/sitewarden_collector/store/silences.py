"""Silences, and how many signals each has held back."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, String, Table, Text, insert, select, update

from sitewarden_alerting.model import Silence
from sitewarden_collector.store.base import Ns, id_column, metadata

silences = Table(
    "silences",
    metadata,
    id_column(),
    Column("from_ns", Ns, nullable=False),
    Column("until_ns", Ns, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("by", String(200), nullable=False),
    Column("site", String(255), nullable=False),  # patterns; empty: everything
    Column("rule", String(255), nullable=False),
    Column("fault", String(255), nullable=False),
    Column("held", BigInteger, nullable=False),
)


def add(tx: Connection, silence: Silence) -> None:
    tx.execute(insert(silences).values({name: getattr(silence, name) for name in Silence.__slots__} | {"held": 0}))


def active(tx: Connection, *, now_ns: int) -> list[Silence]:
    """Those that hold signals back now."""
    query = select(silences).where(silences.c.from_ns <= now_ns, silences.c.until_ns > now_ns)
    return [Silence(**{name: getattr(row, name) for name in Silence.__slots__}) for row in tx.execute(query)]


def count_held(tx: Connection, silence_id: str, number: int) -> None:
    tx.execute(update(silences).where(silences.c.id == silence_id).values(held=silences.c.held + number))


def end(tx: Connection, silence_id: str, *, now_ns: int) -> bool:
    """End a silence now; False when it is over already."""
    ended = update(silences).where(silences.c.id == silence_id, silences.c.until_ns > now_ns).values(until_ns=now_ns)
    return tx.execute(ended).rowcount == 1
