"""Exactly one collector works on a SQLite database; on PostgreSQL single tasks are done by one at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection

from sitewarden_collector.errors import DatabaseUnusable
from sitewarden_collector.store import lock
from sitewarden_collector.store.engine import Database

HOLD = """
import sys
from sitewarden_collector.store import lock
with lock.only_collector(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_collector_is_told_which_process_is_the_first(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'collector.db'}"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(DatabaseUnusable, match=rf"process {first.pid}.*stop it first"), lock.only_collector(url):
            pass
        first.kill()
    with lock.only_collector(url):  # a killed process holds nothing
        assert (tmp_path / "collector.db.lock").read_text() == f"{os.getpid()}\n"


def test_postgresql_needs_no_lock() -> None:
    with lock.only_collector("postgresql://db/one"), lock.only_collector("postgresql://db/one"):
        pass


def test_a_task_is_done_by_one_collector_at_a_time(db: Database) -> None:
    def alone(tx: Connection) -> bool:
        return lock.alone(tx, "evaluation")

    with db.engine.connect() as other, other.begin():
        assert lock.alone(other, "evaluation")
        assert db.write_now(alone) is db.is_sqlite
        assert db.write_now(lambda tx: lock.alone(tx, "retention"))
    assert db.write_now(alone)
