"""What grows with the agents is split by agent on PostgreSQL, and nothing is on SQLite."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from sitewarden_collector.services import intake
from sitewarden_collector.store import migrate, partitions
from sitewarden_collector.store.engine import Database
from tests import cast
from tests.cast import EPOCH, NOON

AGENTS = 12


def _count(tx: Connection, question: str) -> int:
    return int(tx.execute(text(question)).scalar_one())


@pytest.mark.postgres
def test_the_rows_of_an_agent_lie_in_one_partition_and_are_looked_for_there(postgres_url: str) -> None:
    with closing(Database(postgres_url)) as db:
        migrate.prepare(db)
        for turn in range(AGENTS):
            agent = db.write_now(cast.settle_agent, f"web-{turn}")
            for seq in (1, 2):
                what = (cast.error_line(f"line {seq}"), cast.samples(0.5, 0.6))
                db.write_now(intake.accept, agent.id, batch=cast.batch(seq, *what), now_ns=NOON)
        for table in partitions.SPLIT:
            split = db.read_now(_count, f"SELECT count(*) FROM pg_partition_tree('{table.name}')")
            assert split == 1 + partitions.PARTITIONS
        lies = "SELECT agent_id, count(DISTINCT tableoid) FROM observations GROUP BY agent_id"
        found = db.read_now(lambda tx: tx.execute(text(lies)).all())
        assert (len(found), {row[1] for row in found}) == (AGENTS, {1})
        used = db.read_now(
            lambda tx: tx.execute(text("SELECT count(DISTINCT tableoid) FROM observations")).scalar_one()
        )
        assert used > 1
        asked = f"EXPLAIN SELECT * FROM observations WHERE agent_id = '{agent.id}' AND epoch = '{EPOCH}' AND seq > 1"
        plan = "\n".join(db.read_now(lambda tx: tx.execute(text(asked)).scalars().all()))
        assert sum(name in plan for name in partitions.names_of(partitions.SPLIT[0])) == 1, plan


def test_sqlite_has_one_table_of_each(tmp_path: Path) -> None:
    with closing(Database(f"sqlite:///{tmp_path / 'collector.db'}")) as db:
        migrate.prepare(db)
        names = db.read_now(lambda tx: set(tx.execute(text("SELECT name FROM sqlite_master")).scalars()))
    for table in partitions.SPLIT:
        assert table.name in names
        assert not names & set(partitions.names_of(table))
