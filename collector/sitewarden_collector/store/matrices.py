"""Sample blocks as arrays: what `sitewarden_protos.blocks` promises, without a Python object a sample.

`opened` and `closed` are the codec's `decode` and `encode` for whoever works on many samples at once; `joined` opens
many small blocks in one go, `stacked` those of many hosts. A matrix is series x ticks of doubles, NaN where there is no
sample; times are int64, UTC nanoseconds. Not here: blocks of hours (`resting`), which `opened` opens as well, and where
blocks rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sitewarden_collector.store import resting, zipped
from sitewarden_collector.store.resting import Matrix, Samples, Times
from sitewarden_protos import blocks as codec

__all__ = ["Matrix", "Samples", "Times", "closed", "in_order", "joined", "opened", "sizes_of", "stacked", "unshuffled"]

_HEADER = np.dtype(  # as `sitewarden_protos.blocks` has it
    [
        ("version", "u1"),
        ("flags", "u1"),
        ("series", "<u2"),
        ("ticks", "<u4"),
        ("first_ns", "<i8"),
        ("times_bytes", "<u4"),
    ]
)
_VARINT_BYTES_MAX = 10
_FEW_TICKS = 32


def sizes_of(blocks: Sequence[bytes]) -> tuple[list[int], list[int]]:
    """How many series and how many ticks blocks that were taken in state that they have; nothing is opened."""
    heads = _heads(blocks)
    return heads["series"].tolist(), heads["ticks"].tolist()


def opened(block: bytes, *, series: int, wanted: Sequence[int] | None = None) -> Samples:
    """The times and the values of a block, or those of some of its series in their order. Raises BlockError."""
    if block[:1] == resting.VERSION_BYTE:
        return resting.opened(block, series=series, wanted=wanted)
    times_ns, shuffled = codec.unpack(block, series=series)
    return np.array(times_ns, np.int64), _unshuffled(shuffled, series, len(times_ns), wanted)


def unshuffled(shuffled: bytes, *, series: int) -> Matrix:
    """The values that the codec's `unpack` gives of one series at least."""
    return _unshuffled(shuffled, series, len(shuffled) // (8 * series), None)


def joined(blocks: Sequence[bytes], shifts_ns: Sequence[int], *, series: int) -> Samples:
    """All ticks of blocks of one schema as they came from agents, one block behind the other, each with its shift added
    to its times. Raises BlockError when one of them is damaged, or of another number of series."""
    ticks = _heads(blocks)["ticks"].tolist()
    if ticks.count(ticks[0]) == len(ticks):
        times, stack = stacked(blocks, shifts_ns, hosts=1, series=series)
        return times[0], stack[0]
    parts = [
        stacked([block], [shift_ns], hosts=1, series=series) for block, shift_ns in zip(blocks, shifts_ns, strict=True)
    ]
    return np.concatenate([times[0] for times, _ in parts]), np.concatenate([stack[0] for _, stack in parts], axis=1)


def stacked(blocks: Sequence[bytes], shifts_ns: Sequence[int], *, hosts: int, series: int) -> Samples:
    """What `joined` gives of each of some hosts: hosts x ticks of times, and hosts x series x ticks. All blocks have as
    many ticks, and every host has as many of them, which stand together."""
    heads = _heads(blocks)
    ticks = int(heads["ticks"][0])
    _check(heads, series, ticks)
    ends = (heads["times_bytes"].astype(np.int64) + _HEADER.itemsize).tolist()
    raw = [block[end:] for block, end in zip(blocks, ends, strict=True)]
    data = zipped.opened_all(raw, series * ticks * 8, what="values")
    planes = np.frombuffer(data, np.uint8).reshape(hosts, -1, 8, series, ticks)
    begins = heads["first_ns"] + np.array(shifts_ns, np.int64)
    streams = [block[_HEADER.itemsize : end] for block, end in zip(blocks, ends, strict=True)]
    times = begins[:, np.newaxis] + _since_first(streams, ticks)
    return times.reshape(hosts, -1), _values(planes)


def closed(times_ns: Times, matrix: Matrix) -> bytes:
    """One block of a matrix, as agents make it. Raises BlockError when a bound of the codec is passed."""
    series, ticks = matrix.shape
    words = np.ascontiguousarray(matrix, "<f8").view("<u8")
    xored = words.copy()
    xored[:, 1:] ^= words[:, :-1]
    shuffled = np.ascontiguousarray(xored).view(np.uint8).reshape(series * ticks, 8).T.tobytes()
    return codec.pack(times_ns.tolist(), shuffled, series=series)


def in_order(times_ns: Times, matrix: Matrix) -> Samples:
    """By time; what has the same time stays in the order in which it came."""
    if (times_ns[1:] >= times_ns[:-1]).all():
        return times_ns, matrix
    order = np.argsort(times_ns, kind="stable")
    return times_ns[order], matrix[:, order]


def _unshuffled(shuffled: bytes, series: int, ticks: int, wanted: Sequence[int] | None) -> Matrix:
    planes = np.frombuffer(shuffled, np.uint8).reshape(8, series, ticks)
    if wanted is not None:
        planes = planes[:, list(wanted), :]
    values: Matrix = _values(planes[np.newaxis, np.newaxis])[0]
    return values


def _heads(blocks: Sequence[bytes]) -> npt.NDArray[np.void]:
    if min(map(len, blocks), default=_HEADER.itemsize) < _HEADER.itemsize:
        raise codec.BlockError("shorter than a block's header")
    return np.frombuffer(b"".join([block[: _HEADER.itemsize] for block in blocks]), _HEADER)


def _check(heads: npt.NDArray[np.void], series: int, ticks: int) -> None:
    """That blocks are such as agents make, and alike."""
    if (heads["version"] != codec.VERSION).any() or heads["flags"].any():
        raise codec.BlockError(f"a version other than {codec.VERSION}, or flags: no block that an agent makes")
    if (heads["series"] != series).any() or (heads["ticks"] != ticks).any():
        raise codec.BlockError(f"not {series} series, as in its schema, or not {ticks} ticks, as said")
    if series > codec.SERIES_MAX or ticks > codec.TICKS_MAX or series * ticks > codec.VALUES_MAX:
        raise codec.BlockError(f"{series} series of {ticks} ticks: at most {codec.VALUES_MAX} together")


def _values(planes: npt.NDArray[np.uint8]) -> Matrix:
    """Hosts x series x ticks of doubles, out of hosts x blocks x 8 x series x ticks of a block: their bytes, XORed and
    shuffled."""
    hosts, blocks, _, series, ticks = planes.shape
    words = np.empty((hosts, blocks, series * ticks, 8), np.uint8)
    for place in range(8):
        words[..., place] = planes[:, :, place].reshape(hosts, blocks, -1)
    xored = words.view("<u8")[..., 0].reshape(hosts, blocks, series, ticks)
    if ticks > _FEW_TICKS:
        xored = np.bitwise_xor.accumulate(xored, axis=3).astype(np.uint64, copy=False)
    else:  # tick by tick of all blocks at once
        for tick in range(1, ticks):
            xored[..., tick] ^= xored[..., tick - 1]
    values: Matrix = xored.view(np.float64).swapaxes(1, 2).reshape(hosts, series, blocks * ticks)
    return values


def _since_first(streams: Sequence[bytes], ticks: int) -> Times:
    """Streams x ticks: when each tick was, after its block's first."""
    if ticks < 2:
        return np.zeros((len(streams), ticks), np.int64)
    if streams.count(streams[0]) == len(streams):  # a steady agent's are all alike
        return np.broadcast_to(_steady(streams[0], ticks), (len(streams), ticks))
    return _each_since_first(streams, ticks)


@lru_cache(maxsize=64)
def _steady(stream: bytes, ticks: int) -> Times:
    return _each_since_first([stream], ticks)


def _each_since_first(streams: Sequence[bytes], ticks: int) -> Times:
    packed = [zipped.opened(stream, ticks * _VARINT_BYTES_MAX, what="times") for stream in streams]
    data = np.frombuffer(b"".join(packed), np.uint8)
    ends = np.flatnonzero(data < 0x80)
    own = np.arange(1, len(packed) + 1) * (ticks - 1)  # how many numbers there are up to the end of each stream
    if len(ends) != own[-1] or (ends[own - 1] + 1 != np.cumsum([len(one) for one in packed])).any():
        raise codec.BlockError(f"times that are not {ticks - 1} steps")
    begins = np.concatenate([[0], ends[:-1] + 1])
    places = np.arange(len(data)) - np.repeat(begins, ends - begins + 1)
    if places.max() >= _VARINT_BYTES_MAX:
        raise codec.BlockError("a time step longer than 64 bits")
    zigzag = np.add.reduceat((data & 0x7F).astype(np.uint64) << (7 * places).astype(np.uint64), begins)
    since = np.zeros((len(packed), ticks), np.int64)
    np.cumsum(resting.unzigzagged(zigzag).reshape(-1, ticks - 1), axis=1, out=since[:, 1:])
    np.cumsum(since, axis=1, out=since)
    return since
