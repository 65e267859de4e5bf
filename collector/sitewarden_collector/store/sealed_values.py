"""Finding what rests encrypted, in whatever table: by how it begins. Not here: any key."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, LargeBinary, String, and_, cast, select, update

from sitewarden_collector.store.base import tables

BEGINNING = "gAAAAA"


def replace(tx: Connection, anew: Callable[[str], str]) -> None:
    """Write every text that holds something encrypted as `anew` makes it."""
    for table in tables().sorted_tables:
        keys = list(table.primary_key.columns)
        for column in table.columns:
            if not isinstance(column.type, String | LargeBinary) or column.primary_key or column.foreign_keys:
                continue
            if isinstance(column.type, String):
                holds = column.contains(BEGINNING)
            elif tx.dialect.name == "sqlite":
                holds = cast(column, String).contains(BEGINNING)
            else:
                holds = column.between(BEGINNING.encode(), BEGINNING.encode() + b"\xff")
            for row in tx.execute(select(*keys, column.label("kept_value")).where(holds)).all():
                kept = row.kept_value
                before = kept if isinstance(kept, str) else bytes(kept).decode("latin-1")
                after = anew(before)
                if after != before:
                    here = and_(*(key == row[i] for i, key in enumerate(keys)))
                    value = after if isinstance(kept, str) else after.encode("latin-1")
                    tx.execute(update(table).where(here).values({column: value}))
