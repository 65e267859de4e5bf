"""What people do with tickets: opening by hand, moving, assigning, solutions, comments."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, delete, update
from sqlalchemy.exc import DatabaseError

from sitewarden_alerting.model import DAY_NS, Policy, Ticket, TicketState
from sitewarden_collector.config import Rules
from sitewarden_collector.errors import Conflict, Invalid, NotFound
from sitewarden_collector.services import evaluation, rulepacks
from sitewarden_collector.services.desk import assigning, comments, moving, reporting, solutions
from sitewarden_collector.store import categories, engineers, tickets
from sitewarden_collector.store import comments as kept
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.engineers import Engineer
from tests.cast import ACME_BERLIN, ADA, BOB, HOUR, NOON, settle_site

BOOK = rulepacks.load(Rules())


@pytest.fixture
def number(db: Database) -> str:
    """A ticket that Ada wrote down for a customer."""
    return report(db).number


def report(db: Database, title: str = "the shop is slow", **more: object) -> Ticket:
    db.write_now(settle_site)
    return db.write_now(reporting.report, ACME_BERLIN, title, by=ADA, now_ns=NOON, **more)  # type: ignore[arg-type]


def events(db: Database, number: str) -> list[str]:
    def read(tx: Connection) -> list[str]:
        return [one.what for one in tickets.history_of(tx, tickets.by_number(tx, number).id)]

    return db.read_now(read)


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [("incident", "INC"), ("service_request", "REQ"), ("complaint", "CMP"), ("change_request", "CHG")],
)
def test_a_person_opens_every_kind_with_a_number_of_its_own(db: Database, kind: str, prefix: str) -> None:
    ticket = report(db, type=kind, reporter="Carla", reported_ns=NOON - HOUR, text="it began at eleven")
    assert ticket.number.startswith(prefix)
    assert (ticket.reporter, ticket.reported_ns, ticket.opened_ns) == ("Carla", NOON - HOUR, NOON)
    assert events(db, ticket.number) == ["open_ticket", "comment"]


def test_what_makes_no_sense_is_refused(db: Database) -> None:
    for wrong in ({"type": "wish"}, {"severity": 9}, {"category": "weather"}, {"reported_ns": NOON + DAY_NS}):
        with pytest.raises(Invalid):
            report(db, **wrong)
    with pytest.raises(Invalid, match="empty"):
        report(db, "  ")
    with pytest.raises(NotFound):
        db.write_now(reporting.report, "nowhere", "x", by=ADA, now_ns=NOON)


def test_time_leaves_an_open_report_alone_and_closes_a_resolved_one(db: Database, number: str) -> None:
    late = NOON + 30 * DAY_NS
    assert db.write_now(evaluation.tick, BOOK, Policy(), now_ns=late) == 0
    db.write_now(moving.resolve, number, "restarted it", by=ADA, now_ns=late)
    db.write_now(evaluation.tick, BOOK, Policy(), now_ns=late + 30 * DAY_NS)
    assert db.read_now(tickets.by_number, number).state is TicketState.CLOSED


def test_the_life_of_a_ticket_from_new_to_closed(db: Database, number: str) -> None:
    db.write_now(assigning.assign, number, BOB, by=ADA, now_ns=NOON)
    assert db.read_now(tickets.by_number, number).acknowledged_ns is None
    assert db.write_now(moving.start, number, by=BOB, now_ns=NOON + 1).acknowledged_ns == NOON + 1
    waiting = db.write_now(moving.wait, number, "third_party", by=BOB, now_ns=NOON + 2)
    assert (waiting.state, waiting.waiting) == (TicketState.WAITING, "third_party")
    going = db.write_now(moving.resume, number, by=BOB, now_ns=NOON + 3)
    assert (going.state, going.waiting, going.assignee) == (TicketState.IN_PROGRESS, "", BOB)
    db.write_now(moving.resolve, number, "a new disk", by=BOB, now_ns=NOON + 4)
    again = db.write_now(moving.reopen, number, "still slow", by=ADA, now_ns=NOON + 5)
    assert (again.state, again.reopenings) == (TicketState.REOPENED, 1)
    db.write_now(moving.resolve, number, "two new disks", by=BOB, now_ns=NOON + 6)
    db.write_now(moving.confirm, number, by="Carla", now_ns=NOON + 7, comment="thanks")
    assert events(db, number) == [
        "open_ticket",
        "assign_ticket",
        "start_ticket",
        "wait_ticket",
        "start_ticket",
        "resolve_ticket",
        "reopen_ticket",
        "resolve_ticket",
        "comment",
        "close_ticket",
    ]


def test_illegal_moves_are_conflicts_that_say_what_is_possible(db: Database, number: str) -> None:
    with pytest.raises(Conflict, match="waits for nothing"):
        db.write_now(moving.resume, number, by=ADA, now_ns=NOON)
    with pytest.raises(Conflict, match="only what is resolved"):
        db.write_now(moving.confirm, number, by="Carla", now_ns=NOON)
    with pytest.raises(Conflict, match="cannot become reopened"):
        db.write_now(moving.reopen, number, "why", by=ADA, now_ns=NOON)
    with pytest.raises(Invalid, match="cannot wait for"):
        db.write_now(moving.wait, number, "godot", by=ADA, now_ns=NOON)
    with pytest.raises(Invalid, match="why it is closed"):
        db.write_now(moving.close, number, by=ADA, now_ns=NOON)
    db.write_now(moving.close, number, by=ADA, now_ns=NOON, why="written down twice")
    for move in (moving.start, moving.acknowledge):
        with pytest.raises(Conflict, match="closed"):
            db.write_now(move, number, by=ADA, now_ns=NOON)


def test_categories_are_the_shipped_ones_until_somebody_changes_the_list(db: Database, number: str) -> None:
    changed = db.write_now(moving.set_category, number, "outage", "database", by=ADA, now_ns=NOON)
    assert (changed.category, changed.component) == ("outage", "database")
    db.write_now(categories.put, categories.Category("component", "database/replica", "Replica", "副本"))
    db.write_now(moving.set_category, number, "outage", "database/replica", by=ADA, now_ns=NOON)
    db.write_now(categories.remove, "component", "database")
    with pytest.raises(Invalid, match="database/replica"):
        db.write_now(moving.set_category, number, "outage", "database", by=ADA, now_ns=NOON)
    assert all(one.zh for one in db.read_now(categories.every))


def test_a_solution_goes_its_way_in_order_and_no_other(db: Database, number: str) -> None:
    with pytest.raises(Conflict, match="no solution"):
        db.write_now(solutions.agree, number, by="Carla", now_ns=NOON)
    db.write_now(solutions.plan, number, ADA, NOON + HOUR, by=BOB, now_ns=NOON)
    duties = {"carry_out": (BOB, NOON + DAY_NS)}
    first = db.write_now(solutions.propose, number, "a bigger disk", by=ADA, now_ns=NOON + 1, duties=duties)
    with pytest.raises(Conflict, match="its next step is agree"):
        db.write_now(solutions.carry_out, number, by=BOB, now_ns=NOON + 2)
    second = db.write_now(solutions.propose, number, "two disks", by=ADA, now_ns=NOON + 3)
    db.write_now(solutions.agree, number, by=ADA, agreed_by="Carla", now_ns=NOON + 4)
    db.write_now(solutions.carry_out, number, by=BOB, now_ns=NOON + 5)
    db.write_now(solutions.verify, number, by=ADA, now_ns=NOON + 6)
    with pytest.raises(Conflict, match="no further step"):
        db.write_now(solutions.verify, number, by=ADA, now_ns=NOON + 7)
    ticket = db.read_now(tickets.by_number, number)
    found = {one.id: one.state.value for one in db.read_now(solutions.of_ticket, ticket.id)}
    assert found == {first.id: "superseded", second.id: "verified"}


def test_a_rejected_solution_leaves_room_for_another(db: Database, number: str) -> None:
    db.write_now(solutions.propose, number, "wait and see", by=ADA, now_ns=NOON)
    db.write_now(solutions.reject, number, "no", by="Carla", now_ns=NOON + 1)
    with pytest.raises(Conflict, match="rejected"):
        db.write_now(solutions.agree, number, by="Carla", now_ns=NOON + 2)
    assert db.write_now(solutions.propose, number, "act", by=ADA, now_ns=NOON + 3).state.value == "proposed"


def test_comments_are_bounded_and_the_customer_sees_their_own_kind(db: Database, number: str) -> None:
    db.write_now(comments.add, number, "the disk is old", by=ADA, now_ns=NOON)
    db.write_now(comments.add, number, "we look at it", by=ADA, visibility="customer", now_ns=NOON + 1)
    db.write_now(comments.add, number, "please hurry", by="Carla", from_customer=True, now_ns=NOON + 2)
    for text, visibility in (("", "internal"), ("x" * 20_001, "internal"), ("x", "secret")):
        with pytest.raises(Invalid):
            db.write_now(comments.add, number, text, by=ADA, visibility=visibility, now_ns=NOON)
    ticket = db.read_now(tickets.by_number, number)
    assert [one.text for one in db.read_now(comments.of_ticket, ticket.id, True)] == ["we look at it", "please hurry"]
    assert len(db.read_now(comments.of_ticket, ticket.id, False)) == 3
    said = [one for one in db.read_now(tickets.history_of, ticket.id) if one.what == "comment"]
    assert [one.data["visibility"] for one in said] == ["internal", "customer", "customer"]


@pytest.mark.parametrize("table", [tickets.history, kept.comments], ids=["history", "comments"])
def test_history_and_comments_can_be_neither_changed_nor_deleted(db: Database, number: str, table: object) -> None:
    db.write_now(comments.add, number, "written once", by=ADA, now_ns=NOON)
    for edit in (update(table).values(by="nobody"), delete(table)):  # type: ignore[arg-type]
        with pytest.raises(DatabaseError, match="only ever added"):
            db.write_now(Connection.execute, edit)
    assert "comment" in events(db, number)


def test_the_desk_gives_tickets_by_skill_and_load_and_says_why(db: Database, number: str) -> None:
    db.write_now(engineers.put, Engineer(ADA, skills=("database",)))
    db.write_now(engineers.put, Engineer(BOB))
    db.write_now(moving.set_category, number, "outage", "database", by=ADA, now_ns=NOON)
    assert db.write_now(assigning.step, now_ns=NOON) == 0
    db.write_now(assigning.set_policy, "suggest")
    assert [db.write_now(assigning.step, now_ns=NOON) for _ in range(2)] == [1, 0]
    db.write_now(assigning.set_policy, "assign")
    other = report(db, "another").number
    assert db.write_now(assigning.step, now_ns=NOON) == 2
    assert db.read_now(tickets.by_number, number).assignee == ADA
    assert db.read_now(tickets.by_number, other).assignee == BOB
    last = db.read_now(tickets.history_of, db.read_now(tickets.by_number, number).id)[-1]
    assert last.what == "assign_ticket"
    assert "knows the component database" in last.text
