"""The hours of a day in brief, as they rest in one row: what each hour came to, behind the one before.

An hour that is over is added behind what is there, which is not opened for it; a day that is full, or of which an hour
has changed, is written anew as one part. Pure. Not here: the table (`sample_days`), summing up (`services.rollups`).

What a series comes to rests as whole numbers where its lowest, highest and last come back bit by bit (`resting`), and
its mean to a part in 10**12, as a sum that is exact. All but the lowest are small beside another: the lowest is told
from the hour before's last, the highest and the last from each other, the sum from so many times the lowest. An hour
without a sample has a count of 0 and NaN for the rest. Any other series rests as doubles, each XOR the one of the hour
before, and of the first hour all figures but the last one XOR that.

A part is, little-endian: its newest hour since 1970 (4 bytes); which hours it has, bit n for the one n hours before the
newest (4); length (4); zstd(decimals of each series (255: doubles), widths of six streams, the streams, doubles).
A stream is the byte planes of series x hours of words, as many as the largest needs: the first lowest, lowest less the
last before (both zigzag), highest less lowest, highest less last, sum less count times lowest, count.
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
_STREAMS, _ZIGZAG = 6, 2
_WIDTHS = np.array([1 << (8 * width) for width in range(8)], np.uint64)
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
    packed = [zipped.closed(data) for data in _packed(figures)]
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
    decimals, streams = _streams(figures)
    united = [np.bitwise_or.reduce(one, axis=(1, 2)) for one in streams]
    widths = np.searchsorted(_WIDTHS, np.array(united), side="right").T
    planes = [np.ascontiguousarray(one).view(np.uint8).reshape(len(figures), -1, 8).swapaxes(1, 2) for one in streams]
    heads = np.concatenate([decimals, widths], axis=1).astype(np.uint8)
    for host, used in enumerate(widths.tolist()):
        parts = [heads[host].tobytes()]
        parts += [one[host, :width].tobytes() for one, width in zip(planes, used, strict=True) if width]
        if len(raw := np.flatnonzero(decimals[host] == RAW)):
            words = np.ascontiguousarray(figures[host][:, raw], "<f8").view("<i8")
            words[..., 1:] ^= words[..., :-1].copy()
            words[:LAST, :, 0] ^= words[LAST, :, 0]
            parts.append(words.view(np.uint8).reshape(-1, 8).T.tobytes())
        yield b"".join(parts)


def _streams(figures: Matrix) -> tuple[Numbers, list[Words]]:
    """Hosts x series of decimals, and of each stream hosts x series x hours of words; of series that rest as doubles
    zeros."""
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
    decimals = np.where(fits.all(axis=2), decimals.reshape(hosts, series), RAW)
    is_whole = (decimals != RAW)[..., np.newaxis]
    whole = np.where(is_whole[:, :, np.newaxis], numbers.reshape(hosts, series, 3, hours), 0)
    lowest, highest, last = whole.transpose(2, 0, 1, 3)
    total, count = (np.where(is_whole, one, 0).astype(np.int64) for one in (sums, counts))
    # What passes 64 bits comes back all the same.
    less = (highest - lowest, highest - last, total - count * lowest, count)
    steps = lowest[..., 1:] - last[..., :-1]
    return decimals, [zigzag(lowest[..., :1]), zigzag(steps), *(one.view(np.uint64) for one in less)]


def _unpacked(packed: Sequence[bytes], series: int, hours: int, wanted: Sequence[int] | None) -> Matrix:
    """Parts x figures x series x hours, of parts that have as many hours each."""
    sizes = [series, series * (hours - 1), *[series * hours] * 4]
    planes = [np.zeros((len(packed), 8, size), np.uint8) for size in sizes]
    decimals = np.empty((len(packed), series), np.int64)
    chosen = np.arange(series) if wanted is None else np.array(wanted, np.int64)
    doubles: list[tuple[int, Numbers, bytes]] = []
    for place, one in enumerate(packed):
        data = zipped.opened(one, series * (1 + 8 * hours * (_STREAMS + len(FIGURES))) + _STREAMS, what="figures")
        if len(data) < series + _STREAMS:
            raise BlockError("cut off within the series of a day")
        its = decimals[place] = np.frombuffer(data, np.uint8, series)
        at = series + _STREAMS
        for stream, size, width in zip(planes, sizes, data[series:at], strict=True):
            if width > 8 or len(data) - at < width * size:
                raise BlockError("cut off within the figures of a day")
            if width:
                stream[place, :width] = np.frombuffer(data, np.uint8, width * size, at).reshape(width, size)
            at += width * size
        raw = np.flatnonzero(its == RAW)
        if len(data) - at != len(raw) * len(FIGURES) * hours * 8 or ((its > DECIMALS_MAX) & (its != RAW)).any():
            raise BlockError(f"{len(data)} bytes of {hours} hours of {series} series")
        if len(raw):
            doubles.append((place, raw, data[at:]))
    words = [one.reshape(len(packed), 8, series, -1)[:, :, chosen].transpose(0, 2, 3, 1) for one in planes]
    made = _figures([np.ascontiguousarray(one).view(np.uint64)[..., 0] for one in words], decimals[:, chosen])
    for place, raw, data in doubles:
        here = np.flatnonzero(decimals[place, chosen] == RAW)
        made[place, :, here] = _doubles(data, hours)[:, np.searchsorted(raw, chosen[here])].swapaxes(0, 1)
    return made


def _figures(streams: Sequence[Words], decimals: Numbers) -> Matrix:
    first, steps, gaps, tails, rests, counts = [
        unzigzagged(one) if place < _ZIGZAG else one.view(np.int64) for place, one in enumerate(streams)
    ]
    last = np.cumsum(np.concatenate([first, steps], axis=2) + gaps - tails, axis=2)
    lowest = last + tails - gaps
    powers = POWERS[np.where(decimals == RAW, 0, decimals)][..., np.newaxis]
    made = np.empty((len(last), len(FIGURES), *last.shape[1:]))
    made[:, LOWEST], made[:, HIGHEST], made[:, LAST] = lowest / powers, (lowest + gaps) / powers, last / powers
    made[:, MEAN] = (rests + counts * lowest) / powers / np.maximum(counts, 1)
    made[:, COUNT] = counts
    if not counts.all():
        nothing = (counts == 0) & (decimals != RAW)[..., np.newaxis]
        for figure in (LOWEST, HIGHEST, MEAN, LAST):
            made[:, figure][nothing] = np.nan
    return made


def _doubles(data: bytes, hours: int) -> Matrix:
    """Figures x series x hours."""
    planes = np.frombuffer(data, np.uint8).reshape(8, -1)
    words = np.ascontiguousarray(planes.T).view("<i8").reshape(len(FIGURES), -1, hours)
    words[:LAST, :, 0] ^= words[LAST, :, 0]
    return np.bitwise_xor.accumulate(words, axis=2).view(np.float64)


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
