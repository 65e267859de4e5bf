"""`sitewarden group` shows which records of log files are the same fault."""

import argparse
import json
from contextlib import closing
from pathlib import Path

import pytest

from sitewarden_collector.cli import group
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.services import corrections
from sitewarden_collector.store import faults as fault_store
from sitewarden_collector.store import migrate
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.faults import Seen
from tests.cast import ADA, NOON

NAMES = ["alice", "bob", "carol", "dmitri", "eve", "fatima", "george", "heidi", "ivan", "judy", "karl", "lena"]
KEYS = ["file", "offset", "time", "severity", "component", "message", "template", "fingerprint", "count", "fault"]


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    group.register(parser.add_subparsers())
    parsed = parser.parse_args(["group", *arguments])
    return int(parsed.run(parsed))


@pytest.fixture(autouse=True)
def _no_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SITEWARDEN_CONFIG", raising=False)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "shop.log"
    lines = [f"2026-03-05 10:00:{n:02} ERROR the order of {name} could not be stored\n" for n, name in enumerate(NAMES)]
    path.write_text("".join(lines) + "2026-03-05 10:01:00 INFO all is well again\n")
    return path


def test_every_record_is_a_line_with_every_key(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--json", "--zone", "UTC", str(log)) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [list(row) for row in rows] == [KEYS] * 13
    assert (rows[0]["file"], rows[0]["offset"], rows[0]["severity"], rows[0]["count"]) == (str(log), 0, "error", 1)
    assert rows[0]["time"] == "2026-03-05T10:00:00Z"


def test_the_fault_of_a_record_is_final_also_where_it_was_learned_later(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("--json", str(log))
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len({row["fingerprint"] for row in rows}) == 13
    assert len({row["fault"] for row in rows}) == 2
    assert {row["fault"] for row in rows} <= {row["fingerprint"] for row in rows}


def test_faults_are_shared_between_files(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.log"
    other.write_text("2026-03-05 10:00:00 ERROR the order of mallory could not be stored\n")
    run("--json", str(log), str(other))
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[-1]["file"] == str(other)
    assert rows[-1]["fault"] == rows[0]["fault"]


def test_without_json_a_row_is_a_fault(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(log)) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["fault", "count", "template"]
    assert out[1].split()[1] == "12"
    assert out[1].endswith("the order of <*> could not be stored")


def test_a_named_collectors_corrections_come_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "shop.log"
    log.write_text("2026-03-05 10:00:00 ERROR disk is gone\n2026-03-05 10:00:01 ERROR network is away\n")
    config = tmp_path / "collector.toml"
    config.write_text('data_dir = "."\n')

    def faults_of(*options: str) -> list[str]:
        assert run("--json", *options, str(log)) == 0
        return [json.loads(line)["fault"] for line in capsys.readouterr().out.splitlines()]

    disk, network = faults_of("--config", str(config))
    assert disk != network
    assert not (tmp_path / "collector.db").exists(), "it only looks"
    with closing(Database(f"sqlite:///{tmp_path / 'collector.db'}")) as db:
        migrate.prepare(db)
        seen = [Seen(one, one, text, 4) for one, text in ((disk, "disk is gone"), (network, "network is away"))]
        db.write_now(fault_store.add, seen, now_ns=NOON)
        db.write_now(corrections.merge, network, disk, by=ADA, now_ns=NOON)
    assert faults_of("--config", str(config)) == [disk, disk]
    assert faults_of() == [disk, network]
    monkeypatch.setenv("SITEWARDEN_CONFIG", str(config))
    assert faults_of() == [disk, disk]


def test_an_empty_file_gives_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.log"
    empty.touch()
    assert run("--json", str(empty)) == 0
    assert capsys.readouterr().out == ""


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.log can't be read"):
        run("--json", str(tmp_path / "nowhere.log"))


def test_an_unknown_zone_is_named(log: Path) -> None:
    with pytest.raises(ConfigError, match="use local, UTC or a name like Asia/Shanghai"):
        run("--zone", "Mars/Olympus", str(log))
