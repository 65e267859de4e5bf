"""Pages escalate until somebody takes the ticket, and stop when somebody does; the mistakes of others, by name."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection

from sitewarden_alerting import decisions as made
from sitewarden_alerting import tickets as moves
from sitewarden_alerting.model import Person, Policy, Signal, SignalKind, SignalState, Ticket
from sitewarden_alerting.oncall import Layer, Schedule
from sitewarden_collector.services import maintenance, notifying, oncall, pages, paging, roster, silences
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.store import escalations, notices, people, schedules, tickets
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.people import Reachable, Road
from tests.cast import ACME, ACME_BERLIN, ADA, BOB, DAY, HOUR, MINUTE, NOON, SECOND, settle_site
from tests.fakes.channels import FakeChannel

CAROL = "carol"


def settle(tx: Connection, /, *names: str) -> None:
    """A schedule of these people, each with a phone; Carol manages."""
    settle_site(tx)
    layer = Layer("primary", names or (ADA, BOB), "2026-11-23T09:00")
    schedules.add(tx, Schedule("support", "UTC", (layer,), managers=(CAROL,)), now_ns=NOON)
    for name in (*names, ADA, BOB, CAROL):
        people.save(tx, Reachable(name, (Road("phone"),)))


def fault(tx: Connection, /, name: str = "fp1:1", *, kind: str = "page", now_ns: int = NOON) -> Ticket:
    site = settle_site(tx)
    signal = Signal(
        rule="errors",
        kind=SignalKind.LOG,
        site_id=site.id,
        customer_id=site.customer_id,
        fault=name,
        subject=name,
        state=SignalState.FIRING,
        severity=4,
        title="payment failed",
        reason="an error",
        at_ns=now_ns,
    )
    ticket = moves.opened(signal, ticket_id="new:1")
    notify = made.Notify(ticket, now_ns, "an error", kind, f"{kind}-1")  # type: ignore[arg-type]
    ticketing.apply(tx, [made.OpenTicket(ticket, now_ns, "an error"), notify], Policy(), now_ns=now_ns)
    return tickets.of_faults(tx, {name})[0]


def told(db: Database, **which: Any) -> list[str]:
    found = sorted(db.read_now(notices.listing), key=lambda one: one.id)
    return [one.person for one in found if all(getattr(one, name) == value for name, value in which.items())]


def test_nobody_acknowledges_so_the_next_is_asked_then_the_manager(db: Database) -> None:
    db.write_now(settle)
    ticket = db.write_now(fault)
    for minutes in (5, 10, 20):
        assert db.write_now(paging.step, now_ns=NOON + minutes * MINUTE) == 1
    assert told(db) == [ADA, ADA, BOB, CAROL]
    state = db.read_now(paging.state_of, ticket.id)
    assert (state.status, state.round, state.step, state.next_whom) == ("running", 1, 0, (ADA,))
    history = [event.what for event in db.read_now(tickets.history_of, ticket.id)]
    assert history.count("page") == 4
    assert history.count("escalate") == 3


def test_pages_end_with_the_acknowledgement(db: Database) -> None:
    """grafana oncall #4760, #4654: pages went on after the acknowledgement."""
    db.write_now(settle)
    ticket = db.write_now(fault)
    db.write_now(ticketing.acknowledge, ticket.number, BOB, now_ns=NOON + SECOND)
    for hours in range(1, 30):
        db.write_now(paging.step, now_ns=NOON + hours * HOUR)
    assert [one.state for one in db.read_now(notices.listing)] == ["cancelled"]
    assert db.read_now(paging.state_of, ticket.id).status == "acknowledged"


async def test_an_acknowledgement_between_claim_and_sending_still_stops_the_page(db: Database) -> None:
    await db.run(settle)
    ticket = await db.run(fault)
    [claimed] = await db.run(notices.claim, 1, "w", now_ns=NOON)
    await db.run(ticketing.acknowledge, ticket.number, BOB, now_ns=NOON)
    phone = FakeChannel("phone")
    sender = notifying.Sender(db, {"phone": phone}, now_ns=lambda: NOON, worker="w")
    await sender._deliver(claimed)
    await sender.stop()
    assert phone.taken == []


