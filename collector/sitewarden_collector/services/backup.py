"""A backup while the collector runs, and the way back.

After a restore agents are told at their hello what was stored last, and send what came later again. The secret key is
in no backup: keep `secret.key` (or $SITEWARDEN_SECRET_KEY) elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sitewarden_collector.errors import Conflict
from sitewarden_collector.store import copying, lock, migrate
from sitewarden_collector.store.engine import Database


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied: rows by table, and the size of the file."""

    rows: Mapping[str, int]
    bytes: int


def backup(database: Database, path: Path) -> Copied:
    """Write a whole copy to `path`, which must not be there; raises Conflict. A cut-off backup never gets that name."""
    if path.exists():
        raise Conflict(f"{path} is there already; choose another name, a backup never replaces a file")
    part = path.with_name(f"{path.name}.part")
    _remove(part)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # it holds customers' data
    try:
        rows = copying.copy_out(database, part)
        copying.check(part)
        _sync(part)
        os.rename(part, path)
        _sync(path.parent)
    except BaseException:
        _remove(part)
        raise
    return Copied(rows, path.stat().st_size)


def restore(url: str, path: Path, *, force: bool) -> Copied:
    """Put the backup at `path` into the database at `url`; raises Conflict, DatabaseUnusable.

    The database must be empty unless `force`; a damaged SQLite file is set aside then. No collector may run on it.
    """
    copying.check(path)
    with lock.only_collector(url):
        database = _open_for_restore(url, force=force)
        try:
            if force:
                copying.clear(database)
            copying.must_be_empty(database)
            rows = copying.copy_in(path, database)
        finally:
            database.close()
    return Copied(rows, path.stat().st_size)


def _open_for_restore(url: str, *, force: bool) -> Database:
    file = migrate.sqlite_path(url)
    if force and file is not None:
        # Nothing of the old file is read or written: it may be damaged, and it may yet be wanted.
        for companion in ("", "-wal", "-shm"):
            if os.path.exists(f"{file}{companion}"):
                os.replace(f"{file}{companion}", f"{file}.replaced{companion}")
    database = migrate.open_checked(url, thorough=True)
    try:
        migrate.prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def _remove(path: Path) -> None:
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm"), Path(f"{path}-journal")):
        name.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
