"""Samples as Prometheus's remote write 1.0 has them: one protobuf message in snappy's block format.

Written after the public specification (prometheus.io/docs/specs/prw/remote_write_spec), field by field:

    WriteRequest  1: repeated TimeSeries
    TimeSeries    1: repeated Label, by name; 2: repeated Sample, by time
    Label         1: string name; 2: string value
    Sample        1: double value; 2: int64 milliseconds since 1970

A sample is always 18 bytes here, so a whole matrix of them is laid out at once, without a Python object a sample: times
are written as six bytes of varint also where fewer would do, which every reader of protobuf takes. NaN is no sample.
Not here: what series are called (`services.remote_names`), and sending (`channels.remote_store`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

MS_END = 1 << 42
"""Times from then on (the year 2109) do not fit the six bytes, nor do those before 1970: they are left out."""
SAMPLE_BYTES = 18
_VALUE_AT, _TIME_AT, _TIME_BYTES = 3, 12, 6


def labels(pairs: Iterable[tuple[str, str]]) -> bytes:
    """The labels of one series, which are given in the order of their names."""
    return b"".join(_field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in pairs)


def series(
    labelled: Sequence[bytes], times_ms: npt.NDArray[np.int64], values: npt.NDArray[np.float64]
) -> tuple[bytes, int]:
    """Every series of a matrix (series x ticks) with its `labels`, and how many samples they hold."""
    there = ~np.isnan(values) & ((times_ms >= 0) & (times_ms < MS_END))
    held = there.sum(axis=1).tolist()
    laid_out = _samples(times_ms, values)
    ticks = len(times_ms)
    parts: list[bytes] = []
    raw, width = laid_out.tobytes(), ticks * SAMPLE_BYTES
    for place, (own, count) in enumerate(zip(labelled, held, strict=True)):
        if count:
            whole = count == ticks
            mine = raw[place * width : (place + 1) * width] if whole else laid_out[place][there[place]].tobytes()
            parts += (_head(1, len(own) + len(mine)), own, mine)
    return b"".join(parts), sum(held)


def packed(parts: Iterable[bytes]) -> bytes:
    """The body of a request that holds these `series`."""
    import cramjam  # only who has a remote store waits for it

    return bytes(cramjam.snappy.compress_raw(b"".join(parts)))


def _samples(times_ms: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Series x ticks x 18 bytes, each with its field's head."""
    made = np.empty((*values.shape, SAMPLE_BYTES), np.uint8)
    one = np.empty((len(times_ms), SAMPLE_BYTES), np.uint8)
    one[:, 0] = 2 << 3 | 2  # TimeSeries.samples, with a length
    one[:, 1] = SAMPLE_BYTES - 2
    one[:, 2] = 1 << 3 | 1  # Sample.value, eight bytes
    one[:, _TIME_AT - 1] = 2 << 3 | 0  # Sample.timestamp, a varint
    for place in range(_TIME_BYTES):
        more = 0x80 if place < _TIME_BYTES - 1 else 0
        one[:, _TIME_AT + place] = (times_ms >> (7 * place)) & 0x7F | more
    made[:] = one
    made[:, :, _VALUE_AT : _VALUE_AT + 8] = np.ascontiguousarray(values, "<f8").view(np.uint8).reshape(*values.shape, 8)
    return made


def _field(number: int, content: bytes) -> bytes:
    """A field with a length before its content."""
    return _head(number, len(content)) + content


@lru_cache(maxsize=4_096)
def _head(number: int, length: int) -> bytes:
    made = bytearray((number << 3 | 2,))
    while length > 0x7F:
        made.append(length & 0x7F | 0x80)
        length >>= 7
    made.append(length)
    return bytes(made)
