"""How samples rest once their hour is over: a block that only the collector reads, smaller than the wire's, as exact.

Most of what hosts count is whole numbers, or numbers with a few decimals: such a series rests as the differences of
whole numbers, in as many bytes as the largest needs. A series is kept so only after each of its doubles was seen to
come back bit by bit; any other, and one with NaN, rests as on the wire (XOR with the value before). A matrix is
series x ticks of doubles; times are int64, UTC nanoseconds. Bytes that are damaged are refused with BlockError.

Layout, version 2, little-endian (the version stands where the wire's stands):

    offset  size  field
    0       1     version (2)
    1       1     flags (1: all times keep one step)
    2       2     series
    4       4     ticks
    8       8     first time, UTC nanoseconds
    16      8     the step; without the flag the length of the time stream
    24      ...   time stream, without the flag: zstd(byte shuffle(zigzag of the second differences))
    ...     ...   value stream: zstd(decimals of each series, shifts, widths, byte shuffle(first words), planes)

The words of a series are the whole numbers that its values are times 10**decimals, or the bits of its doubles
(decimals 255). What follows the first word is what changes: the difference, or the XOR; shifted right by `shift`, and
a difference zigzag. Plane n holds byte n of the changes of those series whose width is more than n, the widest first.
Not here: where blocks rest, and the wire's (`matrices`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sitewarden_collector.store import zipped
from sitewarden_protos.blocks import SERIES_MAX, TICKS_MAX, VALUES_MAX, BlockError

Times = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float64]
Samples = tuple[Times, Matrix]
Words = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

VALUES_TOGETHER = 32_768
"""Of hosts alike that are worked on together: as many as stay in the processor's cache."""
VERSION = 2
VERSION_BYTE = bytes([VERSION])
_HEADER = struct.Struct("<BBHIqq")
_ONE_STEP = 1
_OF_SERIES = 3 + 8  # bytes: decimals, shift, width and first word
RAW = 255  # decimals of a series that is no whole numbers
DECIMALS_MAX = 6
POWERS = np.power(10.0, np.arange(DECIMALS_MAX + 1))
_TRIED = 4
_WIDTHS = np.array([1 << (8 * width) for width in range(8)], np.uint64)
_SIGNED_WIDTHS = np.array([0, *(1 << (8 * width - 1) for width in range(1, 8))], np.int64)
"""The least numbers that need one byte more, and of numbers that have a sign."""
_NARROW = [np.dtype(f"<i{size}") for size in (1, 1, 2, 4, 4, 8, 8, 8, 8)]


def closed(times_ns: Times, matrix: Matrix) -> bytes:
    """One block, of one tick at least. Raises BlockError when a bound of the wire's codec is passed."""
    return closed_all(times_ns[np.newaxis], matrix[np.newaxis])[0]


def closed_all(times_ns: Times, stack: Matrix) -> list[bytes]:
    """A block of each of some hosts with as many series and ticks: hosts x ticks of times, and hosts x series x ticks.
    What is done row by row is done for all at once, so of small blocks many together cost a fraction."""
    _check_size(*stack.shape[1:])
    heads = _headed(times_ns, stack.shape[1])
    return [head + zipped.closed(data) for head, data in zip(heads, _packed(stack), strict=True)]


def opened(block: bytes, *, series: int, wanted: Sequence[int] | None = None) -> Samples:
    """The times and the values of a block, or those of some of its series in their order. Raises BlockError."""
    if len(block) < _HEADER.size:
        raise BlockError("shorter than a block's header")
    version, flags, found, ticks, first, step = _HEADER.unpack_from(block)
    if version != VERSION or flags not in (0, _ONE_STEP):
        raise BlockError(f"version {version}, flags {flags}: no block of hours that this program knows")
    if found != series:
        raise BlockError(f"{found} series in the block, {series} in its schema")
    _check_size(series, ticks)
    body = memoryview(block)[_HEADER.size :]
    if flags == _ONE_STEP:
        times = first + step * np.arange(ticks, dtype=np.int64)
    else:
        if not 0 <= step <= len(body):
            raise BlockError("cut off within its times")
        times = _times(zipped.opened(body[:step], 8 * (ticks - 1), what="times"), first, ticks)
        body = body[step:]
    data = zipped.opened(body, series * (_OF_SERIES + 8 * (ticks - 1)), what="values")
    return times, _unpacked(np.frombuffer(data, np.uint8), series, ticks, wanted)


def unzigzagged(words: Words) -> Numbers:
    return (words >> np.uint64(1)).view(np.int64) ^ -(words & np.uint64(1)).view(np.int64)


