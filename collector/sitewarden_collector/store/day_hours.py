"""The hours of a day in brief, as they rest in one row: what each hour came to, behind the one before.

An hour that is over is added behind what is there, which is not opened for it; a day that is full, or of which an hour
has changed, is written anew as one block. Pure. Not here: the table (`sample_days`), summing up (`services.rollups`).

Layout: parts, each `last hour since 1970 (4 bytes), how many hours (2), 0 (2), length (4)`, little-endian, and then a
block of hours (`resting`), or for a single hour zstd(byte shuffle(figures x series of doubles, the figures before the
last one XORed with it)).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import numpy as np

from sitewarden_collector.store import resting, zipped
from sitewarden_collector.store.resting import Matrix, Numbers
from sitewarden_protos.blocks import BlockError

HOUR_NS = 3_600 * 1_000_000_000
HOURS_A_DAY = 24
FIGURES = ("lowest", "highest", "mean", "count", "last")
LOWEST, HIGHEST, MEAN, COUNT, LAST = range(len(FIGURES))
_PART = struct.Struct("<IHHI")


def newest(data: bytes) -> tuple[int, int]:
    """The newest hour that is in it, and how many are; (0, 0) when none is."""
    told = [(last, count) for last, count, _ in _parts(data)]
    return max((last for last, _ in told), default=0), sum(count for _, count in told)


def added(data: bytes, hour: int, figures: Matrix) -> bytes:
    """With one hour more, which is newer than all that are there: figures x series."""
    words = figures.view(np.int64)
    mixed = np.concatenate([words[:LAST] ^ words[LAST], words[LAST:]])
    packed = zipped.closed(mixed.view(np.uint8).reshape(-1, 8).T.tobytes())
    return data + _PART.pack(hour, 1, 0, len(packed)) + packed


def closed(hours: Sequence[int], figures: Matrix) -> bytes:
    """Several hours, in their order: figures x series x hours."""
    if len(hours) == 1:
        return added(b"", hours[0], np.ascontiguousarray(figures[:, :, 0]))
    packed = resting.closed(np.array(hours, np.int64) * HOUR_NS, figures.reshape(-1, len(hours)))
    return _PART.pack(hours[-1], len(hours), 0, len(packed)) + packed


def opened(data: bytes, *, series: int, wanted: Sequence[int] | None = None) -> tuple[Numbers, Matrix]:
    """The hours, in the order in which they were added, and figures x series x hours. Raises BlockError."""
    places = range(series) if wanted is None else wanted
    rows = [figure * series + place for figure in range(len(FIGURES)) for place in places]
    hours, figures = [np.empty(0, np.int64)], [np.empty((len(rows), 0))]
    single: list[bytes] = []
    for last, count, packed in _parts(data):
        if count == 1:
            hours.append(np.array([last], np.int64))
            single.append(packed)
            continue
        figures += _several(single, series, rows)
        single = []
        times, matrix = resting.opened(packed, series=series * len(FIGURES), wanted=rows)
        hours.append(times // HOUR_NS)
        figures.append(matrix)
    figures += _several(single, series, rows)
    return np.concatenate(hours), np.concatenate(figures, axis=1).reshape(len(FIGURES), len(places), -1)


def _several(packed: Sequence[bytes], series: int, rows: Sequence[int]) -> list[Matrix]:
    """Single hours that follow each other, opened together."""
    if not packed:
        return []
    size = series * len(FIGURES) * 8
    data = b"".join([zipped.opened(one, size, what="figures") for one in packed])
    if len(data) != size * len(packed):
        raise BlockError("fewer figures than belong")
    planes = np.frombuffer(data, np.uint8).reshape(len(packed), 8, -1)
    words = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(np.int64).reshape(len(packed), len(FIGURES), series)
    words[:, :LAST] ^= words[:, LAST:]
    return [words.view(np.float64).reshape(len(packed), -1)[:, list(rows)].T]


def _parts(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at < len(data):
        if len(data) - at < _PART.size:
            raise BlockError("cut off within the hours of a day")
        last, count, _, length = _PART.unpack_from(data, at)
        at += _PART.size
        yield last, count, data[at : at + length]
        at += length
