"""Buffers for whole blocks of a file, used again and again. From any thread. Not here: what is looked for in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

BLOCK_BYTES = 512 * 1024
"""How much of a file is read and searched at once."""
_BEFORE_BYTES = 4096
_SPARE_MAX = 1

_spare: list[bytearray] = []


@contextmanager
def block_buffer() -> Iterator[bytearray]:
    """A buffer for a block and for what stands before it in the file. What it holds is of no account."""
    try:
        buffer = _spare.pop()
    except IndexError:
        buffer = bytearray(_BEFORE_BYTES + BLOCK_BYTES)
    try:
        yield buffer
    finally:
        if len(_spare) < _SPARE_MAX:
            _spare.append(buffer)


def read_into(descriptor: int, buffer: bytearray, size: int, *, offset: int) -> int:
    """Fill the first `size` bytes of the buffer from `offset` of the file. Returns how many; fewer only at its end."""
    filled = 0
    with memoryview(buffer) as view:
        while filled < size:
            with view[filled:size] as rest:
                got = os.preadv(descriptor, [rest], offset + filled)
            if got == 0:
                break
            filled += got
    return filled