def _headed(times_ns: Times, series: int) -> Iterator[bytes]:
    """Header and times of each host."""
    ticks = times_ns.shape[1]
    steps = times_ns[:, 1:] - times_ns[:, :-1]
    is_steady = (steps == steps[:, :1]).all(axis=1).tolist()
    for host, (first, steady) in enumerate(zip(times_ns[:, 0].tolist(), is_steady, strict=True)):
        if steady:
            yield _HEADER.pack(VERSION, _ONE_STEP, series, ticks, first, int(steps[host, 0]) if ticks > 1 else 0)
        else:
            times = zipped.closed(_shuffled(zigzag(np.diff(steps[host], prepend=0))))
            yield _HEADER.pack(VERSION, 0, series, ticks, first, len(times)) + times


def _packed(stack: Matrix) -> Iterator[bytes]:
    """What is to be zipped of each host."""
    hosts, series, ticks = stack.shape
    decimals, numbers = whole_numbers(stack.reshape(-1, ticks))
    changes, raw = numbers[:, 1:] - numbers[:, :-1], np.flatnonzero(decimals == RAW)
    xored = numbers[raw, 1:] ^ numbers[raw, :-1]
    changes[raw] = xored
    united = np.bitwise_or.reduce(changes, axis=1)
    # How many bits of all are zero below; none where nothing changes.
    shifts = np.bitwise_count((united & -united).view(np.uint64) - np.uint64(1)) & 63
    if len(shifted := np.flatnonzero(shifts)):
        changes[shifted] >>= shifts[shifted, np.newaxis].astype(np.int64)
    most = np.maximum(changes.max(axis=1, initial=0), ~changes.min(axis=1, initial=0))
    widths = np.searchsorted(_SIGNED_WIDTHS, most, side="right")
    widths[united == 0] = 0
    if len(raw):  # those have no sign
        by = shifts[raw].astype(np.uint64)
        widths[raw] = np.searchsorted(_WIDTHS, united[raw].view(np.uint64) >> by, side="right")
        changes[raw] = (xored.view(np.uint64) >> by[:, np.newaxis]).view(np.int64)
    heads = np.empty((hosts, _OF_SERIES, series), np.uint8)
    for place, column in enumerate((decimals, shifts, widths)):
        heads[:, place] = column.reshape(hosts, series)
    heads[:, 3:] = numbers[:, 0].copy().view(np.uint8).reshape(hosts, series, 8).transpose(0, 2, 1)
    alike = [_Alike.of(width, widths, changes, decimals, hosts) for width in range(8, 0, -1) if (widths == width).any()]
    for host in range(hosts):
        parts = [heads[host].tobytes()]
        for place in range(alike[0].width if alike else 0):
            parts += [one.planes[place][one.ends[host] : one.ends[host + 1]] for one in alike if one.width > place]
        yield b"".join(parts)


