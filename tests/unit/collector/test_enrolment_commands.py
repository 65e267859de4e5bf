"""The commands around enrolment say what happened and what to do next, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sitewarden_alerting.observations import Component, Inventory
from sitewarden_collector.cli import main
from sitewarden_collector.store import agents, inventories
from sitewarden_collector.store.engine import Database
from tests import cast

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on a collector of its own; what it printed."""
    config = tmp_path / "collector.toml"
    config.write_text('data_dir = "data"\n[advertise]\nnames = ["collector.example.com", "::1"]\n')

    def call(*words: str, code: int = 0) -> str:
        assert main([*words, "--config", str(config)]) == code
        printed = capsys.readouterr()
        return printed.out if code == 0 else printed.err

    return call


def _json(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def test_a_token_is_shown_once_with_the_commands_for_the_host(run: Run) -> None:
    printed = run("token", "create", "--site", cast.ACME_BERLIN, "--customer", cast.ACME, "--expires", "2h")
    (secret,) = (line.strip() for line in printed.splitlines() if "swt1_" in line)  # in no command line
    assert secret.startswith("swt1_")
    assert "sitewarden-agent enroll\n" in printed
    assert "sitewarden-agent run" in printed
    assert secret not in run("token", "list", "--json")


def test_a_token_names_the_endpoints_and_makes_the_site_once(run: Run) -> None:
    (first,) = _json(run("token", "create", "--site", cast.ACME_BERLIN, "--customer", cast.ACME, "--json"))
    run("token", "create", "--site", cast.ACME_BERLIN)
    from tests.integration.host import opened

    assert opened(first["token"])["e"] == ["collector.example.com:7444", "[::1]:7444"]
    (site,) = _json(run("site", "list", "--json"))
    assert (site["site"], site["customer"], site["agents"]) == (cast.ACME_BERLIN, cast.ACME, 0)
    assert len(_json(run("token", "list", "--json"))) == 2
    assert "belongs to customer 'acme'" in run(
        "token", "create", "--site", cast.ACME_BERLIN, "--customer", cast.GLOBEX, code=1
    )


def test_a_revoked_token_is_shown_as_such(run: Run) -> None:
    (made,) = _json(run("token", "create", "--site", cast.ACME_BERLIN, "--json"))
    assert "is revoked" in run("token", "revoke", made["id"])
    assert [row["state"] for row in _json(run("token", "list", "--json"))] == ["revoked"]
    assert "is revoked already" in run("token", "revoke", made["id"], code=1)
    assert "there is no token nonsense" in run("token", "revoke", "nonsense", code=1)


def test_a_site_is_shown_with_its_agents_and_one_can_be_shut_out(run: Run, tmp_path: Path) -> None:
    run("token", "create", "--site", cast.ACME_BERLIN)
    with closing(Database(f"sqlite:///{tmp_path / 'data' / 'collector.db'}")) as db:
        agent = db.write_now(cast.settle_agent, spool='{"held": 7}', clock_offset_ns=90 * cast.SECOND)
        printed = run("site", "show", cast.ACME_BERLIN)
        assert "web-1" in printed
        assert "+90 s" in printed
        assert "within a minute" in run("site", "revoke", agent.id, "--why", "sold")
        assert db.read_now(agents.by_id, agent.id).state == "revoked"
    (shown,) = _json(run("site", "show", cast.ACME_BERLIN, "--json"))
    assert shown["agents"][0]["state_why"] == "sold"
    assert shown["agents"][0]["spool"] == {"held": 7}
    assert "there is no site 'nowhere'" in run("site", "show", "nowhere", code=1)


def test_a_site_says_what_its_hosts_are_and_were(run: Run, tmp_path: Path) -> None:
    run("token", "create", "--site", cast.ACME_BERLIN)
    assert "No host of this site has told" in run("site", "inventory", cast.ACME_BERLIN)
    told = Inventory(
        "web-1",
        "Linux 6.1",
        "Debian 12",
        "x86_64",
        cpus=4,
        memory_bytes=8 * 2**30,
        components=(Component("shop", "4.2"),),
    )
    with closing(Database(f"sqlite:///{tmp_path / 'data' / 'collector.db'}")) as db:
        agent = db.write_now(cast.settle_agent)
        db.write_now(inventories.tell, agent, told, at_ns=cast.NOON)
        db.write_now(inventories.tell, agent, replace(told, memory_bytes=16 * 2**30), at_ns=cast.NOON + cast.HOUR)
    for shown in (run("site", "show", cast.ACME_BERLIN), run("site", "inventory", cast.ACME_BERLIN)):
        assert "Debian 12 (Linux 6.1, x86_64)" in shown
        assert "component   shop 4.2" in shown
    assert "memory: 8.0 GiB -> 16.0 GiB" in shown
    (host,) = _json(run("site", "inventory", cast.ACME_BERLIN, "--json"))
    assert host["inventory"]["components"] == [{"name": "shop", "version": "4.2", "source": "", "trouble": ""}]
    (site,) = _json(run("site", "show", cast.ACME_BERLIN, "--json"))
    assert site["agents"][0]["inventory"]["memory_bytes"] == 16 * 2**30


def test_nothing_to_show_is_said_with_what_to_do(run: Run) -> None:
    assert "token create" in run("site", "list")
    assert run("token", "list", "--json") == ""


@pytest.mark.parametrize("wrong", ["soon", "0h", "12", "-1d"])
def test_a_duration_that_is_none_is_told(run: Run, wrong: str) -> None:
    said = run("token", "create", "--site", cast.ACME_BERLIN, f"--expires={wrong}", code=2)
    assert "write a number and a unit" in said
