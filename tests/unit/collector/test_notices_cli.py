"""`sitewarden notice` on a real database."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sitewarden_collector import config
from sitewarden_collector.cli import main
from sitewarden_collector.cli._common import open_database
from sitewarden_collector.store import actions, agents, notices, sites
from sitewarden_collector.store.engine import Database

NOW = 1_764_000_000 * 10**9


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv(config.DATA_VARIABLE, str(tmp_path))
    monkeypatch.delenv("SITEWARDEN_CONFIG", raising=False)
    with closing(open_database(config.load())) as db:
        yield db


def _parked(db: Database) -> str:
    given: dict[str, Any] = {"kind": "page", "person": "ada", "channel": "phone", "subject": "INC-1001", "body": "b"}
    notice_id = db.write_now(notices.add, **given, dedup_key="k", now_ns=NOW)
    [taken] = db.write_now(notices.claim, 1, "w", now_ns=NOW)
    db.write_now(notices.settle_parked, taken, error="channel phone answered 403")
    return notice_id


def test_a_listing_shows_the_parked_notice_and_why(data: Database, capsys: pytest.CaptureFixture[str]) -> None:
    _parked(data)
    assert main(["notice", "list", "--state", "parked"]) == 0
    assert "channel phone answered 403" in capsys.readouterr().out
    assert main(["notice", "list", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["state"], row["created_at"], row["sent_at"]) == ("parked", "2025-11-24T16:00:00Z", None)
    assert main(["notice", "list", "--state", "sent"]) == 0
    assert capsys.readouterr().out == "no notices\n"


def test_a_retry_puts_it_back(data: Database, capsys: pytest.CaptureFixture[str]) -> None:
    notice_id = _parked(data)
    assert main(["notice", "retry", notice_id]) == 0
    assert "is tried again" in capsys.readouterr().out
    assert data.read_now(notices.get, notice_id).state == "pending"
    assert main(["notice", "retry", notice_id]) == 0  # a second one changes nothing
    assert main(["notice", "retry", "nope"]) == 1
    assert "there is no notice nope" in capsys.readouterr().err


def test_a_site_that_is_not_there_is_said_so(data: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["notice", "send", "--site", "acme-1", "--subject", "Patch 2.1"]) == 1
    assert "there is no site 'acme-1'" in capsys.readouterr().err


def test_a_notice_to_a_site_is_queued_for_its_agents(
    data: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = data.write_now(sites.ensure_customer, "acme", now_ns=NOW)
    site = data.write_now(sites.add, "acme-1", customer_id=customer, now_ns=NOW)
    agent = agents.Agent(
        id="a-1",
        customer_id=customer,
        site_id=site.id,
        hostname="h",
        machine_fingerprint="m",
        version="0.1.0",
        state="active",
        state_why="",
        enrolled_ns=NOW,
        last_seen_ns=NOW,
        clock_offset_ns=0,
        spool="",
    )
    data.write_now(agents.add, agent)
    monkeypatch.setattr("sys.stdin", io.StringIO("install it at night"))
    send = ["notice", "send", "--site", "acme-1", "--subject", "Patch 2.1", "--body", "-", "--category", "patch"]
    assert main([*send, "--reference", "REL-21"]) == 0
    assert "queued for 1 agent of acme-1" in capsys.readouterr().out
    [action] = data.read_now(actions.every)
    assert json.loads(action.payload)["body"] == "install it at night"
