"""`sitewarden customer`, `contact`, `contract`, `calendar` and `sla` on a real database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sitewarden_collector import config
from sitewarden_collector.cli import main
from sitewarden_collector.cli._common import open_database
from sitewarden_collector.services.desk import moving, reporting
from sitewarden_collector.store.engine import Database
from tests.cast import ACME, ACME_BERLIN, ADA, HOUR, NOON, settle_site

Said = Callable[..., Any]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv(config.DATA_VARIABLE, str(tmp_path))
    monkeypatch.delenv("SITEWARDEN_CONFIG", raising=False)
    with closing(open_database(config.load())) as db:
        db.write_now(settle_site)
        yield db


@pytest.fixture
def said(data: Database, capsys: pytest.CaptureFixture[str]) -> Said:
    """What a command prints, as text or as its lines of JSON."""

    def run(*words: str, code: int = 0, err: bool = False) -> Any:
        assert main(list(words)) == code
        captured = capsys.readouterr()
        if "--json" in words:
            return [json.loads(line) for line in captured.out.splitlines()]
        return captured.err if err else captured.out

    return run


def test_a_contract_from_its_calendar_to_what_is_used_up(said: Said) -> None:
    week = ("--zone", "Asia/Shanghai", "--week", "mon-fri 09:00-18:00", "--country", "CN", "--years", "2026")
    assert "version 1" in said("calendar", "add", "office", *week)
    made = said(
        *("contract", "add", "Gold", "--customer", ACME, "--from", "2026-01-01", "--until", "none"),
        *("--goal", "1:resolution=4h", "--goal", "2:resolution=8h@office", "--include", "on_site=2", "--json"),
    )
    assert made[0]["number"] == "CON-1"
    assert made[0]["goals"]["2"] == {"first_response": "2h", "solution": "48h", "resolution": "8h@office"}
    assert said("contract", "use", "CON-1", "on_site", "--note", "disk") == "1 of 2 on_site left\n"
    assert "1 on_site by" in said("contract", "show", "CON-1")
    assert "CON-1" in said("contract", "list", "--customer", ACME)
    assert said("contract", "edit", "CON-1", "--pauses", "", "--json")[0]["pauses"] == {}
    assert "there is no contract 'CON-7'" in said("contract", "show", "CON-7", code=1, err=True)


def test_a_calendar_shows_its_versions(said: Said) -> None:
    said(
        "calendar",
        "add",
        "office",
        "--zone",
        "UTC",
        "--week",
        "mon-fri 09:00-18:00",
        "--holiday",
        "2026-12-24=Eve 09:00-12:00",
    )
    said(
        "calendar", "change", "office", "--from", "2027-01-01", "--workday", "2027-01-02=stocktaking", "--reason", "new"
    )
    shown = said("calendar", "show", "office")
    assert "office version 1, from the beginning: mon-fri 09:00-18:00 in UTC" in shown
    assert "2027-01-02 Sat  works: stocktaking" in shown
    assert "2026-12-24 Thu  Eve 09:00-12:00" in shown
    rows = said("calendar", "list", "--json")
    assert [(row["name"], row["version"]) for row in rows] == [("24x7", 1), ("office", 2)]
    assert "goes over midnight" in said(
        "calendar", "change", "office", "--week", "mon 22:00-06:00", "--reason", "x", code=1, err=True
    )


def test_customers_and_contacts(said: Said, tmp_path: Path) -> None:
    assert said("customer", "add", "initech", "--tier", "gold") == "initech, gold, written to in en\n"
    assert said("customer", "edit", "initech", "--locale", "zh", "--json")[0]["locale"] == "zh"
    said("customer", "site", ACME_BERLIN, "--timezone", "Europe/Berlin", "--address", "Ring 1")
    said("contact", "add", "Eve", "--customer", ACME, "--mail", "eve@acme.example", "--told-of", "outages,solutions")
    shown = said("customer", "show", ACME, "--json")[0]
    assert [site["timezone"] for site in shown["sites"]] == ["Europe/Berlin"]
    assert [contact["name"] for contact in shown["contacts"]] == ["Eve"]
    file = tmp_path / "contacts.csv"
    said("customer", "export", str(file), "--what", "contacts")
    said("contact", "remove", "Eve", "--customer", ACME)
    assert said("contact", "list", "--json") == []
    assert said("customer", "import", str(file), "--what", "contacts") == "1 contacts taken in\n"
    assert said("contact", "list", "--json")[0]["told_of"] == ["outages", "solutions"]
    assert "is no tier" in said("customer", "edit", ACME, "--tier", "iron", code=1, err=True)


def test_a_ticket_s_clocks_are_explained_corrected_and_proved(said: Said, data: Database) -> None:
    number = data.write_now(reporting.report, ACME_BERLIN, "no payments", by=ADA, now_ns=NOON).number
    data.write_now(moving.start, number, by=ADA, now_ns=NOON + HOUR)
    data.write_now(moving.wait, number, "customer", by=ADA, now_ns=NOON + 2 * HOUR)
    data.write_now(moving.resolve, number, "restarted", by=ADA, now_ns=NOON + 6 * HOUR)
    shown = said("sla", "show", number)
    assert "paused 2026-11-24 14:00 to 18:00, waiting for the customer, by ada, calendar 24x7 version 1" in shown
    assert "met 2026-11-24 18:00 +0000: 2h of 2d used" in shown
    span = ("--from", "2026-11-24T12:00", "--until", "2026-11-24T14:00+01:00")
    corrected = said("sla", "correct", number, "pause", *span, "--reason", "agreed by phone")
    assert "solution: met 2026-11-24 18:00 +0000: 1h of 2d used" in corrected
    rows = said("sla", "show", number, "--json")
    assert [row["target"] for row in rows] == ["first_response", "solution"]
    assert said("sla", "verify") == "1 tickets computed anew: all as stored\n"
    assert "is no time" in said(
        "sla", "correct", number, "pause", "--from", "x", "--until", "y", "--reason", "z", code=1, err=True
    )


def test_the_service_of_a_customer_is_told(said: Said, data: Database) -> None:
    data.write_now(reporting.report, ACME_BERLIN, "no payments", by=ADA, now_ns=NOON)
    assert [row["what"] for row in said("customer", "service", ACME, "--json")] == ["ticket"]
