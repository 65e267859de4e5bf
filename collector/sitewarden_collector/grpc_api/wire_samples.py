"""From a block of samples on the wire to one as it is stored, checked: what is stored can be read again. Pure.

Thousands come in a second, so what is alike from block to block (the series that are told) is read once, and what is
asked of few of them (the newest numbers) only when it is asked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import overload

import numpy as np

from sitewarden_alerting.observations import Series
from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api.bounds import KEY_MAX, NAME_MAX, TIME_MAX, VALUES_MAX, bounded, corrected
from sitewarden_collector.store.samples import RawBlock
from sitewarden_protos import blocks
from sitewarden_protos.v1 import observation_pb2

ALIKE_BYTES_MAX = 16_384  # of series that are remembered
_SCHEMA_ID = re.compile(r"[0-9a-f]{16}")


def samples(sent: observation_pb2.SampleBlock, *, clock_offset_ns: int, latest_ns: int) -> RawBlock:
    """The block with its times corrected; raises Refused (MALFORMED, TOO_LARGE)."""
    if not _SCHEMA_ID.fullmatch(sent.schema_id):
        raise Refused("MALFORMED", f"schema id {sent.schema_id[:32]!r} is not 16 hexadecimal digits")
    block = sent.block  # each look at a field makes it anew
    width = int.from_bytes(block[2:4], "little")
    ticks = int.from_bytes(block[4:8], "little")
    if width * ticks > VALUES_MAX:
        raise Refused("TOO_LARGE", f"a block of {width} series x {ticks} ticks; {VALUES_MAX} numbers are allowed")
    try:
        times_ns, shuffled = blocks.unpack(block, series=len(sent.series) or width)
    except blocks.BlockError as error:
        raise Refused("MALFORMED", f"a sample block cannot be read ({error})") from error
    if not times_ns or not width:
        raise Refused("MALFORMED", "a sample block without samples")
    earliest_ns, newest_ns = min(times_ns), max(times_ns)
    if earliest_ns < 0 or newest_ns > TIME_MAX:
        raise Refused("MALFORMED", "a sample block with times that cannot be")
    shift_ns = max(corrected(newest_ns, clock_offset_ns, latest_ns) - newest_ns, -earliest_ns)
    return RawBlock(
        schema_id=sent.schema_id,
        series=_series(sent) if sent.series else (),
        block=block,
        early=sent.early,
        times_ns=tuple([at_ns + shift_ns for at_ns in times_ns]) if shift_ns else times_ns,
        shift_ns=shift_ns,
        last=_Newest(shuffled, width),
    )


class _Newest(Sequence[float]):
    """The newest number of each series, NaN where there is none; looked up when it is asked for, as of several blocks
    of one agent only the newest is."""

    __slots__ = ("_shuffled", "_width")

    def __init__(self, shuffled: bytes, width: int) -> None:
        self._shuffled = shuffled
        self._width = width

    def __len__(self) -> int:
        return self._width

    @overload
    def __getitem__(self, place: int) -> float: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[float]: ...
    def __getitem__(self, place: int | slice) -> float | Sequence[float]:
        return self._numbers()[place]

    def __iter__(self) -> Iterator[float]:
        return iter(self._numbers())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def _numbers(self) -> list[float]:
        planes = np.frombuffer(self._shuffled, np.uint8).reshape(8, self._width, -1)
        # Each value is XORed with the one before it: all of a series together are its last one.
        ends = np.ascontiguousarray(np.bitwise_xor.reduce(planes, axis=2).T).view("<f8")[:, 0]
        newest: list[float] = ends.tolist()
        missing = [row for row, number in enumerate(newest) if number != number]
        if missing:
            words = np.ascontiguousarray(planes[:, missing, :].transpose(1, 2, 0)).view("<u8")[:, :, 0]
            for row, values in zip(missing, np.bitwise_xor.accumulate(words, axis=1).view("<f8"), strict=True):
                there = values[~np.isnan(values)]
                newest[row] = float(there[-1]) if len(there) else math.nan
        return newest


def _series(sent: observation_pb2.SampleBlock) -> tuple[Series, ...]:
    """The series that a block tells. Agents of one kind all tell the same, and some tell it with every block."""
    told = observation_pb2.SampleBlock(series=sent.series).SerializeToString(deterministic=True)
    return _read_series(told) if len(told) <= ALIKE_BYTES_MAX else _read_series.__wrapped__(told)


@lru_cache(maxsize=256)
def _read_series(told: bytes) -> tuple[Series, ...]:
    return tuple(
        Series(
            bounded(one.name, "series.name", 256),
            tuple(sorted((bounded(k, "label", KEY_MAX), bounded(v, "label", NAME_MAX)) for k, v in one.labels.items())),
            bounded(one.unit, "series.unit", 64),
        )
        for one in observation_pb2.SampleBlock.FromString(told).series
    )
