"""The sample block: how a matrix of samples travels and rests.

One block holds `series` x `ticks` doubles that share their times. It is bit-exact, NaN included (NaN: no sample), and
costs about one byte a sample on ordinary host health. It promises that `decode(encode(t, c), series=len(c))` gives t
and c back, and that bytes from outside are refused with BlockError before they cost more memory than their header
states.

Layout, version 1, little-endian:

    offset  size  field
    0       1     version (1)
    1       1     flags (0)
    2       2     series
    4       4     ticks
    8       8     first time, UTC nanoseconds
    16      4     length of the time stream, compressed
    20      ...   time stream: zstd(zigzag varints of the second differences of the times)
    ...     ...   value stream: zstd(byte shuffle(each value XOR the one before it in its series))

The method (XOR with the previous value, byte shuffle, zstd) is the one that was measured best of thirteen for blocks of
60 ticks. Only the standard library and zstandard: the agent has no NumPy. XOR runs on whole columns as big integers, so
that no sample becomes a Python object here.

Not here: names of series, units, labels (see SampleBlock in observation.proto), and who stores what.
"""

from __future__ import annotations

import struct
import sys
import threading
from array import array
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

import zstandard

VERSION = 1
SERIES_MAX = 4_096
TICKS_MAX = 65_536
VALUES_MAX = 4_194_304  # 32 MiB of doubles: no block that an agent makes comes near

_HEADER = struct.Struct("<BBHIqI")
_LEVEL = 3
_VARINT_BYTES_MAX = 10
_ALIKE_TICKS_MAX, _ALIKE_BYTES_MAX = 720, 256  # of time streams that are remembered
_OF_THREAD = threading.local()


class BlockError(ValueError):
    """These bytes are no sample block, or a larger one than anybody sends."""


def encode(times_ns: Sequence[int], columns: Sequence[Sequence[float]]) -> bytes:
    """One block from `columns[series][tick]` at `times_ns[tick]`.

    Raises BlockError when a column's length is not that of the times, or a bound of this module is passed.
    """
    ticks, series = len(times_ns), len(columns)
    _check_size(series, ticks)
    if any(len(column) != ticks for column in columns):
        raise BlockError(f"every series needs {ticks} values, one a tick")
    return pack(times_ns, _shuffle(b"".join(_xor_down(_to_bytes(column)) for column in columns)), series=series)


def pack(times_ns: Sequence[int], shuffled: bytes, *, series: int) -> bytes:
    """The block of times and of values that are XORed and shuffled already; for programs that have arrays of them.

    Raises BlockError when the sizes do not agree, or a bound of this module is passed.
    """
    ticks = len(times_ns)
    _check_size(series, ticks)
    if len(shuffled) != series * ticks * 8:
        raise BlockError(f"{len(shuffled)} bytes of values where {series * ticks * 8} belong")
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True, write_content_size=True)
    times = compressor.compress(_pack_times(times_ns))
    values = compressor.compress(shuffled)
    first = times_ns[0] if ticks else 0
    return _HEADER.pack(VERSION, 0, series, ticks, first, len(times)) + times + values


def decode(
    block: bytes, *, series: int, wanted: Sequence[int] | None = None
) -> tuple[tuple[int, ...], tuple[array[float], ...]]:
    """The times (UTC ns) and one `array('d')` a series; with `wanted` only the columns of those, in their order: a few
    of many cost a fraction of all.

    Raises BlockError when the block is damaged, of a later version, too large, or of another number of series.
    """
    times_ns, shuffled = unpack(block, series=series)
    chosen = range(series) if wanted is None else wanted
    return times_ns, _columns(shuffled, chosen, words=series * len(times_ns), ticks=len(times_ns))


def unpack(block: bytes, *, series: int) -> tuple[tuple[int, ...], bytes]:
    """The times (UTC ns) of a block and its values, still XORed and shuffled; the inverse of `pack`.

    Raises BlockError as `decode` does.
    """
    ticks, first, times, body = _parts(block, series=series)
    return _times(times, first, ticks), _shuffled(body, series * ticks * 8)


def ticks_of(block: bytes) -> int:
    """How many ticks a block says that it has."""
    return int.from_bytes(block[4:8], "little")


def values(block: bytes, *, series: int) -> bytes:
    """The values of a block alone, still XORed and shuffled: who looks whether a level is passed needs no times.

    Raises BlockError as `decode` does.
    """
    ticks, _, _, body = _parts(block, series=series)
    return _shuffled(body, series * ticks * 8)


def _parts(block: bytes, *, series: int) -> tuple[int, int, memoryview, memoryview]:
    """Ticks, first time, and the two streams, still compressed. Raises BlockError."""
    if len(block) < _HEADER.size:
        raise BlockError("shorter than a block's header")
    version, flags, found, ticks, first, times_bytes = _HEADER.unpack_from(block)
    if version != VERSION or flags != 0:
        raise BlockError(f"version {version}, flags {flags}: this program knows version {VERSION} only")
    if found != series:
        raise BlockError(f"{found} series in the block, {series} in its schema")
    _check_size(found, ticks)
    body = memoryview(block)[_HEADER.size :]
    if times_bytes > len(body):
        raise BlockError("cut off within its times")
    return ticks, first, body[:times_bytes], body[times_bytes:]