def test_nobody_is_paged_for_what_was_acknowledged_long_ago(db: Database) -> None:
    """grafana oncall #3111: paged for an alert acknowledged about four months before."""
    db.write_now(settle)
    ticket = db.write_now(fault)
    db.write_now(ticketing.acknowledge, ticket.number, ADA, now_ns=NOON)
    db.write_now(paging.step, now_ns=NOON + 120 * DAY)
    current = db.read_now(tickets.by_id, ticket.id)
    assert current is not None
    worse = made.Notify(current, NOON + 120 * DAY, "it got worse", "page", "page-9")
    db.write_now(paging.tell, worse, current, (), now_ns=NOON + 120 * DAY)
    assert told(db, kind="page", state="pending") == []
    assert told(db, kind="info") == [ADA]


def test_a_step_is_taken_after_the_restart_in_which_it_came_due(db: Database) -> None:
    """grafana oncall #1206: a step was never resumed after a restart, 5.5 hours were lost."""
    db.write_now(settle)
    db.write_now(fault)
    assert db.write_now(paging.step, now_ns=NOON + 5 * HOUR + 30 * MINUTE) == 1
    assert len(told(db)) == 2


def test_a_clock_that_is_set_back_holds_no_step_back_for_longer_than_its_delay(db: Database) -> None:
    db.write_now(settle)
    db.write_now(fault)
    for minutes in (0, 4):
        db.write_now(paging.step, now_ns=NOON - DAY + minutes * MINUTE)
    assert told(db) == [ADA]
    db.write_now(paging.step, now_ns=NOON - DAY + 5 * MINUTE)
    assert told(db) == [ADA, ADA]


def test_a_ticket_that_pages_never_comes_without_its_page(db: Database) -> None:
    """grafana oncall #3898: an alert was delivered and no alert group made; #5503: a group and nobody told."""
    db.write_now(settle)

    def fails(tx: Connection) -> None:
        fault(tx)
        raise RuntimeError("the process dies here")

    with pytest.raises(RuntimeError):
        db.write_now(fails)
    assert db.read_now(ticketing.listing) == []
    assert told(db) == []
    db.write_now(fault)
    assert len(db.read_now(ticketing.listing)) == len(told(db)) == 1


def test_somebody_whom_nothing_reaches_is_told_of_in_advance_and_passed_over_at_night(db: Database) -> None:
    """grafana oncall #1326: a person without a notification method was paged by none."""
    db.write_now(settle, "nobodys-phone", BOB)
    db.write_now(people.save, Reachable("nobodys-phone"))
    assert db.read_now(oncall.unreachable, now_ns=NOON) == [("support", "nobodys-phone")]
    assert db.write_now(oncall.warn, now_ns=NOON) == 1
    assert db.write_now(oncall.warn, now_ns=NOON + HOUR) == 0
    assert told(db) == [CAROL]
    db.write_now(fault)
    assert told(db, kind="page") == [BOB]


def test_two_collectors_that_step_at_once_page_once(db: Database) -> None:
    """alertmanager #2222, #4152, #1550: each of several peers told."""
    db.write_now(settle)
    ticket = db.write_now(fault)
    before = db.read_now(paging.state_of, ticket.id)
    for _ in range(3):
        db.write_now(paging.step, now_ns=NOON + 5 * MINUTE)
    assert told(db) == [ADA, ADA]
    assert db.read_now(paging.state_of, ticket.id).step == before.step + 1


def test_gaps_are_told_to_the_manager_days_before_and_once(db: Database) -> None:
    db.write_now(settle)
    schedule = db.read_now(schedules.by_name, "support")
    office = Layer("primary", (ADA, BOB), "2026-11-23T09:00", weekdays=(0, 1, 2, 3, 4))
    db.write_now(oncall.set_layer, schedule.name, office, now_ns=NOON)
    assert db.write_now(oncall.warn, now_ns=NOON + 2 * DAY) == 1
    assert db.write_now(oncall.warn, now_ns=NOON + 2 * DAY + HOUR) == 0
    [one] = db.read_now(notices.listing)
    assert (one.person, one.kind) == (CAROL, "info")
    assert "nobody is on call on support from 2026-11-28 00:00 UTC" in one.subject


def test_the_contracts_clock_asks_the_next_level_then_manager_and_nobody_twice(db: Database) -> None:
    db.write_now(settle)
    ticket = db.write_now(fault)
    for _ in range(2):
        for percent in (50, 75, 90, 100):
            db.write_now(paging.clock_alarm, ticket, "response", percent, NOON + MINUTE)
    assert sorted(told(db)) == sorted([ADA, BOB, CAROL, CAROL, BOB])


