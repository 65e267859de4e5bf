"""What every test may ask for: databases that are real, and the server of the dev dependencies for PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import grpc.aio
import pytest
from hypothesis import settings
from sqlalchemy import create_engine, text

from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database
from tests import postgres

# grpc.aio shuts itself down with its last object and joins its poller's thread. When the garbage collector finds that
# object on some other thread, nobody answers the join any more. Held once, it stays up until the process ends.
grpc.aio.init_grpc_aio()

# The same examples every time: a failure is about the change at hand. `make fuzz` looks further each time.
settings.register_profile("house", derandomize=True, deadline=None)
settings.load_profile("house")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a running PostgreSQL of this test run alone."""
    with postgres.running() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database of this test alone."""
    name = f"t{uuid.uuid4().hex}"
    admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    # The server listens on a socket whose path stands in the query, so only the path of the URL changes.
    yield str(admin.url.set(database=name).render_as_string(hide_password=False))
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def db_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same test over both databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'collector.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def db(db_url: str) -> Iterator[Database]:
    """An open database with every table, over both engines in turn."""
    database = Database(db_url)
    tables().create_all(database.engine)
    yield database
    database.close()
