"""Blocks of hours give back every bit, whatever the series are, and are small where series are ordinary."""

from __future__ import annotations

import math
import random
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_collector.services import rollups
from sitewarden_collector.store import day_hours, matrices, resting
from sitewarden_collector.store.matrices import Matrix
from sitewarden_protos import blocks as codec
from sitewarden_protos.blocks import BlockError
from tests.cast import NOON, SECOND

ANY = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0]) | st.floats()
DECIMALS = st.builds(
    lambda number, places: round(number / 10**places, places), st.integers(-(10**6), 10**6), st.integers(0, 6)
)
WHOLE = st.integers(-(2**60), 2**60).map(float) | st.integers(0, 2**20).map(lambda pages: pages * 4096.0)
KINDS = st.sampled_from([ANY, DECIMALS, WHOLE, st.sampled_from([0.0, -0.0, math.nan, math.inf, 1.5])])


@st.composite
def samples(draw: st.DrawFn) -> tuple[list[int], list[list[float]]]:
    ticks, series = draw(st.integers(1, 12)), draw(st.integers(1, 6))
    steady = draw(st.booleans())
    times = [draw(st.integers(0, 2**61))] * ticks if steady else []
    times = [at + tick * 10 * SECOND for tick, at in enumerate(times)]
    times = times or draw(st.lists(st.integers(0, 2**62), min_size=ticks, max_size=ticks))
    columns = [draw(st.lists(draw(KINDS), min_size=ticks, max_size=ticks)) for _ in range(series)]
    return times, columns


def bits(columns: object) -> bytes:
    return np.ascontiguousarray(np.array(columns, np.float64)).tobytes()


@given(samples())
def test_every_bit_comes_back(given_samples: tuple[list[int], list[list[float]]]) -> None:
    times, columns = given_samples
    block = resting.closed(np.array(times), np.array(columns))
    read, matrix = matrices.opened(block, series=len(columns))
    assert read.tolist() == times
    assert bits(matrix) == bits(columns)
    wanted = [len(columns) - 1, 0]
    assert bits(matrices.opened(block, series=len(columns), wanted=wanted)[1]) == bits([columns[at] for at in wanted])


@given(st.lists(samples(), min_size=1, max_size=5), st.integers(0, 2**40))
def test_many_blocks_opened_in_one_go_are_as_if_one_by_one(
    some: list[tuple[list[int], list[list[float]]]], shift_ns: int
) -> None:
    series = min(len(columns) for _, columns in some)
    blocks = [codec.encode(times, columns[:series]) for times, columns in some]
    times, matrix = matrices.joined(blocks, [shift_ns] * len(blocks), series=series)
    singly = [matrices.opened(block, series=series) for block in blocks]
    assert times.tolist() == [at + shift_ns for one, _ in singly for at in one.tolist()]
    assert bits(matrix) == bits(np.concatenate([one for _, one in singly], axis=1))


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 5), st.integers(1, 12), st.data())
def test_blocks_of_many_hosts_are_as_if_each_were_opened_and_closed_alone(
    hosts: int, blocks: int, series: int, ticks: int, data: st.DataObject
) -> None:
    column = data.draw(KINDS)
    numbers = data.draw(
        st.lists(column, min_size=hosts * series * blocks * ticks, max_size=hosts * series * blocks * ticks)
    )
    stack = np.array(numbers).reshape(hosts, series, blocks * ticks)
    times = np.sort(np.array([[host * 7 + tick * tick for tick in range(blocks * ticks)] for host in range(hosts)]))
    raw = [
        codec.encode(times[host, begin : begin + ticks].tolist(), stack[host, :, begin : begin + ticks].tolist())
        for host in range(hosts)
        for begin in range(0, blocks * ticks, ticks)
    ]
    shifts = list(range(len(raw)))
    read, opened = matrices.stacked(raw, shifts, hosts=hosts, series=series)
    assert bits(opened) == bits(stack)
    assert read.tolist() == (times + np.repeat(shifts, ticks).reshape(hosts, -1)).tolist()
    for place, block in enumerate(resting.closed_all(times, opened)):
        assert block == resting.closed(times[place], stack[place])
        back = resting.opened(block, series=series)
        assert (back[0].tolist(), bits(back[1])) == (times[place].tolist(), bits(stack[place]))


def test_blocks_of_as_many_ticks_may_tick_unevenly() -> None:
    blocks = [codec.encode([begin, begin + 7, begin + 9 + begin], [[1.0, 2.0, 3.0]]) for begin in (5, 100, 2**40)]
    times, _ = matrices.joined(blocks, [0, 1, 2], series=1)
    assert times.tolist() == [5, 12, 19, 101, 108, 210, 2**40 + 2, 2**40 + 9, 2**41 + 11]


def test_ordinary_series_rest_in_less_than_a_byte_a_sample() -> None:
    block = resting.closed(NOON + np.arange(360) * 10 * SECOND, _walks(40, 360))
    assert len(block) < 0.8 * 40 * 360


