"""Programs hear of risks, pages, gaps and clocks under names of their own; of pages only who hears of everybody."""

from __future__ import annotations

import json

import pytest

from sitewarden_alerting.oncall import Layer
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import clock_watch, notifying, oncall, paging, webhooks
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.desk import reporting
from sitewarden_collector.store import schedules
from sitewarden_collector.store import webhooks as stored
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.pages import Window
from sitewarden_collector.store.webhooks import Delivery
from tests.cast import ACME, ACME_BERLIN, ADA, BOB, DAY, HOUR, MINUTE, NOON, SECOND, settle_site
from tests.desk import SECRET
from tests.fakes.channels import FakeChannel
from tests.unit.collector import test_assessment as risky
from tests.unit.collector import test_paging as paged


def _subscribe(db: Database, *events: str, customer: str = "") -> str:
    made = db.write_now(
        webhooks.subscribe,
        SECRET,
        url="https://hooks.example.com/",
        events=events,
        customer=customer,
        by=ADA,
        now_ns=NOON,
    )
    return made.subscription.id


def _all(db: Database) -> list[Delivery]:
    return list(reversed(db.read_now(stored.page, Window(100))))


def _data(one: Delivery) -> dict[str, object]:
    return dict(json.loads(one.payload)["data"])


def test_a_risk_is_told_when_it_is_raised_and_when_it_is_gone_and_only_then(db: Database) -> None:
    site = risky.Site(db)
    _subscribe(db, "risk.*", customer=ACME)
    used = [20 * risky.MIB + risky.MIB * i for i in range(20)]
    site.sends(risky.levels(used, limit=60 * risky.MIB, start_ns=NOON - 20 * SECOND, step_ns=SECOND))
    site.assesses(NOON)
    site.assesses(NOON + 4 * SECOND)
    [raised] = _all(db)
    assert (raised.event, raised.ref) == ("risk.raise", "RSK-1")
    for minute in range(1, 14):
        at = NOON + minute * MINUTE
        emptied = [risky.MIB] * 6
        site.sends(risky.levels(emptied, limit=60 * risky.MIB, start_ns=at - MINUTE, step_ns=10 * SECOND), at=at)
        site.assesses(at)
    told = [one.event for one in _all(db)]
    assert (told[0], told[-1]) == ("risk.raise", "risk.lower")
    assert set(told[1:-1]) <= {"risk.change"}
    assert len(told) < 8


async def test_a_page_is_told_when_it_is_written_when_it_went_out_and_when_somebody_took_it(db: Database) -> None:
    db.write_now(paged.settle)
    ours = _subscribe(db, "oncall.*")
    _subscribe(db, "oncall.*", customer=ACME)
    ticket = db.write_now(paged.fault)
    await notifying.step(db, {"phone": FakeChannel("phone")}, lambda: NOON + SECOND)
    db.write_now(ticketing.acknowledge, ticket.number, ADA, now_ns=NOON + MINUTE)
    told = _all(db)
    assert [one.event for one in told] == ["oncall.page", "oncall.page_sent", "oncall.acknowledge"]
    assert {one.subscription_id for one in told} == {ours}
    assert _data(told[1])["ticket_ids"] == [ticket.id]
    assert _data(told[1])["person"] == ADA


def test_who_is_asked_next_is_told(db: Database) -> None:
    db.write_now(paged.settle)
    _subscribe(db, "oncall.escalate")
    db.write_now(paged.fault)
    db.write_now(paging.step, now_ns=NOON + 5 * MINUTE)
    assert [one.event for one in _all(db)] == ["oncall.escalate"]


def test_a_gap_is_told_once(db: Database) -> None:
    db.write_now(paged.settle)
    _subscribe(db, "oncall.gap")
    schedule = db.read_now(schedules.by_name, "support")
    office = Layer("primary", (ADA, BOB), "2026-11-23T09:00", weekdays=(0, 1, 2, 3, 4))
    db.write_now(oncall.set_layer, schedule.name, office, now_ns=NOON)
    for hours in (0, 1, 2):
        db.write_now(oncall.warn, now_ns=NOON + 2 * DAY + hours * HOUR)
    [gap] = _all(db)
    assert _data(gap)["schedule"] == "support"


def test_a_clock_that_runs_down_is_told_as_a_warning_and_as_a_breach(db: Database) -> None:
    db.write_now(settle_site)
    _subscribe(db, "clock.*", customer=ACME)
    number = db.write_now(reporting.report, ACME_BERLIN, "slow", by=ADA, now_ns=NOON).number
    for minutes in range(0, 130, 5):  # the default: 2 h for the first response
        db.write_now(clock_watch.watch, now_ns=NOON + minutes * MINUTE)
    told = [one for one in _all(db) if json.loads(one.payload)["data"]["event"]["data"]["target"] == "first_response"]
    assert [one.event for one in told] == ["clock.warning"] * 3 + ["clock.breach"]
    assert {one.ref for one in told} == {number}


def test_an_event_that_there_is_not_can_not_be_waited_for(db: Database) -> None:
    with pytest.raises(Invalid, match=r"no event is called 'ticket\.resolved'"):
        _subscribe(db, "ticket.*", "ticket.resolved")
