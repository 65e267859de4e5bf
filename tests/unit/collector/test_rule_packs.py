"""Packs of rules in an installation: which are in force, what the command line and the pages say of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from sitewarden_alerting.model import Policy
from sitewarden_collector.cli import main
from sitewarden_collector.config import Rules
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.services import evaluation, intake, rulepacks
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.store.engine import Database
from tests.cast import NOON, batch, error_line, settle_agent
from tests.desk import make_app, make_context, signed_in


def test_every_shipped_pack_is_in_force_unless_it_is_switched_off() -> None:
    packs = {rule.pack for rule in rulepacks.load(Rules()).rules}
    assert {"default", "nginx", "postgresql"} <= packs
    assert {rule.pack for rule in rulepacks.load(Rules(packs_off=("nginx",))).rules} == packs - {"nginx"}
    assert {rule.pack for rule in rulepacks.load(Rules(packs=("default",))).rules} == {"default"}


def test_a_pack_that_is_not_shipped_is_named_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"rules.packs_off: there is no shipped pack 'ngnix'.* nginx"):
        rulepacks.load(Rules(packs_off=("ngnix",)))


def test_a_file_of_ones_own_goes_before_shipped_packs(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        '[[rule]]\nname = "ours"\nkind = "new_fault"\ncontains = "deadlock detected in the shop"\n'
    )
    book = rulepacks.load(Rules(dirs=(str(tmp_path),)))
    event = error_line("deadlock detected in the shop")
    assert [rule.name for rule in book.judges(event) if rule.where.needles] == ["ours", "postgresql-deadlock"]


def test_the_command_line_lists_packs_and_explains_a_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "collector.toml"
    config.write_text(f'data_dir = "{tmp_path}"\n[rules]\npacks_off = ["squid"]\n')

    def says(*words: str) -> str:
        assert main([*words, "--config", str(config)]) == 0
        return capsys.readouterr().out

    packs = [json.loads(line) for line in says("rules", "packs", "--json").splitlines()]
    assert [one["in_force"] for one in packs if one["pack"] in ("nginx", "squid")] == [True, False]
    assert "squid-start-failed" not in says("rules", "list")
    shown = says("rules", "show", "postgresql-deadlock")
    assert "PostgreSQL ended a transaction: deadlock" in shown
    assert "  2. Let the program repeat the transaction" in shown
    assert "PostgreSQL 因死锁终止了一个事务" in says("rules", "show", "postgresql-deadlock", "--language", "zh")
    assert main(["rules", "show", "nothing", "--config", str(config)]) != 0
    assert "`sitewarden rules list`" in capsys.readouterr().err


async def test_a_ticket_says_what_it_means_and_what_to_do_first_in_the_readers_language(db: Database) -> None:
    agent = db.write_now(settle_agent)
    db.write_now(intake.accept, agent.id, batch=batch(1, error_line("deadlock detected"), wall_ns=NOON), now_ns=NOON)
    book = rulepacks.load(Rules())
    db.write_now(evaluation.step, book, Policy(), now_ns=NOON)
    (listed,) = db.read_now(ticketing.listing)
    app = make_app(replace(make_context(db), rulebook=book))
    headers = signed_in(db)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://collector") as client:
        english = (await client.get(f"/tickets/{listed.ticket.number}?lang=en", headers=headers)).text
        chinese = (await client.get(f"/tickets/{listed.ticket.number}?lang=zh", headers=headers)).text
        tickets = (await client.get("/tickets?lang=zh", headers=headers)).text
    assert "PostgreSQL ended a transaction: deadlock: deadlock detected" in english
    assert "What it means, and what to do first" in english
    assert "Let the program repeat the transaction on error 40P01." in english
    assert "PostgreSQL 因死锁终止了一个事务: deadlock detected" in chinese
    assert "让程序在错误 40P01 时重试事务。" in chinese
    assert "PostgreSQL 因死锁终止了一个事务" in tickets
