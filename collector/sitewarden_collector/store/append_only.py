"""Tables whose rows are only ever added: the database itself refuses to change or to delete one.

`guard(table)` marks a table when it is declared; `install` writes the triggers, at the creation of the tables and in
the migrations. The one way past them is `unlocked`, for erasing what a customer or the law wants gone; whoever uses it
writes into the audit log what was erased and why.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, Table, delete, event, insert, text

from sitewarden_collector.store.base import metadata

# A row in here, which never outlives its transaction, lets rows of guarded tables be changed.
locks = Table("append_only_unlocked", metadata, Column("id", Integer, primary_key=True, autoincrement=False))

_guarded: list[Table] = []


def guard(table: Table) -> None:
    """From now on rows of `table` can be added only."""
    _guarded.append(table)


@contextmanager
def unlocked(tx: Connection) -> Iterator[None]:
    """Let this transaction change and delete guarded rows until the end of the block."""
    tx.execute(insert(locks).values(id=1))
    yield
    tx.execute(delete(locks))


def install(tx: Connection) -> None:
    """Write the triggers of all guarded tables. Calling it again changes nothing."""
    if tx.dialect.name == "postgresql":
        tx.execute(text(_FUNCTION))
    for table in _guarded:
        for what in ("UPDATE", "DELETE"):
            name = f"append_only_{table.name}_{what.lower()}"
            if tx.dialect.name == "postgresql":
                tx.execute(text(f"DROP TRIGGER IF EXISTS {name} ON {table.name}"))
            template = _POSTGRES if tx.dialect.name == "postgresql" else _SQLITE
            tx.execute(text(template.format(name=name, what=what, table=table.name)))


@event.listens_for(metadata, "after_create")
def _created(_target: MetaData, connection: Connection, **_more: Any) -> None:
    install(connection)


_SQLITE = """
CREATE TRIGGER IF NOT EXISTS {name} BEFORE {what} ON {table}
WHEN NOT EXISTS (SELECT 1 FROM append_only_unlocked)
BEGIN SELECT RAISE(ABORT, 'rows of {table} are only ever added'); END
"""
_FUNCTION = """
CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM append_only_unlocked) THEN
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
  END IF;
  RAISE EXCEPTION 'rows of % are only ever added', TG_TABLE_NAME;
END $$
"""
_POSTGRES = "CREATE TRIGGER {name} BEFORE {what} ON {table} FOR EACH ROW EXECUTE FUNCTION append_only()"
