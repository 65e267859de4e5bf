"""Files, visits, tasks, problems, major incidents and development's tracker."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Connection, delete, update

from sitewarden_alerting.model import DAY_NS, TicketState
from sitewarden_alerting.problems import ProblemPolicy
from sitewarden_collector.errors import Conflict, Invalid, NotFound
from sitewarden_collector.services import contracts
from sitewarden_collector.services.desk import (
    attaching,
    comments,
    majors,
    moving,
    problems,
    reporting,
    routine,
    solutions,
    tasks,
    tracker,
    visits,
)
from sitewarden_collector.store import attachments, tickets
from sitewarden_collector.store import problems as kept
from sitewarden_collector.store import webhooks as outbox
from sitewarden_collector.store.contracts import Contract
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.pages import Window
from tests.cast import ACME, ACME_BERLIN, ADA, BOB, HOUR, MINUTE, NOON, settle_agent, settle_site
from tests.desk import SECRET
from tests.unit.collector.test_faults import Desk

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40


@pytest.fixture
def number(db: Database) -> str:
    db.write_now(settle_site)
    return db.write_now(reporting.report, ACME_BERLIN, "the shop is slow", by=ADA, now_ns=NOON).number


def whats(db: Database, number: str) -> list[str]:
    ticket = db.read_now(tickets.by_number, number)
    return [one.what for one in db.read_now(tickets.history_of, ticket.id)]


def test_a_file_rests_sealed_and_comes_back_whole(db: Database, number: str) -> None:
    made = db.write_now(attaching.attach, number, r"C:\logs\screen.png", PNG, SECRET, by=ADA, now_ns=NOON)
    assert (made.name, made.media_type, made.size) == ("screen.png", "image/png", len(PNG))
    sealed = db.read_now(attachments.sealed_of, made.id)
    assert sealed is not None
    assert PNG not in sealed
    assert db.read_now(attaching.content_of, made.id, SECRET) == (made, PNG)
    assert whats(db, number)[-1] == "attach_file"
    assert db.read_now(attaching.of_ticket, made.ticket_id, True) == []


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("empty.txt", b"", "is empty"),
        ("big.log", b"x" * (attaching.SIZE_MAX + 1), "more than 10 MiB"),
        ("tool.exe", b"MZ" + b"\x00" * 10, "not taken"),
        ("photo.png", b"MZ" + b"\x00" * 10, "not what its name says"),
        ("notes.txt", PNG, "not what its name says"),
        ("photo.jpg", PNG, "not what its name says"),
        ("...", b"x", "no name"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused(
    db: Database, number: str, name: str, content: bytes, why: str
) -> None:
    with pytest.raises(Invalid, match=why):
        db.write_now(attaching.attach, number, name, content, SECRET, by=ADA, now_ns=NOON)


def test_a_file_that_is_gone_damaged_or_under_another_key_is_told(db: Database, number: str) -> None:
    made = db.write_now(attaching.attach, number, "a.txt", b"hello", SECRET, by=ADA, now_ns=NOON)
    with pytest.raises(Conflict, match="another key"):
        db.read_now(attaching.content_of, made.id, Fernet(Fernet.generate_key()))
    db.write_now(Connection.execute, update(attachments.contents).values(sealed="rubbish"))
    with pytest.raises(Conflict, match="damaged"):
        db.read_now(attaching.content_of, made.id, SECRET)
    db.write_now(Connection.execute, delete(attachments.contents))
    with pytest.raises(Conflict, match="missing"):
        db.read_now(attaching.content_of, made.id, SECRET)


def test_a_visit_goes_from_planned_to_signed(db: Database, number: str) -> None:
    visit = db.write_now(visits.plan, number, BOB, NOON + HOUR, by=ADA, now_ns=NOON)
    with pytest.raises(Conflict, match="planned, not left"):
        db.write_now(visits.sign, visit.id, "Carla", by=BOB, now_ns=NOON)
    db.write_now(visits.arrive, visit.id, by=BOB, now_ns=NOON + HOUR)
    with pytest.raises(Conflict, match="before it began"):
        db.write_now(visits.leave, visit.id, "dust", by=BOB, now_ns=NOON, at_ns=NOON)
    db.write_now(visits.leave, visit.id, "the fan was full of dust", by=BOB, now_ns=NOON + 2 * HOUR)
    done = db.write_now(visits.sign, visit.id, "Carla", by=BOB, now_ns=NOON + 3 * HOUR)
    assert (done.state, done.findings, done.signed_by) == ("signed", "the fan was full of dust", "Carla")
    assert whats(db, number)[1:] == ["plan_visit", "arrive_at_site", "leave_site", "sign_visit"]


def test_a_visit_uses_up_the_contract_and_one_too_many_is_told(db: Database, number: str) -> None:
    db.write_now(contract_with, on_site=1)
    for at_ns in (NOON, NOON + HOUR):
        visit = db.write_now(visits.plan, number, BOB, at_ns, by=ADA, now_ns=NOON)
        db.write_now(visits.arrive, visit.id, by=BOB, now_ns=at_ns)
        db.write_now(visits.leave, visit.id, "dust", by=BOB, now_ns=at_ns + MINUTE)
    ticket = db.read_now(tickets.by_number, number)
    said = [one.text for one in db.read_now(tickets.history_of, ticket.id) if one.what == "use_entitlement"]
    assert said[0] == "one visit of CON-1: 0 of 1 are left"
    assert "beyond it" in said[1]


def contract_with(tx: Connection, /, **included: int) -> None:
    """A contract of acme, in force today, that includes those."""
    site = settle_site(tx)
    contract = Contract(
        site.customer_id, ACME, "Gold", "2026-01-01", "2027-12-31", "24x7", goals={}, pauses={}, included=included
    )
    contracts.add(tx, contract, now_ns=NOON)


def test_tasks_of_a_person_are_in_one_list_the_overdue_first(db: Database, number: str) -> None:
    db.write_now(visits.plan, number, BOB, NOON + HOUR, by=ADA, now_ns=NOON)
    db.write_now(solutions.plan, number, BOB, NOON - HOUR, by=ADA, now_ns=NOON)
    db.write_now(solutions.plan, number, BOB, NOON - MINUTE, by=ADA, now_ns=NOON)
    assert [one.kind for one in db.read_now(tasks.of, person=BOB)] == ["solution", "visit"]
    assert [one.kind for one in db.read_now(tasks.of, overdue_ns=NOON)] == ["solution"]
    assert db.read_now(tasks.of, person=ADA) == []


def test_one_fault_at_enough_sites_makes_a_problem_that_takes_in_what_follows(db: Database) -> None:
    office = Desk(db)
    office.agents["third"] = db.write_now(settle_agent, site="third").id
    db.write_now(problems.set_policy, ProblemPolicy(sites=2))
    for site in list(office.agents)[:2]:
        office.sees("f1:one", site=site)
    assert db.write_now(problems.step, now_ns=NOON) == 2
    assert db.write_now(problems.step, now_ns=NOON) == 0
    (problem,) = db.read_now(kept.listing)
    assert (problem.number, problem.fault, problem.opened_by) == ("PRB-101", "f1:one", "rules")
    office.sees("f1:one", site="third")
    assert db.write_now(problems.step, now_ns=NOON) == 1
    assert len(db.read_now(kept.incidents, problem.id)) == 3


def test_the_problem_of_a_storm_takes_its_incidents_in_by_and_by_each_once(db: Database) -> None:
    """Intake waits for the same writer: no step does everything at once."""
    office = Desk(db)
    for number in range(6):
        office.agents[f"site-{number}"] = db.write_now(settle_agent, site=f"site-{number}").id
    db.write_now(problems.set_policy, ProblemPolicy(sites=2))
    for site in list(office.agents):
        office.sees("f1:one", site=site)
    steps = [db.write_now(problems.step, now_ns=NOON, limit=3) for _ in range(4)]
    (problem,) = db.read_now(kept.listing)
    incidents = db.read_now(kept.incidents, problem.id)
    assert steps == [3, 3, len(office.agents) - 6, 0]
    assert len(incidents) == len(office.agents)
    for one in incidents:
        assert whats(db, one.ticket.number).count("link_problem") == 1
    assert [one.what for one in db.read_now(kept.history_of, problem.id)].count("add_incident") == len(incidents)


def test_of_many_majors_the_widest_are_declared_first(db: Database) -> None:
    office = Desk(db)
    for number in range(5):
        customer = f"customer-{number}"
        office.agents[f"site-{number}"] = db.write_now(settle_agent, site=f"site-{number}", customer=customer).id
    for fault, text, sites in (("f1:a", "disk gone", 3), ("f1:b", "login refused", 5), ("f1:c", "queue is stuck", 4)):
        for number in range(sites):
            office.sees(fault, text, site=f"site-{number}")
    assert db.write_now(majors.step, now_ns=NOON, limit=1) == 1
    (first,) = db.read_now(majors.listing, going_on=True)
    assert first.reason == "5 customers at once"
    assert [db.write_now(majors.step, now_ns=NOON, limit=1) for _ in range(3)] == [1, 1, 0]
    assert len(db.read_now(majors.listing, going_on=True)) == 3


def test_in_a_storm_the_rules_declare_no_more_majors_than_anybody_leads(db: Database) -> None:
    office = Desk(db)
    for number in range(3):
        customer = f"customer-{number}"
        office.agents[f"site-{number}"] = db.write_now(settle_agent, site=f"site-{number}", customer=customer).id
        for fault in range(majors.GOING_ON_MAX + 2):
            office.sees(f"f1:{fault}", f"{'abcdefghijklmnop'[fault] * 9} failed", site=f"site-{number}")
    assert db.write_now(majors.step, now_ns=NOON) == majors.GOING_ON_MAX
    assert db.write_now(majors.step, now_ns=NOON) == 0
    first = db.read_now(majors.listing, going_on=True)[0]
    db.write_now(majors.end, first.number, by=ADA, now_ns=NOON)
    assert db.write_now(majors.step, now_ns=NOON) == 1


def test_what_keeps_coming_back_at_one_site_is_a_problem(db: Database) -> None:
    office = Desk(db)
    for times in range(3):
        office.sees("f1:one")
        assert db.write_now(problems.step, now_ns=NOON) == (1 if times == 2 else 0)
        db.write_now(moving.resolve, "INC-1001", "restarted", by=ADA, now_ns=NOON + office.seq * 1_000_000_000)
    (problem,) = db.read_now(kept.listing)
    assert problem.site_id


def test_a_problem_has_a_life_a_cause_a_workaround_and_maintenance(db: Database, number: str) -> None:
    problem = db.write_now(problems.open_problem, "slow disks", [number], by=ADA, now_ns=NOON).number
    with pytest.raises(Conflict, match="cause"):
        db.write_now(problems.move, problem, "known_error", by=ADA, now_ns=NOON)
    db.write_now(problems.edit, problem, by=ADA, now_ns=NOON, cause="old disks", workaround="restart at night")
    db.write_now(problems.move, problem, "known_error", by=ADA, now_ns=NOON)
    behind = db.read_now(problems.of_ticket, db.read_now(tickets.by_number, number))
    assert behind is not None
    assert behind.workaround == "restart at night"
    task = db.write_now(problems.add_task, problem, "new disks", BOB, NOON + DAY_NS, by=ADA, now_ns=NOON)
    assert [one.text for one in db.read_now(tasks.of, person=BOB)] == ["new disks"]
    db.write_now(tasks.finish, task.id, by=BOB, now_ns=NOON)
    _, there = db.write_now(problems.resolve, problem, "new disks", by=ADA, now_ns=NOON, resolve_incidents=True)
    assert there == (number,)
    assert db.read_now(tickets.by_number, number).state is TicketState.RESOLVED
    with pytest.raises(Conflict, match="can become closed, investigating"):
        db.write_now(problems.move, problem, "known_error", by=ADA, now_ns=NOON)


def test_a_major_incident_is_declared_once_tells_every_customer_and_ends_in_a_review(db: Database) -> None:
    office = Desk(db)
    office.agents["third"] = db.write_now(settle_agent, site="third", customer="initech").id
    office.agents["osaka"] = db.write_now(settle_agent, site="osaka", customer="globex").id
    for site in ("acme-berlin", "osaka", "third"):
        office.sees("f1:one", site=site)
    assert db.write_now(majors.step, now_ns=NOON) == 1
    assert db.write_now(majors.step, now_ns=NOON) == 0
    (major,) = db.read_now(majors.listing, going_on=True)
    assert (major.number, major.reason) == ("INC-1001", "3 customers at once")
    assert db.write_now(majors.step, now_ns=NOON + HOUR) == 1
    assert db.write_now(majors.step, now_ns=NOON + HOUR + 1) == 0
    assert whats(db, "INC-1001").count("warn_update") == 1
    told = db.write_now(majors.tell_customers, "INC-1001", "we found it", by=ADA, now_ns=NOON + HOUR)
    assert len(told) == 3
    assert len(db.read_now(comments.of_ticket, told[2].ticket_id, True)) == 1
    assert db.read_now(majors.show, "INC-1001").major.next_update_ns == NOON + HOUR + 30 * MINUTE
    with pytest.raises(Conflict, match="goes on"):
        db.write_now(majors.review, "INC-1001", "why", by=ADA, now_ns=NOON)
    db.write_now(majors.end, "INC-1001", by=ADA, now_ns=NOON + 2 * HOUR)
    db.write_now(majors.review, "INC-1001", "a bad release", by=ADA, now_ns=NOON + DAY_NS)
    db.write_now(majors.add_action, "INC-1001", "test it", BOB, NOON + 2 * DAY_NS, by=ADA, now_ns=NOON + DAY_NS)
    assert [one.kind for one in db.read_now(tasks.of, person=BOB)] == ["review"]
    with pytest.raises(Conflict, match="major incident already"):
        db.write_now(majors.declare, "INC-1001", "again", by=ADA, now_ns=NOON + DAY_NS)


def test_a_defect_goes_to_the_tracker_once_and_its_state_comes_back(db: Database, number: str) -> None:
    with pytest.raises(Conflict, match="no tracker is set"):
        db.write_now(tracker.send, number, "defect", "it leaks", by=ADA, now_ns=NOON)
    made = db.write_now(tracker.configure, SECRET, url="https://tracker.example.com/hook", by=ADA, now_ns=NOON)
    item = db.write_now(tracker.send, number, "defect", "it leaks", by=ADA, now_ns=NOON)
    (sent,) = db.read_now(outbox.page, Window(10), subscription_id=made.subscription.id)
    assert (sent.message_id, sent.ref) == (f"trk_{item.id}", number)
    for _ in range(2):
        db.write_now(tracker.came_back, item.id, "in progress", key="DEV-7", now_ns=NOON + 2, told_ns=NOON + 2)
    db.write_now(tracker.came_back, item.id, "new", now_ns=NOON + 3, told_ns=NOON + 1)
    (now,) = db.read_now(tracker.of_ticket, item.ticket_id)
    assert (now.key, now.state) == ("DEV-7", "in progress")
    assert whats(db, number).count("tracker_state") == 1
    with pytest.raises(NotFound):
        db.write_now(tracker.came_back, "nothing", "new", now_ns=NOON)


def test_the_desks_routine_does_all_that_time_brings(db: Database, number: str) -> None:
    assert db.write_now(routine.step, now_ns=NOON) == 0
