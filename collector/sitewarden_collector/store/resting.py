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

VERSION = 2
VERSION_BYTE = bytes([VERSION])
_HEADER = struct.Struct("<BBHIqq")
_ONE_STEP = 1
_OF_SERIES = 3 + 8  # bytes: decimals, shift, width and first word
_RAW = 255  # decimals of a series that is no whole numbers
_DECIMALS_MAX = 6
_POWERS = np.power(10.0, np.arange(_DECIMALS_MAX + 1))
_VALUES_AT_ONCE = 65_536
_TRIED = 16  # ticks on which decimals are guessed before all are looked at
_WIDTHS = np.array([1 << (8 * width) for width in range(8)], np.uint64)


def closed(times_ns: Times, matrix: Matrix) -> bytes:
    """One block, of one tick at least. Raises BlockError when a bound of the wire's codec is passed."""
    return closed_all([(times_ns, matrix)])[0]


def closed_all(samples: Sequence[Samples]) -> list[bytes]:
    """A block of each, in their order; those with as many ticks are worked on together."""
    by_ticks: dict[int, list[int]] = {}
    for place, (times_ns, matrix) in enumerate(samples):
        _check_size(len(matrix), len(times_ns))
        by_ticks.setdefault(len(times_ns), []).append(place)
    made = [b""] * len(samples)
    for places in by_ticks.values():
        for some in _bounded(places, [samples[place][1].size for place in places]):
            packed = _packed([samples[place][1] for place in some])
            for place, data in zip(some, packed, strict=True):
                made[place] = _headed(*samples[place]) + zipped.closed(data)
    return made


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


def _headed(times_ns: Times, matrix: Matrix) -> bytes:
    """Header and times."""
    series, ticks = matrix.shape
    steps = times_ns[1:] - times_ns[:-1]
    flags, step, times = _ONE_STEP, int(steps[0]) if ticks > 1 else 0, b""
    if (steps != step).any():
        times = zipped.closed(_shuffled(_zigzag(np.diff(steps, prepend=0))))
        flags, step = 0, len(times)
    return _HEADER.pack(VERSION, flags, series, ticks, int(times_ns[0]), step) + times


def _bounded(places: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    """As many together as stay in the processor's cache."""
    some: list[int] = []
    total = 0
    for place, size in zip(places, sizes, strict=True):
        if some and total + size > _VALUES_AT_ONCE:
            yield some
            some, total = [], 0
        some.append(place)
        total += size
    yield some


def _packed(matrices: Sequence[Matrix]) -> Iterator[bytes]:
    """What is to be zipped of each, of matrices with as many ticks: all that is done row by row is done at once."""
    rows = np.concatenate(matrices) if len(matrices) > 1 else np.ascontiguousarray(matrices[0])
    decimals, numbers = _numbers(rows)
    changes = numbers[:, 1:] - numbers[:, :-1]
    raw = np.flatnonzero(decimals == _RAW)
    if len(raw):
        bits = rows.view(np.int64)[raw]
        numbers[raw], changes[raw] = bits, bits[:, 1:] ^ bits[:, :-1]
    united = np.bitwise_or.reduce(changes, axis=1)
    # How many bits of all are zero below; none where nothing changes.
    shifts = np.bitwise_count((united & -united).view(np.uint64) - np.uint64(1)) & 63
    if shifts.any():
        changes >>= shifts[:, np.newaxis].astype(np.int64)
    words = _zigzag(changes)
    if len(raw):
        words[raw] = (bits[:, 1:] ^ bits[:, :-1]).view(np.uint64) >> shifts[raw, np.newaxis].astype(np.uint64)
    most: Words = words.max(axis=1, initial=0)
    widths = np.searchsorted(_WIDTHS, most, side="right")
    heads = np.array([decimals, shifts, widths], np.uint8)
    firsts = np.ascontiguousarray(numbers[:, 0]).view(np.uint8).reshape(-1, 8)
    end = 0
    for matrix in matrices:
        begin, end = end, end + len(matrix)
        its = widths[begin:end]
        order = begin + np.argsort(-its, kind="stable")
        parts = [heads[:, begin:end].tobytes(), firsts[begin:end].T.tobytes()]
        for place in range(int(its.max(initial=0))):
            there = order[: np.count_nonzero(its > place)]
            parts.append((words[there] >> np.uint64(8 * place)).astype(np.uint8).tobytes())
        yield b"".join(parts)


def _unpacked(data: Bytes, series: int, ticks: int, wanted: Sequence[int] | None) -> Matrix:
    if len(data) < series * _OF_SERIES:
        raise BlockError("cut off within its series")
    decimals, shifts, widths = data[: 3 * series].reshape(3, series).astype(np.int64)
    counts = [int(np.count_nonzero(widths > place)) for place in range(int(widths.max(initial=0)))]
    if len(data) != series * _OF_SERIES + sum(counts) * (ticks - 1) or len(counts) > 8 or (shifts > 63).any():
        raise BlockError(f"{len(data)} bytes of {series} series of {ticks} ticks")
    if ((decimals > _DECIMALS_MAX) & (decimals != _RAW)).any():
        raise BlockError(f"more than {_DECIMALS_MAX} decimals")
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
    made: Matrix = numbers / _POWERS[np.where(decimals == _RAW, 0, decimals)][:, np.newaxis]
    raw = np.flatnonzero(decimals == _RAW)
    if len(raw):
        xored = words[raw] << shifts[raw, np.newaxis].astype(np.uint64)
        xored[:, 0] = firsts[raw]
        made[raw] = np.bitwise_xor.accumulate(xored, axis=1).view(np.float64)
    return made


def _numbers(matrix: Matrix) -> tuple[Numbers, Numbers]:
    """Of each series how many decimals its values have, and its values as whole numbers; _RAW where not every bit of
    each of them would come back."""
    with np.errstate(all="ignore"):
        tried = matrix[:, :: max(1, matrix.shape[1] // _TRIED)]
        powers = _POWERS[:, np.newaxis, np.newaxis]
        fits = (np.rint(tried * powers) / powers == tried).all(axis=2)
        decimals = np.where(fits.any(axis=0), fits.argmax(axis=0), _RAW)
        powers = _POWERS[np.where(decimals == _RAW, 0, decimals)][:, np.newaxis]
        numbers = np.rint(matrix * powers).astype(np.int64)
        exact = ((numbers / powers).view(np.int64) == matrix.view(np.int64)).all(axis=1)
    return np.where(exact, decimals, _RAW), numbers


def _zigzag(numbers: Numbers) -> Words:
    signs = numbers >> 63
    signs ^= numbers << 1
    return signs.view(np.uint64)


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
