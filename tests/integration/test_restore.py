"""A backup is made while the collector runs, and what is restored from it goes on where it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sitewarden_collector.errors import Conflict, DatabaseUnusable
from sitewarden_collector.services import backup, intake
from sitewarden_collector.store import actions, copying, lock, migrate, observations, settings, spools
from sitewarden_collector.store.engine import Database
from tests import cast
from tests.cast import EPOCH, NOON
from tests.integration.host import Host, configured, headquarters, token_for


@pytest.fixture
def migrated(db_url: str) -> Iterator[Database]:
    database = Database(db_url)
    migrate.prepare(database)
    yield database
    database.close()


def _fill(db: Database) -> str:
    agent = db.write_now(cast.settle_agent)
    for seq in range(1, 30):
        what = (cast.error_line(f"line {seq} \u4f60\u597d"), cast.samples(0.5, 0.6, start_ns=NOON + seq * cast.MINUTE))
        db.write_now(intake.accept, agent.id, batch=cast.batch(seq, *what), now_ns=NOON)
    db.write_now(settings.put, "endpoints", {"streams": ["localhost:1"]})
    return agent.id


def test_what_was_backed_up_comes_back_on_either_engine(migrated: Database, tmp_path: Path, postgres_url: str) -> None:
    agent_id = _fill(migrated)
    file = tmp_path / "backup"
    copied = backup.backup(migrated, file)
    assert (copied.rows["observations"], copied.rows["blocks"]) == (29, 29)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("backup")] == ["backup"]

    before = migrated.read_now(observations.of_batches, agent_id, EPOCH, 1, 99)
    for url, force in ((f"sqlite:///{tmp_path / 'other.db'}", False), (postgres_url, True)):
        assert backup.restore(url, file, force=force).rows == copied.rows
        with closing(migrate.open_checked(url)) as restored:
            after = restored.read_now(observations.of_batches, agent_id, EPOCH, 1, 99)
            assert [(one.key, one.what) for one in after] == [(one.key, one.what) for one in before]
            assert restored.read_now(spools.last_seq, agent_id, EPOCH) == 29
            restored.write_now(intake.note, agent_id, cast.change("after"), now_ns=NOON)  # numbers go on


def test_a_restore_replaces_nothing_unless_it_is_told_to(migrated: Database, db_url: str, tmp_path: Path) -> None:
    _fill(migrated)
    file = tmp_path / "backup"
    backup.backup(migrated, file)
    with pytest.raises(Conflict, match="choose another name"):
        backup.backup(migrated, file)
    later = migrated.write_now(cast.settle_agent, "db-1")
    migrated.close()
    with pytest.raises(Conflict, match="--force"):
        backup.restore(db_url, file, force=False)
    backup.restore(db_url, file, force=True)
    with closing(migrate.open_checked(db_url)) as restored:
        assert restored.read_now(actions.open_of, later.id) == []
        assert restored.read_now(settings.get, "endpoints") == {"streams": ["localhost:1"]}


def test_a_backup_that_was_cut_or_altered_is_refused(tmp_path: Path) -> None:
    with closing(Database(f"sqlite:///{tmp_path / 'collector.db'}")) as db:
        migrate.prepare(db)
        _fill(db)
        whole = tmp_path / "backup"
        backup.backup(db, whole)
    target = f"sqlite:///{tmp_path / 'new.db'}"
    content = whole.read_bytes()

    cut = tmp_path / "cut"
    cut.write_bytes(content[: len(content) // 2])
    with pytest.raises(DatabaseUnusable, match="truncated"):
        backup.restore(target, cut, force=False)

    broken = tmp_path / "broken"
    middle = len(content) // 2
    broken.write_bytes(content[:middle] + os.urandom(8192) + content[middle + 8192 :])
    with pytest.raises(DatabaseUnusable, match="damaged"):
        backup.restore(target, broken, force=False)

    with closing(Database(f"sqlite:///{whole}")) as altered:
        altered.write_now(lambda tx: tx.execute(observations.observations.delete()))
    with pytest.raises(DatabaseUnusable, match="not whole"):
        backup.restore(target, whole, force=False)
    with pytest.raises(DatabaseUnusable, match="not there"):
        backup.restore(target, tmp_path / "nowhere", force=False)
    (tmp_path / "text").write_text("no database at all, but long enough to have a header of a hundred bytes" * 2)
    with pytest.raises(DatabaseUnusable, match="not a SQLite database"):
        backup.restore(target, tmp_path / "text", force=False)


def test_nothing_is_restored_under_a_running_collector(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'collector.db'}"
    with closing(Database(url)) as db:
        migrate.prepare(db)
        file = tmp_path / "backup"
        backup.backup(db, file)
        with lock.only_collector(url), pytest.raises(DatabaseUnusable, match=rf"process {os.getpid()}"):
            backup.restore(url, file, force=True)


def test_a_backup_that_failed_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Database(f"sqlite:///{tmp_path / 'collector.db'}")) as db:
        migrate.prepare(db)

        def full(_path: Path) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(copying, "check", full)
        with pytest.raises(OSError, match="No space"):
            backup.backup(db, tmp_path / "backup")
    assert not list(tmp_path.glob("backup*"))


async def test_after_a_restore_the_hello_says_what_is_missing_and_it_is_stored_once(tmp_path: Path) -> None:
    config = configured(tmp_path)
    async with headquarters(config) as collector:
        host = Host(collector)
        await host.enroll(await token_for(collector))
        async with host.upload() as road:
            await road.hello()
            await road.send(1, "before the backup")
            backup.backup(collector.db, tmp_path / "backup")
            await road.send(2, "after it")
    backup.restore(config.database_url, tmp_path / "backup", force=True)
    async with headquarters(config) as collector:
        host.collector = collector
        async with host.upload() as road:
            assert (await road.hello()).welcome.last_stored_seq == 1
            assert (await road.send(2, "after it")).ack.through_seq == 2
        found = await collector.db.read(observations.of_batches, host.agent_id, host.epoch.hex(), 1, 9)
    assert [one.what.message for one in found] == ["before the backup", "after it"]  # type: ignore[union-attr]