def test_after_the_acknowledgement_the_clock_informs_and_pages_nobody(db: Database) -> None:
    db.write_now(settle)
    ticket = db.write_now(fault)
    ticket = db.write_now(ticketing.acknowledge, ticket.number, ADA, now_ns=NOON)
    assert db.write_now(paging.clock_alarm, ticket, "resolution", 90, NOON + HOUR) == (ADA, CAROL)
    assert told(db, kind="info") == [ADA, CAROL]
    assert told(db, kind="page", state="pending") == []


def test_a_major_incident_pages_once_with_its_count(db: Database) -> None:
    db.write_now(settle)
    ticket = db.write_now(fault, kind="info")
    for count in (12, 13):
        db.write_now(paging.major, ticket, count=count, experts=[CAROL], now_ns=NOON)
    pages = [one for one in db.read_now(notices.listing) if one.kind == "page"]
    assert sorted(one.person for one in pages) == [ADA, CAROL]
    assert all("12 tickets" in one.body for one in pages)


def test_a_silence_takes_back_the_page_that_has_not_gone_out_and_it_comes_when_the_silence_ends(db: Database) -> None:
    db.write_now(settle)
    db.write_now(fault)
    db.write_now(silences.add, ACME_BERLIN, for_s=3600, reason="known", by=BOB, now_ns=NOON)
    for minutes in (6, 12, 30, 59):
        db.write_now(paging.step, now_ns=NOON + minutes * MINUTE)
    assert [one.state for one in db.read_now(notices.listing)] == ["cancelled"]
    db.write_now(paging.step, now_ns=NOON + 60 * MINUTE)
    assert told(db, state="pending") == [ADA]


def test_a_maintenance_window_holds_pages_back_until_it_ends(db: Database) -> None:
    db.write_now(settle)
    window = db.write_now(
        maintenance.plan,
        ACME_BERLIN,
        from_ns=NOON - HOUR,
        until_ns=NOON + HOUR,
        every_days=7,
        reason="weekly",
        by=BOB,
        now_ns=NOON - HOUR,
    )
    assert window.at(NOON + 7 * DAY) is not None
    assert window.at(NOON + 2 * DAY) is None
    db.write_now(fault)
    assert told(db) == []
    db.write_now(paging.step, now_ns=NOON + 59 * MINUTE)
    assert told(db) == []
    db.write_now(paging.step, now_ns=NOON + HOUR)
    assert told(db) == [ADA]


def test_a_maintenance_window_that_ends_early_lets_the_page_go(db: Database) -> None:
    db.write_now(settle)
    given: dict[str, Any] = {"from_ns": NOON, "until_ns": NOON + DAY, "reason": "move", "by": BOB, "now_ns": NOON}
    window = db.write_now(maintenance.plan, ACME_BERLIN, **given)
    db.write_now(fault, now_ns=NOON + MINUTE)
    db.write_now(maintenance.end, window.number, by=BOB, now_ns=NOON + 2 * MINUTE)
    db.write_now(paging.step, now_ns=NOON + 2 * MINUTE)
    assert told(db) == [ADA]


def test_quiet_hours_hold_risks_and_news_but_no_page(db: Database) -> None:
    db.write_now(settle)
    quiet = Reachable(ADA, (Road("phone"),), quiet_from=11 * 60, quiet_until=7 * 60, zone="UTC")
    db.write_now(people.save, quiet)
    assert roster.quiet_until(quiet, now_ns=NOON) == NOON + 19 * HOUR
    assert roster.quiet_until(quiet, now_ns=NOON - 3 * HOUR) is None
    db.write_now(fault, "fp1:1", kind="info")
    db.write_now(fault, "fp1:2")
    due = {one.kind: one.next_attempt_ns for one in db.read_now(notices.listing)}
    assert due == {"info": NOON + 19 * HOUR, "page": NOON}


def test_without_a_schedule_the_configurations_list_is_asked(db: Database) -> None:
    db.write_now(roster.remember, [Person(ADA, ("phone",)), Person(BOB, ("phone",))])
    db.write_now(fault)
    for minutes in (5, 10):
        db.write_now(paging.step, now_ns=NOON + minutes * MINUTE)
    assert told(db) == [ADA, ADA, BOB]
    assert [one.person for one in db.read_now(oncall.now, NOON)] == [ADA]


