"""The file of the spool: its tables, how it is opened by two processes, and how a damaged one is set aside.

It promises: WAL with synchronous=FULL (a commit that returned survives a power cut); every write is one IMMEDIATE
transaction whose commit goes through an injected function; a file that cannot be read is renamed, never deleted, and
what can still be read of it goes over into the new one.
Not here: what the tables mean.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from sitewarden_agent.errors import SpoolBusy, SpoolDamaged
from sitewarden_agent.spool import tally
from sitewarden_agent.spool.words import SpoolFull

Commit = Callable[[sqlite3.Connection, str], None]
"""Makes a transaction durable. The second argument names the step, so that a test can die at any of them."""

BUSY_S = 10.0
WAL_PAGES = 256
MODE = 0o660
"""Observe and link may be two users of one group (the service units set the umask and a folder of that group); where
they are one user, the state folder, which nobody else may enter, keeps everybody out."""
SCHEMA_VERSION = 1
QUEUES = ("samples", "probes", "logs", "changes", "outcomes")
"""What waits, a table a class, in the order in which it is given up. Rows leave a table only at its oldest end (so
whole pages become free and ids stay without holes)."""

_CHECK_AT_MOST_BYTES = 64 * 1024 * 1024  # a larger file is checked only when something looked wrong before
_SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    *(
        f"CREATE TABLE {queue} (id INTEGER PRIMARY KEY AUTOINCREMENT, wall_ns INTEGER NOT NULL,"
        " spool_ns INTEGER NOT NULL, body BLOB NOT NULL)"
        for queue in QUEUES
    ),
    "CREATE TABLE batches (seq INTEGER PRIMARY KEY, observations INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " oldest_ns INTEGER NOT NULL, acked_spool_ns INTEGER, body BLOB NOT NULL)",
    "CREATE TABLE parked (id INTEGER PRIMARY KEY AUTOINCREMENT, epoch TEXT NOT NULL, seq INTEGER NOT NULL,"
    " reason TEXT NOT NULL, wall_ns INTEGER NOT NULL, observations INTEGER NOT NULL, body BLOB)",
    "CREATE TABLE marks (source TEXT NOT NULL, file_id TEXT NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY (source, file_id)) WITHOUT ROWID",
    "CREATE TABLE notes (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE actions (number INTEGER PRIMARY KEY AUTOINCREMENT, action_id TEXT NOT NULL UNIQUE,"
    " begun_ns INTEGER NOT NULL, outcome BLOB)",
    "CREATE TABLE notices (number INTEGER PRIMARY KEY AUTOINCREMENT, action_id TEXT NOT NULL UNIQUE,"
    " body BLOB NOT NULL)",
)
# What a new file takes over from a damaged one, as far as it can be read. Batches don't go over: whether headquarters
# has them is known only under the epoch that is lost.
_SALVAGED = {
    "marks": "source, file_id, body",
    "actions": "number, action_id, begun_ns, outcome",
    "notices": "number, action_id, body",
    "notes": "key, body",
    **dict.fromkeys(QUEUES, "id, wall_ns, spool_ns, body"),
}


def commit(connection: sqlite3.Connection, step: str) -> None:
    """The real commit."""
    connection.execute("COMMIT")


def open_file(path: Path, *, commit: Commit) -> tuple[sqlite3.Connection, Path | None]:
    """Open the spool, making it when there is none. Also says where a damaged one was set aside, if one was.

    Raises SpoolDamaged when not even a new file can be made, and when a newer agent made this one.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _opening(path):
            aside = None
            try:
                connection = _connect(path)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                aside = _set_aside(path)
                connection = _connect(path)
            if _version(connection) == 0:
                _create(connection, aside, commit)
            for statement in tally.TABLES:
                connection.execute(statement)  # newer than the first spools: no reason to begin anew
            return connection, aside
    except sqlite3.Error as error:
        raise explained(error, path) from error
    except OSError as error:
        raise SpoolDamaged(
            f"The spool {path} cannot be opened: {error.strerror}. Give the agent's user write access to its folder."
        ) from error


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, step: str, *, path: Path, commit: Commit) -> Iterator[None]:
    """One IMMEDIATE transaction: committed when the block ends, undone when it raises.

    Raises SpoolBusy, SpoolFull or SpoolDamaged for what SQLite says.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            commit(connection, step)
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        raise explained(error, path) from error


def explained(error: sqlite3.Error, path: Path) -> SpoolFull | SpoolBusy | SpoolDamaged:
    """What SQLite said, in words for the customer's administrator."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return SpoolFull(f"The disk of the spool {path} is full. Free some space; the agent goes on by itself then.")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return SpoolBusy(f"The spool {path} was locked for {BUSY_S:.0f} s. If this lasts, the disk is too slow.")
    if _is_damage(error):
        suspect(path)
        return SpoolDamaged(f"The spool {path} is damaged ({error}). It is set aside when the agent starts again.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return SpoolDamaged(f"The spool {path} cannot be written ({error}). Give the agent's user write access to it.")
    return SpoolFull(f"The spool {path} could not be written ({error}). Look at the disk; the agent keeps trying.")


def suspect(path: Path) -> None:
    """Remember that the file looked damaged, so that the next opening checks all of it."""
    with contextlib.suppress(OSError):
        _beside(path, ".suspect").touch()


def _is_damage(error: sqlite3.Error) -> bool:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    # "No such table" in a file that says it is of our version is damage as well; SQLite calls it a plain error.
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "no such table" in str(error)


@contextlib.contextmanager
def _opening(path: Path) -> Iterator[None]:
    """Only one process opens, makes or sets aside at a time."""
    descriptor = os.open(_beside(path, ".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _connect(path: Path) -> sqlite3.Connection:
    """Raises sqlite3.DatabaseError for a file that is no database or fails its check."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # A journal of 4 MB, as is usual, could fill a nearly full disk and then never be taken into the database.
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        version = _version(connection)
        if version > SCHEMA_VERSION:
            raise SpoolDamaged(
                f"The spool {path} was made by a newer agent. Install that version again, or move the file away "
                "(what it still holds is then not sent)."
            )
        marker = _beside(path, ".suspect")
        if version and (path.stat().st_size <= _CHECK_AT_MOST_BYTES or marker.exists()):
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise _damage(found)
        if version:
            present = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            missing = {"meta", "batches", "parked", *_SALVAGED} - present
            if missing:
                raise _damage(f"no such table: {', '.join(sorted(missing))}")
        marker.unlink(missing_ok=True)
    except BaseException:
        connection.close()
        raise
    return connection


def _damage(found: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(found)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _create(connection: sqlite3.Connection, aside: Path | None, commit: Commit) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute("INSERT INTO meta VALUES ('epoch', ?)", (os.urandom(16).hex(),))
        if aside is not None:
            _salvage(connection, aside)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        commit(connection, "create")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.close()
        raise


def _salvage(connection: sqlite3.Connection, aside: Path) -> None:
    """Take over what can be read of the damaged file, up to the first unreadable row of each table."""
    try:
        old = sqlite3.connect(f"file:{aside}?mode=ro", uri=True)
    except sqlite3.Error:
        return
    with contextlib.closing(old):
        for table, columns in _SALVAGED.items():
            holes = ", ".join("?" * len(columns.split(", ")))
            with contextlib.suppress(sqlite3.Error):
                for row in old.execute(f"SELECT {columns} FROM {table}"):  # noqa: S608  both are constants above
                    connection.execute(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({holes})", row)  # noqa: S608


def _set_aside(path: Path) -> Path:
    """Rename the file and its journal; the newest damaged one is kept, an older one makes room for it."""
    aside = _beside(path, ".damaged")
    for suffix in ("-wal", "-shm", ""):
        source, target = _beside(path, suffix), _beside(aside, suffix)
        target.unlink(missing_ok=True)
        try:
            source.rename(target)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
    _beside(path, ".suspect").unlink(missing_ok=True)
    return aside


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
