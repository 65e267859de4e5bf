"""What every test may ask for: databases that are real, and the server of the dev dependencies for PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import grpc.aio
import pytest
from hypothesis import settings

from sitewarden_collector.store.engine import Database
from tests import databases, postgres

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


@pytest.fixture(scope="session")
def made_on_postgres(postgres_server: str) -> str:
    """The name of a database with every table, to be copied."""
    databases.make(databases.new(postgres_server, "made"))
    return "made"


@pytest.fixture(scope="session")
def made_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with every table, to be copied."""
    file = tmp_path_factory.mktemp("made") / "collector.db"
    databases.make(f"sqlite:///{file}")
    return file


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database of this test alone."""
    with databases.of_its_own(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def db_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The same test over both databases: an empty one, or one with every table for a test that asks for `db`."""
    made = "db" in request.fixturenames
    if request.param == "sqlite":
        file = tmp_path / "collector.db"
        if made:
            shutil.copyfile(request.getfixturevalue("made_on_sqlite"), file)
        yield f"sqlite:///{file}"
        return
    server = request.getfixturevalue("postgres_server")
    with databases.of_its_own(server, copied=request.getfixturevalue("made_on_postgres") if made else "") as url:
        yield url


@pytest.fixture
def db(db_url: str) -> Iterator[Database]:
    """An open database with every table, over both engines in turn."""
    database = Database(db_url)
    yield database
    database.close()
