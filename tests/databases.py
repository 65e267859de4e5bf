"""Databases of one test alone: empty, or a copy of one with every table, which takes a tenth of making them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager

from sqlalchemy import create_engine, make_url, text

from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database


def make(url: str) -> None:
    """Make every table."""
    with closing(Database(url)) as db:
        tables().create_all(db.engine)


def new(server: str, name: str, *, copied: str = "") -> str:
    """Make a database on a PostgreSQL server, empty or a copy of another one; its URL."""
    _do(server, f"CREATE DATABASE {name}" + (f" TEMPLATE {copied}" if copied else ""))
    # The server listens on a socket whose path stands in the query, so only the path of the URL changes.
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@contextmanager
def of_its_own(server: str, *, copied: str = "") -> Iterator[str]:
    """`new` under a name that nobody else has, until the block ends."""
    name = f"t{uuid.uuid4().hex}"
    yield new(server, name, copied=copied)
    _do(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _do(server: str, statement: str) -> None:
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(statement))
    admin.dispose()
