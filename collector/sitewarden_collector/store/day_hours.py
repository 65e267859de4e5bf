"""The hours of a day in brief, as they rest in one row: what each hour came to, behind the one before.

An hour that is over is added behind what is there, which is not opened for it; a day that is full, or of which an hour
has changed, is written anew as one part. Pure. Not here: the table (`sample_days`), summing up (`services.rollups`).

What a series comes to rests as whole numbers where its lowest, highest and last come back bit by bit (`resting`), and
its mean to a part in 10**12, as a sum that is exact. All but the lowest are small beside another: the lowest is told
from the hour before's last, the highest and the last from each other, the sum from so many times the lowest. An hour
without a sample has a count of 0 and NaN for the rest. Any other series rests as doubles, each XOR the last one.

A part is, little-endian: its newest hour since 1970 (4 bytes); which hours it has, bit n for the one n hours before the
newest (4); length (4); zstd(decimals of each series (255: doubles), byte shuffle(five streams)). A stream is series x
hours of words: lowest less the last before (zigzag), highest less lowest, highest less last, sum less count times
lowest, count. Of doubles: lowest, highest, last before and mean, each XOR the last, and count. Every stream has all of
its bytes, most of which are zero, so that the parts of many hosts are opened as one array.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from sitewarden_collector.store import zipped
from sitewarden_collector.store.resting import (
    DECIMALS_MAX,
    POWERS,
    RAW,
    VALUES_TOGETHER,
    Matrix,
    Numbers,
    Words,
    unzigzagged,
    whole_numbers,
    zigzag,
)
from sitewarden_protos.blocks import BlockError

HOUR_NS = 3_600 * 1_000_000_000
HOURS_A_DAY = 24
FIGURES = ("lowest", "highest", "mean", "count", "last")
LOWEST, HIGHEST, MEAN, COUNT, LAST = range(len(FIGURES))
_PART = struct.Struct("<III")
_COUNT_MAX, _SUM_MAX, _MEAN_ERROR = 2**31, 2.0**53, 1e-12


def newest(data: bytes) -> tuple[int, int]:
    """The newest hour that is in it, and how many are; (0, 0) when none is."""
    told = [hours for hours, _ in _parts(data)]
    return max((hours[-1] for hours in told), default=0), sum(map(len, told))


def closed(hours: Sequence[int], figures: Matrix) -> bytes:
    """Hours in their order, which lie within a day: figures x series x hours. Behind others that are older it adds to
    them."""
    return closed_all(hours, figures[np.newaxis])[0]


def closed_all(hours: Sequence[int], figures: Matrix) -> list[bytes]:
    """`closed` of some hosts that have the same hours: hosts x figures x series x hours."""
    head = hours[-1], sum(1 << (hours[-1] - hour) for hour in hours)
    together = max(1, VALUES_TOGETHER // figures[0].size)
    some = [figures[begin : begin + together] for begin in range(0, len(figures), together)]
    packed = [zipped.closed(data) for one in some for data in _packed(one)]
    return [_PART.pack(*head, len(one)) + one for one in packed]


def opened(data: bytes, *, series: int, wanted: Sequence[int] | None = None) -> tuple[Numbers, Matrix]:
    """The hours, in the order in which they were added, and figures x series x hours, or those of some series in their
    order. Raises BlockError."""
    hours: list[int] = []
    figures = [np.empty((len(FIGURES), series if wanted is None else len(wanted), 0))]
    for count, some in groupby(_parts(data), key=lambda part: len(part[0])):
        alike = list(some)
        for its_hours, _ in alike:
            hours += its_hours
        parts = _unpacked([packed for _, packed in alike], series, count, wanted)
        figures.append(parts.transpose(1, 2, 0, 3).reshape(len(FIGURES), -1, len(alike) * count))
    return np.array(hours, np.int64), np.concatenate(figures, axis=2)


def opened_all(data: Sequence[bytes], *, series: int, wanted: Sequence[int] | None = None) -> Matrix:
    """Hosts x figures x series of what has one hour each. Raises BlockError."""
    parts = [part for one in data for part in _parts(one)]
    if len(parts) != len(data) or any(len(hours) != 1 for hours, _ in parts):
        raise BlockError("not one hour each")
    return _unpacked([packed for _, packed in parts], series, 1, wanted)[..., 0]


def _packed(figures: Matrix) -> Iterator[bytes]:
    """What is to be zipped of each host."""
    hosts, _, series, hours = figures.shape
    decimals, words = _words(figures)
    data = np.empty((hosts, series * (1 + len(FIGURES) * 8 * hours)), np.uint8)
    data[:, :series] = decimals
    planes, of_word = data[:, series:].reshape(hosts, len(FIGURES), 8, -1), words.view(np.uint8)
    for place in range(8):
        planes[:, :, place] = of_word[..., place::8].reshape(hosts, len(FIGURES), -1)
    return (one.tobytes() for one in data)


def _words(figures: Matrix) -> tuple[Numbers, Words]:
    """Hosts x series of decimals, and hosts x streams x series x hours."""
    hosts, _, series, hours = figures.shape
    counts = figures[:, COUNT]
    known = np.where(counts[:, np.newaxis] == 0, 0.0, figures)
    ends = known[:, (LOWEST, HIGHEST, LAST)].transpose(0, 2, 1, 3)
    decimals, numbers = whole_numbers(ends.reshape(hosts * series, -1))
    with np.errstate(all="ignore"):
        powers = POWERS[np.where(decimals == RAW, 0, decimals)].reshape(hosts, series, 1)
        sums = np.rint(known[:, MEAN] * counts * powers)
        error = np.abs(sums / powers / np.maximum(counts, 1) - known[:, MEAN])
        fits = (error <= _MEAN_ERROR * np.abs(known[:, MEAN])) & (np.abs(sums) < _SUM_MAX)
        fits &= (counts == np.rint(counts)) & (counts >= 0) & (counts < _COUNT_MAX)
        total, count = sums.astype(np.int64), counts.astype(np.int64)
    decimals = np.where(fits.all(axis=2), decimals.reshape(hosts, series), RAW)
    lowest, highest, last = numbers.reshape(hosts, series, 3, hours).transpose(2, 0, 1, 3)
    # What passes 64 bits comes back all the same.
    words = np.empty(figures.shape, np.int64)
    words[:, 0] = zigzag(lowest - _before(last)).view(np.int64)
    words[:, 1], words[:, 2] = highest - lowest, highest - last
    words[:, 3], words[:, 4] = total - count * lowest, count
    if len((raw := np.nonzero(decimals == RAW))[0]):
        bits = figures.transpose(0, 2, 1, 3)[raw].view(np.int64)
        of_last = bits[:, LAST]
        ordered = (bits[:, LOWEST], bits[:, HIGHEST], _before(of_last), bits[:, MEAN])
        doubles = np.stack([*(one ^ of_last for one in ordered), bits[:, COUNT]], axis=1)
        words.transpose(0, 2, 1, 3)[raw] = doubles
    return decimals, words.view(np.uint64)


def _unpacked(packed: Sequence[bytes], series: int, hours: int, wanted: Sequence[int] | None) -> Matrix:
    """Parts x figures x series x hours, of parts that have as many hours each."""
    size = series * (1 + len(FIGURES) * 8 * hours)
    data = np.frombuffer(zipped.opened_all(packed, size, what="figures"), np.uint8).reshape(len(packed), size)
    decimals = data[:, :series].astype(np.int64)
    planes = data[:, series:].reshape(len(packed), len(FIGURES), 8, series, hours)
    if wanted is not None:
        decimals, planes = decimals[:, list(wanted)], planes[:, :, :, list(wanted)]
    if ((decimals > DECIMALS_MAX) & (decimals != RAW)).any():
        raise BlockError(f"more than {DECIMALS_MAX} decimals")
    words = np.empty((len(packed), len(FIGURES), decimals.shape[1], hours, 8), np.uint8)
    for place in range(8):
        words[..., place] = planes[:, :, place]
    numbers = words.view("<i8")[..., 0]
    steps, (gaps, tails, rests, counts) = unzigzagged(numbers[:, 0].view(np.uint64)), numbers[:, 1:].swapaxes(0, 1)
    last = np.cumsum(steps + gaps - tails, axis=2)
    lowest = last + tails - gaps
    powers = POWERS[np.where(decimals == RAW, 0, decimals)][..., np.newaxis]
    made = np.empty(numbers.shape)
    made[:, LOWEST], made[:, HIGHEST], made[:, LAST] = lowest / powers, (lowest + gaps) / powers, last / powers
    made[:, MEAN] = (rests + counts * lowest) / powers / np.maximum(counts, 1)
    made[:, COUNT] = counts
    if not counts.all():
        np.copyto(made, np.nan, where=(counts == 0)[:, np.newaxis])
        made[:, COUNT] = counts
    if len((raw := np.nonzero(decimals == RAW))[0]):
        made.transpose(0, 2, 1, 3)[raw] = _doubles(numbers.transpose(0, 2, 1, 3)[raw])
    return made


def _doubles(streams: Numbers) -> Matrix:
    """Rows x figures x hours."""
    bits = streams.copy()
    # What stands for the last is the one before XOR the last: all of them XORed up to there.
    bits[:, LAST] = of_last = np.bitwise_xor.accumulate(streams[:, 2], axis=1)
    for figure, place in ((LOWEST, 0), (HIGHEST, 1), (MEAN, 3)):
        bits[:, figure] = streams[:, place] ^ of_last
    bits[:, COUNT] = streams[:, 4]
    return bits.view(np.float64)


def _before(last: Numbers) -> Numbers:
    """The last of the hour before; 0 before the first."""
    before = np.zeros_like(last)
    before[..., 1:] = last[..., :-1]
    return before


def _parts(data: bytes) -> Iterator[tuple[list[int], bytes]]:
    at = 0
    while at < len(data):
        if len(data) - at < _PART.size:
            raise BlockError("cut off within the hours of a day")
        last, mask, length = _PART.unpack_from(data, at)
        at += _PART.size
        yield (
            [last - before for before in range(mask.bit_length() - 1, -1, -1) if mask >> before & 1],
            data[at : at + length],
        )
        at += length
