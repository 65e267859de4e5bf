"""What a simulated agent sends: batches of made-up samples and errors, cheap to make, as heavy as real ones.

A block of samples is encoded a few times and sent again and again with its time moved on, which stands in its header:
the simulator's processor should not be what is measured.
"""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Sequence

from sitewarden_protos import blocks as codec
from sitewarden_protos.v1 import intake_pb2, observation_pb2

SHAPES = 16
TICK_NS = 10 * 1_000_000_000
_FIRST_NS = struct.Struct("<q")
_FIRST_NS_AT = 8
_ERRORS = (
    "ERROR [worker-{n}] OrderService - payment gateway did not answer within {n} ms",
    "ERROR [pool-{n}] StockClient - connection to inventory refused",
)

FAULTS = tuple(f"fp1:simulated-{number}" for number in range(len(_ERRORS)))


class Load:
    """Batches for all agents of a simulation that have as many series and ticks."""

    def __init__(self, series: int, ticks: int, *, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - made-up samples, no secret
        self.series = series
        self.ticks = ticks
        self._schema_id = f"{seed & 0xFFFFFFFF:08x}{series:08x}"
        self._told = [
            observation_pb2.Series(name=f"simulated_{number}_ratio", unit="ratio") for number in range(series)
        ]
        times_ns = [tick * TICK_NS for tick in range(ticks)]
        self._blocks = [bytearray(codec.encode(times_ns, _walks(chance, series, ticks))) for _ in range(SHAPES)]

    def batch(self, seq: int, previous_seq: int, *, told: bool, logs: int, now_ns: int) -> intake_pb2.UploadRequest:
        """One batch: a block that ends now, and so many errors. `told`: the collector knows the series already."""
        seen = [self._samples(seq, told=told, now_ns=now_ns)]
        seen += [_error(seq, number, now_ns=now_ns) for number in range(logs)]
        body = intake_pb2.ObservationList(observations=seen).SerializeToString()
        return intake_pb2.UploadRequest(
            batch=intake_pb2.Batch(
                seq=seq,
                previous_seq=previous_seq,
                compression=intake_pb2.COMPRESSION_NONE,
                body=body,
                body_bytes=len(body),
            )
        )

    def _samples(self, seq: int, *, told: bool, now_ns: int) -> observation_pb2.Observation:
        block = self._blocks[seq % SHAPES]
        _FIRST_NS.pack_into(block, _FIRST_NS_AT, now_ns - (self.ticks - 1) * TICK_NS)
        samples = observation_pb2.SampleBlock(
            schema_id=self._schema_id, series=[] if told else self._told, block=bytes(block), ticks=self.ticks
        )
        return observation_pb2.Observation(
            wall_unix_ns=now_ns, boot_id=bytes(16), monotonic_ns=time.monotonic_ns(), samples=samples
        )


def _walks(chance: random.Random, series: int, ticks: int) -> Sequence[Sequence[float]]:
    columns = []
    for _ in range(series):
        level, column = chance.uniform(10, 90), []
        for _ in range(ticks):
            level += chance.gauss(0, 0.5) if chance.random() < 0.7 else 0.0
            column.append(round(level, 1))
        columns.append(column)
    return columns


def _error(seq: int, number: int, *, now_ns: int) -> observation_pb2.Observation:
    message = _ERRORS[number % len(_ERRORS)].format(n=number)
    log = observation_pb2.LogEvent(
        source="simulated",
        file="/var/log/simulated.log",
        file_id="0-0-0",
        offset=seq * 1_000_000 + number * 100,
        part=observation_pb2.RECORD_PART_WHOLE,
        severity=observation_pb2.SEVERITY_ERROR,
        component="simulated",
        message=message,
        template=_ERRORS[number % len(_ERRORS)].replace("{n}", "<num>"),
        fingerprint=FAULTS[number % len(FAULTS)],
        count=1,
        logged_unix_ns=now_ns,
    )
    return observation_pb2.Observation(wall_unix_ns=now_ns, boot_id=bytes(16), log=log)
