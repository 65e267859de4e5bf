"""Health is said in words, in both languages, from the database and from the process; the command says the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sitewarden_collector.cli import main
from sitewarden_collector.services import actions, health, sentences
from sitewarden_collector.services.health import Facts, Local
from sitewarden_collector.store.engine import Database
from tests import cast
from tests.cast import HOUR, NOON

HAN = re.compile(r"[\u4e00-\u9fff]")
WELL = Facts(spools_waiting=0, evaluation_lag_s=0.0, notices={}, oldest_notice_s=0.0)
ILL = Facts(
    spools_waiting=3,
    evaluation_lag_s=500.0,
    notices={"parked": 2},
    oldest_notice_s=500.0,
    parked_evaluations=4,
    unjoined_s=90_000.0,
    webhooks={"parked": 5},
    agents=100,
    agents_heard=70,
)
POOR = Local(writes_waiting=5_000, free_bytes=2**30, files_open=990, files_max=1_000, authority_days=20)


def test_all_that_can_be_wrong_is_said_in_chinese_too() -> None:
    said = []
    for facts, local in ((ILL, POOR), (WELL, Local(free_bytes=1_000_000))):
        verdict = health.judge(facts, local)
        assert verdict.status == "failing"
        said += [*verdict.failing, *verdict.attention]
    assert len(said) == 12
    assert [one for one in said if not HAN.search(sentences.said(one, "zh"))] == []


def test_a_process_with_room_of_which_nothing_waits_is_well() -> None:
    local = Local(free_bytes=100 * 2**30, files_open=20, files_max=20_000, authority_days=900, writes_waiting=3)
    assert health.judge(WELL, local).status == "ok"
    assert health.judge(WELL).status == "ok"


def test_a_few_silent_agents_are_their_tickets_business_and_many_are_the_networks() -> None:
    few = Facts(0, 0.0, {}, 0.0, agents=100, agents_heard=90)
    assert health.judge(few).attention == ()
    assert "30 of 100 agents" in health.judge(ILL).attention[-1]


def test_agents_heard_lately_and_commands_that_wait_are_counted(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    db.write_now(cast.settle_agent, "db-1")
    db.write_now(actions.send_notice, agent.site_id, subject="s", body="b", category="patch", reference="", now_ns=NOON)
    found = db.read_now(health.examine, now_ns=NOON)
    assert (found.agents, found.commands_waiting) == (2, 2)
    assert found.database_bytes > 10_000
    assert db.read_now(health.examine, now_ns=NOON + HOUR).agents_heard == 0


def test_the_command_says_it_in_words_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "collector.toml"
    config.write_text('data_dir = "data"\n')
    assert main(["health", "--config", str(config)]) == 0
    assert "agents_heard" in capsys.readouterr().out
    assert main(["health", "--json", "--config", str(config)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["status"] in ("ok", "attention")
    assert told["facts"]["agents"] == 0
    assert told["facts"]["notices_parked"] == 0
