"""Merging and splitting tickets by hand: the next observation follows, and follows back after undoing."""

from __future__ import annotations

import pytest

from sitewarden_alerting.model import Ticket, TicketState
from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.services.desk import linking, merging, moving, reporting
from sitewarden_collector.store import clocks, evidence, tickets
from sitewarden_collector.store.engine import Database
from tests.cast import ACME_BERLIN, ADA, GLOBEX_OSAKA, MINUTE, NOON
from tests.unit.collector.test_faults import Desk

LATER = NOON + 10 * MINUTE


@pytest.fixture
def office(db: Database) -> Desk:
    return Desk(db)


def get(office: Desk, number: str) -> Ticket:
    return office.db.read_now(tickets.by_number, number)


def texts(office: Desk, number: str) -> list[str]:
    return [one.text for one in office.db.read_now(evidence.of_ticket, get(office, number).id)]


def happened(office: Desk, number: str, what: str) -> list[str]:
    return [one.by for one in office.db.read_now(tickets.history_of, get(office, number).id) if one.what == what]


def test_a_merge_holds_for_the_next_observation_and_undoing_it_brings_the_ticket_back(office: Desk) -> None:
    office.sees("f1:one")
    office.sees("f1:two")
    before = get(office, "INC-1002")
    merged = office.db.write_now(merging.merge, "INC-1002", "INC-1001", by=ADA, now_ns=LATER, reason="one bug")
    assert (merged.number, merged.count) == ("INC-1001", 2)
    assert happened(office, "INC-1001", "merge_ticket") == happened(office, "INC-1002", "merge_ticket") == [ADA]
    office.sees("f1:two")
    assert office.open() == {"INC-1001": ("f1:one", 3)}
    assert get(office, "INC-1002").state is TicketState.CLOSED
    back = office.db.write_now(merging.unmerge, "INC-1002", by=ADA, now_ns=LATER + 1)
    assert (back.state, back.count, back.merged_into, back.fault) == (before.state, 1, "", "f1:two")
    assert len(texts(office, "INC-1002")) == 1
    assert "text of f1:two" in texts(office, "INC-1002")[0]
    office.sees("f1:two")
    office.sees("f1:one")
    assert office.open() == {"INC-1001": ("f1:one", 3), "INC-1002": ("f1:two", 2)}
    with pytest.raises(Conflict, match="was not merged"):
        office.db.write_now(merging.unmerge, "INC-1002", by=ADA, now_ns=LATER + 2)


def test_a_merge_and_its_undoing_reach_the_same_faults_at_other_sites(office: Desk) -> None:
    office.sees("f1:one")
    office.sees("f1:two")
    office.sees("f1:two", site=GLOBEX_OSAKA)
    office.db.write_now(merging.merge, "INC-1002", "INC-1001", by=ADA, now_ns=LATER)
    assert get(office, "INC-1003").fault == "f1:one"
    office.db.write_now(merging.unmerge, "INC-1002", by=ADA, now_ns=LATER + 1)
    assert get(office, "INC-1003").fault == "f1:two"
    office.sees("f1:two", site=GLOBEX_OSAKA)
    assert get(office, "INC-1003").count == 2


def test_what_is_merged_never_counts_down_again(office: Desk) -> None:
    """zammad #904: a merged ticket escalated."""
    office.sees("f1:one")
    office.sees("f1:two")
    office.db.write_now(merging.merge, "INC-1002", "INC-1001", by=ADA, now_ns=LATER)
    clock = office.db.read_now(clocks.find, get(office, "INC-1002").id)
    assert clock is None or (not clock.active and clock.alarm_ns is None)
    last = office.db.read_now(tickets.history_of, get(office, "INC-1002").id)[-1]
    assert (last.what, last.state) == ("merge_ticket", "closed")
    assert office.db.write_now(moving.acknowledge, "INC-1002", by=ADA, now_ns=LATER).number == "INC-1001"
    assert office.db.read_now(tickets.history_of, get(office, "INC-1002").id)[-1] == last