def test_a_flapping_ticket_pages_again_only_when_it_comes_back_and_with_new_keys(db: Database) -> None:
    db.write_now(settle)
    ticket = db.write_now(fault)
    db.write_now(ticketing.resolve, ticket.number, ADA, "restarted", now_ns=NOON + MINUTE)
    resolved = db.read_now(tickets.by_id, ticket.id)
    assert resolved is not None
    back = moves.reopened(resolved)
    reopen = made.ReopenTicket(back, NOON + HOUR, "back")
    again = (reopen, made.Notify(back, NOON + HOUR, "back", "page", "page-2"))
    db.write_now(ticketing.apply, again, Policy(), now_ns=NOON + HOUR)
    assert told(db) == [ADA, ADA]
    assert told(db, state="pending") == [ADA]


def test_a_silence_of_a_customer_holds_all_of_their_sites_and_can_be_changed(db: Database) -> None:
    db.write_now(settle)
    db.write_now(fault)
    given: dict[str, Any] = {"for_s": 3600, "reason": "planned", "by": BOB, "now_ns": NOON}
    silence = db.write_now(silences.add, customer=ACME, **given)
    assert [one.state for one in db.read_now(notices.listing)] == ["cancelled"]
    db.write_now(silences.extend, silence.number, for_s=2 * 3600, by=BOB, now_ns=NOON + MINUTE)
    db.write_now(paging.step, now_ns=NOON + HOUR + MINUTE)
    assert told(db, state="pending") == []
    db.write_now(silences.end, silence.number, by=BOB, now_ns=NOON + HOUR + 2 * MINUTE)
    db.write_now(paging.step, now_ns=NOON + HOUR + 2 * MINUTE)
    assert told(db, state="pending") == [ADA]


def test_whoever_acknowledges_the_last_of_a_bundle_stops_it_at_once(db: Database) -> None:
    db.write_now(settle)
    found = [db.write_now(fault, f"fp1:{i}") for i in range(5)]
    [bundle] = [one for one in db.read_now(notices.listing) if one.dedup_key.startswith("bundle:")]
    for ticket in found[:4]:
        db.write_now(ticketing.acknowledge, ticket.number, BOB, now_ns=NOON)
    assert db.read_now(notices.get, bundle.id).state == "pending"
    db.write_now(ticketing.acknowledge, found[4].number, BOB, now_ns=NOON)
    assert db.read_now(notices.get, bundle.id).state == "cancelled"


def test_a_bundle_names_every_ticket_that_is_still_free_when_it_goes_out(db: Database) -> None:
    db.write_now(settle)
    found = [db.write_now(fault, f"fp1:{i}") for i in range(9)]
    db.write_now(ticketing.acknowledge, found[5].number, BOB, now_ns=NOON)
    later = NOON + MINUTE
    claimed = db.write_now(notices.claim, 16, "w", now_ns=later)
    [bundle] = [one for one in claimed if one.ticket_id is None]
    sent = db.read_now(pages.before_sending, bundle)
    assert sent is not None
    assert sent.subject.startswith("5 tickets need you: ")
    assert [one.number in sent.body for one in found[3:]] == [True, True, False, True, True, True]


def test_a_storm_in_one_transaction_pages_for_every_ticket_in_few_notices(db: Database) -> None:
    db.write_now(settle)
    db.write_now(storm, 250)
    found = db.read_now(notices.listing)
    assert len(found) == 4
    booked = [page for one in found for page in db.read_now(escalations.pages_in, one.page_of)]
    assert len({page.ticket_id for page in booked}) == len(booked) == 250
    assert db.write_now(paging.step, now_ns=NOON + 5 * MINUTE) == paging.DUE_PER_STEP
    assert db.write_now(paging.step, now_ns=NOON + 5 * MINUTE) == 50
    assert db.write_now(paging.step, now_ns=NOON + 5 * MINUTE) == 0


def storm(tx: Connection, /, number: int) -> None:
    """So many faults that page, decided at once."""
    site = settle_site(tx)
    decided: list[made.TicketDecision] = []
    for i in range(number):
        given = {"site_id": site.id, "customer_id": site.customer_id, "fault": f"fp1:{i}", "subject": f"fault {i}"}
        said = {"severity": 4, "title": "payment failed", "reason": "an error", "at_ns": NOON}
        signal = Signal(rule="errors", kind=SignalKind.LOG, state=SignalState.FIRING, **given, **said)  # type: ignore[arg-type]
        ticket = moves.opened(signal, ticket_id=f"new:{i}")
        decided += [made.OpenTicket(ticket, NOON, "an error"), made.Notify(ticket, NOON, "an error", "page", "page-1")]
    assert ticketing.apply(tx, decided, Policy(), now_ns=NOON) == number
