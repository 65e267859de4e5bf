"""Faults can be seen with what made them, merged and split; their tickets follow."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sitewarden_alerting.model import Policy, TicketState
from sitewarden_collector.cli import main
from sitewarden_collector.config import Rules
from sitewarden_collector.errors import Conflict, NotFound
from sitewarden_collector.services import corrections, evaluation, faults, intake, rulepacks
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.store import faults as known
from sitewarden_collector.store.engine import Database
from tests.cast import ACME_BERLIN, ADA, GLOBEX_OSAKA, NOON, SECOND, batch, error_line, settle_agent

BOOK = rulepacks.load(Rules())


class Desk:
    """Two sites whose errors are evaluated as they come."""

    def __init__(self, db: Database) -> None:
        self.db, self.seq, self.memory = db, 0, faults.Memory()
        self.agents = {name: db.write_now(settle_agent, site=name).id for name in (ACME_BERLIN, GLOBEX_OSAKA)}

    def sees(self, fingerprint: str, template: str = "", *, site: str = ACME_BERLIN, count: int = 1) -> None:
        self.seq += 1
        text = template or f"text of {fingerprint}"
        line = error_line(text, fingerprint=fingerprint, offset=self.seq, count=count)
        sent = batch(1, line, epoch=f"{self.seq:032x}", wall_ns=NOON + self.seq * SECOND)
        now_ns = NOON + self.seq * SECOND
        self.db.write_now(intake.accept, self.agents[site], batch=sent, now_ns=now_ns)
        self.db.write_now(evaluation.step, BOOK, Policy(), now_ns=now_ns, memory=self.memory)

    def merges(self, one: str, into: str) -> None:
        self.db.write_now(corrections.merge, one, into, by=ADA, reason="same bug", now_ns=NOON)

    def open(self) -> dict[str, tuple[str, int]]:
        found = [one.ticket for one in self.db.read_now(ticketing.listing, site=ACME_BERLIN)]
        return {t.number: (t.fault, t.count) for t in found if t.is_open}


@pytest.fixture
def office(db: Database) -> Desk:
    return Desk(db)


def test_the_list_counts_events_sites_and_open_tickets(office: Desk) -> None:
    for site in (ACME_BERLIN, ACME_BERLIN, GLOBEX_OSAKA):
        office.sees("f1:one", site=site)
    office.sees("f1:two")
    found = {one.fault: one for one in office.db.read_now(known.listing)}
    assert list(found) == ["f1:two", "f1:one"]
    assert (found["f1:one"].events, found["f1:one"].sites, found["f1:one"].open_tickets) == (3, 2, 2)
    assert found["f1:one"].template == "text of f1:one"
    assert [one.fault for one in office.db.read_now(known.listing, site=GLOBEX_OSAKA)] == ["f1:one"]


def test_a_sample_of_a_storm_counts_for_all_that_it_stands_for(office: Desk) -> None:
    office.sees("f1:one")
    office.sees("f1:one", count=9_980)
    assert office.open() == {"INC-1001": ("f1:one", 9_981)}
    found = {one.fault: one for one in office.db.read_now(known.listing)}
    assert found["f1:one"].events == 9_981
    office.sees("f1:two", count=70)
    office.merges("INC-1002", "INC-1001")
    assert office.open() == {"INC-1001": ("f1:one", 10_051)}


def test_a_merge_makes_one_ticket_of_two_and_a_split_takes_it_back_for_what_comes(office: Desk) -> None:
    office.sees("f1:one")
    office.sees("f1:two")
    office.merges("INC-1002", "INC-1001")
    assert office.open() == {"INC-1001": ("f1:one", 2)}
    office.sees("f1:two")
    assert office.open() == {"INC-1001": ("f1:one", 3)}
    office.db.write_now(corrections.split, "f1:two", by=ADA, now_ns=NOON)
    office.sees("f1:two")
    office.sees("f1:one")
    assert office.open() == {"INC-1001": ("f1:one", 4), "INC-1003": ("f1:two", 1)}
    assert office.db.read_now(ticketing.show, "INC-1002", now_ns=NOON).ticket.state is TicketState.CLOSED


def test_a_fault_shows_its_fingerprints_and_who_made_them_one(office: Desk) -> None:
    for name in ("one", "two", "three"):
        office.sees(f"f1:{name}")
    office.merges("f1:two", "f1:one")
    office.merges("f1:three", "f1:two")
    office.db.write_now(corrections.split, "f1:three", by=ADA, now_ns=NOON)
    shown = office.db.read_now(faults.show, "INC-1002")
    assert shown.fault == "f1:one"
    assert [one.fingerprint for one in shown.members] == ["f1:one", "f1:two"]
    (merge,) = shown.members[1].merges
    assert (merge.by, merge.reason) == (ADA, "ada said that they are one fault: same bug")
    assert shown.members[1].apart_from == ("f1:three",)
    assert {one.ticket.number for one in shown.tickets} == {"INC-1001"}


def test_what_is_learned_says_from_which_templates(office: Desk) -> None:
    for i, name in enumerate(("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy")):
        office.sees(f"f1:{i:016x}", f"the nightly export of the account {name} could not be written to the archive")
    shown = office.db.read_now(faults.show, "INC-1001")
    assert shown.template == "the nightly export of the account <*> could not be written to the archive"
    reasons = [merge for one in shown.members for merge in one.merges]
    assert {merge.by for merge in reasons} == {"learned"}
    assert all("differ only in one place" in merge.reason for merge in reasons)


def test_what_cannot_be_corrected_is_refused_with_what_to_do(office: Desk) -> None:
    office.sees("f1:one")
    with pytest.raises(Conflict, match="nothing to undo"):
        office.db.write_now(corrections.split, "f1:one", by=ADA, now_ns=NOON)
    with pytest.raises(Conflict, match="one fault already"):
        office.merges("f1:one", "INC-1001")
    with pytest.raises(NotFound, match="sitewarden fault list"):
        office.merges("f1:one", "f1:never")
    with pytest.raises(NotFound, match="sitewarden ticket list"):
        office.db.read_now(faults.show, "INC-7")


@pytest.mark.usefixtures("desk")
def test_the_commands_list_show_merge_and_split(capsys: pytest.CaptureFixture[str]) -> None:
    def rows(*words: str) -> list[dict[str, Any]]:
        assert main([*words, "--json"]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    (fault,) = rows("fault", "list")
    assert (fault["events"], fault["open_tickets"], fault["severity"]) == (1, 1, "error")
    (shown,) = rows("fault", "show", "INC-1001")
    assert shown["tickets"][0]["number"] == "INC-1001"
    assert main(["fault", "show", fault["fault"]]) == 0
    assert "Stands for:" in capsys.readouterr().out
    assert main(["fault", "show", "INC-1002"]) == 1
    assert "no fault of a log" in capsys.readouterr().err
    assert main(["fault", "split", fault["fault"]]) == 1
    assert "nothing to undo" in capsys.readouterr().err
