"""What commands write stands in the audit log, and nothing of what else was typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sitewarden_collector.cli import main
from sitewarden_collector.cli._audited import shown


def test_only_the_commands_own_words_and_numbers_are_noted() -> None:
    assert shown(("ticket", "assign", "INC-1001", "ada", "--by", "bob")) == "ticket assign INC-1001"
    assert shown(("ticket", "report", "berlin", "our secret")) == "ticket report"
    assert shown(("tracker", "set", "https://u:p@host/x")) == "tracker set"
    assert shown(("backup", "/root/file")) == "backup"


def test_a_command_that_writes_is_noted_and_one_that_reads_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SITEWARDEN_DATA", str(tmp_path))
    monkeypatch.setenv("LOGNAME", "ada")
    assert main(["customer", "add", "acme"]) == 0
    assert main(["customer", "list"]) == 0
    capsys.readouterr()
    assert main(["audit", "list", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["who"], row["action"], row["what"]) for row in rows] == [("ada (command)", "command", "customer add")]
    assert main(["audit", "verify"]) == 0
