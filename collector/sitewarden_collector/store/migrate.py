"""The schema's version: an empty database is filled, an older one is upgraded on demand, a newer one is refused.

The steps are Alembic revisions in `sitewarden_collector/migrations`, whose files begin with their versions; there is no
alembic.ini. Alembic itself is asked only to take steps: every command looks at the version. A damaged or truncated
file is told apart from an empty one here, before anything is written to it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, inspect, make_url, text
from sqlalchemy.exc import DatabaseError, OperationalError

from sitewarden_collector.errors import DatabaseBusy, DatabaseUnusable
from sitewarden_collector.store.engine import Database

MIGRATIONS = Path(__file__).parents[1] / "migrations"
RESTORE_HINT = "restore a backup with `sitewarden restore FILE --force`"
THOROUGH_MAX_BYTES = 512 * 1024 * 1024  # about a second; a larger file is checked by `sitewarden backup`
MOVE_MARK = "unfinished_move"
_SQLITE_MAGIC = b"SQLite format 3\x00"


def open_checked(url: str, *, thorough: bool = False, make: Callable[[str], Database] = Database) -> Database:
    """The database at `url`, after a look at it: `thorough` reads all of a SQLite file that is not very large.

    Raises DatabaseUnusable when it is damaged and DatabaseBusy when it does not answer.
    """
    path = sqlite_path(url)
    if path is not None:
        look_at_file(path)
        _make_private(path)
    database = make(url)
    try:
        with database.engine.connect() as tx:
            tx.execute(text("SELECT 1"))
            if path is not None:
                tx.execute(text("SELECT count(*) FROM sqlite_master"))
                if thorough and path.stat().st_size <= THOROUGH_MAX_BYTES:
                    _check_pages(tx, path)
    except OperationalError as error:
        database.close()
        raise DatabaseBusy(
            f"the database {_shown(url)} does not answer ({error.orig}); check that it runs and that the url is right"
        ) from error
    except DatabaseError as error:
        database.close()
        raise DatabaseUnusable(f"the database {_shown(url)} is damaged ({error.orig}); {RESTORE_HINT}") from error
    except DatabaseUnusable:
        database.close()
        raise
    return database


def prepare(database: Database) -> None:
    """Fill an empty database; raise DatabaseUnusable for any version but this program's."""
    if database.read_now(move_is_unfinished):
        raise DatabaseUnusable(
            "this database is the target of a move that did not finish: run `sitewarden db move` once more, with "
            "--again, under the configuration of the source"
        )
    found = revision(database)
    if found is None and not _has_tables(database):
        upgrade(database)
        return
    refuse_newer(database)
    if found != head():
        raise DatabaseUnusable(
            f"the database is of an older version ({found}, this program has {head()}): stop the collector, make a "
            "backup, then run `sitewarden db upgrade`"
        )


def refuse_newer(database: Database) -> None:
    """Raise DatabaseUnusable when this program does not know the database's version."""
    found = revision(database)
    if found is None and not _has_tables(database):
        return
    if found not in versions():
        raise DatabaseUnusable(
            f"the database was written by another program or a newer Sitewarden (schema {found or 'unknown'}, this "
            f"program knows {head()}): install that version, or restore a backup of this one"
        )


def upgrade(database: Database) -> str:
    """Bring the schema to this program's version; returns it. A database that is there already is left as it is."""
    # Here, as no other command needs it: it takes longer to import than most of them take.
    from alembic import command
    from alembic.config import Config as AlembicConfig

    from sitewarden_collector.store import lock

    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with database.engine.connect().execution_options(writes=True) as tx, tx.begin():
        lock.in_turn(tx, "schema")  # of several collectors that are started at once, one makes the tables
        config.attributes["connection"] = tx
        command.upgrade(config, "head")
    return head()


def revision(database: Database) -> str | None:
    """The version of the schema in the database; None when there is none."""
    return database.read_now(revision_of)


def head() -> str:
    """The version that this program works with."""
    return versions()[-1]


def versions() -> tuple[str, ...]:
    """Every version that this program knows, the oldest first."""
    files = (MIGRATIONS / "versions").glob("r*_*.py")
    return tuple(sorted(path.name.partition("_")[0].removeprefix("r") for path in files))


def sqlite_path(url: str) -> Path | None:
    """The file behind a SQLite url; None for another engine."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return Path(parsed.database)


def _make_private(path: Path) -> None:
    """A new database is for its owner alone, wherever it lies; SQLite gives its companions the same mode."""
    with contextlib.suppress(OSError):  # it is there already, or cannot be made, which opening it says better
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _check_pages(tx: Connection, path: Path) -> None:
    found = tx.execute(text("PRAGMA quick_check(1)")).scalar_one()
    if found != "ok":
        raise DatabaseUnusable(f"the database {path} is damaged ({found}); {RESTORE_HINT}")


def look_at_file(path: Path) -> None:
    """Raise DatabaseUnusable when a SQLite file is evidently damaged or cut; a file that is not there is empty."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise DatabaseUnusable(f"the folder {path.parent} of the database is not there; make it") from None
        return
    except OSError as error:
        raise DatabaseUnusable(f"the database {path} cannot be read ({error.strerror})") from error
    if header and not header.startswith(_SQLITE_MAGIC):
        raise DatabaseUnusable(f"{path} is not a SQLite database, or its beginning is damaged; {RESTORE_HINT}")
    if header:
        pages, page_size = int.from_bytes(header[28:32], "big"), int.from_bytes(header[16:18], "big")
        page_size = 65_536 if page_size == 1 else page_size
        # What a checkpoint has not yet copied still lies in the WAL: then the file may rightly be shorter.
        settled = not Path(f"{path}-wal").exists() and header[24:28] == header[92:96]
        if settled and path.stat().st_size < pages * page_size:
            raise DatabaseUnusable(
                f"the database {path} is truncated ({path.stat().st_size} of {pages * page_size} bytes); {RESTORE_HINT}"
            )


def revision_of(tx: Connection) -> str | None:
    """`revision` of an open connection."""
    if not inspect(tx).has_table("alembic_version"):
        return None
    found = tx.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return None if found is None else str(found)


def move_is_unfinished(tx: Connection) -> bool:
    """Whether `store.moving` has begun to fill this database and not proven that all arrived."""
    return tx.dialect.name != "sqlite" and inspect(tx).has_table(MOVE_MARK)


def _has_tables(database: Database) -> bool:
    return database.read_now(lambda tx: bool(inspect(tx).get_table_names()))


def _shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)


def compact(database: Database) -> None:
    """Write the file of SQLite anew, so that nothing of what was deleted is left in it."""
    if not database.is_sqlite:
        return
    with database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.execute("VACUUM")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