def _times(stream: memoryview, first_ns: int, ticks: int) -> tuple[int, ...]:
    if ticks > _ALIKE_TICKS_MAX or len(stream) > _ALIKE_BYTES_MAX:
        return _unpack_times(_decompress(stream, ticks * _VARINT_BYTES_MAX, "times"), first_ns, ticks)
    return tuple([first_ns + since_ns for since_ns in _since_first(bytes(stream), ticks)])


@lru_cache(maxsize=256)
def _since_first(stream: bytes, ticks: int) -> tuple[int, ...]:
    """When each tick was, after the first one. Agents that tick steadily all send the same few bytes."""
    return _unpack_times(_decompress(memoryview(stream), ticks * _VARINT_BYTES_MAX, "times"), 0, ticks)


def _shuffled(body: memoryview, size: int) -> bytes:
    shuffled = _decompress(body, size, "values")
    if len(shuffled) != size:
        raise BlockError(f"{len(shuffled)} bytes of values where {size} belong")
    return shuffled


def _columns(shuffled: bytes, chosen: Sequence[int], *, words: int, ticks: int) -> tuple[array[float], ...]:
    """Some series out of the shuffled values of all, in one go: a day's chart opens thousands of small blocks."""
    own = bytearray(len(chosen) * ticks * 8)
    for place in range(8):
        start = place * words
        if isinstance(chosen, range):  # all of them
            own[place::8] = shuffled[start : start + words]
        else:
            own[place::8] = b"".join([shuffled[start + at * ticks : start + at * ticks + ticks] for at in chosen])
    values = _from_bytes(_xor_up(bytes(own), columns=len(chosen)))
    return tuple([values[at * ticks : (at + 1) * ticks] for at in range(len(chosen))])


def _check_size(series: int, ticks: int) -> None:
    if series > SERIES_MAX or ticks > TICKS_MAX or series * ticks > VALUES_MAX:
        raise BlockError(
            f"{series} series of {ticks} ticks: at most {SERIES_MAX} and {TICKS_MAX}, {VALUES_MAX} together"
        )


def _decompress(data: memoryview, limit: int, what: str) -> bytes:
    try:
        # The frame's stated size is checked before a byte is allocated; a frame without one is not ours.
        stated = zstandard.frame_content_size(data)
        if stated < 0 or stated > limit:
            raise BlockError(f"the {what} state {stated} bytes where at most {limit} belong")
        return _mine().decompress(data, max_output_size=limit)
    except zstandard.ZstdError as error:
        raise BlockError(f"the {what} cannot be decompressed: {error}") from error


def _mine() -> zstandard.ZstdDecompressor:
    """This thread's decompressor: one serves one thread at a time, and making one costs more than a block."""
    made: zstandard.ZstdDecompressor | None = getattr(_OF_THREAD, "decompressor", None)
    if made is None:
        made = _OF_THREAD.decompressor = zstandard.ZstdDecompressor()
    return made


def _to_bytes(column: Sequence[float]) -> bytes:
    values = array("d", column)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _from_bytes(data: bytes) -> array[float]:
    values = array("d", data)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _xor_down(column: bytes) -> bytes:
    """Each 8-byte word XOR the one before it."""
    number = int.from_bytes(column, "little")
    # The top word of the shifted number falls off with the mask: it has no successor.
    mask = (1 << (8 * len(column))) - 1
    return (number ^ ((number << 64) & mask)).to_bytes(len(column), "little")


def _xor_up(values: bytes, *, columns: int) -> bytes:
    """The inverse for columns that stand one behind the other: a running XOR over the words of each, by doubling
    strides."""
    number = int.from_bytes(values, "little")
    column_bytes = len(values) // columns if columns else 0
    stride = 8
    while stride < column_bytes:
        # What a shift brings into a column out of the one before it falls off with the mask.
        own = (bytes(stride) + b"\xff" * (column_bytes - stride)) * columns
        number ^= (number << (8 * stride)) & int.from_bytes(own, "little")
        stride *= 2
    return number.to_bytes(len(values), "little")


def _shuffle(data: bytes) -> bytes:
    """All first bytes of the words, then all second bytes, and so on: like stands by like for the compressor."""
    return b"".join(data[at::8] for at in range(8))


def _pack_times(times_ns: Sequence[int]) -> bytes:
    out = bytearray()
    before, step = (times_ns[0] if times_ns else 0), 0
    for time_ns in times_ns[1:]:
        difference = time_ns - before - step
        before, step = time_ns, time_ns - before
        number = difference << 1 if difference >= 0 else (-difference << 1) - 1
        while number > 0x7F:
            out.append(number & 0x7F | 0x80)
            number >>= 7
        out.append(number)
    return bytes(out)


def _unpack_times(packed: bytes, first_ns: int, ticks: int) -> tuple[int, ...]:
    seconds: list[int] = []
    number = shift = 0
    # Steady steps are a tail of zeros, which need no reading; one that ends a number stays with it.
    steady = packed.rstrip(b"\0")
    if steady and steady[-1] & 0x80:
        steady = packed[: len(steady) + 1]
    for byte in steady:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift >= 7 * _VARINT_BYTES_MAX:
                raise BlockError("a time step longer than 64 bits")
            continue
        seconds.append(number >> 1 if not number & 1 else -((number + 1) >> 1))
        number = shift = 0
    seconds += [0] * (len(packed) - len(steady))
    if shift or len(seconds) != max(ticks - 1, 0):
        raise BlockError(f"{len(seconds)} time steps where {max(ticks - 1, 0)} belong")
    if not ticks:
        return ()
    return tuple(accumulate(accumulate(seconds), initial=first_ns))
