"""Deleting what is old, a bounded number of rows a step, by where they lie instead of by their keys.

A row that an index of times led to is not looked for again by its key: SQLite is told its number, PostgreSQL its place.
There a table that is split (`store.partitions`) is done partition by partition, each by its own index of times. Not
here: what is old (each table says so), how often (`services.retention`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    MetaData,
    Select,
    Table,
    delete,
    func,
    literal_column,
    select,
    text,
)

_PARTITIONS = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(:name) ORDER BY 1")


def forget(tx: Connection, table: Table, old: Callable[[FromClause], ColumnElement[bool]], *, limit: int) -> int:
    """Delete rows of which `old` holds, `limit` at most; how many."""
    if tx.dialect.name != "postgresql":
        rows = table.alias("rows")
        numbers: Select[Any] = select(literal_column("rows.rowid")).select_from(rows).where(old(rows)).limit(limit)
        return tx.execute(delete(table).where(literal_column("rowid").in_(numbers))).rowcount
    gone = 0
    # A place is one of a partition alone, so the database says which there are.
    for name in tx.execute(_PARTITIONS, {"name": table.name}).scalars().all() or [table.name]:
        part = _like(table, name)
        rows = part.alias("rows")
        places: Select[Any] = select(literal_column("rows.ctid")).select_from(rows).where(old(rows)).limit(limit - gone)
        at = literal_column("ctid") == func.any(func.array(places.scalar_subquery()))
        gone += tx.execute(delete(part).where(at)).rowcount
        if gone >= limit:
            break
    return gone


@cache
def _like(table: Table, name: str) -> Table:
    return Table(name, MetaData(), *(Column(column.name, column.type) for column in table.columns))
