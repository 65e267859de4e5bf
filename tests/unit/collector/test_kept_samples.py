"""Samples go in their time, but not those that a ticket's page draws, until the ticket is closed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sitewarden_alerting.model import SignalKind, Ticket, TicketState
from sitewarden_collector.config import Retention
from sitewarden_collector.console.ticket import SPANS
from sitewarden_collector.services import retention
from sitewarden_collector.store import sample_hours, samples, tickets
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.engine import Database
from tests import cast
from tests.cast import DAY, HOUR, MINUTE, NOON
from tests.unit.collector.test_compaction import Host, minutes

LATER = NOON + 40 * DAY


@pytest.fixture
def host(db: Database) -> Host:
    return Host(db)


def opened(host: Host, *, at_ns: int, last_ns: int | None = None) -> Ticket:
    ticket = Ticket(
        id=new_id(),
        site_id=host.agent.site_id,
        customer_id=host.agent.customer_id,
        fault=f"fault of {at_ns}",
        rule="errors",
        kind=SignalKind.LOG,
        title="it broke",
        severity=4,
        opened_ns=at_ns,
        last_ns=at_ns if last_ns is None else last_ns,
        number=f"INC-{at_ns}",
    )
    host.db.write_now(tickets.save_all, [ticket], new=True)
    return ticket


def forgets(host: Host, *, now_ns: int = LATER) -> list[int]:
    """The hours after noon of which samples are left."""
    host.db.write_now(retention.step, Retention(samples_days=30), now_ns=now_ns)
    return sorted({(at_ns - NOON) // HOUR for at_ns, _ in host.reads()})


def sends_a_few_hours(host: Host, *hours: int) -> None:
    for place, hour in enumerate(hours):
        host.sends(cast.samples(0.1 * place, 0.5, start_ns=NOON + hour * HOUR, told=place == 0))
        host.compacts(now_ns=NOON + (hour + 2) * HOUR)


def test_what_a_ticket_shows_is_kept_until_it_is_closed(host: Host) -> None:
    sends_a_few_hours(host, 0, 20, 21, 40, 44, 47)
    ticket = opened(host, at_ns=NOON + 38 * HOUR + MINUTE)
    assert forgets(host) == [21, 40, 44]
    host.db.write_now(tickets.save_all, [replace(ticket, state=TicketState.RESOLVED)], new=False)
    assert forgets(host) == [21, 40, 44]
    host.db.write_now(tickets.save_all, [replace(ticket, state=TicketState.CLOSED)], new=False)
    assert forgets(host) == []


def test_of_a_ticket_that_goes_on_its_beginning_and_its_end_are_kept(host: Host) -> None:
    sends_a_few_hours(host, 0, 100, 200)
    opened(host, at_ns=NOON + HOUR, last_ns=NOON + 201 * HOUR)
    assert forgets(host) == [0, 200]


def test_minutes_that_were_never_joined_are_kept_as_well(host: Host) -> None:
    host.sends(*minutes(2), evaluated=False)
    opened(host, at_ns=NOON)
    assert forgets(host) == [0]
    assert (host.counts(samples.blocks), host.counts(sample_hours.hours)) == (2, 0)


def test_tickets_of_other_sites_keep_nothing(host: Host) -> None:
    sends_a_few_hours(host, 0)
    opened(Host(host.db, site=cast.GLOBEX_OSAKA), at_ns=NOON)
    assert forgets(host) == []


def test_the_longest_span_on_a_tickets_page_is_what_is_kept() -> None:
    before_ns = max(before for before, _, _ in SPANS.values())
    after_ns = max(after for _, after, _ in SPANS.values())
    kept = retention.AROUND_TICKETS
    assert (kept.before_ns, kept.after_ns) == (before_ns, after_ns)
