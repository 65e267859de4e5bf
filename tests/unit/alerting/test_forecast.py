"""The forecast says when something is full, how sure that is, and nothing where nothing can be said."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_alerting.forecast import Reach, Trend, fit, foresee, reaches

SECOND = 1_000_000_000
DAY_S = 86_400
NOON = 1_795_521_600 * SECOND
GIB = 2.0**30


def times(count: int, step_s: float) -> list[int]:
    return [NOON + round(i * step_s * SECOND) for i in range(count)]


def reach_of(at: list[int], values: list[float], limit: float, *, trust_spans: float = 8) -> Reach | None:
    seen = foresee(at, values, limit, trust_spans=trust_spans)
    return None if seen is None else seen[1]


def test_a_folder_that_fills_within_a_minute_is_foreseen_from_a_few_points() -> None:
    at = times(8, 2)
    reach = reach_of(at, [10.0 * i for i in range(8)], 300)
    assert reach is not None
    assert reach.at_ns == pytest.approx(NOON + 60 * SECOND, abs=SECOND)
    assert reach.early_ns <= reach.at_ns <= (reach.late_ns or 0)


def test_a_fill_that_begins_after_a_long_calm_is_foreseen_within_seconds() -> None:
    at = times(200, 10)
    values = [100.0] * 196 + [150.0, 200.0, 250.0, 300.0]
    reach = reach_of(at, values, 600)
    assert reach is not None
    assert reach.at_ns == pytest.approx(at[-1] + 60 * SECOND, abs=10 * SECOND)


def test_a_disk_that_fills_over_weeks_is_foreseen_within_its_interval_in_spite_of_noise() -> None:
    dice = random.Random(7)
    at = times(7 * 24 * 6, 600)
    values = [60 * GIB + 3 * GIB * i / 144 + dice.gauss(0, 0.5 * GIB) for i in range(len(at))]
    reach = reach_of(at, values, 100 * GIB)
    full_ns = NOON + round((100 - 60) / 3 * DAY_S * SECOND)
    assert reach is not None
    assert reach.late_ns is not None
    assert reach.early_ns - DAY_S * SECOND // 4 <= full_ns <= reach.late_ns + DAY_S * SECOND // 4
    assert abs(reach.at_ns - full_ns) < DAY_S * SECOND


def test_a_log_that_is_rotated_again_and_again_never_fills_the_disk() -> None:
    at = times(600, 60)
    values = [40 + 50 * (i % 60) / 60 for i in range(600)]
    for end in range(200, 600, 7):
        assert reach_of(at[:end], values[:end], 100) is None


def test_a_value_on_its_way_back_to_where_it_fell_from_once_is_no_forecast_at_the_same_pace() -> None:
    at = times(150, 600)
    values = [20 + i / 2 for i in range(100)] + [20 + i / 2 for i in range(50)]
    assert reach_of(at, values, 100) is None
    faster = [20 + i / 2 for i in range(100)] + [20 + 1.5 * i for i in range(50)]
    assert reach_of(at, faster, 100) is not None


def test_hours_told_by_their_lowest_and_highest_show_the_teeth_within() -> None:
    at = times(96, 1800)
    assert reach_of(at, [40.0 if i % 2 else 89.0 for i in range(96)], 100) is None


def test_teeth_that_grow_reach_the_limit_by_their_peaks() -> None:
    at = times(600, 60)
    values = [20 + 50 * (i % 60) / 60 + i / 30 for i in range(600)]
    reach = reach_of(at, values, 100)
    assert reach is not None
    assert at[-1] < reach.at_ns < at[-1] + 8 * 3600 * SECOND


def test_a_tooth_that_does_not_fall_when_it_always_did_is_believed() -> None:
    at = times(500, 60)
    values = [10 + (i % 60) / 2 for i in range(400)] + [10 + (i - 360) / 2 for i in range(400, 500)]
    reach = reach_of(at, values, 120)
    assert reach is not None


def test_a_cleanup_starts_the_forecast_anew() -> None:
    at = times(40, 10)
    values = [float(50 + i) for i in range(20)] + [float(i) for i in range(20)]
    reach = reach_of(at, values, 60)
    assert reach is not None
    assert reach.at_ns == pytest.approx(at[-1] + 410 * SECOND, abs=20 * SECOND)


def test_a_growth_that_stopped_reaches_nothing() -> None:
    at = times(100, 60)
    assert reach_of(at, [min(50.0, float(i)) for i in range(100)], 80) is None


def test_a_short_burst_on_a_large_disk_is_no_forecast() -> None:
    at = times(360, 10)
    values = [100.0] * 350 + [100.0 + 1.0 * i for i in range(10)]
    assert reach_of(at, values, 10_000) is None


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0, 3.0], [math.nan] * 20])
def test_too_little_says_nothing(values: list[float]) -> None:
    assert foresee(times(len(values), 10), values, 100, trust_spans=8) is None


def test_points_within_a_moment_say_nothing() -> None:
    assert fit(times(50, 0.01), [float(i) for i in range(50)]) is None


@given(
    slope=st.floats(1e-3, 1e6),
    spread=st.floats(0, 0.9),
    level=st.floats(0, 1e9),
    limits=st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)),
)
def test_a_higher_limit_is_never_reached_earlier(
    slope: float, spread: float, level: float, limits: tuple[float, float]
) -> None:
    trend = Trend(NOON, level, slope, slope * (1 - spread), slope * (1 + spread), 10**18, 50)
    low, high = (reaches(trend, limit, trust_spans=1e9) for limit in sorted(limits))
    assert low is not None
    assert high is not None
    assert low.at_ns <= high.at_ns
    assert low.early_ns <= high.early_ns
    assert (low.late_ns or 0) <= (high.late_ns or 0)
    for reach in (low, high):
        assert reach.early_ns <= reach.at_ns <= (reach.late_ns or reach.at_ns)


@given(
    values=st.lists(st.integers(0, 1000), min_size=5, max_size=80),
    step_s=st.sampled_from((1.0, 10.0, 3600.0)),
    shift=st.integers(-(10**6), 10**6),
)
def test_a_forecast_moves_with_its_data(values: list[int], step_s: float, shift: int) -> None:
    at = times(len(values), step_s)
    here = fit(at, [float(value) for value in values])
    there = fit([t + shift * SECOND for t in at], [float(value) for value in values])
    if here is None or there is None:
        assert here is there
        return
    assert there.at_ns - here.at_ns == shift * SECOND
    assert there.slope == pytest.approx(here.slope, rel=1e-9, abs=1e-12)
    assert here.slope_low <= here.slope <= here.slope_high or here.slope <= here.slope_high
