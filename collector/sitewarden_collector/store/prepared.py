"""Statements that every alert needs, kept as text and handed to the driver: what the toolkit looks at on the way
takes longer than most of them take in the database.

Statements are module constants with named parameters; each is made into text once for a dialect. Values and rows go
through the same converters of types as ever, and errors through the toolkit's own door, so a caller sees the rows and
the errors that `tx.execute` gives. `bindparam(..., expanding=True)` takes a list of any length; one text serves several
lengths. Not here: defaults of columns (a row gives all of its columns), and statements with many rows (`store.bulk`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.sql.expression import UpdateBase
from sqlalchemy.sql.selectable import SelectBase

LIST_MAX = 1024  # longer lists are rare: each has a text of its own, made anew

Values = Mapping[str, Any]
Statement = SelectBase | UpdateBase


def rows(tx: Connection, statement: Statement, values: Values) -> list[Any]:
    """What a statement finds, or returns of what it wrote."""
    made = _made(tx, statement, values)
    cursor = _run(tx, made, made.given(values))
    try:
        return made.read(cursor)
    finally:
        cursor.close()


def row(tx: Connection, statement: Statement, values: Values) -> Any:
    """The first row that a statement finds or returns; None where there is none."""
    found = rows(tx, statement, values)
    return found[0] if found else None


def write(tx: Connection, statement: UpdateBase, some: Sequence[Values]) -> int:
    """Carry a statement out for each of `some`, at least one, all with the same names; how many rows it concerned."""
    made = _made(tx, statement, some[0])
    cursor = _run(tx, made, [made.given(values) for values in some] if len(some) > 1 else made.given(some[0]))
    try:
        return cursor.rowcount
    finally:
        cursor.close()


class _Made:
    """A statement as text, for one dialect and for lists of certain lengths."""

    def __init__(self, tx: Connection, statement: Statement, values: Values, lists: Mapping[str, int]) -> None:
        dialect = tx.dialect
        if isinstance(statement, UpdateBase):
            tells = bool(statement._returning)
            compiled = statement.compile(dialect=dialect, column_keys=list(values), for_executemany=not tells)
        else:
            compiled = statement.compile(dialect=dialect)
        if compiled.insert_prefetch or compiled.update_prefetch:
            raise ValueError(f"a value is missing for a column that has a default: {compiled}")
        full = compiled.construct_expanded_state({**values, **{name: [None] * size for name, size in lists.items()}})
        self.text = full.statement
        self._names = None if full.positiontup is None else tuple(full.positiontup)
        self._lists = {
            name: tuple(full.parameter_expansion[name]) for name in lists if name in full.parameter_expansion
        }
        processors: Mapping[str, Any] = {**compiled._bind_processors, **full.processors}
        used = set(full.parameters)
        self._processors = {name: one for name, one in processors.items() if name in used and one is not None}
        given = {*values, *(place for places in self._lists.values() for place in places)}
        self._fixed = {name: self._processed(name, one) for name, one in full.parameters.items() if name not in given}
        self._columns = compiled._result_columns
        self._dialect = dialect
        self._meta = SimpleResultMetaData([one.keyname for one in self._columns])
        self._places = self._meta._key_to_index
        self._readers: list[Any] | None = None
        self._reads_as_told = False

    def read(self, cursor: DBAPICursor) -> list[Any]:
        """What the driver found, as rows of the statement's columns."""
        if not self._reads_as_told:
            pairs = zip(self._columns, cursor.description, strict=True)
            found = [one.type._cached_result_processor(self._dialect, described[1]) for one, described in pairs]
            self._readers = found if any(one is not None for one in found) else None
            self._reads_as_told = True
        meta, readers, places = self._meta, self._readers, self._places
        return [Row(meta, readers, places, one) for one in cursor.fetchall()]

    def given(self, values: Values) -> tuple[Any, ...] | dict[str, Any]:
        """Values as the driver takes them."""
        if self._lists or self._processors:
            values = self._spread(values)
        if self._names is None:
            return {**self._fixed, **values}
        fixed = self._fixed
        return tuple([values[name] if name in values else fixed[name] for name in self._names])

    def _spread(self, values: Values) -> Values:
        spread = dict(values)
        for name, places in self._lists.items():
            listed = list(spread.pop(name))
            listed += listed[-1:] * (len(places) - len(listed))  # what is asked for twice is found once
            spread.update(zip(places, listed, strict=True))
        return {name: self._processed(name, value) for name, value in spread.items()}

    def _processed(self, name: str, value: Any) -> Any:
        processor = self._processors.get(name)
        return value if processor is None else processor(value)


_kept: dict[tuple[Any, ...], _Made] = {}


def _made(tx: Connection, statement: Statement, values: Values) -> _Made:
    lists = {name: _size(len(value)) for name, value in values.items() if type(value) is list}
    key = (
        statement,
        tx.dialect.name,
        *(lists.values() if lists else values if isinstance(statement, UpdateBase) else ()),
    )
    found = _kept.get(key)
    if found is None:
        found = _Made(tx, statement, values, lists)
        if all(size <= LIST_MAX for size in lists.values()):
            _kept[key] = found
    return found


def _size(length: int) -> int:
    """The length of the list in the text that serves this one: the next power of two."""
    return 1 << (length - 1).bit_length() if 0 < length <= LIST_MAX else length


def _run(tx: Connection, made: _Made, given: Any) -> DBAPICursor:
    if not tx.in_transaction():
        tx.begin()
    cursor = tx.connection.cursor()
    try:
        if isinstance(given, list):
            cursor.executemany(made.text, given)
        else:
            cursor.execute(made.text, given)
    except BaseException as error:  # noqa: BLE001  it is raised again, as the toolkit's
        tx._handle_dbapi_exception(error, made.text, given, cursor, None)
    return cursor
