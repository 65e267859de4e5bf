"""The customer's own rules for secrets: read at the start, run by an engine that nothing makes slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from sitewarden_agent.cli import main
from sitewarden_agent.config import Redact
from sitewarden_agent.errors import ConfigError
from sitewarden_agent.observe import redaction
from sitewarden_alerting.reading.redact import Redactor

ACME = """
title = "ours"
[[rules]]
id = "acme-ticket"
description = "what our till prints"
regex = '''(?i)\\bacme[ _-]?till[:= ]+([a-z0-9]{8,12})\\b'''
secretGroup = 1
keywords = ["till"]
[[rules]]
id = "slow-elsewhere"
regex = '''(x+x+)+y'''
keywords = ["xx"]
"""


def with_rules(folder: Path, text: str) -> Redactor:
    (folder / "rules.toml").write_text(text, encoding="utf-8")
    return redaction.redactor(Redact(rules_file=str(folder / "rules.toml")), key=b"k" * 32)


def test_rules_of_the_customer_hold_beside_ours(tmp_path: Path) -> None:
    redactor = with_rules(tmp_path, ACME)
    assert redactor.redact("Acme-Till: ab12cd34 is open").startswith("Acme-Till: <secret:")
    assert "ghp_" not in redactor.redact("ghp_" + "a1B2" * 9)


def test_offsets_are_right_behind_characters_of_more_than_one_byte(tmp_path: Path) -> None:
    said = with_rules(tmp_path, ACME).redact("错误：acme till ab12cd34，请联系管理员")
    assert said.startswith("错误：acme till <secret:")
    assert said.endswith(">，请联系管理员")


def test_a_pattern_that_would_never_end_elsewhere_ends_here(tmp_path: Path) -> None:
    text = "x" * 60_000
    assert with_rules(tmp_path, ACME).redact(text) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[rules]]\nid = 'a'\nregex = '(?=look)ahead'\nkeywords = ['look']", "rule 'a': the pattern cannot be used"),
        (
            "[[rules]]\nid = 'a'\nregex = '(?:a{1,900}){1,900}'\nkeywords = ['a']",
            "rule 'a': the pattern cannot be used",
        ),
        ("[[rules]]\nid = 'a'\nregex = '.*'\nkeywords = ['a']", "matches an empty text"),
        ("[[rules]\n", "not valid TOML"),
    ],
)
def test_a_file_of_rules_that_cannot_be_used_stops_everything(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match="rules_file") as refused:
        with_rules(tmp_path, text)
    assert complaint in str(refused.value)


def test_a_file_of_rules_that_is_not_there_stops_everything(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing leaves without it"):
        redaction.redactor(Redact(rules_file=str(tmp_path / "none.toml")), key=b"k" * 32)


def test_check_config_and_scan_use_the_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.toml").write_text(ACME)
    (tmp_path / "app.log").write_text("ERROR acme till ab12cd34 cannot be opened\n")
    config = tmp_path / "agent.toml"
    config.write_text(f'state_dir = "{tmp_path}/state"\n[redact]\nrules_file = "{tmp_path}/rules.toml"\n')
    assert main(["scan", "--config", str(config), str(tmp_path / "app.log")]) == 0
    said = capsys.readouterr().out
    assert "acme till <secret:" in said
    assert "ab12cd34" not in said
    (tmp_path / "rules.toml").write_text("[[rules]]\nid = 'a'\nregex = '('\n")
    assert main(["check-config", "--config", str(config)]) != 0
    assert "rule 'a'" in capsys.readouterr().err