class _Alike(NamedTuple):
    """The changes of all rows of one width: their bytes plane by plane, and where in a plane each host's end."""

    width: int
    planes: list[bytes]
    ends: list[int]

    @staticmethod
    def of(width: int, widths: Numbers, changes: Numbers, decimals: Numbers, hosts: int) -> _Alike:
        rows = np.flatnonzero(widths == width)
        narrow = _NARROW[width]
        chosen = changes[rows].astype(narrow)
        words = zigzag(chosen)
        if len(unsigned := np.flatnonzero(decimals[rows] == RAW)):
            words[unsigned] = chosen[unsigned].view(words.dtype)
        ticks = chosen.shape[1]
        of_word = words.view(np.uint8).reshape(len(rows), ticks, narrow.itemsize)
        ends = np.searchsorted(rows, np.arange(hosts + 1) * (len(widths) // hosts)) * ticks
        return _Alike(width, [of_word[:, :, place].tobytes() for place in range(width)], ends.tolist())


def _unpacked(data: Bytes, series: int, ticks: int, wanted: Sequence[int] | None) -> Matrix:
    if len(data) < series * _OF_SERIES:
        raise BlockError("cut off within its series")
    decimals, shifts, widths = data[: 3 * series].reshape(3, series).astype(np.int64)
    counts = [int(np.count_nonzero(widths > place)) for place in range(int(widths.max(initial=0)))]
    if len(data) != series * _OF_SERIES + sum(counts) * (ticks - 1) or len(counts) > 8 or (shifts > 63).any():
        raise BlockError(f"{len(data)} bytes of {series} series of {ticks} ticks")
    if ((decimals > DECIMALS_MAX) & (decimals != RAW)).any():
        raise BlockError(f"more than {DECIMALS_MAX} decimals")
    rank = np.empty(series, np.int64)
    rank[np.argsort(-widths, kind="stable")] = np.arange(series)
    chosen = np.arange(series) if wanted is None else np.array(wanted, np.int64)
    rows = rank[chosen]  # where they stand among the planes
    words = np.zeros((len(rows), ticks), np.uint64)
    at = series * _OF_SERIES
    for place, count in enumerate(counts):
        plane = data[at : at + count * (ticks - 1)].reshape(count, ticks - 1)
        here = np.flatnonzero(rows < count)
        words[here, 1:] |= plane[rows[here]].astype(np.uint64) << np.uint64(8 * place)
        at += count * (ticks - 1)
    firsts = _unshuffled(data[3 * series : series * _OF_SERIES])[chosen]
    return _values(words, firsts, decimals[chosen], shifts[chosen])


def _values(words: Words, firsts: Words, decimals: Numbers, shifts: Numbers) -> Matrix:
    """The doubles of some series, out of the changes in all places but their first."""
    numbers = unzigzagged(words)
    if shifts.any():
        numbers <<= shifts[:, np.newaxis]
    numbers[:, 0] = firsts.view(np.int64)
    np.cumsum(numbers, axis=1, out=numbers)
    made: Matrix = numbers / POWERS[np.where(decimals == RAW, 0, decimals)][:, np.newaxis]
    raw = np.flatnonzero(decimals == RAW)
    if len(raw):
        xored = words[raw] << shifts[raw, np.newaxis].astype(np.uint64)
        xored[:, 0] = firsts[raw]
        made[raw] = np.bitwise_xor.accumulate(xored, axis=1).view(np.float64)
    return made


def whole_numbers(rows: Matrix) -> tuple[Numbers, Numbers]:
    """Of each row how many decimals its values have, and its values as whole numbers; RAW, and the bits of its values,
    where not every bit of each of them would come back."""
    # Few of a row are tried before all are looked at; and the first of all that does not fit is tried from then on.
    tried = rows[:, :: max(1, rows.shape[1] // _TRIED)].copy()
    decimals, numbers = np.full(len(rows), RAW), rows.view(np.int64).copy()
    left = np.arange(len(rows))
    with np.errstate(all="ignore"):
        for places, power in enumerate(POWERS):
            maybe = left[_as_whole(tried[left], power)[1].all(axis=1)]
            if len(maybe):
                whole, fits = _as_whole(rows[maybe], power)
                exact = fits.all(axis=1)
                decimals[maybe[exact]], numbers[maybe[exact]] = places, whole[exact]
                if len(others := np.flatnonzero(~exact)):
                    tried[maybe[others], 0] = rows[maybe[others], fits[others].argmin(axis=1)]
                left = left[decimals[left] == RAW]
                left = left[(tried[left, 0] != 0) | ~np.signbit(tried[left, 0])]  # -0.0 is no whole number at all
                if not len(left):
                    break
    return decimals, numbers


def _as_whole(rows: Matrix, power: float) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Times `power` as whole numbers, and which of them give back every bit."""
    whole = np.rint(rows * power).astype(np.int64)
    return whole, (whole / power).view(np.int64) == rows.view(np.int64)


def zigzag(numbers: Numbers) -> npt.NDArray[Any]:
    """Whole numbers of any size as unsigned ones of that size, small where they are near zero."""
    signs = numbers >> (8 * numbers.itemsize - 1)
    signs ^= numbers << 1
    return signs.view(f"u{numbers.itemsize}")


def _shuffled(words: Words) -> bytes:
    return np.ascontiguousarray(words).view(np.uint8).reshape(-1, 8).T.tobytes()


def _unshuffled(data: Bytes) -> Words:
    return np.ascontiguousarray(data.reshape(8, -1).T).view(np.uint64)[:, 0]


def _times(data: bytes, first: int, ticks: int) -> Times:
    if len(data) != 8 * (ticks - 1):
        raise BlockError(f"{len(data)} bytes of times where {8 * (ticks - 1)} belong")
    steps = np.cumsum(unzigzagged(_unshuffled(np.frombuffer(data, np.uint8))))
    return np.concatenate([[first], first + np.cumsum(steps)])


def _check_size(series: int, ticks: int) -> None:
    if ticks < 1 or series > SERIES_MAX or ticks > TICKS_MAX or series * ticks > VALUES_MAX:
        raise BlockError(f"{series} series of {ticks} ticks: at most {SERIES_MAX} and {TICKS_MAX}")
