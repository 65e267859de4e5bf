"""What hours and days come to: the same as the samples say, and kept when the samples are gone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_collector.config import Retention
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import charts, growth, retention, rollups
from sitewarden_collector.store import sample_days, sample_hours, samples
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.sample_days import COUNT, HIGHEST, LAST, LOWEST, MEAN
from tests import cast
from tests.cast import DAY, HOUR, MINUTE, NOON
from tests.unit.collector.test_compaction import DISK, Host, minutes

NUMBERS = st.floats(-1e9, 1e9) | st.just(math.nan)


@pytest.fixture
def host(db: Database) -> Host:
    return Host(db)


@given(st.lists(st.lists(NUMBERS, min_size=1, max_size=20), min_size=1, max_size=8))
def test_the_figures_of_a_day_are_those_of_all_its_samples(hours: list[list[float]]) -> None:
    by_hour = [rollups.of_samples(np.array([column])) for column in hours]
    whole = rollups.of_hours(np.stack(by_hour, axis=2))[:, 0]
    there = [number for column in hours for number in column if number == number]
    assert whole[COUNT] == len(there)
    if there:
        assert (whole[LOWEST], whole[HIGHEST], whole[LAST]) == (min(there), max(there), there[-1])
        assert whole[MEAN] == pytest.approx(sum(there) / len(there), rel=1e-9, abs=1e-3)
    else:
        assert all(math.isnan(whole[figure]) for figure in (LOWEST, HIGHEST, MEAN, LAST))


def test_joining_hours_sums_them_up(host: Host) -> None:
    host.sends(*minutes(150))
    host.compacts(now_ns=NOON + 3 * HOUR)
    (brief,) = host.db.read_now(sample_days.briefs, host.agent.site_id, (DISK,), NOON, NOON + DAY)
    first = [number for at_ns, number in host.reads() if at_ns < NOON + HOUR]
    assert brief.times.tolist() == [NOON, NOON + HOUR]
    figures = brief.figures[:, 0]
    assert (figures[COUNT], figures[LOWEST], figures[HIGHEST]) == (360, min(first), max(first))
    assert figures[LAST] == first[-1]
    assert figures[MEAN] == pytest.approx(sum(first) / 360)


def test_what_comes_late_is_summed_up_anew_and_counted_once(host: Host) -> None:
    host.sends(*minutes(30))
    host.compacts()
    host.sends(*minutes(60)[30:])
    host.compacts()
    (brief,) = host.db.read_now(sample_days.briefs, host.agent.site_id, (DISK,), NOON, NOON + DAY)
    assert brief.figures[COUNT].tolist() == [360]


def test_what_comes_when_its_hour_is_forgotten_is_added_to_what_was_known(host: Host) -> None:
    host.sends(cast.samples(0.2, 0.4, start_ns=NOON + MINUTE))
    host.compacts()
    host.db.write_now(retention.step, Retention(samples_days=30), now_ns=NOON + 40 * DAY)
    assert host.counts(sample_hours.hours) == 0
    host.sends(cast.samples(0.9, start_ns=NOON, told=False))
    host.compacts()
    (brief,) = host.db.read_now(sample_days.briefs, host.agent.site_id, (DISK,), NOON, NOON + DAY)
    figures = brief.figures[:, 0]
    assert (figures[COUNT], figures[LOWEST], figures[HIGHEST], figures[LAST]) == (3, 0.2, 0.9, 0.4)
    assert figures[MEAN] == pytest.approx(0.5)


def test_the_newest_of_what_comes_late_is_the_last_only_if_it_is_newer(host: Host) -> None:
    host.sends(cast.samples(0.2, start_ns=NOON + 10 * MINUTE))
    host.compacts()
    host.sends(cast.samples(0.1, start_ns=NOON, told=False))
    host.compacts()
    (brief,) = host.db.read_now(sample_days.briefs, host.agent.site_id, (DISK,), NOON, NOON + DAY)
    assert brief.figures[LAST].tolist() == [0.2]
    host.sends(cast.samples(0.3, start_ns=NOON + 20 * MINUTE, told=False))
    host.compacts()
    (brief,) = host.db.read_now(sample_days.briefs, host.agent.site_id, (DISK,), NOON, NOON + DAY)
    assert brief.figures[LAST].tolist() == [0.3]
    assert brief.figures[COUNT].tolist() == [3]


def test_hours_that_rest_in_one_block_are_summed_up_each_for_itself(host: Host) -> None:
    numbers = [(0.1, 0.3), (0.5,), (0.9, math.nan, 0.7)]
    for hour, some in enumerate(numbers):
        host.sends(cast.samples(*some, start_ns=NOON + hour * HOUR, told=hour == 0))
    host.compacts(now_ns=NOON + 5 * HOUR)
    (brief,) = host.db.read_now(sample_days.briefs, host.agent.site_id, (DISK,), NOON, NOON + DAY)
    assert brief.figures[COUNT].tolist() == [2, 1, 2]
    assert brief.figures[HIGHEST].tolist() == [0.3, 0.5, 0.9]
    assert brief.figures[LAST].tolist() == [0.3, 0.5, 0.7]


@given(st.lists(st.lists(NUMBERS, min_size=1, max_size=9), min_size=1, max_size=6))
def test_hours_of_one_matrix_come_to_what_each_comes_to_alone(hours: list[list[float]]) -> None:
    matrix = np.array([[number for column in hours for number in column]])
    of_tick = np.array([hour for hour, column in enumerate(hours) for _ in column])
    backwards = len(hours) - 1 - of_tick[::-1]
    first, second = rollups.by_hour(np.stack([matrix, matrix[:, ::-1]]), np.stack([of_tick, backwards]))
    assert [hour for hour, _ in first] == [hour for hour, _ in second] == list(range(len(hours)))
    for hour, figures in first:
        alone = rollups.of_samples(np.array([hours[hour]]))
        assert figures == pytest.approx(alone, rel=1e-9, abs=1e-3, nan_ok=True)
    for hour, figures in second:
        alone = rollups.of_samples(np.array([hours[::-1][hour][::-1]]))
        assert figures == pytest.approx(alone, rel=1e-9, abs=1e-3, nan_ok=True)


def test_an_hour_in_parts_is_summed_up_as_a_whole(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sitewarden_collector.services.compaction.TICKS_MAX", 100)
    host.sends(*minutes(60))
    host.compacts()
    host.sends(*minutes(2, start_ns=NOON + 30 * MINUTE))
    host.compacts()
    (brief,) = host.db.read_now(sample_days.briefs, host.agent.site_id, (DISK,), NOON, NOON + DAY)
    assert brief.figures[COUNT].tolist() == [372]


def test_a_month_is_drawn_from_hours_with_its_highest_peak(host: Host) -> None:
    spike = 20 * DAY
    for day in range(30):
        peak = 0.97 if day * DAY == spike else 0.5
        host.sends(cast.samples(0.4, peak, 0.45, start_ns=NOON + day * DAY, told=day == 0))
    now_ns = NOON + 30 * DAY
    host.compacts(now_ns=now_ns)
    host.sends(cast.samples(0.41, 0.42, start_ns=now_ns - MINUTE, told=False))
    kind = charts.Kind(DISK, ("mount",), "%")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(charts.KINDS, "test", kind)
        drawn = host.db.read_now(
            charts.charts, host.agent.site_id, ["test"], since_ns=now_ns - 31 * DAY, until_ns=now_ns
        )
    (line,) = drawn["test"].lines
    assert max(number for _, number in line.points) == 0.97
    assert line.points[-1][1] == 0.42
    assert len(line.points) == 62


def test_rollups_outlive_the_samples_and_go_in_their_time(host: Host) -> None:
    host.sends(*minutes(60))
    host.compacts()
    policy = Retention(samples_days=30, rollups_days=60)

    def forget(now_ns: int) -> None:
        host.db.write_now(retention.step, policy, now_ns=now_ns)

    forget(NOON + 40 * DAY)
    assert (host.counts(sample_hours.hours), host.counts(sample_days.days)) == (0, 1)
    forget(NOON + 62 * DAY)
    assert host.counts(sample_days.days) == 0


def test_the_sites_that_grew_most_come_first(db: Database) -> None:
    for number, (before, now) in enumerate([(0.2, 0.3), (0.5, 0.9), (0.4, 0.39)]):
        host = Host(db, site=f"site-{number}")
        host.sends(cast.samples(0.1, before))
        host.compacts(now_ns=NOON + 7 * DAY)
        host.sends(cast.samples(now, start_ns=NOON + 7 * DAY, told=False))
    grown = db.read_now(growth.top, DISK, days=7, count=2, now_ns=NOON + 7 * DAY + HOUR)
    assert [(one.site, one.hostname) for one in grown] == [("site-1", "web-1"), ("site-0", "web-1")]
    assert grown[0].by == pytest.approx(0.4)
    assert grown[0].share == pytest.approx(0.8)
    assert db.read_now(growth.top, DISK, days=6, count=2, now_ns=NOON + 7 * DAY + HOUR) == []
    with pytest.raises(Invalid, match="730 days"):
        db.read_now(growth.top, DISK, days=0, count=2, now_ns=NOON)


def test_a_series_that_fell_silent_does_not_grow(db: Database) -> None:
    host = Host(db)
    host.sends(cast.samples(0.1, 0.2))
    host.compacts(now_ns=NOON + 7 * DAY)
    assert db.read_now(growth.top, DISK, days=7, count=5, now_ns=NOON + 7 * DAY) == []
    assert len(db.read_now(samples.last_of, DISK, since_ns=0)) == 1
