"""Many rows in one statement: what a whole group of batches writes costs little more than what one of them does.

Statements are made once for each table and dialect. For SQLite they hold a fixed number of rows and are handed to the
driver as they are: a look at every value on the way would cost more than the database, and so would giving the
interpreter away and waiting for it again at every row, while other threads are busy. PostgreSQL takes each column as
one array. Not here: which rows, and what they mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, FromClause, String, Table, Text, and_, bindparam, func
from sqlalchemy import column as column_
from sqlalchemy import select as select_
from sqlalchemy import table as table_
from sqlalchemy import update as update_
from sqlalchemy.dialects import postgresql, sqlite

SIZES = (64, 16, 4, 1)  # rows in one statement for SQLite

Rows = Sequence[tuple[Any, ...]]

_KEEP = "*"
_GIVEN, _BY = "given_", "by_"  # before the names of parameters: a bare column's name is the toolkit's own


def insert(tx: Connection, table: Table, columns: tuple[str, ...], rows: Rows) -> int:
    """Insert rows that give `columns` in their order; how many."""
    return _run(tx, ("insert", table, columns, (), ""), rows)


def insert_new(tx: Connection, table: Table, columns: tuple[str, ...], rows: Rows) -> int:
    """`insert`, but a row whose key is there already is left out; how many were written."""
    return _run(tx, ("insert", table, columns, (), _KEEP), rows)


def upsert(tx: Connection, table: Table, columns: tuple[str, ...], rows: Rows, *, newest_by: str) -> int:
    """`insert`, but a row whose key is there already replaces that one, unless `newest_by` says that it is the older.

    No two rows may have one key.
    """
    return _run(tx, ("insert", table, columns, (), newest_by), rows)


def update(tx: Connection, table: Table, values: tuple[str, ...], where: tuple[str, ...], rows: Rows) -> int:
    """Set `values` of the row that has `where`: each row gives the former, then the latter; how many were found."""
    return _run(tx, ("update", table, values, where, ""), rows)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """A list of pairs of texts inside of a statement: a table to join with, and its columns."""

    table: FromClause
    first: ColumnElement[str]
    second: ColumnElement[str]


def pairs(dialect: str) -> Pairs:
    """A list of pairs, however many, for a statement that is made once; `pair_values` fills it."""
    if dialect == "postgresql":
        texts = [bindparam(name, type_=postgresql.ARRAY(Text)) for name in ("firsts", "seconds")]
        both = func.unnest(*texts).table_valued("first", "second", name="asked").render_derived()
        return Pairs(both, both.c.first, both.c.second)
    listed = func.json_each(bindparam("asked", type_=Text)).table_valued("value", name="asked_each")
    return Pairs(listed, func.json_extract(listed.c.value, "$[0]"), func.json_extract(listed.c.value, "$[1]"))


def among(dialect: str, column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Whether a column is one of a list of texts, however many, for a statement that is made once; `list_value` of the
    list fills the parameter `name`."""
    if dialect == "postgresql":
        return column == func.any(bindparam(name, type_=postgresql.ARRAY(Text)))
    listed = func.json_each(bindparam(name, type_=Text)).table_valued("value", name="listed")
    return column.in_(select_(listed.c.value))


def list_value(dialect: str, listed: Iterable[str]) -> Any:
    return list(listed) if dialect == "postgresql" else json.dumps(list(listed))


def pair_values(dialect: str, asked: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """What fills a list of `pairs`."""
    listed = list(asked)
    if dialect == "postgresql":
        return {"firsts": [first for first, _ in listed], "seconds": [second for _, second in listed]}
    return {"asked": json.dumps(listed)}


_What = tuple[str, Table, tuple[str, ...], tuple[str, ...], str]


def _run(tx: Connection, what: _What, rows: Rows) -> int:
    if not rows:
        return 0
    if tx.dialect.name == "postgresql":
        names = _names(what[2], what[3])
        given = {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
        return tx.execute(_with_arrays(*what), given).rowcount
    done = at = 0
    for size in SIZES:
        statement = _for_driver(*what, size)
        while len(rows) - at >= size:
            flat = tuple(chain.from_iterable(rows[at : at + size]))
            done += tx.exec_driver_sql(statement, flat).rowcount
            at += size
    return done


@cache
def _with_arrays(
    verb: str, table: Table, columns: tuple[str, ...], where: tuple[str, ...], conflict: str
) -> Executable:
    names = _names(columns, where)
    kinds = [_unbounded(table, name) for name in (*columns, *where)]
    arrays = [bindparam(name, type_=postgresql.ARRAY(kind)) for name, kind in zip(names, kinds, strict=True)]
    given = func.unnest(*arrays).table_valued(*names, name="given").render_derived()
    if verb == "update":
        found = and_(*(table.c[name] == given.c[_BY + name] for name in where))
        return update_(table).where(found).values({name: given.c[_GIVEN + name] for name in columns})
    made = postgresql.insert(table).from_select(columns, select_(*(given.c[name] for name in names)))
    return _settled(made, table, columns, conflict)


@cache
def _for_driver(
    verb: str, table: Table, columns: tuple[str, ...], where: tuple[str, ...], conflict: str, size: int
) -> str:
    names = _names(columns, where)
    made: Executable
    if verb == "update":
        given = table_("given", *(column_(f"column{place}") for place in range(1, len(names) + 1)))
        new = dict(zip(names, given.c, strict=True))
        found = and_(*(table.c[name] == new[_BY + name] for name in where))
        made = update_(table).where(found).values({name: new[_GIVEN + name] for name in columns})
        ours, rows = " FROM given ", " FROM (VALUES {}) AS given "
    else:
        plain = sqlite.insert(table).values({name: bindparam(_GIVEN + name) for name in columns})
        made = _settled(plain, table, columns, conflict)
        ours, rows = f"VALUES ({_marks(names)})", "VALUES {}"
    compiled = made.compile(dialect=sqlite.dialect(paramstyle="qmark"))
    if verb != "update" and compiled.positiontup != names:
        raise ValueError(f"name the columns of {table.name} in the order of the table: {compiled.positiontup}")
    before, after = str(compiled).replace("\n", " ").split(ours)
    return before + rows.format(", ".join([f"({_marks(names)})"] * size)) + after


def _marks(names: Sequence[str]) -> str:
    return ", ".join("?" * len(names))


def _names(columns: tuple[str, ...], where: tuple[str, ...]) -> list[str]:
    return [*(_GIVEN + name for name in columns), *(_BY + name for name in where)]


def _settled(
    made: sqlite.Insert | postgresql.Insert, table: Table, columns: tuple[str, ...], conflict: str
) -> sqlite.Insert | postgresql.Insert:
    key = [column.name for column in table.primary_key]
    if conflict == _KEEP:
        return made.on_conflict_do_nothing(index_elements=key)
    if conflict:
        fresh = {name: made.excluded[name] for name in columns if name not in key}
        newer = table.c[conflict] <= made.excluded[conflict]
        return made.on_conflict_do_update(index_elements=key, set_=fresh, where=newer)
    return made


def _unbounded(table: Table, name: str) -> Any:
    kind = table.c[name].type
    # What is too long for its column is to be an error; a cast to the column's own type would cut it off.
    return Text() if isinstance(kind, String) else kind
