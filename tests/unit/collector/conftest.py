"""A desk: a database with two tickets in a folder of its own, as the commands find it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sitewarden_alerting.model import Person, Policy
from sitewarden_collector.config import Rules
from sitewarden_collector.services import evaluation, intake, rulepacks
from sitewarden_collector.store import migrate
from sitewarden_collector.store.engine import Database
from tests.cast import ADA, NOON, batch, error_line, probe, settle_agent


@pytest.fixture
def desk(tmp_path: Path, made_on_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """INC-1001 is an error in the log, INC-1002 a probe that fails, both at acme-berlin."""
    monkeypatch.setenv("SITEWARDEN_DATA", str(tmp_path))
    monkeypatch.delenv("SITEWARDEN_CONFIG", raising=False)
    file = tmp_path / "collector.db"
    shutil.copyfile(made_on_sqlite, file)
    with closing(Database(f"sqlite:///{file}")) as db:
        monkeypatch.setattr(migrate, "prepare", lambda _database: None)
        agent = db.write_now(settle_agent)
        sent = batch(1, error_line("order 17 is lost\n  at shop.Orders"), probe(False))
        db.write_now(intake.accept, agent.id, batch=sent, now_ns=NOON)
        policy = Policy(on_call=(Person(ADA, ("phone",)),))
        db.write_now(evaluation.step, rulepacks.load(Rules()), policy, now_ns=NOON)
        yield db
