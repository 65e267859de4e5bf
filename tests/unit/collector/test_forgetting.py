"""What is old goes a few rows at a time, of whichever host it is, and nothing else goes with it."""

from __future__ import annotations

from sitewarden_collector.store import sample_hours, samples
from sitewarden_collector.store.engine import Database
from tests import cast
from tests.cast import HOUR, NOON
from tests.unit.collector.test_compaction import Host

LATER = NOON + 3 * HOUR


def test_a_step_takes_no_more_than_it_may_of_all_hosts_together(db: Database) -> None:
    hosts = [Host(db, site=f"site-{number}") for number in range(12)]
    for host in hosts:
        host.sends(cast.samples(0.1, 0.2))
        host.compacts()
        host.sends(cast.samples(0.3, start_ns=LATER, told=False))
        host.compacts(now_ns=LATER + 2 * HOUR)
    gone = [db.write_now(sample_hours.forget_old, before_ns=NOON + HOUR, limit=5) for _ in range(4)]
    assert gone == [5, 5, 2, 0]
    assert [host.reads() for host in hosts] == [[(LATER, 0.3)]] * 12


def test_minutes_that_were_never_joined_go_as_well(db: Database) -> None:
    host = Host(db)
    host.sends(cast.samples(0.1), cast.samples(0.3, start_ns=LATER, told=False), evaluated=False)
    assert db.write_now(samples.forget_old, before_ns=NOON + HOUR, limit=5) == 1
    assert host.reads() == [(LATER, 0.3)]
