"""`sitewarden db move`: from SQLite to PostgreSQL with proof, and what was killed in the middle is told apart."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text, update

from sitewarden_collector import cli
from sitewarden_collector.errors import Conflict, DatabaseUnusable, Invalid
from sitewarden_collector.services import audit, intake
from sitewarden_collector.store import agents, lock, migrate, moving, observations, spools, tickets
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database
from tests import cast
from tests.cast import ADA, EPOCH, NOON
from tests.integration.host import Host, configured, headquarters, token_for

pytestmark = pytest.mark.postgres


def _silent(_what: str, _table: str, _rows: int) -> None:
    pass


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Database]:
    """A SQLite database with batches, samples, actions and an audit log."""
    with closing(Database(f"sqlite:///{tmp_path / 'source.db'}")) as db:
        migrate.prepare(db)
        agent = db.write_now(cast.settle_agent)
        for seq in range(1, 30):
            what = (
                cast.error_line(f"line {seq} \u4f60\u597d"),
                cast.samples(0.5, 0.6, start_ns=NOON + seq * cast.MINUTE),
            )
            db.write_now(intake.accept, agent.id, batch=cast.batch(seq, *what), now_ns=NOON)
        for turn in range(10):
            db.write_now(audit.note, ADA, "read_ticket", f"INC-{turn}", now_ns=NOON + turn)
        yield db


def _rows(db: Database) -> dict[str, int]:
    def count(tx: Connection) -> dict[str, int]:
        return {name: tx.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in tables().tables}

    return db.read_now(count)


def test_everything_arrives_and_is_proven(source: Database, postgres_url: str) -> None:
    moved = moving.move(source, postgres_url, again=False, progress=_silent)
    with closing(migrate.open_checked(postgres_url)) as target:
        migrate.prepare(target)
        assert _rows(target) == _rows(source) == {one.table: one.rows for one in moved}
        assert target.read_now(audit.verify).faults == ()
        there, here = (db.read_now(observations.of_batches, _agent_id(db), EPOCH, 1, 99) for db in (target, source))
        assert [(one.key, one.what) for one in there] == [(one.key, one.what) for one in here]
        target.write_now(intake.note, _agent_id(target), cast.change("after"), now_ns=NOON)  # numbers go on
        target.write_now(audit.note, ADA, "read_ticket", "INC-11", now_ns=NOON)
        assert target.read_now(audit.verify).faults == ()


def _agent_id(db: Database) -> str:
    return str(db.read_now(lambda tx: tx.execute(text("SELECT id FROM agents")).scalar_one()))


def test_it_goes_to_an_empty_postgresql_alone(source: Database, postgres_url: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="goes to PostgreSQL"):
        moving.move(source, f"sqlite:///{tmp_path / 'other.db'}", again=False, progress=_silent)
    with closing(Database(postgres_url)) as target:
        migrate.prepare(target)
        target.write_now(cast.settle_agent)
        before = _rows(target)
        for again in (False, True):
            with pytest.raises(Conflict, match="not empty"):
                moving.move(source, postgres_url, again=again, progress=_silent)
        assert _rows(target) == before


def test_a_move_that_was_killed_in_the_middle_is_told_and_begun_anew(source: Database, postgres_url: str) -> None:
    class Killed(BaseException):
        pass

    def dies_at(wanted: int) -> moving.Progress:
        steps = iter(range(1_000_000))

        def progress(_what: str, _table: str, _rows: int) -> None:
            if next(steps) == wanted:
                raise Killed

        return progress

    again = False
    for wanted in (0, 20, len(tables().sorted_tables) - 1, 2 * len(tables().sorted_tables) - 1):
        with pytest.raises(Killed):
            moving.move(source, postgres_url, again=again, progress=dies_at(wanted))
        with closing(Database(postgres_url)) as target, pytest.raises(DatabaseUnusable, match="--again"):
            migrate.prepare(target)  # what `sitewarden serve` does first
        with pytest.raises(Conflict, match="--again"):
            moving.move(source, postgres_url, again=False, progress=_silent)
        again = True
    moved = moving.move(source, postgres_url, again=True, progress=_silent)
    with closing(Database(postgres_url)) as target:
        migrate.prepare(target)
        assert _rows(target) == {one.table: one.rows for one in moved}


def test_what_differs_afterwards_is_found(source: Database, postgres_url: str) -> None:
    def meddle(what: str, table: str, _rows: int) -> None:
        if (what, table) == ("copied", "observations"):
            with closing(Database(postgres_url)) as other:
                one = observations.observations.c
                other.write_now(
                    lambda tx: tx.execute(
                        update(observations.observations).where(one.seq == 7, one.idx == 0).values(wall_ns=1)
                    )
                )

    with pytest.raises(DatabaseUnusable, match="observations is not what it was"):
        moving.move(source, postgres_url, again=False, progress=meddle)
    with closing(Database(postgres_url)) as target, pytest.raises(DatabaseUnusable, match="did not finish"):
        migrate.prepare(target)


def test_texts_that_postgresql_cannot_keep_are_kept_as_well_as_it_can(source: Database, postgres_url: str) -> None:
    source.write_now(lambda tx: tx.execute(update(agents.agents).values(state_why="a\x00b")))
    moved = moving.move(source, postgres_url, again=False, progress=_silent)
    assert {one.table: one.mended for one in moved if one.mended} == {"agents": 1}
    with closing(Database(postgres_url)) as target:
        assert target.read_now(lambda tx: tx.execute(text("SELECT state_why FROM agents")).scalar_one()) == "a\ufffdb"


async def test_the_command_moves_a_collector_and_its_agents_go_on(
    tmp_path: Path, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = configured(tmp_path)
    file = tmp_path / "collector.toml"
    file.write_text(f'data_dir = "{tmp_path}"\n')
    async with headquarters(before) as collector:
        host = Host(collector)
        await host.enroll(await token_for(collector))
        async with host.upload() as road:
            await road.hello()
            await road.send(1, "payment failed: connection refused")
            async with asyncio.timeout(60):
                while not await collector.db.read(tickets.listing):
                    await collector.clock.sleep(0.1)
        [ticket] = await collector.db.read(tickets.listing)
        assert cli.main(["db", "move", "--to", postgres_url, "--config", str(file)]) == 3  # it runs
        assert "stop it first" in capsys.readouterr().err
    assert cli.main(["db", "move", "--to", postgres_url, "--config", str(file)]) == 0
    said = capsys.readouterr()
    assert re.search(r"\d+ rows in \d+ tables", said.out)
    assert "[database]\nurl = " in said.out
    assert "copied observations: 1 rows" in said.err
    with lock.only_collector(before.database_url):
        pass
    async with headquarters(configured(tmp_path, postgres_url)) as collector:
        host.collector = collector
        async with host.upload() as road:
            assert (await road.hello()).welcome.last_stored_seq == 1
            assert (await road.send(1, "payment failed: connection refused")).ack.through_seq == 1
            assert (await road.send(2, "payment failed: connection refused")).ack.through_seq == 2
        assert await collector.db.read(spools.last_seq, host.agent_id, host.epoch.hex()) == 2
        async with asyncio.timeout(60):
            while await collector.db.read(spools.lag) != (0, 0):
                await collector.clock.sleep(0.1)
        assert [one.ticket.number for one in await collector.db.read(tickets.listing)] == [ticket.ticket.number]
