"""What headquarters keeps from other users of its host, and out of its own errors."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from sitewarden_collector.errors import Conflict
from sitewarden_collector.services import actions
from sitewarden_collector.store import migrate
from sitewarden_collector.store.engine import Database
from tests.cast import NOON, settle_agent


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_a_new_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with closing(migrate.open_checked(f"sqlite:///{tmp_path / 'collector.db'}")) as database:
        migrate.prepare(database)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes
    assert set(modes.values()) == {0o600}, modes


def test_an_error_of_the_database_quotes_nothing_of_what_it_was_given(db: Database) -> None:
    def fail(tx: Connection) -> None:
        tx.execute(text("INSERT INTO no_such_table (name) VALUES (:name)"), {"name": "a customer's own"})

    with pytest.raises(Exception, match="no_such_table") as error:
        db.write_now(fail)
    assert "a customer's own" not in str(error.value)


@pytest.mark.parametrize("field", ["subject", "body", "reference"])
def test_a_notice_that_no_stream_could_carry_is_refused_when_it_is_written(db: Database, field: str) -> None:
    site_id = db.write_now(settle_agent).site_id
    said = {"subject": "patch", "body": "", "reference": ""} | {field: "x" * 5_000_000}
    with pytest.raises(Conflict, match="shorten it"):
        db.write_now(actions.send_notice, site_id, category="patch", now_ns=NOON, **said)
