"""Who may work on the database: exactly one collector on SQLite, singleton loops on PostgreSQL.

The lock file lies beside the database, holds the process's number for whoever is kept out, and is let go of by the
kernel when the process ends, however it ends. Commands need no lock: they write by short transactions.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, text

from sitewarden_collector.errors import DatabaseUnusable
from sitewarden_collector.store.migrate import sqlite_path


@contextmanager
def only_collector(url: str) -> Iterator[None]:
    """Be the only collector on this database for as long as the context lasts; raises DatabaseUnusable.

    On PostgreSQL several collectors may work at once: nothing is locked.
    """
    database = sqlite_path(url)
    if database is None:
        yield
        return
    path = Path(f"{database}.lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            raise DatabaseUnusable(
                f"another collector (process {holder}) works on {database}: stop it first; for more than one "
                "process use PostgreSQL"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def alone(tx: Connection, task: str) -> bool:
    """True when nobody else is at `task` until this transaction ends. On SQLite that is always so."""
    if tx.dialect.name == "sqlite":
        return True
    number = zlib.crc32(f"sitewarden {task}".encode())
    return bool(tx.execute(text("SELECT pg_try_advisory_xact_lock(:n)"), {"n": number}).scalar_one())


def held(connection: Connection, task: str) -> bool:
    """True when nobody else is at `task` until this connection ends; it must not be in a transaction. PostgreSQL."""
    number = zlib.crc32(f"sitewarden {task}".encode())
    return bool(connection.execute(text("SELECT pg_try_advisory_lock(:n)"), {"n": number}).scalar_one())


def in_turn(tx: Connection, task: str) -> None:
    """Wait until nobody else is at `task`, and keep others waiting until this transaction ends. On SQLite one
    transaction writes at a time anyway."""
    if tx.dialect.name != "sqlite":
        number = zlib.crc32(f"sitewarden {task}".encode())
        tx.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": number})
