"""Sample blocks as arrays: what `sitewarden_protos.blocks` promises, without a Python object a sample.

`opened` and `closed` are the codec's `decode` and `encode` for whoever works on many samples at once. A matrix is
series x ticks of doubles, NaN where there is no sample; times are int64, UTC nanoseconds. Not here: where blocks rest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sitewarden_protos import blocks as codec

Times = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float64]


def opened(block: bytes, *, series: int, wanted: Sequence[int] | None = None) -> tuple[Times, Matrix]:
    """The times and the values of a block, or those of some of its series in their order. Raises BlockError."""
    times_ns, shuffled = codec.unpack(block, series=series)
    ticks = len(times_ns)
    planes = np.frombuffer(shuffled, np.uint8).reshape(8, series, ticks)
    if wanted is not None:
        planes = planes[:, list(wanted), :]
    words = np.ascontiguousarray(planes.transpose(1, 2, 0)).view("<u8")[:, :, 0]
    values = np.bitwise_xor.accumulate(words, axis=1).astype(np.uint64, copy=False).view(np.float64)
    return np.array(times_ns, np.int64), values


def closed(times_ns: Times, matrix: Matrix) -> bytes:
    """One block of a matrix. Raises BlockError when a bound of the codec is passed."""
    series, ticks = matrix.shape
    words = np.ascontiguousarray(matrix, "<f8").view("<u8")
    xored = words.copy()
    xored[:, 1:] ^= words[:, :-1]
    shuffled = np.ascontiguousarray(xored).view(np.uint8).reshape(series * ticks, 8).T.tobytes()
    return codec.pack(times_ns.tolist(), shuffled, series=series)


def in_order(times_ns: Times, matrix: Matrix) -> tuple[Times, Matrix]:
    """By time; what has the same time stays in the order in which it came."""
    if len(times_ns) < 2 or bool((times_ns[1:] >= times_ns[:-1]).all()):
        return times_ns, matrix
    order = np.argsort(times_ns, kind="stable")
    return times_ns[order], matrix[:, order]
