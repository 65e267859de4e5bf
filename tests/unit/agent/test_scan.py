"""`scan`: the dry run, exactly as documented."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from sitewarden_agent.cli import main

KEYS = {"file", "offset", "time", "severity", "component", "message", "template", "fingerprint", "count"}


def scan(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[dict[str, Any]]:
    assert main(["scan", "--json", *map(str, arguments)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_text(
        "2026-11-23T10:00:00Z INFO started\n"
        "2026-11-23T10:00:01.5Z ERROR request 1 failed\n"
        "2026-11-23T10:00:02Z ERROR request 2 failed\n"
        "2026-11-23T10:00:03Z ERROR broken\n\tat a.B.c(B.java:1)\n"
        "2026-11-23T10:00:04Z WARN password=hunter2\n"
    )
    return path


def test_what_would_be_sent_is_folded_by_fingerprint_in_the_order_of_first_records(
    capsys: pytest.CaptureFixture[str], log: Path
) -> None:
    found = scan(capsys, log)
    assert [(event["offset"], event["severity"], event["count"]) for event in found] == [
        (34, "error", 2),
        (124, "error", 1),
        (178, "warning", 1),
    ]
    assert found[0]["time"] == "2026-11-23T10:00:01.5Z"
    assert found[0]["message"] == "request 1 failed"
    assert found[1]["message"] == "broken\n\tat a.B.c(B.java:1)"
    assert "hunter2" not in json.dumps(found)
    assert all(event["file"] == str(log) for event in found)


def test_every_key_is_always_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"just words\n\xff\xfe\x00 ERROR \x80\n12345\n")
    found = scan(capsys, "--all", tmp_path / "x")
    assert len(found) == 3
    assert all(set(event) == KEYS for event in found)
    assert found[0]["time"] is None


def test_all_prints_every_record_unfolded_in_file_order(capsys: pytest.CaptureFixture[str], log: Path) -> None:
    found = scan(capsys, "--all", log)
    assert [event["offset"] for event in found] == [0, 34, 80, 124, 178]
    assert {event["count"] for event in found} == {1}


def test_an_empty_file_prints_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert scan(capsys, tmp_path / "empty") == []


def test_a_compressed_file_is_read_as_what_it_holds(capsys: pytest.CaptureFixture[str], log: Path) -> None:
    packed = log.with_suffix(".gz")
    packed.write_bytes(gzip.compress(log.read_bytes()))
    whole, unpacked = scan(capsys, log), scan(capsys, packed)
    assert [{**event, "file": ""} for event in whole] == [{**event, "file": ""} for event in unpacked]


def test_a_file_that_cannot_be_read_is_said_and_the_others_are_read(
    capsys: pytest.CaptureFixture[str], log: Path, tmp_path: Path
) -> None:
    assert main(["scan", "--json", str(tmp_path / "none"), str(log)]) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 3
    assert "none cannot be read: No such file" in told.err
    assert main(["scan", "--json", str(tmp_path / "none")]) == 1


def test_a_torn_archive_is_no_crash(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "torn.gz").write_bytes(gzip.compress(b"ERROR x\n" * 10_000)[:-20])
    assert main(["scan", "--json", str(tmp_path / "torn.gz")]) == 1
    assert "torn.gz cannot be read" in capsys.readouterr().err


def test_the_configuration_of_the_log_decides_what_would_be_sent(
    capsys: pytest.CaptureFixture[str], log: Path, tmp_path: Path
) -> None:
    config = tmp_path / "agent.toml"
    log_section = f'[[logs]]\nname = "app"\npaths = ["{tmp_path}/*.log"]\nmin_severity = "info"\n'
    config.write_text(log_section + '[redact]\nliterals = ["broken"]\n')
    found = scan(capsys, "--config", config, log)
    assert len(found) == 4
    assert "broken" not in json.dumps(found)


def test_a_wrong_configuration_is_said_and_nothing_is_printed(
    capsys: pytest.CaptureFixture[str], log: Path, tmp_path: Path
) -> None:
    config = tmp_path / "agent.toml"
    config.write_text("[redakt]\n")
    assert main(["scan", "--config", str(config), "--json", str(log)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "did you mean 'redact'?" in told.err


def test_without_json_it_is_for_people(capsys: pytest.CaptureFixture[str], log: Path) -> None:
    assert main(["scan", str(log)]) == 0
    out = capsys.readouterr().out
    assert "request 1 failed (x2)" in out
    assert "    \tat a.B.c(B.java:1)" in out
