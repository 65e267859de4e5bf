"""What the collector itself remembers from one start to the next, by name."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Column, Connection, String, Table, Text, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from sitewarden_collector.store import prepared
from sitewarden_collector.store.base import metadata

settings = Table(
    "settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),  # JSON
)

_GET = select(settings.c.value).where(settings.c.name == bindparam("which"))


def get(tx: Connection, name: str) -> Any:
    """The value under `name`; None when there is none."""
    row = prepared.row(tx, _GET, {"which": name})
    return None if row is None else msgspec.json.decode(row[0])


def put(tx: Connection, name: str, value: Any) -> None:
    text = msgspec.json.encode(value).decode()
    write = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    statement = write(settings).values(name=name, value=text)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": text}))
