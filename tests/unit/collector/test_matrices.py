"""Arrays and the codec of the wire read and write the same blocks."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_collector.store import matrices
from sitewarden_protos import blocks as codec
from sitewarden_protos.blocks import BlockError

DOUBLES = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0]) | st.floats()


@st.composite
def samples(draw: st.DrawFn) -> tuple[list[int], list[list[float]]]:
    ticks, series = draw(st.integers(0, 12)), draw(st.integers(0, 5))
    times = draw(st.lists(st.integers(0, 2**62), min_size=ticks, max_size=ticks))
    columns = [draw(st.lists(DOUBLES, min_size=ticks, max_size=ticks)) for _ in range(series)]
    return times, columns


def bits(columns: object) -> bytes:
    return np.ascontiguousarray(np.array(columns, np.float64)).tobytes()


@given(samples())
def test_what_the_codec_wrote_arrays_read_bit_by_bit(given_samples: tuple[list[int], list[list[float]]]) -> None:
    times, columns = given_samples
    read, matrix = matrices.opened(codec.encode(times, columns), series=len(columns))
    assert read.tolist() == times
    assert matrix.shape == (len(columns), len(times))
    assert matrix.tobytes() == b"".join(struct.pack(f"<{len(times)}d", *column) for column in columns)


@given(samples())
def test_what_arrays_wrote_is_the_very_block_of_the_codec(given_samples: tuple[list[int], list[list[float]]]) -> None:
    times, columns = given_samples
    read, matrix = matrices.opened(codec.encode(times, columns), series=len(columns))
    assert matrices.closed(read, matrix) == codec.encode(times, columns)


def test_some_series_come_in_the_order_asked_for() -> None:
    block = codec.encode([1, 2], [[1.0, 2.0], [3.0, math.nan], [5.0, 6.0]])
    _, matrix = matrices.opened(block, series=3, wanted=[2, 0])
    assert matrix.tolist() == [[5.0, 6.0], [1.0, 2.0]]


def test_a_damaged_block_is_refused() -> None:
    block = codec.encode([1, 2], [[1.0, 2.0]])
    with pytest.raises(BlockError):
        matrices.opened(block[:-3], series=1)
    with pytest.raises(BlockError):
        matrices.opened(block, series=2)


def test_values_that_do_not_fit_their_times_are_refused() -> None:
    with pytest.raises(BlockError, match="16 bytes"):
        codec.pack([1, 2, 3], bytes(16), series=1)


def test_sorting_by_time_keeps_the_order_of_equals() -> None:
    times, matrix = matrices.in_order(np.array([3, 1, 3, 2]), np.array([[30.0, 10.0, 31.0, 20.0]]))
    assert times.tolist() == [1, 2, 3, 3]
    assert matrix.tolist() == [[10.0, 20.0, 30.0, 31.0]]