def test_a_report_goes_into_the_incident_that_explains_it_and_comes_out_again(office: Desk) -> None:
    office.sees("f1:one")
    said = office.db.write_now(reporting.report, ACME_BERLIN, "orders fail", by=ADA, now_ns=LATER)
    assert office.db.write_now(merging.merge, said.number, "INC-1001", by=ADA, now_ns=LATER).count == 2
    assert get(office, said.number).state is TicketState.CLOSED
    back = office.db.write_now(merging.unmerge, said.number, by=ADA, now_ns=LATER)
    assert (back.state, get(office, "INC-1001").count) == (TicketState.NEW, 1)


def test_what_cannot_be_one_is_refused(office: Desk) -> None:
    office.sees("f1:one")
    office.sees("f1:two", site=GLOBEX_OSAKA)
    office.sees("f1:three")
    office.db.write_now(moving.close, "INC-1003", by=ADA, now_ns=LATER, why="no fault")
    for into, why in (("INC-1001", "itself"), ("INC-1002", "two sites"), ("INC-1003", "closed")):
        with pytest.raises(Conflict, match=why):
            office.db.write_now(merging.merge, "INC-1001", into, by=ADA, now_ns=LATER)


def test_a_split_gives_a_ticket_of_its_own_with_its_evidence_until_merged_again(office: Desk) -> None:
    office.sees("f1:one")
    office.sees("f1:two")
    office.db.write_now(merging.merge, "INC-1002", "INC-1001", by=ADA, now_ns=LATER)
    office.sees("f1:two")
    new = office.db.write_now(merging.split, "INC-1001", "f1:two", by=ADA, now_ns=LATER + 1)
    assert (new.number, new.fault, new.count) == ("INC-1003", "f1:two", 2)
    assert all("f1:two" in text for text in texts(office, "INC-1003"))
    assert len(texts(office, "INC-1001")) == 1
    office.sees("f1:two")
    assert office.open() == {"INC-1001": ("f1:one", 1), "INC-1003": ("f1:two", 3)}
    office.db.write_now(merging.merge, "INC-1003", "INC-1001", by=ADA, now_ns=LATER + 2)
    office.sees("f1:two")
    assert office.open() == {"INC-1001": ("f1:one", 5)}
    with pytest.raises(Conflict, match="cannot be split"):
        office.db.write_now(merging.split, "INC-1001", "f1:one", by=ADA, now_ns=LATER)


def test_a_split_takes_along_what_a_sample_of_a_storm_stands_for(office: Desk) -> None:
    office.sees("f1:one", count=40)
    office.sees("f1:two")
    office.db.write_now(merging.merge, "INC-1002", "INC-1001", by=ADA, now_ns=LATER)
    office.sees("f1:two", count=600)
    new = office.db.write_now(merging.split, "INC-1001", "f1:two", by=ADA, now_ns=LATER + 1)
    assert (new.number, new.count) == ("INC-1003", 601)
    assert office.open() == {"INC-1001": ("f1:one", 40), "INC-1003": ("f1:two", 601)}


def test_links_are_seen_from_both_sides_and_parents_make_no_circle(office: Desk) -> None:
    for name in ("one", "two", "three"):
        office.sees(f"f1:{name}")
    office.db.write_now(linking.link, "INC-1001", "causes", "INC-1002", by=ADA, now_ns=LATER)
    seen = office.db.read_now(linking.of_ticket, get(office, "INC-1002").id)
    assert [(one.kind, one.number, one.backwards) for one in seen] == [("causes", "INC-1001", True)]
    with pytest.raises(Conflict, match="already"):
        office.db.write_now(linking.link, "INC-1001", "causes", "INC-1002", by=ADA, now_ns=LATER)
    with pytest.raises(Invalid, match="known: relates"):
        office.db.write_now(linking.link, "INC-1001", "loves", "INC-1002", by=ADA, now_ns=LATER)
    office.db.write_now(linking.unlink, "INC-1002", "causes", "INC-1001", by=ADA, now_ns=LATER)
    assert not office.db.read_now(linking.of_ticket, get(office, "INC-1001").id)
    office.db.write_now(linking.set_parent, "INC-1002", "INC-1001", by=ADA, now_ns=LATER)
    office.db.write_now(linking.set_parent, "INC-1003", "INC-1002", by=ADA, now_ns=LATER)
    assert office.db.read_now(linking.children, get(office, "INC-1001").id) == ["INC-1002"]
    with pytest.raises(Conflict, match="itself a part of"):
        office.db.write_now(linking.set_parent, "INC-1001", "INC-1003", by=ADA, now_ns=LATER)
