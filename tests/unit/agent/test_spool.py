"""The spool keeps what it was given, in order, and says what it had to give up."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sitewarden_agent.errors import SpoolDamaged
from sitewarden_agent.model import (
    Change,
    FileMark,
    Gap,
    GapReason,
    LogEvent,
    Observation,
    Outcome,
    OutcomeState,
    ProbeResult,
    RecordPart,
    SampleBlock,
    Series,
    SiteNotice,
    What,
)
from sitewarden_agent.spool import Resume, Sealed, Spool, SpoolFull, SpoolLimits, WatchLevel

SECOND = 1_000_000_000
DAY = 86_400 * SECOND


class HandClock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.wall, self.monotonic, self.boot = 1_700_000_000 * SECOND, 50 * SECOND, "b" * 32

    def wall_ns(self) -> int:
        return self.wall

    def monotonic_ns(self) -> int:
        return self.monotonic

    def boot_id(self) -> str:
        return self.boot

    async def sleep(self, seconds: float) -> None:
        self.pass_s(seconds)

    def pass_s(self, seconds: float) -> None:
        self.wall += int(seconds * SECOND)
        self.monotonic += int(seconds * SECOND)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def spool(tmp_path: Path, clock: HandClock) -> Iterator[Spool]:
    opened = Spool.open(tmp_path / "spool.db", clock=clock)
    yield opened
    opened.close()


def log(number: int, *, size: int = 40) -> LogEvent:
    text = f"line {number} ".ljust(size, "x")
    return LogEvent("app", "/var/log/app.log", "1:2:3", number * 100, RecordPart.WHOLE, 4, "db", text, text, "f1:0")


def samples(number: int, *, size: int = 400) -> SampleBlock:
    return SampleBlock((Series("load1"),), number.to_bytes(4, "big").ljust(size, b"\0"), 6)


def probe(number: int) -> ProbeResult:
    return ProbeResult("web", "http", "http://localhost/", True, number, "ok")


def seen(what: What, *, at: int = 1_700_000_000 * SECOND) -> Observation:
    return Observation(what, at, "b" * 32, 5)


def whats(sealed: Sealed | None) -> list[What]:
    assert sealed is not None
    return [observation.what for observation in sealed.observations]


def drain(spool: Spool) -> list[What]:
    """Seal and acknowledge everything, as a link with a good connection would."""
    found: list[What] = []
    while (sealed := spool.seal(1_000_000, 1_000)) is not None:
        found += whats(sealed)
        spool.acknowledge(sealed.seq)
    return found


def test_what_was_appended_is_sealed_in_order_and_numbered_from_one(spool: Spool) -> None:
    spool.append([seen(log(1)), seen(log(2))])
    sealed = spool.seal(1_000_000, 100)
    assert sealed is not None
    assert (sealed.seq, whats(sealed)) == (1, [log(1), log(2)])
    assert spool.seal(1_000_000, 100) is None
    assert spool.unacked() == (1,)


def test_a_sealed_batch_is_the_same_after_a_restart(tmp_path: Path, clock: HandClock) -> None:
    first = Spool.open(tmp_path / "spool.db", clock=clock)
    first.append([seen(log(1)), seen(samples(1)), seen(log(2))])
    sealed = first.seal(1_000_000, 100)
    first.append([seen(log(3))])
    first.close()
    second = Spool.open(tmp_path / "spool.db", clock=clock)
    assert second.sealed(1) == sealed
    assert second.epoch == second.epoch
    second.close()


def test_the_epoch_is_drawn_once_for_each_file(tmp_path: Path, clock: HandClock) -> None:
    epochs = []
    for name in ("a.db", "a.db", "b.db"):
        spool = Spool.open(tmp_path / name, clock=clock)
        epochs.append(spool.epoch)
        spool.close()
    assert epochs[0] == epochs[1] != epochs[2]
    assert all(len(bytes.fromhex(epoch)) == 16 for epoch in epochs)


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o007, 0o660)])
def test_the_file_is_for_the_agents_users_alone(tmp_path: Path, clock: HandClock, umask: int, mode: int) -> None:
    before = os.umask(umask)  # 007: as the service units have it, with observe and link as two users of one group
    try:
        with contextlib.closing(Spool.open(tmp_path / "spool.db", clock=clock)) as spool:
            spool.bell.listen()
            spool.append([seen(log(1))])
            for path in tmp_path.iterdir():
                assert stat.S_IMODE(path.stat().st_mode) == mode, path
    finally:
        os.umask(before)


def test_marks_come_with_their_observations(spool: Spool) -> None:
    mark = FileMark("app", "/var/log/app.log", "1:2:3", 400, True, "abc", 3)
    other = FileMark("web", "/var/log/web.log", "1:2:9", 7)
    spool.append([seen(log(1))], marks=[mark, other])
    spool.append([], marks=[FileMark("app", "/var/log/app.log", "1:2:3", 500)])
    assert spool.marks("app") == (FileMark("app", "/var/log/app.log", "1:2:3", 500),)
    assert len(spool.marks()) == 2
    spool.forget_mark("app", "1:2:3")
    assert spool.marks() == (other,)


def test_a_fresh_error_does_not_wait_behind_a_backlog_of_samples(spool: Spool) -> None:
    spool.append([seen(samples(number)) for number in range(50)])
    spool.append([seen(log(1))])
    assert whats(spool.seal(10_000, 100)) == [log(1)]


def test_a_flood_of_errors_does_not_starve_samples(spool: Spool) -> None:
    spool.append([seen(samples(1))])
    spool.append([seen(log(number)) for number in range(40)])
    taken = [whats(spool.seal(1_000_000, 5)) for _ in range(4)]
    assert [type(batch[0]) for batch in taken] == [LogEvent, LogEvent, LogEvent, SampleBlock]


def test_outcomes_and_changes_go_before_logs(spool: Spool) -> None:
    outcome = Outcome("a" * 32, OutcomeState.DONE)
    spool.append([seen(log(1)), seen(Change("reboot")), seen(outcome), seen(probe(1))])
    assert whats(spool.seal(1_000_000, 100)) == [outcome, Change("reboot"), log(1)]
    assert whats(spool.seal(1_000_000, 100)) == [probe(1)]


def test_a_batch_keeps_its_bounds_but_the_first_row_always_goes(spool: Spool) -> None:
    spool.append([seen(log(number, size=1_000)) for number in range(4)])
    assert len(whats(spool.seal(10, 100))) == 1
    assert len(whats(spool.seal(1_000_000, 2))) == 2


def test_acknowledged_batches_stay_a_day_and_then_go(spool: Spool, clock: HandClock) -> None:
    spool.append([seen(log(1))])
    assert spool.seal(1_000, 10) is not None
    spool.acknowledge(1)
    assert (spool.unacked(), spool.state().held) == ((), 0)
    assert spool.sealed(1) is not None
    clock.pass_s(86_400 + 61)
    spool.append([seen(log(2))])
    assert spool.sealed(1) is None


def test_an_acknowledgement_of_what_was_never_sealed_changes_nothing(spool: Spool) -> None:
    spool.append([seen(log(1))])
    spool.acknowledge(7)
    sealed = spool.seal(1_000, 10)
    assert sealed is not None
    assert spool.unacked() == (1,)


class TestSeek:
    def fill(self, spool: Spool, count: int, *, acked: int) -> None:
        for number in range(1, count + 1):
            spool.append([seen(log(number))])
            assert spool.seal(1_000, 10) is not None
        spool.acknowledge(acked)

    def test_headquarters_where_we_left_it(self, spool: Spool) -> None:
        self.fill(spool, 5, acked=3)
        assert spool.seek(3) == Resume(3)
        assert spool.unacked() == (4, 5)

    def test_an_acknowledgement_was_lost_on_the_way(self, spool: Spool) -> None:
        self.fill(spool, 5, acked=2)
        assert spool.seek(4) == Resume(4)
        assert spool.unacked() == (5,)

    def test_headquarters_was_restored_and_the_tail_still_has_it(self, spool: Spool) -> None:
        self.fill(spool, 5, acked=5)
        assert spool.seek(2) == Resume(2, resent=3)
        assert spool.unacked() == (3, 4, 5)
        assert whats(spool.after(2)) == [log(3)]
        assert not spool.waiting()

    def test_headquarters_was_restored_to_before_the_tail(self, spool: Spool, clock: HandClock) -> None:
        self.fill(spool, 3, acked=3)
        clock.pass_s(86_400 + 61)
        self.fill(spool, 2, acked=4)
        assert spool.seek(1) == Resume(1, resent=1, lost=(2, 3))
        assert spool.unacked() == (4, 5)
        gap = whats(spool.seal(1_000, 10))[0]
        assert isinstance(gap, Gap)
        assert (gap.reason, gap.first_seq, gap.last_seq) == (GapReason.RESTORED, 2, 3)
        assert spool.seek(1) == Resume(1)  # said once

    def test_a_copy_of_a_spool_begins_a_new_epoch(self, spool: Spool) -> None:
        self.fill(spool, 2, acked=1)
        before = spool.epoch
        spool.append([seen(log(9))])
        assert spool.seek(40) == Resume(0, new_epoch=True)
        assert spool.epoch != before
        assert spool.seek(0) == Resume(0)
        found = drain(spool)
        assert log(9) in found
        assert Change("spool", subject="copied or restored", before=before, after=spool.epoch) in found
        assert spool.state().last_sealed_seq == 1


class TestClaim:
    def test_the_first_owner_changes_nothing(self, spool: Spool) -> None:
        epoch = spool.epoch
        assert not spool.claim("agent-1", vendor="v")
        assert not spool.claim("agent-1", vendor="v")
        assert spool.epoch == epoch

    def test_a_new_enrolment_sends_what_was_not_acknowledged_under_its_own_name(self, spool: Spool) -> None:
        spool.claim("agent-1", vendor="v")
        for number in range(1, 5):
            spool.append([seen(log(number))])
        for _ in range(3):
            spool.seal(1, 1)
        spool.acknowledge(1)
        epoch = spool.epoch
        assert spool.claim("agent-2", vendor="v")
        assert spool.epoch != epoch
        assert spool.seek(0) == Resume(0)
        assert spool.unacked() == (1, 2)
        assert [whats(spool.sealed(seq)) for seq in (1, 2)] == [[log(2)], [log(3)]]
        assert whats(spool.seal(1_000, 10)) == [log(4)]

    def test_another_vendor_gets_nothing_of_it(self, spool: Spool) -> None:
        spool.claim("agent-1", vendor="v")
        spool.append([seen(log(1)), seen(samples(1))], marks=[FileMark("app", "p", "i", 7)])
        spool.seal(1, 1)
        assert spool.claim("agent-2", vendor="w")
        assert spool.seek(0) == Resume(0)
        [gap] = drain(spool)
        assert isinstance(gap, Gap)
        assert (gap.count, gap.detail) == (2, "it was meant for another vendor")
        assert spool.marks("app")[0].offset == 7


def test_a_refused_batch_is_parked_and_the_road_goes_on(spool: Spool) -> None:
    spool.append([seen(log(1)), seen(log(2))])
    spool.seal(1_000, 10)
    spool.append([seen(log(3))])
    spool.seal(1_000, 10)
    assert spool.park(1, "MALFORMED: not UTF-8")
    assert not spool.park(1, "again")
    assert spool.unacked() == (2,)
    gap = whats(spool.seal(1_000, 10))[0]
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.count, gap.first_seq, gap.detail) == (GapReason.REFUSED, 2, 1, "MALFORMED: not UTF-8")
    assert spool.state().parked == 1


def test_parked_batches_are_bounded(tmp_path: Path, clock: HandClock) -> None:
    spool = Spool.open(tmp_path / "spool.db", clock=clock, limits=SpoolLimits(parked_max=3))
    for number in range(1, 6):
        spool.append([seen(log(number))])
    for _ in range(5):
        sealed = spool.seal(1, 1)
        assert sealed is not None
        spool.park(sealed.seq, "no")
    spool.close()
    with sqlite3.connect(tmp_path / "spool.db") as file:
        assert file.execute("SELECT count(*) FROM parked").fetchone() == (3,)
    file.close()


def test_a_batch_that_is_too_large_is_cut_in_two(spool: Spool) -> None:
    spool.append([seen(log(number)) for number in range(5)])
    spool.seal(1_000_000, 10)
    assert spool.split(1)
    assert spool.unacked() == (2, 3)
    assert whats(spool.sealed(2)) + whats(spool.sealed(3)) == [log(number) for number in range(5)]
    spool.append([seen(log(9))])
    spool.seal(1_000_000, 1)
    assert not spool.split(4)


class TestFull:
    """A spool of 512 KiB on a disk with room."""

    @pytest.fixture
    def small(self, tmp_path: Path, clock: HandClock) -> Iterator[Spool]:
        opened = Spool.open(tmp_path / "spool.db", clock=clock, limits=SpoolLimits(max_bytes=512 * 1024))
        yield opened
        opened.close()

    def fill_with_logs(self, spool: Spool) -> int:
        for number in range(10_000):
            try:
                spool.append([seen(log(number, size=2_000))], marks=[FileMark("app", "p", "i", number)])
            except SpoolFull:
                return number
        raise AssertionError("never full")

    def test_samples_go_first_and_a_gap_counts_them(self, small: Spool) -> None:
        for number in range(200):
            small.append([seen(samples(number, size=4_000))])
        assert small.state().bytes <= 512 * 1024
        shed = small.state().shed
        found = drain(small)
        kept = [what for what in found if isinstance(what, SampleBlock)]
        gaps = [what for what in found if isinstance(what, Gap)]
        assert sum(gap.count for gap in gaps) == shed == 200 - len(kept)
        assert {(gap.reason, gap.kind) for gap in gaps} == {(GapReason.SHED, "samples")}
        assert kept[-1] == samples(199, size=4_000)  # the oldest went

    def test_probes_go_after_samples_and_before_logs(self, small: Spool) -> None:
        small.append([seen(samples(1))] + [seen(probe(number)) for number in range(100)])
        self.fill_with_logs(small)
        kinds = {what.kind for what in drain(small) if isinstance(what, Gap)}
        assert kinds == {"samples", "probes"}

    def test_new_logs_are_refused_and_nothing_of_the_call_is_stored(self, small: Spool) -> None:
        number = self.fill_with_logs(small)
        assert small.marks("app")[0].offset == number - 1
        logs = [what for what in drain(small) if isinstance(what, LogEvent)]
        assert logs == [log(each, size=2_000) for each in range(number)]

    def test_outcomes_and_changes_still_go_in_when_logs_do_not(self, small: Spool) -> None:
        self.fill_with_logs(small)
        outcome = Outcome("a" * 32, OutcomeState.DONE)
        small.append([seen(outcome), seen(Change("reboot"))])
        assert outcome in whats(small.seal(10_000, 10))

    def test_samples_that_find_no_room_are_given_up_without_an_error(self, small: Spool) -> None:
        self.fill_with_logs(small)
        small.append([seen(samples(1, size=40_000))])
        at = seen(samples(1)).wall_ns
        assert Gap(GapReason.SHED, "samples", 1, at, at, detail="the spool was full") in drain(small)

    def test_room_comes_back_when_headquarters_takes_what_waits(self, small: Spool) -> None:
        number = self.fill_with_logs(small)
        drain(small)
        small.append([seen(log(number, size=2_000))])  # the acknowledged tail made room

    def test_what_is_sealed_and_under_way_is_never_given_up(self, small: Spool) -> None:
        for number in range(60):
            small.append([seen(samples(number, size=4_000))])
        sealed = small.seal(100_000, 1_000)
        assert sealed is not None
        self.fill_with_logs(small)
        assert small.sealed(sealed.seq) == sealed

    def test_crossing_seventy_and_ninety_percent_is_told(self, small: Spool) -> None:
        self.fill_with_logs(small)
        told = [(what.before, what.after) for what in drain(small) if isinstance(what, Change)]
        assert told[0] == ("ok", "70 %")
        assert told[-1][1] == "ok"

    def test_the_file_never_passes_its_limit_by_much(self, small: Spool, tmp_path: Path) -> None:
        for number in range(300):
            small.append([seen(samples(number, size=4_000)), seen(probe(number))])
        self.fill_with_logs(small)
        assert (tmp_path / "spool.db").stat().st_size < 512 * 1024 + 64 * 1024

    def test_the_file_shrinks_after_a_backlog(self, tmp_path: Path, clock: HandClock) -> None:
        spool = Spool.open(tmp_path / "spool.db", clock=clock)
        spool.append([seen(log(number, size=20_000)) for number in range(1_000)])
        drain(spool)
        for _ in range(8):
            clock.pass_s(61)
            spool.append([seen(log(1))])
        spool.close()
        assert (tmp_path / "spool.db").stat().st_size < 6 * 1024 * 1024


def test_what_waited_too_long_is_given_up_with_a_gap(spool: Spool, clock: HandClock) -> None:
    spool.append([seen(log(1)), seen(samples(1))])
    clock.pass_s(7 * 86_400 + 61)
    spool.append([seen(log(2))])
    found = drain(spool)
    assert log(2) in found
    assert log(1) not in found
    assert {(what.reason, what.kind, what.count) for what in found if isinstance(what, Gap)} == {
        (GapReason.EXPIRED, "logs", 1),
        (GapReason.EXPIRED, "samples", 1),
    }


def test_a_clock_set_a_year_ahead_gives_nothing_up(spool: Spool, clock: HandClock) -> None:
    spool.append([seen(log(1))])
    clock.wall += 365 * DAY
    clock.monotonic += 90 * SECOND
    spool.append([seen(log(2))])
    assert drain(spool) == [log(1), log(2)]


def test_a_host_that_was_off_for_a_month_still_sends_what_it_had(tmp_path: Path, clock: HandClock) -> None:
    spool = Spool.open(tmp_path / "spool.db", clock=clock)
    spool.append([seen(log(1))])
    spool.close()
    clock.wall, clock.monotonic, clock.boot = clock.wall + 30 * DAY, SECOND, "c" * 32
    spool = Spool.open(tmp_path / "spool.db", clock=clock)
    spool.append([seen(log(2))])
    assert drain(spool) == [log(1), log(2)]
    spool.close()


def test_a_disk_past_its_share_stops_growth_and_an_emptier_one_lets_it_go_on(tmp_path: Path, clock: HandClock) -> None:
    free = [50_000_000]
    spool = Spool.open(
        tmp_path / "spool.db",
        clock=clock,
        limits=SpoolLimits(floor_bytes=256 * 1024),
        disk_usage=lambda path: (100_000_000, 100_000_000 - free[0], free[0]),
    )
    spool.append([seen(log(1, size=2_000))])
    free[0] = 5_000_000
    with pytest.raises(SpoolFull, match="sitewarden-agent status"):
        spool.append([seen(log(number, size=2_000)) for number in range(200)])
    free[0] = 50_000_000
    spool.append([seen(log(number, size=2_000)) for number in range(200)])
    assert len(drain(spool)) >= 201
    spool.close()


def test_a_full_disk_refuses_logs_remembers_lost_samples_and_heals(tmp_path: Path, clock: HandClock) -> None:
    full = [False]

    def commit(connection: sqlite3.Connection, step: str) -> None:
        if full[0]:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        connection.execute("COMMIT")

    spool = Spool.open(tmp_path / "spool.db", clock=clock, commit=commit)
    full[0] = True
    with pytest.raises(SpoolFull, match="disk"):
        spool.append([seen(log(1))])
    spool.append([seen(samples(1)), seen(samples(2))])
    spool.append([seen(samples(3))])
    full[0] = False
    spool.append([seen(log(1))])
    spool.append([seen(log(2))])
    found = drain(spool)
    assert [what.count for what in found if isinstance(what, Gap)] == [3]
    assert [what for what in found if isinstance(what, LogEvent)] == [log(1), log(2)]
    spool.close()


def test_one_observation_beyond_measure_becomes_a_gap(spool: Spool) -> None:
    spool.append([seen(log(1, size=2_000_000)), seen(log(2))])
    found = drain(spool)
    assert log(2) in found
    assert [(what.kind, what.count) for what in found if isinstance(what, Gap)] == [("logs", 1)]


class TestDamaged:
    @pytest.mark.parametrize("content", [b"this is not a database at all" * 400, b""])
    def test_a_file_that_is_no_database_is_set_aside(self, tmp_path: Path, clock: HandClock, content: bytes) -> None:
        path = tmp_path / "spool.db"
        path.write_bytes(content)
        spool = Spool.open(path, clock=clock)
        gaps = [what.reason for what in drain(spool) if isinstance(what, Gap)]
        assert gaps == ([GapReason.SPOOL_LOST] if content else [])
        assert (tmp_path / "spool.db.damaged").exists() == bool(content)
        spool.close()

    def test_a_truncated_file_is_set_aside_and_what_can_be_read_goes_over(
        self, tmp_path: Path, clock: HandClock
    ) -> None:
        path = tmp_path / "spool.db"
        spool = Spool.open(path, clock=clock)
        spool.append([seen(log(1))], marks=[FileMark("app", "p", "i", 5)])
        spool.append([seen(log(number, size=3_000)) for number in range(200)])
        epoch = spool.epoch
        spool.close()
        os.truncate(path, 300_000)
        spool = Spool.open(path, clock=clock)
        assert spool.epoch != epoch
        assert GapReason.SPOOL_LOST in [what.reason for what in drain(spool) if isinstance(what, Gap)]
        assert spool.state().last_sealed_seq > 0
        spool.close()

    def test_damage_found_while_running_is_said_and_cured_by_a_restart(self, tmp_path: Path, clock: HandClock) -> None:
        path = tmp_path / "spool.db"
        spool = Spool.open(path, clock=clock)
        spool.append([seen(log(number, size=3_000)) for number in range(1_000)])  # more than SQLite holds in memory
        spool.close()
        spool = Spool.open(path, clock=clock)
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(path.stat().st_size - 4096))
        with pytest.raises(SpoolDamaged, match="set aside"):
            drain(spool)
        spool.close()
        again = Spool.open(path, clock=clock)
        assert [what.reason for what in drain(again) if isinstance(what, Gap)] == [GapReason.SPOOL_LOST]
        again.close()

    def test_the_other_process_notices_that_the_file_was_replaced(self, tmp_path: Path, clock: HandClock) -> None:
        path = tmp_path / "spool.db"
        spool = Spool.open(path, clock=clock)
        path.rename(tmp_path / "spool.db.damaged")
        with pytest.raises(SpoolDamaged, match="replaced"):
            spool.append([seen(log(1))])
        spool.close()

    def test_a_spool_of_a_newer_agent_is_left_alone(self, tmp_path: Path, clock: HandClock) -> None:
        path = tmp_path / "spool.db"
        Spool.open(path, clock=clock).close()
        with sqlite3.connect(path) as file:
            file.execute("PRAGMA user_version = 99")
        file.close()
        with pytest.raises(SpoolDamaged, match="newer agent"):
            Spool.open(path, clock=clock)
        assert path.exists()

    def test_a_batch_of_a_newer_agent_is_parked_after_a_downgrade(self, tmp_path: Path, clock: HandClock) -> None:
        path = tmp_path / "spool.db"
        spool = Spool.open(path, clock=clock)
        spool.append([seen(log(1))])
        with sqlite3.connect(path) as file:
            file.execute("UPDATE logs SET body = x'81a47768617481a474797065a36e6577'")
        file.close()
        found = drain(spool)
        assert [what.reason for what in found if isinstance(what, Gap)] == [GapReason.REFUSED]
        spool.close()

    def test_a_folder_that_cannot_be_made_is_said(self, tmp_path: Path, clock: HandClock) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(SpoolDamaged, match="write access"):
            Spool.open(tmp_path / "file" / "spool.db", clock=clock)


class TestActions:
    notice = SiteNotice("a" * 32, "Patch 1.2", "Please install.", "patch", "1.2", 5, 9)
    done = Outcome("a" * 32, OutcomeState.DONE, "shown")

    def test_an_action_begins_once(self, spool: Spool) -> None:
        assert spool.begin_action("a" * 32)
        spool.finish_action(self.done)
        assert drain(spool) == [self.done]
        assert not spool.begin_action("a" * 32)
        assert drain(spool) == [self.done]  # reported again, because headquarters asked again

    def test_an_action_that_was_cut_short_is_reported_as_failed(self, spool: Spool) -> None:
        assert spool.begin_action("a" * 32)
        assert not spool.begin_action("a" * 32)
        [outcome] = drain(spool)
        assert isinstance(outcome, Outcome)
        assert outcome.state is OutcomeState.FAILED

    def test_a_notice_is_kept_once_and_its_outcome_told_each_time(self, spool: Spool) -> None:
        assert spool.add_notice(self.notice, outcome=self.done)
        assert not spool.add_notice(self.notice, outcome=self.done)
        assert spool.notices() == (self.notice,)
        assert drain(spool) == [self.done, self.done]

    def test_a_later_other_outcome_changes_nothing(self, spool: Spool) -> None:
        spool.add_notice(self.notice, outcome=self.done)
        spool.finish_action(Outcome("a" * 32, OutcomeState.EXPIRED))
        assert drain(spool) == [self.done, self.done]


def test_notes_and_watch_levels_are_for_the_other_process(tmp_path: Path, clock: HandClock) -> None:
    link, observe = (Spool.open(tmp_path / "spool.db", clock=clock) for _ in range(2))
    link.note("link", {"state": "connected"})
    link.set_watch_levels([WatchLevel("load1", above=8.0), WatchLevel("free", below=1.0)])
    assert observe.notes() == {"link": {"state": "connected", "at_ns": clock.wall}}
    assert observe.watch_levels() == (WatchLevel("load1", above=8.0), WatchLevel("free", below=1.0))
    link.close()
    observe.close()


def test_the_state_counts_what_is_held(spool: Spool) -> None:
    spool.append([seen(log(number), at=number + 1) for number in range(5)])
    spool.seal(1_000_000, 2)
    state = spool.state()
    assert (state.held, state.unacked, state.oldest_ns, state.last_sealed_seq, state.level) == (5, 1, 1, 1, "ok")
    assert 0 < state.bytes < state.bytes_max == 512 * 1024 * 1024


def test_the_bell_wakes_the_listener(spool: Spool, tmp_path: Path, clock: HandClock) -> None:
    listener = Spool.open(tmp_path / "spool.db", clock=clock)
    descriptor = listener.bell.listen()
    assert descriptor is not None
    before = listener.changed()
    spool.append([seen(log(1))])
    assert os.read(descriptor, 10)
    assert listener.changed() != before
    listener.close()
    spool.append([seen(log(2))])  # nobody listens any more: no harm


def test_two_writers_at_once_lose_nothing(tmp_path: Path, clock: HandClock) -> None:
    """Two connections, as observe and link have them, from two threads."""
    observe, link = (Spool.open(tmp_path / "spool.db", clock=clock) for _ in range(2))
    done = threading.Event()
    found: list[What] = []

    def write() -> None:
        for number in range(300):
            observe.append([seen(log(number))])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        found += drain(link)
    writer.join()
    found += drain(link)
    assert found == [log(number) for number in range(300)]
    observe.close()
    link.close()
