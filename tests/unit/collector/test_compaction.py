"""Minutes of samples become hours: nothing lost, nothing doubled, nothing that was erased brought back."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, delete, func, select

from sitewarden_collector.services import compaction, intake
from sitewarden_collector.services.compaction import Joined, Outdated
from sitewarden_collector.store import evaluations, sample_hours, samples, spools, tracks
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.samples import RawBlock
from tests import cast
from tests.cast import DAY, EPOCH, HOUR, MINUTE, NOON, SECOND

DISK = cast.DISK.name


class Host:
    """One host of acme-berlin that sends blocks of samples, which rules see at once."""

    def __init__(self, db: Database, site: str = cast.ACME_BERLIN) -> None:
        self.db = db
        self.agent = db.write_now(cast.settle_agent, site=site)
        self.seq = 0

    def sends(self, *blocks: RawBlock, evaluated: bool = True) -> None:
        for block in blocks:
            self.seq += 1
            self.db.write_now(intake.accept, self.agent.id, batch=cast.batch(self.seq, block), now_ns=NOON)
            if evaluated:
                self.db.write_now(spools.mark_evaluated, self.agent.id, EPOCH, from_seq=self.seq - 1, to_seq=self.seq)

    def joins(self, *, now_ns: int = NOON + 2 * HOUR) -> Joined:
        return self.db.read_now(compaction.join, [self.agent.id], now_ns=now_ns)

    def compacts(self, *, now_ns: int = NOON + 2 * HOUR) -> int:
        return self.db.write_now(compaction.record, self.joins(now_ns=now_ns))

    def reads(self) -> list[tuple[int, float]]:
        found = self.db.read_now(tracks.series, self.agent.site_id, DISK, 0)
        return [pair for track in found for pair in zip(track.times_ns, track.numbers, strict=True)]

    def counts(self, table: Any = samples.blocks) -> int:
        return int(self.db.read_now(lambda tx: tx.execute(select(func.count()).select_from(table)).scalar_one()))


@pytest.fixture
def host(db: Database) -> Host:
    return Host(db)


def minutes(count: int, *, start_ns: int = NOON) -> Sequence[RawBlock]:
    chance = random.Random(count)
    return [
        cast.samples(*(chance.random() for _ in range(6)), start_ns=start_ns + at * MINUTE, told=at == 0)
        for at in range(count)
    ]


def test_an_hour_of_minutes_becomes_one_block_that_reads_the_same(host: Host) -> None:
    host.sends(*minutes(60))
    before = host.reads()
    assert host.compacts() == 1
    assert (host.counts(), host.counts(sample_hours.hours)) == (0, 1)
    assert host.reads() == before
    assert len(before) == 360
    assert host.compacts() == 0


def test_hours_are_kept_apart_and_the_one_that_is_still_going_on_is_left(host: Host) -> None:
    host.sends(*minutes(150))
    before = host.reads()
    assert host.compacts(now_ns=NOON + 2 * HOUR + 20 * MINUTE) == 2
    assert host.counts() == 30
    assert host.reads() == before


def test_an_hour_rests_a_while_before_it_is_joined(host: Host) -> None:
    host.sends(*minutes(60))
    assert len(host.joins(now_ns=NOON + HOUR + 14 * MINUTE)) == 0
    assert len(host.joins(now_ns=NOON + HOUR + 15 * MINUTE)) == 1


def test_what_comes_late_is_joined_to_its_hour_in_order(host: Host) -> None:
    early, middle, late = minutes(30), minutes(31)[30:], minutes(60)[31:]
    host.sends(*early, *late)
    assert host.compacts() == 1
    host.sends(*middle)
    before = sorted(host.reads())
    assert host.compacts() == 1
    assert host.counts(sample_hours.hours) == 1
    assert host.reads() == before
    assert len(before) == 360


def test_a_clock_that_was_set_back_loses_no_sample(host: Host) -> None:
    host.sends(*minutes(10), *minutes(5, start_ns=NOON + 3 * MINUTE))
    before = sorted(host.reads())
    host.compacts()
    assert sorted(host.reads()) == before
    assert len(before) == 90


def test_blocks_that_rules_have_not_seen_are_left(host: Host) -> None:
    host.sends(*minutes(5))
    host.sends(*minutes(10)[5:], evaluated=False)
    before = host.reads()
    assert host.compacts() == 1
    assert host.counts() == 5
    assert host.reads() == before


def test_a_block_that_is_parked_is_left_for_another_try(host: Host) -> None:
    host.sends(*minutes(3))
    host.db.write_now(
        evaluations.park,
        site_id=host.agent.site_id,
        agent_id=host.agent.id,
        epoch=EPOCH,
        seq=2,
        rule="disk",
        error="broke",
        now_ns=NOON,
    )
    host.compacts()
    assert host.counts() == 1
    assert len(host.reads()) == 18


def test_a_block_that_ends_in_the_next_hour_counts_to_that_one(host: Host) -> None:
    host.sends(*minutes(60), cast.samples(*[0.5] * 6, start_ns=NOON + HOUR - 20 * SECOND, told=False))
    before = host.reads()
    assert host.compacts() == 1
    host.sends(*minutes(5, start_ns=NOON + HOUR + MINUTE))
    assert host.compacts(now_ns=NOON + 3 * HOUR) == 1
    assert host.counts(sample_hours.hours) == 2
    assert host.counts() == 0
    assert len(host.reads()) == len(before) + 30


def test_hours_of_a_host_that_ticks_seldom_are_one_block_as_far_as_they_are_due_together(host: Host) -> None:
    host.sends(*(cast.samples(0.1 * hour, 0.5, start_ns=NOON + hour * HOUR, told=hour == 0) for hour in range(6)))
    before = host.reads()
    assert host.compacts(now_ns=NOON + 5 * HOUR) == 1
    assert host.compacts(now_ns=NOON + 7 * HOUR) == 1
    assert host.reads() == before


def test_days_are_kept_apart(host: Host) -> None:
    host.sends(*(cast.samples(0.5, start_ns=NOON + hour * HOUR, told=hour == 10) for hour in (10, 11, 12, 13)))
    assert host.compacts(now_ns=NOON + DAY) == 2
    days = host.db.read_now(lambda tx: tx.execute(select(sample_hours.hours.c.hour)).scalars().all())
    assert sorted(hour // 24 for hour in days) == [NOON // DAY, NOON // DAY + 1]


def test_what_comes_late_for_one_of_several_hours_in_a_block_is_read_with_it(host: Host) -> None:
    host.sends(*(cast.samples(0.1 * hour, start_ns=NOON + hour * HOUR, told=hour == 0) for hour in (0, 1, 3)))
    assert host.compacts(now_ns=NOON + 5 * HOUR) == 1
    late = [cast.samples(0.7, start_ns=NOON + hour * HOUR + MINUTE, told=False) for hour in (0, 1, 2)]
    host.sends(*late)
    assert host.compacts(now_ns=NOON + 5 * HOUR) == 2
    assert host.reads() == sorted(host.reads())
    assert len(host.reads()) == 6


def test_many_hosts_are_joined_at_a_time(db: Database) -> None:
    hosts = [Host(db, site=f"site-{number}") for number in range(3)]
    for number, one in enumerate(hosts):
        one.sends(*minutes(10 + number))
    before = [one.reads() for one in hosts]
    (together,) = db.read_now(compaction.waiting, now_ns=NOON + 2 * HOUR)
    assert sorted(together) == sorted(one.agent.id for one in hosts)
    joined = db.read_now(compaction.join, together, now_ns=NOON + 2 * HOUR)
    assert db.write_now(compaction.record, joined) == 3
    assert [one.reads() for one in hosts] == before
    assert hosts[0].counts() == 0


def test_one_with_a_long_backlog_is_asked_again_and_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "BLOCKS_AT_ONCE", 4)
    host.sends(*minutes(11))
    before = host.reads()
    groups = host.db.read_now(compaction.waiting, now_ns=NOON + 2 * HOUR)
    assert groups == [[host.agent.id]] * 3
    for _ in groups:
        host.compacts()
    assert host.counts() == 0
    assert host.reads() == before


def test_no_more_is_opened_at_once_than_memory_holds(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "VALUES_AT_ONCE", 30)
    host.sends(*minutes(5))
    before = host.reads()
    host.compacts()
    assert host.counts() == 3
    host.compacts()
    host.compacts()
    assert host.counts() == 0
    assert host.reads() == before


def test_batches_with_several_blocks_are_taken_whole_or_not_at_all(host: Host) -> None:
    first, second = minutes(2)
    later = cast.samples(0.3, start_ns=NOON + 3 * HOUR, told=False)
    for seq, some in enumerate([(first, later), (second,)], start=1):
        host.db.write_now(intake.accept, host.agent.id, batch=cast.batch(seq, *some), now_ns=NOON)
        host.db.write_now(spools.mark_evaluated, host.agent.id, EPOCH, from_seq=seq - 1, to_seq=seq)
    before = host.reads()
    assert host.compacts() == 1
    assert host.counts() == 1
    assert host.reads() == before


def test_times_are_corrected_once(host: Host) -> None:
    block = cast.samples(0.1, 0.2)
    shifted = RawBlock(
        block.schema_id,
        block.series,
        block.block,
        False,
        tuple(at + SECOND for at in block.times_ns),
        SECOND,
        block.last,
    )
    host.sends(shifted)
    before = host.reads()
    assert [at for at, _ in before] == [NOON + SECOND, NOON + 11 * SECOND]
    host.compacts()
    assert host.reads() == before


def test_an_hour_too_large_for_one_block_has_parts(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "TICKS_MAX", 100)
    host.sends(*minutes(60))
    before = host.reads()
    assert host.compacts() == 4
    assert host.reads() == before
    host.sends(*minutes(2, start_ns=NOON + 30 * MINUTE))
    assert host.compacts() == 1
    assert len(host.reads()) == len(before) + 12


def test_what_is_erased_while_it_is_joined_stays_erased(host: Host) -> None:
    host.sends(*minutes(60))
    joined = host.joins()

    def erase(tx: Connection) -> None:
        tx.execute(delete(samples.blocks))

    host.db.write_now(erase)
    with pytest.raises(Outdated):
        host.db.write_now(compaction.record, joined)
    assert host.counts(sample_hours.hours) == 0


def test_two_that_join_the_same_write_it_once(host: Host) -> None:
    host.sends(*minutes(60))
    one, other = host.joins(), host.joins()
    before = host.reads()
    assert host.db.write_now(compaction.record, one) == 1
    with pytest.raises(Outdated):
        host.db.write_now(compaction.record, other)
    assert host.reads() == before


def test_an_hour_that_grew_meanwhile_is_not_overwritten(host: Host) -> None:
    host.sends(*minutes(10))
    host.compacts()
    host.sends(*minutes(12)[10:11])
    outdated = host.joins()
    host.sends(*minutes(12)[11:])
    fresh = host.joins()
    assert host.db.write_now(compaction.record, fresh) == 1
    with pytest.raises(Outdated):
        host.db.write_now(compaction.record, outdated)
    assert len(host.reads()) == 72


def test_only_agents_with_something_due_are_asked(host: Host) -> None:
    host.sends(*minutes(60))
    assert host.db.read_now(compaction.waiting, now_ns=NOON + 30 * MINUTE) == []
    assert host.db.read_now(compaction.waiting, now_ns=NOON + 2 * HOUR) == [[host.agent.id]]
