"""The desk from the command line: a ticket's whole life, problems, major incidents, lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sitewarden_collector import pki
from sitewarden_collector.cli import main
from sitewarden_collector.store import migrate
from sitewarden_collector.store.engine import Database
from tests.cast import ACME, ACME_BERLIN, ADA, settle_site


class Shell:
    """Runs commands on an installation of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.config = folder / "collector.toml"
        self.config.write_text(f'data_dir = "{folder}"\n')
        database = Database(f"sqlite:///{folder / 'collector.db'}")
        migrate.upgrade(database)
        database.write_now(settle_site)
        database.close()
        pki.secret_key(folder, create=True)

    def runs(self, *words: str, code: int = 0) -> str:
        assert main([*words, "--config", str(self.config)]) == code, self.capsys.readouterr().err
        out, err = self.capsys.readouterr()
        return err if code else out

    def rows(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.runs(*words, "--json").splitlines()]


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


def report(shell: Shell, title: str = "the shop is slow", *more: str) -> str:
    return str(shell.rows("ticket", "report", ACME_BERLIN, title, "--by", ADA, *more)[0]["number"])


def test_a_ticket_is_worked_on_from_report_to_confirmation(shell: Shell, tmp_path: Path) -> None:
    number = report(shell, "the shop is slow", "--text", "since noon", "--category", "performance")
    for words in (
        ("assign", number, "bob"),
        ("start", number),
        ("wait", number, "customer", "--text", "asked for a log"),
        ("resume", number),
        ("comment", number, "we look at it", "--to-customer"),
        ("propose", number, "a bigger disk", "--verify", "bob", "+2d"),
        ("agree", number, "--who", "Carla"),
        ("carry-out", number),
        ("verify", number),
        ("resolve", number, "--how", "a bigger disk"),
        ("confirm", number),
    ):
        shell.runs("ticket", *words, "--by", ADA)
    shell.runs("ticket", "start", number, code=1)
    page = shell.runs("ticket", "show", number)
    for text in (
        "service",
        "priority 3, category performance",
        "solution verified",
        "we look at it",
        "to the customer",
    ):
        assert text in page or text == "service"
    (shown,) = shell.rows("ticket", "show", number)
    assert (shown["state"], len(shown["comments"]), shown["solutions"][0]["state"]) == ("closed", 2, "verified")


def test_a_file_goes_in_and_comes_out(shell: Shell, tmp_path: Path) -> None:
    number = report(shell)
    (tmp_path / "app.log").write_text("it broke\n")
    (made,) = shell.rows("ticket", "attach", number, str(tmp_path / "app.log"))
    shell.runs("ticket", "fetch", made["id"], str(tmp_path / "out.log"))
    assert (tmp_path / "out.log").read_text() == "it broke\n"
    assert "cannot be written" in shell.runs("ticket", "fetch", made["id"], str(tmp_path / "out.log"), code=2)


def test_lists_are_filtered_and_sorted(shell: Shell) -> None:
    one, two = report(shell, "alpha"), report(shell, "beta", "--type", "complaint")
    shell.runs("ticket", "assign", two, "bob")
    listed = {
        ("--type", "complaint"): [two],
        ("--assignee", "bob"): [two],
        ("--assignee", ""): [one],
        ("--text", "ALPH"): [one],
        ("--customer", ACME): [two, one],
        ("--customer", "nobody"): [],
        ("--state", "assigned"): [two],
        ("--priority", "1"): [],
        ("--sort=-opened",): [one, two],
        ("--limit", "1"): [two],
    }
    for words, numbers in listed.items():
        assert [row["number"] for row in shell.rows("ticket", "list", *words)] == numbers, words


def test_tickets_are_tied_visited_and_their_tasks_listed(shell: Shell) -> None:
    one, two, three = report(shell), report(shell), report(shell)
    shell.runs("ticket", "merge", two, one, "--reason", "the same")
    shell.runs("ticket", "unmerge", two)
    shell.runs("ticket", "link", one, "blocks", two)
    shell.runs("ticket", "parent", three, one)
    (visit,) = shell.rows("ticket", "visit", "plan", one, "bob", "2026-01-01T09:00")
    assert f"blocks {two}" in shell.runs("ticket", "show", one)
    assert [row["kind"] for row in shell.rows("ticket", "tasks", "--person", "bob", "--overdue")] == ["visit"]
    shell.runs("ticket", "visit", "arrive", visit["id"])
    shell.runs("ticket", "visit", "leave", visit["id"], "dust")
    shell.runs("ticket", "visit", "sign", visit["id"], "Carla")
    assert shell.rows("ticket", "tasks") == []
    assert shell.rows("ticket", "visit", "list", one)[0]["signed_by"] == "Carla"


