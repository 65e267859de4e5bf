"""What the desk tells its own people, whom it gives tickets to, and what of its work a customer may see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sitewarden_alerting.model import DAY_NS, Person
from sitewarden_collector.services import accounts, calendars, contract_ends, contracts, customers, promises, roster
from sitewarden_collector.services.desk import assigning, majors, overview, reporting, solutions, visits
from sitewarden_collector.store import engineers, notices, tickets
from sitewarden_collector.store.contracts import Contract
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.engineers import Engineer
from tests.cast import ACME, ACME_BERLIN, ADA, BOB, HOUR, MINUTE, NOON, settle_site

CAROL = "carol"


def _promise(db: Database, until: str, *, calendar: str = "24x7") -> Contract:
    made = Contract(
        customer_id=db.write_now(settle_site).customer_id,
        customer=ACME,
        name="Gold",
        from_day="2026-01-01",
        until_day=until,
        calendar=calendar,
        goals=promises.DEFAULT_GOALS,
        pauses=promises.DEFAULT_PAUSES,
    )
    return db.write_now(contracts.add, made, now_ns=NOON)


def _people(db: Database) -> None:
    """ada is on call, carol is a manager; both have a channel."""
    db.write_now(roster.remember, (Person(ADA, ("quiet",)), Person(CAROL, ("quiet",))))
    db.write_now(accounts.add, CAROL, role="manager", by="test", now_ns=NOON)


def _told(db: Database) -> list[tuple[str, str]]:
    return [(one.person, one.subject) for one in reversed(db.read_now(notices.listing, state=None, limit=100))]


def test_a_manager_hears_of_a_contract_that_ends_sixty_thirty_and_seven_days_before_once_each(db: Database) -> None:
    _people(db)
    _promise(db, "2027-01-31")  # 68 days after noon of 2026-11-24
    for day in range(70):
        for _ in range(2):
            db.write_now(contract_ends.step, now_ns=NOON + day * DAY_NS)
    told = _told(db)
    assert {person for person, _ in told} == {CAROL}
    assert [subject.split(" ends ")[1] for _, subject in told] == [
        "in 60 days, on 2027-01-31",
        "in 30 days, on 2027-01-31",
        "in 7 days, on 2027-01-31",
    ]


def test_of_several_days_that_passed_at_once_the_last_is_told(db: Database) -> None:
    _people(db)
    made = _promise(db, "2027-12-31")
    assert db.write_now(contract_ends.step, now_ns=NOON) == 0
    db.write_now(contracts.change, replace(made, until_day="2026-12-05"), now_ns=NOON)
    assert db.write_now(contract_ends.step, now_ns=NOON + DAY_NS) == 1
    assert db.write_now(contract_ends.step, now_ns=NOON + 2 * DAY_NS) == 0
    assert len(_told(db)) == 1


def test_where_nobody_is_a_manager_whoever_is_on_call_hears_of_it(db: Database) -> None:
    db.write_now(roster.remember, (Person(ADA, ("quiet",)),))
    _promise(db, "2026-12-05")
    db.write_now(contract_ends.step, now_ns=NOON)
    assert [person for person, _ in _told(db)] == [ADA]


def test_a_contract_ends_when_its_calendars_day_does(db: Database) -> None:
    db.write_now(calendars.add, "shanghai", zone="Asia/Shanghai", week="mon-fri 09:00-18:00", by=ADA, now_ns=NOON)
    made = _promise(db, "2026-11-24", calendar="shanghai")
    until_midnight_there = 4 * HOUR
    for at_ns, status in ((NOON + until_midnight_there - MINUTE, "ends_soon"), (NOON + until_midnight_there, "over")):
        assert db.read_now(contracts.shown, made, now_ns=at_ns).status == status
    assert db.read_now(contracts.expiring, now_ns=NOON + until_midnight_there) == []


def test_the_owner_of_a_major_incident_hears_once_of_each_overdue_update(db: Database) -> None:
    _people(db)
    db.write_now(settle_site)
    number = db.write_now(reporting.report, ACME_BERLIN, "nobody can order", by=CAROL, now_ns=NOON).number
    db.write_now(majors.declare, number, "all shops", by=CAROL, now_ns=NOON, update_every_s=1800)
    before = len(_told(db))
    for minutes in (29, 30, 31):
        db.write_now(majors.step, now_ns=NOON + minutes * MINUTE)
    [told] = _told(db)[before:]
    assert told == (CAROL, f"[{number}] the next update to the customers is overdue: nobody can order")
    db.write_now(majors.tell_customers, number, "we are at it", by=CAROL, now_ns=NOON + 32 * MINUTE)
    db.write_now(majors.step, now_ns=NOON + 63 * MINUTE)
    assert len(_told(db)) == before + 2


@pytest.mark.parametrize(
    ("locale", "component", "who"), [("zh", "", BOB), ("en", "", ADA), ("zh", "application", CAROL)]
)
def test_a_ticket_is_given_to_who_speaks_the_customers_language_and_knows_the_product(
    db: Database, locale: str, component: str, who: str
) -> None:
    db.write_now(settle_site)
    db.write_now(customers.edit, ACME, locale=locale)
    for one in (
        Engineer(ADA, languages=("en",)),
        Engineer(BOB, languages=("zh",)),
        Engineer(CAROL, products=("application",)),
    ):
        db.write_now(engineers.put, one)
    db.write_now(assigning.set_policy, "assign")
    number = db.write_now(reporting.report, ACME_BERLIN, "slow", by=ADA, component=component, now_ns=NOON).number
    assert db.read_now(assigning.suggest, number, now_ns=NOON).who == who
    db.write_now(assigning.step, now_ns=NOON)
    assert db.read_now(tickets.by_number, number).assignee == who


def test_a_customers_overview_holds_only_what_they_were_told(db: Database) -> None:
    db.write_now(settle_site)
    number = db.write_now(reporting.report, ACME_BERLIN, "slow", by=ADA, now_ns=NOON).number
    db.write_now(majors.declare, number, "our own mistake", by=ADA, now_ns=NOON, experts=(BOB,))
    visit = db.write_now(visits.plan, number, BOB, NOON + HOUR, by=ADA, now_ns=NOON)
    db.write_now(visits.arrive, visit.id, by=BOB, now_ns=NOON + HOUR)
    db.write_now(visits.leave, visit.id, "the customer broke it", by=BOB, now_ns=NOON + 2 * HOUR)
    db.write_now(solutions.plan, number, BOB, NOON + HOUR, by=ADA, now_ns=NOON)
    ticket = db.read_now(tickets.by_number, number)

    seen = db.read_now(overview.of, ticket, True)
    assert seen.solutions == ()
    assert [one.findings for one in seen.visits] == [""]
    assert seen.major is not None
    assert (seen.major.reason, seen.major.experts, seen.major.declared_by) == ("", (), "")
    assert db.read_now(overview.of, ticket).visits[0].findings == "the customer broke it"

    db.write_now(visits.sign, visit.id, "Frau Meier", by=BOB, now_ns=NOON + 3 * HOUR)
    db.write_now(solutions.propose, number, "a new disk", by=BOB, now_ns=NOON + 3 * HOUR)
    seen = db.read_now(overview.of, ticket, True)
    assert [one.text for one in seen.solutions] == ["a new disk"]
    assert [one.findings for one in seen.visits] == ["the customer broke it"]
