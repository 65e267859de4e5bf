"""From SQLite to PostgreSQL, once and for all, and the proof that everything arrived.

Every table is copied by COPY, in the order of its references, and read back: both sides must have the same number of
rows and the same digest, which is the sum of a hash of every row, so that no order has to be kept. Until that is proven
and numbering goes on where it was, a table `unfinished_move` stands in the target, and nobody serves from it: whatever
kills a move in the middle leaves a target that is told apart from a good one, and that alone may be wiped. The source
is only read.

Not here: keeping a collector out of the source meanwhile (`store.lock`), and backups (`store.copying`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
from sqlalchemy import Connection, Table, select, text

from sitewarden_collector.errors import Conflict, DatabaseUnusable, Invalid
from sitewarden_collector.store import copying, lock, migrate
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database

ROWS_AT_ONCE = 2_000
_MODULO = 1 << 128


@dataclass(frozen=True, slots=True)
class Moved:
    """One table: how many rows, their digest, and in how many a text held NUL, which PostgreSQL does not keep: there
    it is U+FFFD."""

    table: str
    rows: int
    digest: str
    mended: int = 0


Progress = Callable[[str, str, int], None]
"""Told what is done (`copied`, `verified`), of which table, and how many rows."""


def move(source: Database, url: str, *, again: bool, progress: Progress) -> list[Moved]:
    """Copy everything of a SQLite database into an empty PostgreSQL at `url`; what each table came to.

    `again` wipes a target whose move did not finish, and no other. Raises Invalid, Conflict, DatabaseUnusable.
    """
    if migrate.sqlite_path(url) is not None or not url.startswith("postgres"):
        raise Invalid("a move goes to PostgreSQL: name it as postgresql://USER@HOST/DATABASE")
    with closing(migrate.open_checked(url)) as target, _only_move(target):
        _make_ready(target, again=again)
        moved = []
        with source.engine.connect() as tx:
            for table in tables().sorted_tables:
                moved.append(_copy(tx, target, table))
                progress("copied", table.name, moved[-1].rows)
        for one in moved:
            _verify(target, tables().tables[one.table], one)
            progress("verified", one.table, one.rows)
        target.write_now(_finish)
        _analyze(target)
    return moved


@contextmanager
def _only_move(target: Database) -> Iterator[None]:
    with target.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not lock.held(connection, "move"):
            raise Conflict("another `sitewarden db move` works on this target: wait for it")
        yield


def _make_ready(target: Database, *, again: bool) -> None:
    """Leave the target with every table, all empty, and the mark that a move is under way."""
    if target.read_now(migrate.move_is_unfinished):
        if not again:
            raise Conflict("an earlier move into this database did not finish: `--again` wipes it and begins anew")
        target.write_now(_wipe)
    else:
        migrate.prepare(target)
        if not copying.is_empty(target):
            raise Conflict("the target is not empty; make a new database for the move, as by `createdb sitewarden`")
    target.write_now(lambda tx: tx.execute(text(f"CREATE TABLE IF NOT EXISTS {migrate.MOVE_MARK} (since timestamptz)")))
    migrate.upgrade(target)


def _wipe(tx: Connection) -> None:
    tables().drop_all(tx)
    tx.execute(text("DROP TABLE IF EXISTS alembic_version"))


def _copy(source: Connection, target: Database, table: Table) -> Moved:
    sums = _Sums()
    with target.engine.connect() as tx, tx.begin():
        quoted = tx.dialect.identifier_preparer.quote
        names = ", ".join(quoted(column.name) for column in table.columns)
        raw = tx.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        into = f"COPY {quoted(table.name)} ({names}) FROM STDIN".encode()
        try:
            with raw.cursor() as cursor, cursor.copy(into) as road:
                for row in _rows(source, table):
                    road.write_row(sums.add(row))
        except psycopg.DataError as error:
            raise DatabaseUnusable(
                f"a row of {table.name} does not fit into PostgreSQL ({error}): mend it in the source, then move again"
            ) from error
    return sums.of(table.name)


def _verify(target: Database, table: Table, wanted: Moved) -> None:
    sums = _Sums()
    with target.engine.connect() as tx:
        for row in _rows(tx, table):
            sums.add(row)
    found = sums.of(table.name)
    if (found.rows, found.digest) != (wanted.rows, wanted.digest):
        raise DatabaseUnusable(
            f"table {table.name} is not what it was: {wanted.rows} rows were read and {found.rows} lie in the target, "
            "or one of them differs; did somebody else write there? Move again with --again"
        )


def _rows(tx: Connection, table: Table) -> Iterator[Sequence[Any]]:
    found = tx.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table))
    for some in found.partitions(ROWS_AT_ONCE):
        yield from some


def _finish(tx: Connection) -> None:
    """Numbers go on where they were, and the target may be used: both or neither."""
    copying.set_sequences(tx)
    tx.execute(text(f"DROP TABLE {migrate.MOVE_MARK}"))


def _analyze(target: Database) -> None:
    """Let PostgreSQL know what it has now; otherwise it plans for empty tables until its own time for that comes."""
    with target.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


class _Sums:
    """What the rows of a table come to, whatever their order."""

    def __init__(self) -> None:
        self._rows = self._sum = self._mended = 0

    def add(self, row: Sequence[Any]) -> Sequence[Any]:
        """Count a row in; the row as PostgreSQL can keep it."""
        if any(isinstance(value, str) and "\x00" in value for value in row):
            row = [one.replace("\x00", "\N{REPLACEMENT CHARACTER}") if isinstance(one, str) else one for one in row]
            self._mended += 1
        digest = hashlib.blake2b(msgspec.msgpack.encode(list(row)), digest_size=16).digest()
        self._rows += 1
        self._sum = (self._sum + int.from_bytes(digest, "big")) % _MODULO
        return row

    def of(self, table: str) -> Moved:
        return Moved(table, self._rows, f"{self._sum:032x}", self._mended)
