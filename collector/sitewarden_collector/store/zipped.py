"""zstd for blocks in the database: one compressor and one decompressor a thread, nothing allocated on a frame's word.

One serves one thread at a time, and making one costs more than a block.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import zstandard

from sitewarden_protos.blocks import BlockError

LEVEL = 1
"""Of what the caller has turned to mostly small bytes already: higher levels cost up to four times as much and save
2 % (measured on walks, on one decimal and on the health of a real host)."""
_OF_THREAD = threading.local()


def closed(data: bytes) -> bytes:
    """One frame, with its length and a checksum."""
    made: zstandard.ZstdCompressor | None = getattr(_OF_THREAD, "compressor", None)
    if made is None:
        made = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, write_content_size=True)
        _OF_THREAD.compressor = made
    return made.compress(data)


def opened(frame: bytes | memoryview, limit: int, *, what: str) -> bytes:
    """What a frame holds. Raises BlockError when it is damaged, or states more than `limit` bytes."""
    try:
        stated = zstandard.frame_content_size(frame)
        if not 0 <= stated <= limit:
            raise BlockError(f"the {what} state {stated} bytes where at most {limit} belong")
        return _decompressor().decompress(frame, max_output_size=limit)
    except zstandard.ZstdError as error:
        raise BlockError(f"the {what} cannot be decompressed: {error}") from error


def opened_all(frames: Sequence[bytes], size: int, *, what: str) -> bytes:
    """What many frames hold, each of them `size` bytes, one behind the other. Raises BlockError as `opened` does."""
    stated, decompress = zstandard.frame_content_size, _decompressor().decompress
    try:
        for frame in frames:
            if stated(frame) != size:
                raise BlockError(f"the {what} state {stated(frame)} bytes where {size} belong")
        return b"".join(map(decompress, frames))
    except zstandard.ZstdError as error:
        raise BlockError(f"the {what} cannot be decompressed: {error}") from error


def _decompressor() -> zstandard.ZstdDecompressor:
    made: zstandard.ZstdDecompressor | None = getattr(_OF_THREAD, "decompressor", None)
    if made is None:
        made = _OF_THREAD.decompressor = zstandard.ZstdDecompressor()
    return made
