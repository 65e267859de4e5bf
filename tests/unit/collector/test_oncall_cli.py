"""`sitewarden oncall`, `maintenance` and `silence extend` as they are typed."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from sitewarden_collector.cli import main
from sitewarden_collector.store import migrate
from sitewarden_collector.store.engine import Database
from tests.cast import ACME_BERLIN, settle_site


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "collector.toml"
    path.write_text('data_dir = "data"\n[channels.phone]\nurl = "log://"\n[channels.mail]\nurl = "log://"\n')
    (tmp_path / "data").mkdir()
    with closing(Database(f"sqlite:///{tmp_path / 'data' / 'collector.db'}")) as db:
        migrate.prepare(db)
        db.write_now(settle_site)
    return path


def said(config: Path, capsys: pytest.CaptureFixture[str], line: str) -> list[dict[str, object]]:
    capsys.readouterr()
    assert main([*line.split(), "--config", str(config), "--json"]) == 0, capsys.readouterr().err
    return [json.loads(row) for row in capsys.readouterr().out.splitlines()]


def test_a_schedule_from_nothing_to_a_swap(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(config, capsys, "oncall add support --zone Europe/Berlin --manager carol")
    said(config, capsys, "oncall layer support primary --people ada,bob --start 2026-01-05T09:00 --unit days")
    said(
        config, capsys, "oncall person set ada --road phone --road mail=ada@example.com --quiet 22:00-07:00 --locale zh"
    )
    [who] = said(config, capsys, "oncall who --at 2036-01-05T12:00+01:00")
    [other] = said(config, capsys, "oncall who --at 2036-01-06T12:00+01:00")
    assert {who["person"], other["person"]} == {"ada", "bob"}
    said(config, capsys, "oncall swap support --first 2036-01-05T12:00 --second 2036-01-06T12:00 --by bob")
    assert said(config, capsys, "oncall who --at 2036-01-05T12:00+01:00")[0]["person"] == other["person"]
    [shown] = said(config, capsys, "oncall show support")
    overrides = shown["overrides"]
    assert isinstance(overrides, list)
    said(config, capsys, f"oncall drop-override {overrides[0]['id']}")
    assert said(config, capsys, "oncall show support")[0]["overrides"] == []
    assert len(said(config, capsys, "oncall shifts support --days 7")) >= 7
    assert [row["person"] for row in said(config, capsys, "oncall gaps")] == ["bob", "carol"]
    said(config, capsys, "oncall policy support --step 0s:on_call --step 5m:next --step 10m:person=carol --repeats 1")
    assert said(config, capsys, "oncall show support")[0]["repeats"] == 1
    assert "BEGIN:VCALENDAR" in str(said(config, capsys, "oncall export support")[0]["ics"])
    assert said(config, capsys, "oncall test ada") == [{"person": "ada", "channels": ["phone", "mail"]}]
    said(config, capsys, "oncall away ada --until +2d")
    assert said(config, capsys, "oncall who")[0]["person"] == "bob"


def test_the_same_in_words(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line in ("who", "list", "gaps", "person list"):
        assert main(["oncall", *line.split(), "--config", str(config)]) == 0
    assert "there is no schedule" in capsys.readouterr().out
    assert main(["oncall", "show", "support", "--config", str(config)]) == 1
    assert "there is no schedule 'support'" in capsys.readouterr().err


def test_maintenance_is_planned_listed_and_ended(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [made] = said(config, capsys, f"maintenance add --site {ACME_BERLIN} --until +2h --reason upgrade")
    assert [row["number"] for row in said(config, capsys, "maintenance list")] == [made["number"]]
    said(config, capsys, f"maintenance end {made['number']}")
    assert said(config, capsys, "maintenance list") == []
    assert len(said(config, capsys, "maintenance list --all")) == 1


def test_a_silence_of_everything_is_extended(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [made] = said(config, capsys, "silence add --everywhere all --for 1h --reason storm")
    [longer] = said(config, capsys, f"silence extend {made['number']} --for 2h")
    assert str(longer["until"]) > str(made["until"])
