"""The outbox keeps every notice exactly once and lets it be claimed by one sender at a time."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import Connection

from sitewarden_collector.errors import Conflict, NotFound
from sitewarden_collector.store import handing_on, notices, page_notices
from sitewarden_collector.store.engine import Database

NOW = 1_764_000_000 * 10**9
S = 10**9


def put(tx: Connection, /, key: str = "k", **changes: Any) -> str:
    given: dict[str, Any] = {
        "kind": "page",
        "person": "ada",
        "channel": "phone",
        "subject": "INC-1001",
        "body": "down",
        "dedup_key": key,
        "now_ns": NOW,
    }
    return notices.add(tx, **(given | changes))


def test_the_same_decision_written_twice_is_one_notice(db: Database) -> None:
    first = db.write_now(put)
    assert db.write_now(put, subject="again") == first
    [kept] = db.read_now(notices.listing)
    assert kept.subject == "INC-1001"


def test_a_notice_of_an_aborted_decision_is_not_there(db: Database) -> None:
    def decide_and_fail(tx: Connection) -> None:
        put(tx)
        raise Conflict("the ticket could not be written")

    with pytest.raises(Conflict):
        db.write_now(decide_and_fail)
    assert db.read_now(notices.listing) == []


def test_a_claimed_notice_is_not_claimed_again_before_its_lease_ends(db: Database) -> None:
    db.write_now(put)
    [taken] = db.write_now(notices.claim, 10, "a", now_ns=NOW)
    assert (taken.state, taken.claimed_by, taken.attempts) == ("sending", "a", 1)
    assert db.write_now(notices.claim, 10, "b", now_ns=NOW + 59 * S) == []
    [again] = db.write_now(notices.claim, 10, "b", now_ns=NOW + 60 * S)
    assert (again.claimed_by, again.attempts) == ("b", 2)


def test_the_late_settle_of_an_overtaken_sender_changes_nothing(db: Database) -> None:
    db.write_now(put)
    [slow] = db.write_now(notices.claim, 1, "slow", now_ns=NOW)
    [quick] = db.write_now(notices.claim, 1, "quick", now_ns=NOW + 60 * S)
    assert db.write_now(notices.settle_sent, quick, now_ns=NOW + 61 * S)
    assert not db.write_now(notices.settle_retry, slow, error="late", next_attempt_ns=NOW)
    assert not db.write_now(notices.settle_parked, slow, error="late")
    assert db.read_now(notices.get, slow.id).state == "sent"


def test_pages_go_before_everything_else_and_older_before_newer(db: Database) -> None:
    db.write_now(put, "info", kind="info", subject="1")
    db.write_now(put, "late", subject="3", not_before_ns=NOW + 2)
    db.write_now(put, "early", subject="2", not_before_ns=NOW + 1)
    taken = db.write_now(notices.claim, 10, "a", now_ns=NOW + 5)
    assert [notice.subject for notice in taken] == ["2", "3", "1"]


def test_what_is_not_due_yet_stays(db: Database) -> None:
    db.write_now(put, not_before_ns=NOW + 1)
    assert db.write_now(notices.claim, 10, "a", now_ns=NOW) == []


def test_a_full_channel_does_not_hide_the_others(db: Database) -> None:
    for n in range(10):
        db.write_now(put, f"p{n}")
    db.write_now(put, "m", channel="mail")
    taken = db.write_now(notices.claim, 10, "a", now_ns=NOW, per_channel=2)
    assert sorted(notice.channel for notice in taken) == ["mail", "phone", "phone"]
    assert db.write_now(notices.claim, 10, "a", now_ns=NOW, per_channel=2, free={"phone": 0}) == []


def test_an_acknowledgement_stops_every_page_that_has_not_gone_out(db: Database) -> None:
    db.write_now(put, "waiting", ticket_id="t1")
    db.write_now(put, "other", ticket_id="t2")
    db.write_now(put, "recovery", ticket_id="t1", kind="recovery")
    db.write_now(put, "under way", ticket_id="t1")
    [under_way] = [n for n in db.write_now(notices.claim, 10, "a", now_ns=NOW) if n.dedup_key == "under way"]
    assert db.write_now(page_notices.cancel_for_ticket, "t1") == 2
    assert not db.write_now(notices.settle_retry, under_way, error="busy", next_attempt_ns=NOW)
    states = {notice.dedup_key: notice.state for notice in db.read_now(notices.listing)}
    assert states == {"waiting": "cancelled", "under way": "cancelled", "other": "sending", "recovery": "sending"}


def test_what_went_out_although_cancelled_is_recorded_as_sent(db: Database) -> None:
    db.write_now(put, ticket_id="t1")
    [taken] = db.write_now(notices.claim, 1, "a", now_ns=NOW)
    db.write_now(page_notices.cancel_for_ticket, "t1")
    assert db.write_now(notices.settle_sent, taken, now_ns=NOW)
    assert db.read_now(notices.get, taken.id).state == "sent"


def test_a_cancelled_page_is_not_handed_on(db: Database) -> None:
    db.write_now(put, ticket_id="t1")
    [taken] = db.write_now(notices.claim, 1, "a", now_ns=NOW)
    db.write_now(page_notices.cancel_for_ticket, "t1")
    assert (
        db.write_now(handing_on.hand_on, taken, person="bob", channel="mail", because="ada slept", now_ns=NOW) is None
    )


def test_handing_on_twice_makes_one_notice(db: Database) -> None:
    db.write_now(put, ticket_id="t1")
    [taken] = db.write_now(notices.claim, 1, "a", now_ns=NOW)
    first = db.write_now(handing_on.hand_on, taken, person="bob", channel="mail", because="ada slept", now_ns=NOW)
    assert first == db.write_now(
        handing_on.hand_on, taken, person="bob", channel="mail", because="ada slept", now_ns=NOW
    )
    assert first is not None
    taker = db.read_now(notices.get, first)
    assert (taker.person, taker.channel, taker.ticket_id, taker.state) == ("bob", "mail", "t1", "pending")
    assert taker.body == "down\n\nada slept"


def test_a_parked_notice_starts_over_when_an_operator_asks(db: Database) -> None:
    db.write_now(put)
    [taken] = db.write_now(notices.claim, 1, "a", now_ns=NOW)
    db.write_now(notices.settle_parked, taken, error="x" * 5000)
    parked = db.read_now(notices.get, taken.id)
    assert len(parked.last_error or "") == notices.ERROR_MAX_CHARS
    again = db.write_now(notices.retry, taken.id, now_ns=NOW + 5)
    assert (again.state, again.attempts, again.next_attempt_ns) == ("pending", 0, NOW + 5)


def test_a_notice_that_is_under_way_sent_or_unknown_cannot_be_retried(db: Database) -> None:
    notice_id = db.write_now(put)
    [taken] = db.write_now(notices.claim, 1, "a", now_ns=NOW)
    with pytest.raises(Conflict, match="is sending"):
        db.write_now(notices.retry, notice_id, now_ns=NOW)
    db.write_now(notices.settle_sent, taken, now_ns=NOW)
    with pytest.raises(Conflict, match="is sent"):
        db.write_now(notices.retry, notice_id, now_ns=NOW)
    with pytest.raises(NotFound, match="notice list"):
        db.write_now(notices.retry, "nope", now_ns=NOW)


def test_a_notice_that_kills_its_sender_every_time_is_parked_in_the_end(db: Database) -> None:
    db.write_now(put)
    for n in range(notices.POISON_ATTEMPTS):
        assert db.write_now(notices.claim, 1, "a", now_ns=NOW + n * notices.LEASE_NS)
    assert db.write_now(notices.claim, 1, "a", now_ns=NOW + 10**6 * S) == []
    [parked] = db.read_now(notices.listing, state="parked")
    assert "stopped 25 times" in (parked.last_error or "")


def test_a_collector_that_is_alone_frees_the_claims_of_its_predecessor(db: Database) -> None:
    db.write_now(put)
    db.write_now(notices.claim, 1, "dead", now_ns=NOW)
    assert db.write_now(notices.release) == 1
    [taken] = db.write_now(notices.claim, 1, "alive", now_ns=NOW)
    assert taken.attempts == 2


def test_the_summary_counts_every_state_and_knows_the_oldest_that_is_due(db: Database) -> None:
    empty = db.read_now(notices.summary, now_ns=NOW)
    assert empty.oldest_due_ns is None
    assert set(empty.by_state) == set(notices.STATES)
    db.write_now(put, "a", not_before_ns=NOW - 7)
    db.write_now(put, "b", not_before_ns=NOW + 7)
    full = db.read_now(notices.summary, now_ns=NOW)
    assert (full.by_state["pending"], full.oldest_due_ns) == (2, NOW - 7)


@pytest.mark.postgres
def test_two_workers_on_postgresql_never_claim_the_same_notice(postgres_url: str) -> None:
    first, second = Database(postgres_url), Database(postgres_url)
    notices.notices.create(first.engine)
    for n in range(100):
        first.write_now(put, f"k{n}")
    taken: list[str] = []

    def work(db: Database, name: str) -> None:
        while found := db.write_now(notices.claim, 5, name, now_ns=NOW):
            taken.extend(notice.id for notice in found)

    threads = [threading.Thread(target=work, args=pair) for pair in ((first, "a"), (second, "b"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 100
    first.close()
    second.close()


@pytest.mark.parametrize("back_s", [60, 24 * 3600])
def test_a_clock_that_is_set_back_holds_no_retry_back_for_longer_than_was_meant(db: Database, back_s: int) -> None:
    db.write_now(put)
    [taken] = db.write_now(notices.claim, 1, "w", now_ns=NOW)
    db.write_now(notices.settle_retry, taken, error="busy", next_attempt_ns=NOW + 8 * S)
    set_back = NOW - back_s * S
    for later_s in (0, 4, 7):
        assert db.write_now(notices.claim, 1, "w", now_ns=set_back + later_s * S) == []
    [again] = db.write_now(notices.claim, 1, "w", now_ns=set_back + 8 * S)
    assert again.attempts == 2


def test_what_was_written_before_a_clock_was_set_back_is_sent_at_once_and_a_bundle_after_its_wait(
    db: Database,
) -> None:
    db.write_now(put, "at once")
    db.write_now(put, "bundle", not_before_ns=NOW + 20 * S)
    set_back = NOW - 3600 * S
    assert [one.dedup_key for one in db.write_now(notices.claim, 9, "w", now_ns=set_back)] == ["at once"]
    assert db.write_now(notices.claim, 9, "w", now_ns=set_back + 19 * S) == []
    assert [one.dedup_key for one in db.write_now(notices.claim, 9, "w", now_ns=set_back + 20 * S)] == ["bundle"]


def test_a_claim_of_a_sender_that_died_ends_with_its_lease_although_the_clock_was_set_back(db: Database) -> None:
    db.write_now(put)
    [_] = db.write_now(notices.claim, 1, "dead", now_ns=NOW)
    set_back = NOW - 3600 * S
    assert db.write_now(notices.claim, 1, "w", now_ns=set_back) == []
    assert db.write_now(notices.claim, 1, "w", now_ns=set_back + 59 * S) == []
    assert len(db.write_now(notices.claim, 1, "w", now_ns=set_back + 60 * S)) == 1


def test_the_clocks_of_two_collectors_may_be_some_seconds_apart(db: Database) -> None:
    db.write_now(put, not_before_ns=NOW + 20 * S)
    assert db.write_now(notices.claim, 1, "behind", now_ns=NOW - 4 * S) == []
    assert db.write_now(notices.claim, 1, "behind", now_ns=NOW + 17 * S) == []
    assert len(db.write_now(notices.claim, 1, "ahead", now_ns=NOW + 20 * S)) == 1
