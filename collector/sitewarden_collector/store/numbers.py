"""Short human numbers: INC-1001, RSK-1, SIL-1. One row a kind, moved on by a guarded update: none is given twice."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, String, Table, insert, update
from sqlalchemy.exc import IntegrityError

from sitewarden_collector.store.base import metadata

FIRST = {"INC": 1001, "RSK": 1, "SIL": 1}

numbers = Table(
    "numbers",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("last", BigInteger, nullable=False),
)


def next_number(tx: Connection, kind: str) -> str:
    """The next number of a kind (`INC`, `RSK`, `SIL`), as `INC-1001`. A transaction that fails gives it back."""
    while True:
        moved = update(numbers).where(numbers.c.kind == kind).values(last=numbers.c.last + 1).returning(numbers.c.last)
        last = tx.execute(moved).scalar_one_or_none()
        if last is not None:
            return f"{kind}-{last}"
        try:
            with tx.begin_nested():
                tx.execute(insert(numbers).values(kind=kind, last=FIRST[kind] - 1))
        except IntegrityError:
            continue  # another writer made the row in between
