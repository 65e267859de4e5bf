"""Recoveries are put together by the rules by which pages are: the end of a storm is told in a few notices."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from sitewarden_alerting import decisions as made
from sitewarden_alerting.model import Policy, Signal, SignalKind, SignalState
from sitewarden_alerting.rules import Rulebook
from sitewarden_alerting.tickets import opened
from sitewarden_collector.services import pages
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.page_language import in_their_language
from sitewarden_collector.store import notices, people
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.notices import StoredNotice
from sitewarden_collector.store.people import Reachable, Road
from tests.cast import ADA, MINUTE, NOON, SECOND, settle_site
from tests.unit.collector.test_paging import settle


def over(tx: Connection, /, first: int, number: int, *, now_ns: int = NOON) -> None:
    """So many tickets whose recovery is told, all by one decision."""
    site = settle_site(tx)
    decided: list[made.TicketDecision] = []
    for i in range(first, first + number):
        signal = Signal(
            rule="errors",
            kind=SignalKind.LOG,
            site_id=site.id,
            customer_id=site.customer_id,
            fault=f"fp1:{i}",
            subject=f"fault {i}",
            state=SignalState.FIRING,
            severity=4,
            title=f"payment {i} failed",
            reason="an error",
            at_ns=now_ns,
        )
        ticket = opened(signal, ticket_id=f"new:{i}")
        decided += [
            made.OpenTicket(ticket, now_ns, "an error"),
            made.Notify(ticket, now_ns, "it is over", "recovery", "recovery-1"),
        ]
    ticketing.apply(tx, decided, Policy(), now_ns=now_ns)


def found(db: Database, state: str) -> list[StoredNotice]:
    return [one for one in db.read_now(notices.listing, limit=1_000) if one.state == state]


def test_the_end_of_a_storm_is_told_in_a_few_notices(db: Database) -> None:
    db.write_now(settle)
    db.write_now(over, 0, 250)
    assert len(found(db, "bundled")) == 247
    alone = [one for one in found(db, "pending") if one.ticket_id is not None]
    [digest] = [one for one in found(db, "pending") if one.ticket_id is None]
    assert len(alone) == 3
    assert digest.next_attempt_ns == NOON + 20 * SECOND
    assert {one.page_of for one in found(db, "bundled")} == {digest.id}
    claimed = db.write_now(notices.claim, 16, "w", now_ns=NOON + MINUTE)
    [digest] = [one for one in claimed if one.ticket_id is None]
    sent = db.read_now(pages.before_sending, digest)
    assert sent is not None
    assert sent.body.startswith("247 of your tickets recovered:")
    assert sent.subject.endswith(" and 244 more")
    assert "payment 3 failed" in sent.body
    assert "... and 227 more" in sent.body


def test_what_recovers_while_a_storm_ends_joins_the_digest_that_waits(db: Database) -> None:
    db.write_now(settle)
    for first in (0, 50, 100):
        db.write_now(over, first, 50, now_ns=NOON + first * SECOND // 10)
    assert len([one for one in found(db, "pending") if one.ticket_id is None]) == 1
    assert len(found(db, "bundled")) == 147
    claimed = db.write_now(notices.claim, 16, "w", now_ns=NOON + MINUTE)
    assert len(claimed) == 4
    db.write_now(over, 150, 50, now_ns=NOON + MINUTE)  # what has begun to go out takes nothing more
    assert len([one for one in found(db, "pending") if one.ticket_id is None]) == 1


def test_few_recoveries_are_told_at_once_each_by_itself(db: Database) -> None:
    db.write_now(settle)
    for i in range(6):
        db.write_now(over, i, 1, now_ns=NOON + i * MINUTE)
    assert [len(found(db, state)) for state in ("pending", "bundled")] == [6, 0]


@pytest.mark.parametrize(("locale", "said"), [("en", "4 of your tickets recovered:"), ("zh", "您的 4 张工单已恢复：")])
def test_a_digest_is_said_in_the_readers_language(db: Database, locale: str, said: str) -> None:
    db.write_now(settle)
    db.write_now(people.save, Reachable(ADA, (Road("phone"),), locale=locale))
    db.write_now(over, 0, 7)
    [digest] = [one for one in db.write_now(notices.claim, 16, "w", now_ns=NOON + MINUTE) if one.ticket_id is None]

    def read(tx: Connection) -> StoredNotice:
        sent = pages.before_sending(tx, digest)
        assert sent is not None
        return in_their_language(tx, sent, Rulebook())[0]

    assert db.read_now(read).body.startswith(said)
