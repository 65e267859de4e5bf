"""The whole database as one SQLite file, and back. The file is the same from either engine and for either engine.

From SQLite it is copied by SQLite's own online backup; from PostgreSQL every table is read in one REPEATABLE READ
transaction. Its last page of truth is the table `backup_rows`: how many rows each table had, so that a file which was
cut or altered is told. Not here: who may call this, and when.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    String,
    Table,
    create_engine,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from sitewarden_collector.errors import Conflict, DatabaseUnusable
from sitewarden_collector.store import migrate
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database

ROWS_AT_ONCE = 1_000

_mark = Table(
    "backup_rows",
    MetaData(),
    Column("name", String(64), primary_key=True),
    Column("rows", BigInteger, nullable=False),
)


def copy_out(database: Database, path: Path) -> dict[str, int]:
    """Write everything to a new file at `path`; rows by table. The collector may run meanwhile."""
    source = migrate.sqlite_path(database.url)
    if source is not None:
        _copy_sqlite(source, path)
    with closing(Database(f"sqlite:///{path}")) as copy:
        if source is None:
            migrate.upgrade(copy)
            _copy_tables(database, copy)
        counts = copy.write_now(_stamp)
    with closing(sqlite3.connect(path)) as alone:
        alone.execute("PRAGMA journal_mode=DELETE")  # one file, without companions
    return counts


def copy_in(path: Path, database: Database) -> dict[str, int]:
    """Fill an empty, prepared database from the file at `path` in one transaction; rows by table.

    Raises DatabaseUnusable when what came out is not what the file said it holds.
    """
    with _opened(path) as source:
        stated = {str(row.name): int(row.rows) for row in source.execute(select(_mark))}

        def fill(tx: Connection) -> None:
            for table in tables().sorted_tables:
                for rows in _read(source, table):
                    _write(tx, table, rows)
            if _counts(tx) != stated:
                raise DatabaseUnusable(f"{path} is not whole: its tables do not hold the rows it states; use another")
            set_sequences(tx)

        database.write_now(fill)
    return stated


def check(path: Path) -> None:
    """Look a backup over; raises DatabaseUnusable when it is damaged, cut, of another version, or no backup."""
    if not path.is_file():
        raise DatabaseUnusable(f"{path} is not there; name a file that `sitewarden backup` wrote")
    migrate.look_at_file(path)
    try:
        with _opened(path) as copy:
            found = copy.execute(text("PRAGMA integrity_check(1)")).scalar_one()
            marked = inspect(copy).has_table(_mark.name)
            version = migrate.revision_of(copy)
    except DatabaseError as error:
        raise DatabaseUnusable(f"{path} is damaged ({error.orig}); use another backup") from error
    if found != "ok":
        raise DatabaseUnusable(f"{path} is damaged ({found}); use another backup")
    if not marked:
        raise DatabaseUnusable(f"{path} is not a finished backup; name a file that `sitewarden backup` wrote")
    if version != migrate.head():
        raise DatabaseUnusable(
            f"{path} has schema {version}, this program {migrate.head()}: restore it with the version that made it, "
            "then upgrade"
        )


def clear(database: Database) -> None:
    """Delete every row of every table, in one transaction."""

    def delete_all(tx: Connection) -> None:
        for table in reversed(tables().sorted_tables):
            tx.execute(table.delete())

    database.write_now(delete_all)


def is_empty(database: Database) -> bool:
    """True when no table holds a row."""
    return not any(database.read_now(_counts).values())


def must_be_empty(database: Database) -> None:
    """Raise Conflict when there is something that a restore would replace."""
    if not is_empty(database):
        raise Conflict("the database is not empty; restore into an empty one, or add --force to replace what is there")


def _copy_sqlite(source: Path, path: Path) -> None:
    with closing(sqlite3.connect(source)) as there, closing(sqlite3.connect(path)) as here:
        there.execute("PRAGMA busy_timeout=10000")
        there.backup(here)


def _copy_tables(database: Database, copy: Database) -> None:
    with database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as source, source.begin():
        for table in tables().sorted_tables:
            for rows in _read(source, table):
                copy.write_now(_write, table, rows)


@contextmanager
def _opened(path: Path) -> Iterator[Connection]:
    """A backup, read as it lies there: nothing is written to it or beside it."""
    url = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    engine = create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(url, uri=True, check_same_thread=False), poolclass=NullPool
    )
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _stamp(tx: Connection) -> dict[str, int]:
    _mark.create(tx)
    counts = _counts(tx)
    tx.execute(insert(_mark), [{"name": name, "rows": count} for name, count in counts.items()])
    return counts


def _counts(tx: Connection) -> dict[str, int]:
    return {
        table.name: int(tx.execute(select(func.count()).select_from(table)).scalar_one())
        for table in tables().sorted_tables
    }


def _read(source: Connection, table: Table) -> Iterator[list[dict[str, object]]]:
    found = source.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table))
    for rows in found.mappings().partitions(ROWS_AT_ONCE):
        yield [dict(row) for row in rows]


def _write(tx: Connection, table: Table, rows: list[dict[str, object]]) -> None:
    tx.execute(insert(table), rows)


def set_sequences(tx: Connection) -> None:
    """PostgreSQL's sequences know nothing of rows that came with their numbers."""
    if tx.dialect.name != "postgresql":
        return
    for table in tables().sorted_tables:
        column = table.autoincrement_column
        if column is None or column.foreign_keys:
            continue
        sequence = tx.execute(
            text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
        ).scalar_one()
        if sequence is not None:
            highest = tx.execute(select(func.max(column))).scalar_one() or 0
            tx.execute(text("SELECT setval(:name, :value, true)"), {"name": sequence, "value": max(highest, 1)})
