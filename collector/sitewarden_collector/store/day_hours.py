"""The hours of a day in brief, as they rest in one row: what each hour came to, behind the one before.

An hour that is over is added behind what is there, which is not opened for it; a day that is full, or of which an hour
has changed, is written anew as one part. Pure. Not here: the table (`sample_days`), summing up (`services.rollups`).

A part is, little-endian: its newest hour since 1970 (4 bytes); which hours it has, bit n for the one n hours before the
newest (4); length (4); zstd(byte shuffle(figures x series x hours of doubles, each XOR the one of the hour before, and
of the first hour all figures but the last one XOR that)).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from sitewarden_collector.store import zipped
from sitewarden_collector.store.resting import Matrix, Numbers
from sitewarden_protos.blocks import BlockError

HOUR_NS = 3_600 * 1_000_000_000
HOURS_A_DAY = 24
FIGURES = ("lowest", "highest", "mean", "count", "last")
LOWEST, HIGHEST, MEAN, COUNT, LAST = range(len(FIGURES))
_PART = struct.Struct("<III")


def newest(data: bytes) -> tuple[int, int]:
    """The newest hour that is in it, and how many are; (0, 0) when none is."""
    told = [hours for hours, _ in _parts(data)]
    return max((hours[-1] for hours in told), default=0), sum(map(len, told))


def closed(hours: Sequence[int], figures: Matrix) -> bytes:
    """Hours in their order, which lie within a day: figures x series x hours. Behind others that are older it adds to
    them."""
    words = figures.astype("<f8").view("<i8")
    words[..., 1:] ^= words[..., :-1].copy()
    words[:LAST, :, 0] ^= words[LAST, :, 0]
    packed = zipped.closed(words.view(np.uint8).reshape(-1, 8).T.tobytes())
    return _PART.pack(hours[-1], sum(1 << (hours[-1] - hour) for hour in hours), len(packed)) + packed


def opened(data: bytes, *, series: int, wanted: Sequence[int] | None = None) -> tuple[Numbers, Matrix]:
    """The hours, in the order in which they were added, and figures x series x hours, or those of some series in their
    order. Raises BlockError."""
    chosen = slice(None) if wanted is None else list(wanted)
    hours: list[int] = []
    figures = [np.empty((len(FIGURES), series if wanted is None else len(wanted), 0))]
    for count, some in groupby(_parts(data), key=lambda part: len(part[0])):
        alike = list(some)
        for its_hours, _ in alike:
            hours += its_hours
        words = _unpacked([packed for _, packed in alike], series, count)[:, :, chosen]
        words[:, :LAST, :, 0] ^= words[:, LAST:, :, 0]
        words = np.bitwise_xor.accumulate(words, axis=3).transpose(1, 2, 0, 3)
        figures.append(np.ascontiguousarray(words).view(np.float64).reshape(len(FIGURES), -1, len(alike) * count))
    return np.array(hours, np.int64), np.concatenate(figures, axis=2)


def _unpacked(packed: Sequence[bytes], series: int, hours: int) -> Numbers:
    """Parts x figures x series x hours, of parts that have as many hours each."""
    size = len(FIGURES) * series * hours * 8
    data = b"".join([zipped.opened(one, size, what="figures") for one in packed])
    if len(data) != size * len(packed):
        raise BlockError("fewer figures than belong")
    planes = np.frombuffer(data, np.uint8).reshape(len(packed), 8, -1)
    words: Numbers = np.ascontiguousarray(planes.transpose(0, 2, 1)).view("<i8").astype(np.int64, copy=False)
    return words.reshape(len(packed), len(FIGURES), series, hours)


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
