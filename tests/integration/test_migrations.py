"""The migrations give exactly the tables that the program declares, and other versions are refused with what to do."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from sitewarden_collector.cli import main
from sitewarden_collector.errors import DatabaseBusy, DatabaseUnusable
from sitewarden_collector.store import migrate, partitions
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database


def _differences(tx: Connection) -> list[object]:
    parts = {name for table in partitions.SPLIT for name in partitions.names_of(table)}
    opts = {"compare_type": True, "compare_server_default": True, "include_name": lambda name, *_: name not in parts}
    context = MigrationContext.configure(tx, opts=opts)
    return list(compare_metadata(context, tables()))


def test_a_migrated_database_has_the_declared_tables_and_nothing_else(db_url: str) -> None:
    with closing(Database(db_url)) as db:
        migrate.prepare(db)
        assert db.read_now(_differences) == []
        assert migrate.revision(db) == migrate.head()
        migrate.prepare(db)  # and is left as it is


def test_the_files_of_the_steps_are_called_by_their_versions() -> None:
    steps = list(ScriptDirectory(str(migrate.MIGRATIONS)).walk_revisions())
    assert [step.revision for step in reversed(steps)] == list(migrate.versions())


def test_a_newer_schema_is_refused(db_url: str) -> None:
    with closing(Database(db_url)) as db:
        migrate.prepare(db)
        db.write_now(lambda tx: tx.execute(text("UPDATE alembic_version SET version_num = '9999'")))
        with pytest.raises(DatabaseUnusable, match="newer Sitewarden"):
            migrate.prepare(db)


def test_a_database_of_another_program_is_left_alone(db_url: str) -> None:
    with closing(Database(db_url)) as db:
        db.write_now(lambda tx: tx.execute(text("CREATE TABLE somebody_elses (n INTEGER)")))
        with pytest.raises(DatabaseUnusable, match="another program"):
            migrate.prepare(db)


def test_a_truncated_file_is_told_before_anything_is_written_to_it(tmp_path: Path) -> None:
    path = tmp_path / "collector.db"
    with closing(Database(f"sqlite:///{path}")) as db:
        migrate.prepare(db)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(DatabaseUnusable, match=r"truncated.*sitewarden restore"):
        migrate.open_checked(f"sqlite:///{path}")


def test_a_file_with_a_damaged_page_is_told(tmp_path: Path) -> None:
    path = tmp_path / "collector.db"
    with closing(Database(f"sqlite:///{path}")) as db:
        migrate.prepare(db)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 16_384)
    with pytest.raises(DatabaseUnusable, match="damaged"):
        migrate.open_checked(f"sqlite:///{path}", thorough=True)


def test_a_folder_that_is_not_there_and_a_server_that_does_not_answer_are_told(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="make it"):
        migrate.open_checked(f"sqlite:///{tmp_path / 'no such folder' / 'collector.db'}")
    with pytest.raises(DatabaseBusy, match="does not answer") as refusal:
        migrate.open_checked("postgresql://ada:secret@127.0.0.1:1/sitewarden")
    assert "secret" not in str(refusal.value)


def test_db_upgrade_fills_an_empty_database_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "collector.toml"
    config.write_text('data_dir = "data"\n')
    assert main(["db", "upgrade", "--config", str(config)]) == 0
    assert main(["db", "show", "--json", "--config", str(config)]) == 0
    head = migrate.head()
    assert (
        capsys.readouterr().out
        == f'The schema is {head}; it was empty.\n{{"database": "{head}", "program": "{head}"}}\n'
    )
