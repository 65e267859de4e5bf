"""A silence has a reason and an end, holds back what it names at its site, and can be seen where it does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sitewarden_alerting.model import Policy
from sitewarden_alerting.observations import What
from sitewarden_collector.cli import main
from sitewarden_collector.config import Rules
from sitewarden_collector.errors import Conflict, NotFound
from sitewarden_collector.services import evaluation, faults, intake, rulepacks, silences
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.corrections import merge
from sitewarden_collector.store.engine import Database
from tests.cast import ACME_BERLIN, ADA, MINUTE, NOON, SECOND, batch, error_line, probe, settle_agent

BOOK = rulepacks.load(Rules())
FOR: dict[str, Any] = {"for_s": 3600, "reason": "the database moves", "by": ADA, "now_ns": NOON}


class Site:
    """An agent at a site, whose batches are evaluated as they come."""

    def __init__(self, db: Database, name: str = ACME_BERLIN) -> None:
        self.db, self.name, self.seq = db, name, 0
        self.agent = db.write_now(settle_agent, site=name)
        self.memory = faults.Memory()

    def sends(self, *what: What, at: int = NOON) -> None:
        self.seq += 1
        sent = batch(self.seq, *what, wall_ns=at)
        self.db.write_now(intake.accept, self.agent.id, batch=sent, now_ns=at)
        self.db.write_now(evaluation.step, BOOK, Policy(), now_ns=at, memory=self.memory)

    @property
    def numbers(self) -> list[str]:
        return sorted(one.ticket.number for one in self.db.read_now(ticketing.listing, site=self.name))


@pytest.fixture
def site(db: Database) -> Site:
    return Site(db)


def test_a_silence_of_a_site_holds_everything_back_there_and_nothing_elsewhere(db: Database, site: Site) -> None:
    other = Site(db, "globex-osaka")
    made = db.write_now(silences.add, ACME_BERLIN, **FOR)
    for one in (site, other):
        one.sends(error_line(), probe(False))
    assert (site.numbers, len(other.numbers)) == ([], 2)
    (listed,) = db.read_now(silences.listing, now_ns=NOON)
    assert (listed.silence.number, listed.site, listed.held) == (made.number, ACME_BERLIN, 2)


def test_a_silence_of_a_rule_or_of_a_fault_holds_only_that(db: Database, site: Site) -> None:
    db.write_now(silences.add, ACME_BERLIN, rule="probe-*", rules=[rule.name for rule in BOOK.rules], **FOR)
    site.sends(error_line(), probe(False))
    assert site.numbers == ["INC-1001"]
    db.write_now(ticketing.resolve, "INC-1001", ADA, "restarted", now_ns=NOON)
    db.write_now(silences.add, ACME_BERLIN, fault="inc-1001", **FOR)
    site.sends(error_line(offset=9), error_line("another", offset=99), at=NOON + SECOND)
    assert site.numbers == ["INC-1001", "INC-1002"]
    assert not db.read_now(ticketing.show, "INC-1001", now_ns=NOON).ticket.is_open
    assert db.read_now(ticketing.show, "INC-1002", now_ns=NOON).silence is None


def test_a_silence_that_ended_early_or_by_itself_holds_nothing(db: Database, site: Site) -> None:
    made = db.write_now(silences.add, ACME_BERLIN, **FOR)
    db.write_now(silences.end, made.number.lower(), by=ADA, now_ns=NOON + SECOND)
    site.sends(error_line(), at=NOON + MINUTE)
    assert site.numbers == ["INC-1001"]
    with pytest.raises(Conflict, match="over at"):
        db.write_now(silences.end, made.number, by=ADA, now_ns=NOON + MINUTE)
    assert db.read_now(silences.listing, now_ns=NOON + MINUTE) == []
    assert len(db.read_now(silences.listing, over=True, now_ns=NOON + MINUTE)) == 1


def test_a_silence_goes_with_its_fault_when_that_is_merged(db: Database, site: Site) -> None:
    site.sends(error_line("one", fingerprint="f1:one"), error_line("two", fingerprint="f1:two", offset=1))
    db.write_now(silences.add, ACME_BERLIN, fault="f1:one", **FOR)
    db.write_now(merge, "f1:one", "f1:two", by=ADA, now_ns=NOON)
    shown = db.read_now(ticketing.show, "INC-1002", now_ns=NOON)
    assert shown.ticket.fault == "f1:two"
    assert shown.silence is not None


def test_what_cannot_be_silenced_is_refused_with_what_to_do(db: Database, site: Site) -> None:
    with pytest.raises(Conflict, match="needs its reason"):
        db.write_now(silences.add, site.name, **{**FOR, "reason": " "})
    with pytest.raises(NotFound, match="sitewarden rules list"):
        db.write_now(silences.add, site.name, rule="probe-faild", rules=["probe-failed"], **FOR)
    with pytest.raises(NotFound, match="sitewarden fault list"):
        db.write_now(silences.add, site.name, fault="f1:never", **FOR)
    with pytest.raises(NotFound, match="sitewarden site list"):
        db.write_now(silences.add, "elsewhere", **FOR)
    with pytest.raises(Conflict, match="a year at most"):
        db.write_now(silences.add, site.name, **{**FOR, "for_s": 10**9})


@pytest.mark.usefixtures("desk")
def test_the_commands_begin_show_and_end_a_silence(capsys: pytest.CaptureFixture[str]) -> None:
    add = ["silence", "add", "--site", ACME_BERLIN, "--for", "2h", "--reason", "known since Monday", "--by", ADA]
    assert main([*add, "--fault", "INC-1001"]) == 0
    assert main([*add, "all"]) == 0
    assert "sitewarden silence end SIL-1" in capsys.readouterr().out
    assert main(["silence", "list", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["number"], row["site"], row["by"]) for row in rows] == [
        ("SIL-2", ACME_BERLIN, ADA),
        ("SIL-1", ACME_BERLIN, ADA),
    ]
    assert main(["silence", "end", "SIL-2", "--by", ADA]) == 0
    assert main(["ticket", "show", "INC-1001"]) == 0
    shown = capsys.readouterr().out
    assert "silenced by ada until " in shown
    assert "known since Monday (SIL-1)" in shown
    assert "silence_ended by ada" in shown


@pytest.mark.parametrize(
    "words",
    [
        ["--for", "2h", "--reason", "x"],  # of what?
        ["--for", "2h", "all"],
        ["--reason", "x", "all"],
        ["--for", "2h", "--reason", "x", "--rule", "cpu", "--fault", "f1:a"],
    ],
)
def test_a_silence_without_its_reason_end_or_object_is_no_command(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(["silence", "add", "--site", ACME_BERLIN, *words])
