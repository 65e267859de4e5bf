"""A fault that comes to further sites is more urgent everywhere: from three sites on, and from ten on again."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from sitewarden_alerting import decisions as made
from sitewarden_alerting import tickets as moves
from sitewarden_alerting.model import Policy, Signal, SignalKind, SignalState
from sitewarden_alerting.reading.severity import Severity
from sitewarden_collector.services import priorities, service_levels
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.store import tickets
from sitewarden_collector.store.engine import Database
from tests.cast import ADA, NOON, settle_site

FAULT = "fp1:everywhere"


def comes(tx: Connection, /, sites: Sequence[int], *, others: int = 0) -> None:
    """The fault comes to these sites, in one transaction, with `others` that each site has alone."""
    decided: list[made.TicketDecision] = []
    for number in sites:
        site = settle_site(tx, f"site-{number}")
        for fault in (FAULT, *(f"fp1:{number}-{i}" for i in range(others))):
            signal = Signal(
                rule="errors",
                kind=SignalKind.LOG,
                site_id=site.id,
                customer_id=site.customer_id,
                fault=fault,
                subject=fault,
                state=SignalState.FIRING,
                severity=Severity.WARNING,
                title="slow",
                reason="a warning",
                at_ns=NOON,
            )
            ticket = moves.opened(signal, ticket_id=f"new:{len(decided)}")
            decided.append(made.OpenTicket(ticket, NOON, "a warning"))
    ticketing.apply(tx, decided, Policy(), now_ns=NOON)


def given(db: Database, fault: str = FAULT) -> list[int]:
    return [one.priority for one in db.write_now(tickets.of_faults, [fault])]


def test_each_step_raises_all_of_them_one_site_after_the_other(db: Database) -> None:
    for number in range(12):
        db.write_now(comes, [number], others=2)
        expected = 3 if number < 2 else 2 if number < 9 else 1
        assert given(db) == [expected] * (number + 1)
    assert given(db, "fp1:4-0") == [3]
    assert db.read_now(service_levels.verify) == (36, [])


def test_many_sites_at_once_are_counted_together(db: Database) -> None:
    db.write_now(comes, [0, 1])
    db.write_now(comes, range(2, 30))
    assert given(db) == [1] * 30
    [first, *_] = db.write_now(tickets.of_faults, [FAULT])
    assert "30 sites: two more urgent" in db.read_now(priorities.judged, first).reason


def test_what_a_person_set_stands_however_far_it_spreads(db: Database) -> None:
    db.write_now(comes, [0])
    [mine] = db.write_now(tickets.of_faults, [FAULT])
    db.write_now(priorities.set_priority, mine.number, 4, by=ADA, reason="a known one", now_ns=NOON)
    db.write_now(comes, range(1, 12))
    assert sorted(given(db)) == [1] * 11 + [4]
