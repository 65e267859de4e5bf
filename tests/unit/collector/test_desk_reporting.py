"""What a person reports is told to whoever is on call, by a page where it is urgent."""

from __future__ import annotations

from typing import Any

import pytest

from sitewarden_alerting.model import Person
from sitewarden_collector.services import paging, roster
from sitewarden_collector.services.desk import reporting
from sitewarden_collector.store import notices, tickets
from sitewarden_collector.store.engine import Database
from tests.cast import ACME_BERLIN, ADA, BOB, MINUTE, NOON, settle_site

LI = "li"


@pytest.fixture
def office(db: Database) -> Database:
    db.write_now(settle_site)
    db.write_now(roster.remember, (Person(ADA, ("phone",)), Person(BOB, ("phone",))))
    return db


def told(db: Database) -> list[tuple[str, str]]:
    return [(one.kind, one.person) for one in db.read_now(notices.listing)]


def report(db: Database, by: str = LI, **more: Any) -> str:
    return db.write_now(reporting.report, ACME_BERLIN, "no invoices", by=by, now_ns=NOON, **more).number


def test_an_urgent_incident_pages_and_goes_on_until_somebody_takes_it(office: Database) -> None:
    number = report(office, severity=5)
    assert told(office) == [("page", ADA)]
    ticket = office.read_now(tickets.by_number, number)
    assert office.read_now(paging.state_of, ticket.id).status == "running"


def test_what_can_wait_is_told_without_urgency(office: Database) -> None:
    report(office, severity=3, type="service_request")
    report(office, severity=1)
    assert {kind for kind, _ in told(office)} == {"info"}


def test_whoever_is_on_call_is_not_told_of_their_own_report(office: Database) -> None:
    report(office, by=ADA, severity=5)
    assert told(office) == []


def test_a_ticket_that_paged_is_told_under_a_key_of_its_own_when_it_comes_back(office: Database) -> None:
    number = report(office, severity=5)
    ticket = office.read_now(tickets.by_number, number)
    assert ticket.notices == 1
    office.write_now(paging.step, now_ns=NOON + MINUTE)
    assert told(office) == [("page", ADA)]


def test_without_anybody_on_call_an_urgent_report_says_so(db: Database) -> None:
    db.write_now(settle_site)
    number = report(db, severity=5)
    ticket = db.read_now(tickets.by_number, number)
    assert "nobody_to_tell" in [one.what for one in db.read_now(tickets.history_of, ticket.id)]