def test_a_series_that_stands_still_costs_next_to_nothing() -> None:
    block = resting.closed(NOON + np.arange(360) * 10 * SECOND, np.full((40, 360), 8_323_670_016.0))
    assert len(block) < 120


@pytest.mark.parametrize("steady", [True, False])
def test_a_damaged_block_is_refused(steady: bool) -> None:
    times = np.arange(60) * 10 * SECOND + (0 if steady else np.arange(60) ** 2)
    block = resting.closed(times, _walks(3, 60))
    with pytest.raises(BlockError, match="2 in its schema"):
        matrices.opened(block, series=2)
    for cut in range(1, len(block)):
        with pytest.raises(BlockError):
            resting.opened(block[:cut], series=3)
    for place in range(24, len(block)):
        damaged = block[:place] + bytes([block[place] ^ 0x55]) + block[place + 1 :]
        with pytest.raises(BlockError):
            resting.opened(damaged, series=3)


def test_a_damaged_block_of_an_agent_is_refused_among_others() -> None:
    good = codec.encode([1, 2, 4], [[1.0, 2.0, 3.0]])
    for bad in (good[:10], good[:-3], codec.encode([1, 2, 4], [[1.0, 2.0, 3.0]] * 2), b"\x07" + good[1:]):
        with pytest.raises(BlockError):
            matrices.joined([good, bad], [0, 0], series=1)


@pytest.mark.parametrize("digits", [20, 2, 0])
def test_hours_of_a_day_come_back_however_they_were_added(digits: int) -> None:
    chance = np.random.default_rng(4)
    figures = _figures(np.round(chance.normal(0, 30, size=(3, 24, 60)), digits))
    data = day_hours.closed([480_000, 480_002], figures[:, :, :2])
    for place in (3, 4):
        data += day_hours.closed([480_000 + place], figures[:, :, place - 1 : place])
    assert day_hours.newest(data) == (480_004, 4)
    hours, read = day_hours.opened(data, series=3)
    assert hours.tolist() == [480_000, 480_002, 480_003, 480_004]
    assert alike(read, figures[:, :, :4])
    hours, read = day_hours.opened(data, series=3, wanted=[2, 0])
    assert alike(read, figures[:, [2, 0], :4])
    assert day_hours.newest(b"") == (0, 0)
    assert day_hours.opened(b"", series=3)[1].shape == (5, 3, 0)
    for cut in (-1, 12, 5):
        with pytest.raises(BlockError):
            day_hours.opened(data[:cut], series=3)
    with pytest.raises(BlockError):
        day_hours.opened(data, series=4)


@given(st.lists(samples(), min_size=1, max_size=4), st.integers(1, 4))
def test_what_hours_came_to_comes_back_whatever_it_is(
    some: list[tuple[list[int], list[list[float]]]], hosts: int
) -> None:
    series = min(len(columns) for _, columns in some)
    of_hour = [_figures(np.array(columns[:series])[:, np.newaxis, :])[:, :, 0] for _, columns in some]
    figures = np.stack([np.stack(of_hour[place:] + of_hour[:place], axis=2) for place in range(hosts)])
    parts = day_hours.closed_all(list(range(len(some))), figures)
    for part, its in zip(parts, figures, strict=True):
        assert alike(day_hours.opened(part, series=series)[1], its)
    days = day_hours.closed_all([7], figures[..., :1])
    read = day_hours.opened_all(days, series=series, wanted=[0])
    assert all(alike(one, its[:, :1, 0]) for one, its in zip(read, figures, strict=True))


def test_what_a_day_came_to_rests_in_a_few_bytes() -> None:
    ordinary = _figures(_walks(40, 24 * 360).reshape(40, 24, 360))
    assert len(day_hours.closed(range(24), ordinary)) < 7 * 40 * 24


def alike(read: Matrix, given_: Matrix) -> bool:
    """All to the bit, but the mean, which is one of sums that are exact."""
    rest = [figure for figure in range(len(day_hours.FIGURES)) if figure != day_hours.MEAN]
    means = read[day_hours.MEAN] == pytest.approx(given_[day_hours.MEAN], rel=1e-11, abs=0, nan_ok=True)
    return means and bits(read[rest]) == bits(given_[rest])


def _figures(numbers: Matrix) -> Matrix:
    """What series x hours x ticks come to: figures x series x hours."""
    return np.stack([rollups.of_samples(numbers[:, hour]) for hour in range(numbers.shape[1])], axis=2)


def _walks(series: int, ticks: int) -> Matrix:
    chance, columns = random.Random(2), []
    for place in range(series):
        level, column = chance.uniform(10, 1000), []
        for _ in range(ticks):
            level += chance.gauss(0, 3) if chance.random() < 0.7 else 0
            column.append(float(round(level)) if place % 2 else round(level, 1))
        columns.append(column)
    return np.array(columns)
