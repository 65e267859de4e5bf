"""The samples of the benchmark of ingestion: the same numbers for every system, as agents or remote write carry them.

Host health as it is drawn by a seeded walk: of 40 series 5 never change, 8 are counters, 15 whole numbers and 12 have
one decimal; seven of ten samples differ from the one before. Stamps of all hosts go on together, over six hours in all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sitewarden_protos import blocks
from sitewarden_protos.v1 import intake_pb2, observation_pb2

SERIES = 40
TICKS = 10
SPAN_NS = 6 * 3_600 * 1_000_000_000
SCHEMA_ID = "bead" * 4


@dataclass(frozen=True, slots=True, eq=False)
class Push:
    """`TICKS` samples of each series of one host. `values`: series x ticks."""

    host: int
    turn: int
    times_ns: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


def names() -> list[str]:
    return [f"host_figure_{number:02}_value" for number in range(SERIES)]


def pushes(hosts: int, turns: int, *, begin_ns: int) -> Iterator[Push]:
    """Turn by turn those of all hosts: `hosts` x `turns` pushes."""
    step_ns = SPAN_NS // (turns * TICKS)
    walks = [_walks(np.random.default_rng(host), turns * TICKS) for host in range(hosts)]
    for turn in range(turns):
        ticks = slice(turn * TICKS, (turn + 1) * TICKS)
        times_ns = begin_ns + step_ns * np.arange(ticks.start, ticks.stop, dtype=np.int64)
        for host, walk in enumerate(walks):
            yield Push(host, turn, times_ns, walk[:, ticks])


def message(push: Push) -> bytes:
    """The batch that an agent makes of it. The series are told with the first batch of a stream."""
    told = [observation_pb2.Series(name=name, labels={"disk": "data"}, unit="units") for name in names()]
    samples = observation_pb2.SampleBlock(
        schema_id=SCHEMA_ID,
        series=[] if push.turn else told,
        block=blocks.encode(push.times_ns.tolist(), push.values.tolist()),
        ticks=TICKS,
    )
    one = observation_pb2.Observation(wall_unix_ns=int(push.times_ns[-1]), boot_id=bytes(16), samples=samples)
    body = intake_pb2.ObservationList(observations=[one]).SerializeToString()
    batch = intake_pb2.Batch(
        seq=push.turn + 1,
        previous_seq=push.turn,
        compression=intake_pb2.COMPRESSION_NONE,
        body=body,
        body_bytes=len(body),
    )
    return intake_pb2.UploadRequest(batch=batch).SerializeToString()


def _walks(chance: np.random.Generator, ticks: int) -> npt.NDArray[np.float64]:
    level = chance.uniform(10, 1_000, (SERIES, 1))
    steps = np.where(chance.random((SERIES, ticks)) < 0.7, chance.normal(0, 3, (SERIES, ticks)), 0.0)
    walk = level + np.cumsum(steps, axis=1)
    walk[:5] = np.round(level[:5] * 1e6)
    walk[5:13] = np.round(np.cumsum(np.abs(steps[5:13]) * 100, axis=1))
    walk[13:28] = np.round(walk[13:28])
    walk[28:] = np.round(walk[28:], 1)
    return np.asarray(walk, np.float64)