def test_problems_from_opening_to_resolving(shell: Shell) -> None:
    number = report(shell)
    (problem,) = shell.rows("problem", "open", "slow disks", number)
    shell.runs("problem", "edit", problem["number"], "--cause", "old disks", "--workaround", "restart")
    shell.runs("problem", "move", problem["number"], "known_error")
    shell.runs("problem", "task", problem["number"], "new disks", "bob", "+7d")
    assert "workaround: restart" in shell.runs("ticket", "show", number)
    assert "new disks" in shell.runs("problem", "show", problem["number"])
    assert number in shell.runs("problem", "resolve", problem["number"], "new disks")
    assert shell.rows("problem", "list") == []
    assert shell.rows("problem", "list", "--state", "all")[0]["resolution"] == "new disks"
    assert shell.rows("problem", "policy", "--sites", "5", "--within", "3d")[0]["sites"] == 5


def test_a_major_incident_ends_in_a_review_as_markdown(shell: Shell) -> None:
    number = report(shell)
    shell.runs("major", "declare", number, "the shop is down", "--expert", "dba")
    shell.runs("major", "call-in", number, "network")
    shell.runs("major", "tell", number, "we work on it")
    assert "MAJOR INCIDENT: the shop is down" in shell.runs("ticket", "show", number)
    shell.runs("major", "end", number)
    shell.runs("major", "review", number, "A release was bad.")
    shell.runs("major", "action", number, "test releases", "bob", "+7d")
    text = shell.runs("major", "show", number, "--markdown")
    assert text.startswith(f"# Review of {number}")
    assert "| test releases | bob |" in text
    assert shell.rows("major", "list")[0]["experts"] == ["dba", "network"]


def test_categories_engineers_and_the_tracker_are_set(shell: Shell) -> None:
    shell.runs("category", "set", "component", "cache", "--zh", "缓存")
    assert "缓存" in shell.runs("category", "list", "--kind", "component")
    shell.runs("engineer", "set", "bob", "--skills", "cache", "--capacity", "3", "--away", "no")
    assert shell.rows("engineer", "policy", "suggest")[0]["policy"] == "suggest"
    number = report(shell, "slow", "--component", "cache")
    assert "knows the component cache" in shell.runs("ticket", "suggest", number)
    assert shell.rows("ticket", "assign", number)[0]["assignee"] == "bob"
    assert shell.rows("engineer", "list")[0]["open_tickets"] == 1
    assert "no tracker is set" in shell.runs("ticket", "to-development", number, "it leaks", code=1)
    shell.runs("tracker", "set", "https://tracker.example.com/hook")
    shell.runs("ticket", "to-development", number, "it leaks", "--kind", "feature")
    assert "at development as" in shell.runs("ticket", "show", number)
    shell.runs("category", "remove", "component", "cache")
    shell.runs("engineer", "remove", "bob")


def test_it_can_be_said_when_incidents_become_major_by_themselves(shell: Shell) -> None:
    assert shell.rows("major", "policy")[0]["automatic"] is True
    [row] = shell.rows("major", "policy", "--customers", "2", "--update-every", "15m", "--automatic", "off")
    assert row == {"customers": 2, "sites": 5, "update_every_s": 900.0, "automatic": False}
    assert "by people alone" in shell.runs("major", "policy")
    assert "at least 2 customers" in shell.runs("major", "policy", "--sites", "1", code=1)


def test_what_webhooks_can_be_told_of_is_listed_and_a_secret_changes(shell: Shell) -> None:
    events = {row["event"] for row in shell.rows("webhook", "events")}
    assert {"ticket.resolve_ticket", "major.declare", "oncall.gap", "clock.breach", "risk.raise"} <= events
    [made] = shell.rows("webhook", "add", "https://hooks.example.com/x", "--event", "problem.*")
    [changed] = shell.rows("webhook", "secret", made["id"])
    assert changed["secret"].startswith("whsec_")
    assert changed["secret"] != made["secret"]
