"""Service levels in use, over both databases: clocks, their index, warnings, corrections, contracts, priority."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from sitewarden_alerting.model import Ticket
from sitewarden_alerting.servicelevels import explain
from sitewarden_alerting.servicelevels.clock import Clock, ClockState
from sitewarden_alerting.servicelevels.targets import Target
from sitewarden_collector.errors import Conflict, Invalid, NotFound
from sitewarden_collector.services import (
    calendars,
    clock_corrections,
    clock_watch,
    contracts,
    customers,
    priorities,
    promises,
    service_levels,
)
from sitewarden_collector.services.desk import comments, moving, reporting, solutions
from sitewarden_collector.services.holidays_of import snapshot
from sitewarden_collector.store import clocks, sites, tickets
from sitewarden_collector.store.clocks import ticket_clocks
from sitewarden_collector.store.contracts import Contract
from sitewarden_collector.store.engine import Database
from tests.cast import ACME, ACME_BERLIN, ADA, DAY, HOUR, MINUTE, NOON, settle_site

TARGETS = tuple(Target)


def reported(db: Database, site: str = ACME_BERLIN, **more: Any) -> Ticket:
    db.write_now(settle_site, site)
    return db.write_now(reporting.report, site, "no payments", by=ADA, now_ns=NOON, **more)


def clock_of(db: Database, number: str, target: Target, *, at: int) -> Clock:
    ticket = db.read_now(tickets.by_number, number)
    found = db.read_now(service_levels.clocks, ticket, now_ns=at)
    return next(one for one in found.clocks if one.target is target)


def promise(db: Database, *goals: str, **more: Any) -> Contract:
    """A contract of acme from 2026 on."""
    customer_id = db.write_now(settle_site).customer_id
    given: dict[str, Any] = {"name": "Gold", "from_day": "2026-01-01", "until_day": "", "calendar": "24x7"}
    made = Contract(
        customer_id=customer_id,
        customer=ACME,
        goals=promises.read_goals(goals, promises.DEFAULT_GOALS),
        pauses=promises.DEFAULT_PAUSES,
        **(given | more),
    )
    return db.write_now(contracts.add, made, now_ns=NOON)


def verified(db: Database) -> int:
    looked, different = db.read_now(service_levels.verify)
    assert different == []
    return looked


def told(db: Database, number: str) -> list[tuple[str, str, int]]:
    ticket = db.read_now(tickets.by_number, number)
    events = db.read_now(tickets.history_of, ticket.id)
    return [(one.what, one.data["target"], one.data["percent"]) for one in events if one.what.startswith("sla_")]


def test_without_a_contract_the_default_holds_and_counts_from_the_report(db: Database) -> None:
    ticket = reported(db, reported_ns=NOON - HOUR)
    found = db.read_now(service_levels.clocks, ticket, now_ns=NOON)
    assert (found.contract_name, found.level_name) == ("", "default, priority 3")
    assert found.next is not None
    assert (found.next.target, found.next.due_ns) == (Target.FIRST_RESPONSE, NOON + HOUR)


def test_an_answer_of_a_person_ends_the_first_response_and_the_index_follows(db: Database) -> None:
    number = reported(db).number
    db.write_now(moving.acknowledge, number, by=ADA, now_ns=NOON + MINUTE)
    db.write_now(comments.add, number, "help!", by="eve", from_customer=True, now_ns=NOON + 2 * MINUTE)
    assert clock_of(db, number, Target.FIRST_RESPONSE, at=NOON + HOUR).open
    db.write_now(comments.add, number, "on it", by=ADA, visibility="customer", now_ns=NOON + HOUR)
    assert clock_of(db, number, Target.FIRST_RESPONSE, at=NOON + HOUR).state is ClockState.MET
    stored = db.read_now(clocks.find, db.read_now(tickets.by_number, number).id)
    assert stored is not None
    assert (stored.next_target, stored.due_ns) == ("solution", NOON + 48 * HOUR)
    assert verified(db) == 1


def test_waiting_for_the_customer_leaves_nothing_due_and_goes_on_where_it_stood(db: Database) -> None:
    number = reported(db).number
    db.write_now(comments.add, number, "on it", by=ADA, visibility="customer", now_ns=NOON + MINUTE)
    db.write_now(moving.start, number, by=ADA, now_ns=NOON + HOUR)
    db.write_now(moving.wait, number, "customer", by=ADA, now_ns=NOON + 2 * HOUR)
    stored = db.read_now(clocks.find, db.read_now(tickets.by_number, number).id)
    assert stored is not None
    assert (stored.paused, stored.due_ns, stored.remaining_ns, stored.alarm_ns) == (True, None, 46 * HOUR, None)
    db.write_now(moving.resume, number, by=ADA, now_ns=NOON + 10 * HOUR)
    clock = clock_of(db, number, Target.SOLUTION, at=NOON + 11 * HOUR)
    assert (clock.elapsed_s, clock.due_ns) == (3 * 3600, NOON + 56 * HOUR)
    assert "waiting for the customer, by ada" in "\n".join(explain.lines(clock))
    verified(db)


def test_every_warning_is_given_once_and_the_breach_too(db: Database) -> None:
    number = reported(db).number
    for minute in (10, 60, 61, 90, 108, 119, 120, 121):
        db.write_now(clock_watch.watch, now_ns=NOON + minute * MINUTE)
        db.write_now(clock_watch.watch, now_ns=NOON + minute * MINUTE)
    name = "first_response"
    warnings = [("sla_warning", name, 50), ("sla_warning", name, 75), ("sla_warning", name, 90)]
    assert told(db, number) == [*warnings, ("sla_breach", name, 100)]
    verified(db)


def test_after_an_outage_the_highest_is_told_and_no_more(db: Database) -> None:
    number = reported(db).number
    while db.write_now(clock_watch.watch, now_ns=NOON + 3 * HOUR):
        pass
    assert told(db, number) == [("sla_breach", "first_response", 100)]
    stored = db.read_now(clocks.find, db.read_now(tickets.by_number, number).id)
    assert stored is not None
    assert (stored.breached, stored.state, stored.alarm_ns) == (True, "breached", NOON + 24 * HOUR)


def test_a_resolved_ticket_rings_no_more(db: Database) -> None:
    number = reported(db).number
    db.write_now(moving.resolve, number, "restarted", by=ADA, now_ns=NOON + MINUTE)
    assert db.write_now(clock_watch.watch, now_ns=NOON + 9 * DAY) == 0
    stored = db.read_now(clocks.find, db.read_now(tickets.by_number, number).id)
    assert stored is not None
    assert not stored.active
    verified(db)


def test_more_urgent_is_due_earlier_from_the_start_on(db: Database) -> None:
    promise(db, "1:resolution=4h", "3:resolution=24h")
    number = reported(db).number
    assert clock_of(db, number, Target.RESOLUTION, at=NOON).due_ns == NOON + 24 * HOUR
    set_to: dict[str, Any] = {"by": ADA, "reason": "the shop stands still", "now_ns": NOON + 3 * HOUR}
    ticket = db.write_now(priorities.set_priority, number, 1, **set_to)
    assert ticket.priority == 1
    assert clock_of(db, number, Target.RESOLUTION, at=NOON + 3 * HOUR).due_ns == NOON + 4 * HOUR
    verified(db)
    with pytest.raises(Invalid, match="no priority"):
        db.write_now(priorities.set_priority, number, 7, **set_to)


def test_the_priority_comes_from_severity_and_tier_and_a_person_has_the_last_word(db: Database) -> None:
    db.write_now(settle_site)
    db.write_now(customers.edit, ACME, tier="gold")
    ticket = reported(db, severity=4)
    assert ticket.priority == 1
    assert db.read_now(priorities.judged, ticket).reason == "severity error: 2; gold customer: one more urgent"
    db.write_now(priorities.set_priority, ticket.number, 4, by=ADA, reason="", now_ns=NOON)
    lowered = db.read_now(tickets.by_number, ticket.number)
    db.write_now(priorities.raised, [lowered], (), now_ns=NOON)
    assert db.read_now(tickets.by_number, ticket.number).priority == 4


def test_a_contract_that_begins_or_changes_counts_for_open_tickets_at_once(db: Database) -> None:
    number = reported(db).number
    made = promise(db, "3:first_response=30m", "3:resolution=8h")
    assert clock_of(db, number, Target.FIRST_RESPONSE, at=NOON).due_ns == NOON + 30 * MINUTE
    found = db.read_now(service_levels.clocks, db.read_now(tickets.by_number, number), now_ns=NOON)
    assert (found.level_name, found.contract_number) == ("CON-1 Gold, priority 3", "CON-1")
    assert verified(db) == 1
    assert made.number == "CON-1"
    with pytest.raises(NotFound, match="no calendar"):
        promise(db, "1:resolution=4h@nowhere")


def test_a_contract_holds_between_its_dates_alone(db: Database) -> None:
    promise(db, "3:first_response=30m", until_day="2026-11-23")
    number = reported(db).number
    assert clock_of(db, number, Target.FIRST_RESPONSE, at=NOON).due_ns == NOON + 2 * HOUR


def test_a_new_version_of_a_calendar_counts_from_its_instant_on_and_the_index_follows(db: Database) -> None:
    db.write_now(calendars.add, "office", zone="UTC", week="mon-fri 08:00-16:00", by=ADA, now_ns=NOON)
    promise(db, "3:resolution=8h@office")
    number = reported(db).number  # Tuesday noon
    assert clock_of(db, number, Target.RESOLUTION, at=NOON).due_ns == NOON + DAY
    change: dict[str, Any] = {"by": ADA, "reason": "longer days", "now_ns": NOON}
    db.write_now(calendars.change, "office", week="mon-fri 06:00-16:00", from_ns=NOON + 5 * HOUR, **change)
    clock = clock_of(db, number, Target.RESOLUTION, at=NOON + DAY)
    assert clock.due_ns == NOON + DAY - 2 * HOUR
    assert [span.version for span in clock.spans if span.counts] == [1, 2]
    verified(db)


def test_a_correction_is_a_line_of_history_and_moves_what_is_due(db: Database) -> None:
    number = reported(db).number
    span: dict[str, Any] = {"from_ns": NOON + HOUR, "until_ns": NOON + 3 * HOUR, "counts": False, "by": ADA}
    db.write_now(
        clock_corrections.correct, number, **span, target=Target.SOLUTION, reason="no access", now_ns=NOON + 5 * HOUR
    )
    clock = clock_of(db, number, Target.SOLUTION, at=NOON + 5 * HOUR)
    assert (clock.elapsed_s, clock.due_ns) == (3 * 3600, NOON + 50 * HOUR)
    assert clock_of(db, number, Target.FIRST_RESPONSE, at=NOON + 5 * HOUR).elapsed_s == 5 * 3600
    verified(db)
    with pytest.raises(Invalid, match="say why"):
        db.write_now(clock_corrections.correct, number, **span, reason=" ", now_ns=NOON)


def test_an_index_that_says_something_else_than_the_history_is_found_out(db: Database) -> None:
    reported(db)
    db.write_now(lambda tx: tx.execute(update(ticket_clocks).values(due_ns=NOON)))
    _, different = db.read_now(service_levels.verify)
    assert [(one.field, one.stored) for one in different] == [("due_ns", NOON)]


def test_china_s_holidays_and_working_weekends_are_taken_once_and_kept(db: Database) -> None:
    days = snapshot("CN", [2026])
    given: dict[str, Any] = {"zone": "Asia/Shanghai", "week": "mon-fri 09:00-18:00", "days": days, "by": ADA}
    made = db.write_now(calendars.add, "shanghai", **given, now_ns=NOON)
    worked = {day.day.isoformat() for day in made.calendar.workdays}
    assert {"2026-01-04", "2026-02-14", "2026-10-10"} <= worked
    assert any(day.name == "National Day" for day in made.calendar.holidays)
    assert "holidays 0." in made.source
    change: dict[str, Any] = {"from_ns": NOON, "by": ADA, "reason": "moved", "now_ns": NOON}
    again = db.write_now(calendars.change, "shanghai", without=["2026-10-10"], **change)
    assert again.calendar.version == 2
    assert "2026-10-10" not in {day.day.isoformat() for day in again.calendar.workdays}


def test_what_is_included_is_used_up_and_no_more_than_that(db: Database) -> None:
    made = promise(db, included={"on_site": 2})
    use: dict[str, Any] = {"by": ADA, "now_ns": NOON}
    number = reported(db).number
    assert db.write_now(contracts.use, made.number, "on_site", ticket=number, **use).left == 1
    with pytest.raises(Conflict, match="1 of 2 on_site left"):
        db.write_now(contracts.use, made.number, "on_site", amount=2, **use)
    with pytest.raises(Conflict, match="includes no upgrade"):
        db.write_now(contracts.use, made.number, "upgrade", **use)
    assert db.write_now(contracts.use, made.number, "on_site", amount=-1, **use).left == 2
    found = db.read_now(customers.service, ACME)
    assert [one.ticket.number for one in found.tickets] == [number]
    assert [used.amount for _, used in found.uses] in ([1, -1], [-1, 1])


def test_a_contract_that_ends_soon_is_told_of(db: Database) -> None:
    promise(db, until_day="2026-12-31")
    promise(db, until_day="2027-12-31", name="Silver")
    assert [one.name for one in db.read_now(contracts.expiring, now_ns=NOON)] == ["Gold"]
    assert [one.name for one in db.read_now(sites.every_customer)] == [ACME]


def test_a_solution_that_the_customer_rejects_sets_its_clock_going_again(db: Database) -> None:
    """The words of the desk and of the clocks are the same: what `solutions.reject` writes, the clock understands."""
    number = reported(db).number
    db.write_now(solutions.propose, number, "restart the pool at night", by=ADA, now_ns=NOON + MINUTE)
    assert clock_of(db, number, Target.SOLUTION, at=NOON + 2 * MINUTE).state is ClockState.MET
    db.write_now(solutions.reject, number, "not at night", by=ADA, now_ns=NOON + 3 * MINUTE)
    assert clock_of(db, number, Target.SOLUTION, at=NOON + 4 * MINUTE).state is ClockState.RUNNING
