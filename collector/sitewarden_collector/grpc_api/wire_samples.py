"""From a block of samples on the wire to one as it is stored, checked: what is stored can be read again. Pure.

Thousands come in a second, so what is alike from block to block (the series that are told) is read once, and what is
asked of few of them (the newest numbers) only when it is asked.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sitewarden_alerting.observations import Series
from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api.bounds import KEY_MAX, NAME_MAX, TIME_MAX, VALUES_MAX, bounded, corrected
from sitewarden_collector.store.newest import Newest
from sitewarden_collector.store.samples import RawBlock
from sitewarden_protos import blocks
from sitewarden_protos.v1 import observation_pb2

ALIKE_BYTES_MAX = 16_384  # of series that are remembered
_SCHEMA_ID = re.compile(r"[0-9a-f]{16}")


def samples(sent: observation_pb2.SampleBlock, *, clock_offset_ns: int, latest_ns: int) -> RawBlock:
    """The block with its times corrected; raises Refused (MALFORMED, TOO_LARGE)."""
    if not _SCHEMA_ID.fullmatch(sent.schema_id):
        raise Refused("MALFORMED", f"schema id {sent.schema_id[:32]!r} is not 16 hexadecimal digits")
    block, told = sent.block, sent.series  # each look at a field makes it anew
    width = int.from_bytes(block[2:4], "little")
    ticks = int.from_bytes(block[4:8], "little")
    if width * ticks > VALUES_MAX:
        raise Refused("TOO_LARGE", f"a block of {width} series x {ticks} ticks; {VALUES_MAX} numbers are allowed")
    try:
        times_ns, shuffled = blocks.unpack(block, series=len(told) or width)
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
        series=_series(sent) if told else (),
        block=block,
        early=sent.early,
        times_ns=tuple([at_ns + shift_ns for at_ns in times_ns]) if shift_ns else times_ns,
        shift_ns=shift_ns,
        last=Newest(shuffled, width),
    )


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
