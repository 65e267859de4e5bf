"""Sample blocks as arrays: what `sitewarden_protos.blocks` promises, without a Python object a sample.

`opened` and `closed` are the codec's `decode` and `encode` for whoever works on many samples at once; `joined` opens
many small blocks in one go. A matrix is series x ticks of doubles, NaN where there is no sample; times are int64, UTC
nanoseconds. Not here: blocks of hours (`resting`), which `opened` opens as well, and where blocks rest.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sitewarden_collector.store import resting, zipped
from sitewarden_collector.store.resting import Matrix, Samples, Times
from sitewarden_protos import blocks as codec

__all__ = ["Matrix", "Samples", "Times", "closed", "in_order", "joined", "opened", "size_of", "unshuffled"]

_Head = tuple[int, int, int, int, int]
"""Flags, series, ticks, first time, and the length of the time stream."""
_HEADER = struct.Struct("<BBHIqI")  # as `sitewarden_protos.blocks` has it
_SIZE = struct.Struct("<xxHI")
_VARINT_BYTES_MAX = 10


def size_of(block: bytes) -> tuple[int, int]:
    """Of how many series and ticks a block that was taken in states that it is; nothing is opened."""
    series, ticks = _SIZE.unpack_from(block)
    return series, ticks


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
    heads = [_header(block) for block in blocks]
    ticks = heads[0][2]
    if all(head[2] == ticks for head in heads):
        times, values = _alike(blocks, heads, shifts_ns, series=series)
        return times.ravel(), values.transpose(1, 0, 2).reshape(series, -1)
    all_times = np.empty(sum(head[2] for head in heads), np.int64)
    matrix = np.empty((series, len(all_times)))
    end = 0
    for block, head, shift_ns in zip(blocks, heads, shifts_ns, strict=True):
        begin, end = end, end + head[2]
        times, values = _alike([block], [head], [shift_ns], series=series)
        all_times[begin:end], matrix[:, begin:end] = times[0], values[0]
    return all_times, matrix


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
    values: Matrix = _values(planes[np.newaxis])[0]
    return values


def _alike(blocks: Sequence[bytes], heads: Sequence[_Head], shifts_ns: Sequence[int], *, series: int) -> Samples:
    """Of blocks with as many ticks each: blocks x ticks of times, and blocks x series x ticks of values."""
    ticks = heads[0][2]
    streams, raw = [], []
    for block, (flags, found, _, _, times_bytes) in zip(blocks, heads, strict=True):
        if flags != 0 or found != series:
            raise codec.BlockError(f"{found} series in the block, {series} in its schema")
        body = memoryview(block)[_HEADER.size :]
        streams.append(bytes(body[:times_bytes]))
        raw.append(zipped.opened(body[times_bytes:], series * ticks * 8, what="values"))
    data = b"".join(raw)
    if len(data) != len(blocks) * series * ticks * 8:
        raise codec.BlockError("fewer values than belong")
    planes = np.frombuffer(data, np.uint8).reshape(len(blocks), 8, series, ticks)
    begins = np.array([head[3] for head in heads], np.int64) + np.array(shifts_ns, np.int64)
    return begins[:, np.newaxis] + _since_first(streams, ticks), _values(planes)


def _header(block: bytes) -> _Head:
    if len(block) < _HEADER.size:
        raise codec.BlockError("shorter than a block's header")
    version, flags, series, ticks, first, times_bytes = _HEADER.unpack_from(block)
    if version != codec.VERSION or series > codec.SERIES_MAX or ticks > codec.TICKS_MAX:
        raise codec.BlockError(f"version {version}, {series} series of {ticks} ticks: no block that an agent makes")
    if series * ticks > codec.VALUES_MAX:
        raise codec.BlockError(f"{series} series of {ticks} ticks: at most {codec.VALUES_MAX} together")
    return flags, series, ticks, first, times_bytes


def _values(planes: npt.NDArray[np.uint8]) -> Matrix:
    """Blocks x series x ticks of doubles, out of blocks x 8 x series x ticks of their bytes, XORed and shuffled."""
    blocks, _, series, ticks = planes.shape
    words = np.empty((blocks, series, ticks, 8), np.uint8)
    for place in range(8):
        words[..., place] = planes[:, place]
    xored = words.view("<u8")[..., 0].reshape(blocks * series, ticks)
    values: Matrix = np.bitwise_xor.accumulate(xored, axis=1).astype(np.uint64, copy=False).view(np.float64)
    return values.reshape(blocks, series, ticks)


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
