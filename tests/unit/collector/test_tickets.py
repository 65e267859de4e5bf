"""Tickets on the command line: listed, shown, taken, solved; and rules tried."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sitewarden_alerting.model import Person, Policy
from sitewarden_collector.cli import main
from sitewarden_collector.config import Rules
from sitewarden_collector.errors import ConfigError, Conflict
from sitewarden_collector.services import evaluation, faults, intake, rulepacks
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.store import faults as fault_store
from sitewarden_collector.store import tickets as ticket_store
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.numbers import next_number
from tests.cast import ADA, NOON, batch, error_line, settle_agent

POLICY = Policy(on_call=(Person(ADA, ("phone",)),))


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(arguments) == code
    return capsys.readouterr().out


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in printed(capsys, *arguments, "--json").splitlines()]


@pytest.mark.usefixtures("desk")
def test_the_list_shows_every_ticket_and_can_be_narrowed(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "ticket", "list")
    assert [(row["number"], row["kind"]) for row in found] == [("INC-1002", "probe"), ("INC-1001", "log")]
    assert "INC-1001" in printed(capsys, "ticket", "list")
    assert rows(capsys, "ticket", "list", "--state", "resolved") == []
    assert len(rows(capsys, "ticket", "list", "--state", "open", "--site", "acme-berlin")) == 2
    assert rows(capsys, "ticket", "list", "--site", "elsewhere") == []


@pytest.mark.usefixtures("desk")
def test_a_ticket_is_shown_with_its_evidence_and_history(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "ticket", "show", "INC-1001")
    assert "    order 17 is lost" in text
    assert "open_ticket by rules" in text
    (row,) = rows(capsys, "ticket", "show", "inc-1001")
    assert row["evidence"][0]["text"] == "order 17 is lost\n  at shop.Orders"  # type: ignore[index]


@pytest.mark.usefixtures("desk")
def test_a_ticket_is_taken_and_solved_and_what_cannot_be_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert "INC-1001 is ada's now" in printed(capsys, "ticket", "ack", "INC-1001", "--by", ADA)
    assert "is resolved" in printed(capsys, "ticket", "resolve", "INC-1001", "--by", ADA, "--how", "restarted")
    (row,) = rows(capsys, "ticket", "show", "INC-1001")
    assert (row["state"], row["assignee"], row["resolution"]) == ("resolved", ADA, "restarted")
    assert main(["ticket", "ack", "INC-1001"]) == 1
    assert "there is nothing to acknowledge" in capsys.readouterr().err
    assert main(["ticket", "show", "INC-9"]) == 1
    assert "ticket list" in capsys.readouterr().err


@pytest.mark.usefixtures("desk")
def test_an_empty_risk_register_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "risk", "list") == "no active risks\n"
    assert rows(capsys, "risk", "list") == []


@pytest.mark.usefixtures("desk")
def test_nothing_is_parked_when_all_goes_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert rows(capsys, "rules", "parked") == []
    assert {row["name"] for row in rows(capsys, "rules", "list")} >= {"error-in-log", "agent-silent"}


def test_rules_are_tried_against_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book, recording = tmp_path / "my.toml", tmp_path / "evening.jsonl"
    book.write_text('[[rule]]\nname = "down"\nkind = "probe_failed"\n', encoding="utf-8")
    recording.write_text('{"at": "2026-11-24T03:10:00Z", "kind": "probe", "probe": "health", "ok": false}\n')
    assert rows(capsys, "rules", "test", str(book))[0]["kind"] == "probe_failed"
    (row,) = rows(capsys, "rules", "test", str(book), "--against", str(recording))
    assert (row["rule"], row["state"], row["at"]) == ("down", "firing", "2026-11-24T03:10:00Z")


def test_a_bad_rule_file_or_recording_is_told_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book, recording = tmp_path / "my.toml", tmp_path / "evening.jsonl"
    book.write_text('[[rule]]\nname = "down"\nkind = "probe_faild"\n[[rule]]\nkind = "storm"\n', encoding="utf-8")
    assert main(["rules", "test", str(book)]) == 2
    told = capsys.readouterr().err
    assert "my.toml:3: unknown kind 'probe_faild'; did you mean 'probe_failed'?" in told
    assert "my.toml:4:" in told
    book.write_text("", encoding="utf-8")
    recording.write_text('\n{"at": 1}\n')
    assert main(["rules", "test", str(book), "--against", str(recording)]) == 2
    assert "evening.jsonl:2: 'kind' is missing" in capsys.readouterr().err


def test_packs_of_a_folder_come_after_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('disable = ["cpu"]\n[[rule]]\nname = "own"\nkind = "storm"\n', encoding="utf-8")
    book = rulepacks.load(Rules(dirs=(str(tmp_path),)))
    assert book.named("own") is not None
    assert book.named("cpu") is None
    with pytest.raises(ConfigError, match="no shipped pack 'defualt'"):
        rulepacks.load(Rules(packs=("defualt",)))
    with pytest.raises(ConfigError, match="is not a folder"):
        rulepacks.load(Rules(dirs=(str(tmp_path / "gone"),)))


def test_numbers_are_given_once_each_and_by_kind(db: Database) -> None:
    given = [db.write_now(next_number, kind) for kind in ("INC", "INC", "RSK", "INC", "RSK")]
    assert given == ["INC-1001", "INC-1002", "RSK-1", "INC-1003", "RSK-2"]


def test_an_engineers_merge_and_split_hold_for_what_comes_next(db: Database) -> None:
    agent = db.write_now(settle_agent)
    memory = faults.Memory()
    book = rulepacks.load(Rules())

    def comes(seq: int, fingerprint: str) -> None:
        sent = batch(seq, error_line(f"text of {fingerprint}", fingerprint=fingerprint, offset=seq))
        db.write_now(intake.accept, agent.id, batch=sent, now_ns=NOON)
        db.write_now(evaluation.step, book, POLICY, now_ns=NOON, memory=memory)

    def fault_of(fingerprint: str) -> str:
        return db.read_now(fault_store.of, [fingerprint])[fingerprint]

    comes(1, "f1:one")
    comes(2, "f1:two")
    with pytest.raises(Conflict):
        db.write_now(faults.split, "f1:two", by=ADA)
    db.write_now(faults.merge, "f1:two", "f1:one", by=ADA)
    assert fault_of("f1:two") == fault_of("f1:one")
    comes(3, "f1:two")
    comes(4, "f1:three")
    db.write_now(faults.split, "f1:two", by=ADA)
    assert fault_of("f1:two") == "f1:two"


def test_the_database_itself_refuses_a_second_open_ticket_of_one_fault(db: Database) -> None:
    agent = db.write_now(settle_agent)
    db.write_now(intake.accept, agent.id, batch=batch(1, error_line()), now_ns=NOON)
    db.write_now(evaluation.step, rulepacks.load(Rules()), POLICY, now_ns=NOON)
    (listed,) = db.read_now(ticketing.listing)
    twin = listed.ticket.__class__(
        **{n: getattr(listed.ticket, n) for n in listed.ticket.__slots__} | {"id": "x", "number": "y"}
    )
    with pytest.raises(Exception, match=r"(?i)unique"):
        db.write_now(ticket_store.save, twin, new=True)
