"""The sample block gives back what went in, costs little, and refuses what it did not make."""

from __future__ import annotations

import contextlib
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_protos.blocks import BlockError, decode, encode, ticks_of, unpack, values

any_double = st.floats(allow_nan=True, allow_infinity=True, width=64)


def _bits(numbers: object) -> bytes:
    return b"".join(struct.pack("<d", value) for value in numbers)  # type: ignore[attr-defined]


@given(st.data())
def test_what_goes_in_comes_out_to_the_bit(data: st.DataObject) -> None:
    ticks = data.draw(st.integers(0, 70))
    times = data.draw(st.lists(st.integers(0, 2**62), min_size=ticks, max_size=ticks))
    columns = data.draw(st.lists(st.lists(any_double, min_size=ticks, max_size=ticks), max_size=5))
    decoded_times, decoded = decode(encode(times, columns), series=len(columns))
    assert decoded_times == tuple(times)
    assert [_bits(column) for column in decoded] == [_bits(column) for column in columns]


@given(st.data())
def test_the_values_alone_are_the_same_as_with_their_times(data: st.DataObject) -> None:
    ticks = data.draw(st.integers(0, 20))
    columns = data.draw(st.lists(st.lists(any_double, min_size=ticks, max_size=ticks), max_size=5))
    block = encode(range(ticks), columns)
    assert ticks_of(block) == ticks
    assert values(block, series=len(columns)) == unpack(block, series=len(columns))[1]
    with pytest.raises(BlockError):
        values(block, series=len(columns) + 1)
    if ticks and columns:
        with pytest.raises(BlockError):
            values(block[:-1], series=len(columns))


@given(st.data())
def test_some_columns_are_the_same_as_out_of_all(data: st.DataObject) -> None:
    ticks = data.draw(st.integers(0, 20))
    columns = data.draw(st.lists(st.lists(any_double, min_size=ticks, max_size=ticks), min_size=1, max_size=5))
    wanted = data.draw(st.lists(st.integers(0, len(columns) - 1), max_size=5))
    _, some = decode(encode(range(ticks), columns), series=len(columns), wanted=wanted)
    assert [_bits(column) for column in some] == [_bits(columns[at]) for at in wanted]


def test_a_minute_of_ordinary_health_costs_about_a_byte_and_a_half_a_sample() -> None:
    times = [1_700_000_000_000_000_000 + tick * 1_000_000_000 for tick in range(60)]
    columns = [[round(0.2 + 0.1 * math.sin(tick / 9 + n), 3) for tick in range(60)] for n in range(10)]
    columns += [[float(10**9 + tick * 4096 * n) for tick in range(60)] for n in range(20)]
    columns += [[42.0 * n] * 60 for n in range(10)]
    assert len(encode(times, columns)) < 1.6 * 60 * 40


@given(st.binary(max_size=200))
def test_bytes_from_outside_are_refused_or_decoded_but_never_raise_anything_else(noise: bytes) -> None:
    with contextlib.suppress(BlockError):
        decode(noise, series=1)


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_block_never_decodes_to_something_else(at: int, flip: int) -> None:
    times, columns = [5, 10, 15, 21], [[1.0, 2.0, 3.0, 4.0], [0.5, 0.25, 9.0, -1.0]]
    block = encode(times, columns)
    damaged = bytearray(block)
    damaged[at % len(block)] ^= flip
    try:
        decoded_times, decoded = decode(bytes(damaged), series=2)
    except BlockError:
        return
    # The header's first time is the one field without a checksum of its own: the batch that carries it has one.
    assert [step - decoded_times[0] for step in decoded_times] == [0, 5, 10, 16]
    assert [list(column) for column in decoded] == columns


def test_a_small_block_cannot_state_a_huge_size() -> None:
    with pytest.raises(BlockError, match="at most"):
        decode(struct.pack("<BBHIqI", 1, 0, 4000, 60_000, 0, 0), series=4000)


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(BlockError, match="3 values"):
        encode([1, 2, 3], [[1.0, 2.0]])
