"""What rotation compressed: gzip, bzip2, xz and zstd, read from any place of the text that was packed.

Promises: offsets are those of the text, never of the archive; memory is bounded, an archive that wants more is refused;
whatever is wrong with one is an OSError, and one that ends early says so as `Torn`. The kind is told by its first
bytes. Loads each library at its first archive.
Not here: which file an archive was made of (`samefile`).
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol

ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""What tells an archive by its name. Of a .zip nothing is read: rotation makes none."""
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
WINDOW_MAX_BYTES = 32 * 1024 * 1024
"""What unpacking may take. `xz -6` needs 9 MiB, `zstd -19` 8 MiB."""
_CHUNK_BYTES = 64 * 1024
_SKIP_BYTES = 256 * 1024


class Torn(OSError):
    """The archive ends before its text does: it is still being made, or whoever made it was stopped."""


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


def is_packed(path: str) -> bool:
    return path.endswith(ENDINGS)


class Packed:
    """The text in an archive. Life: made of a descriptor, which stays its caller's, `skip` and `read`, `close`."""

    def __init__(self, descriptor: int) -> None:
        self._file: BinaryIO = os.fdopen(os.dup(descriptor), "rb")
        self._file.seek(0)
        self._source: _Source | None = None

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; fewer or none only at the end. Raises Torn and other OSErrors."""
        parts: list[bytes] = []
        wanted = size
        try:
            source = self._source = self._source or self._opened()
            while wanted > 0 and (part := source.read(wanted)):
                parts.append(part)
                wanted -= len(part)
        except EOFError as error:
            if parts:
                return b"".join(parts)  # what was whole; the next read says the rest
            raise Torn(str(error)) from error
        except _errors() as error:
            if parts:
                return b"".join(parts)
            raise OSError(f"the archive is damaged: {error}") from error
        return b"".join(parts)

    def skip(self, size: int) -> None:
        """Pass over so many bytes. Raises Torn when there are fewer."""
        while size > 0:
            part = self.read(min(size, _SKIP_BYTES))
            if not part:
                raise Torn("the archive holds less than was read of the file")
            size -= len(part)

    def close(self) -> None:
        self._source = None
        self._file.close()

    def _opened(self) -> _Source:
        head = self._file.read(8)
        self._file.seek(0)
        kind = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)
        match kind:
            case "gzip":
                return _Members(self._file, _Gzip)
            case "bzip2":
                import bz2

                return _Members(self._file, bz2.BZ2Decompressor)
            case "xz":
                import lzma

                return _Members(self._file, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, WINDOW_MAX_BYTES))
            case "zstd":
                import zstandard

                unpacking = zstandard.ZstdDecompressor(max_window_size=WINDOW_MAX_BYTES)
                return unpacking.stream_reader(self._file, read_across_frames=True, closefd=False)
        raise Torn("it is no archive, or not yet")


class _Members:
    """One decompressor after the other, as files of these kinds may be several that were put together."""

    def __init__(self, file: BinaryIO, make: Callable[[], Any]) -> None:
        self._file = file
        self._make = make
        self._member: Any = None
        self._raw = b""

    def read(self, size: int) -> bytes:
        """A kilobyte of an archive may be a megabyte of text: no more than `size` of it is unpacked at a time."""
        while True:
            if self._member is None and not self._begin():
                return b""
            if self._member.needs_input and not self._raw:
                self._raw = self._file.read(_CHUNK_BYTES)
                if not self._raw:
                    raise EOFError("the archive ends early")
            raw, self._raw = (self._raw, b"") if self._member.needs_input else (b"", self._raw)
            text: bytes = self._member.decompress(raw, size)
            if self._member.eof:
                self._raw = self._member.unused_data + self._raw
                self._member = None
            if text:
                return text

    def _begin(self) -> bool:
        """The next member, past the zeros with which tape drives fill up. False at the end."""
        while not self._raw.lstrip(b"\0"):
            self._raw = self._file.read(_CHUNK_BYTES)
            if not self._raw:
                return False
        self._raw = self._raw.lstrip(b"\0")
        self._member = self._make()
        return True


class _Gzip:
    """zlib's decompressor with the manners of the others: it keeps what it was given until it wants more."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, raw: bytes, size: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + raw, size)


def _errors() -> tuple[type[Exception], ...]:
    """What the libraries that are loaded raise on an archive that is damaged."""
    import sys

    found: list[type[Exception]] = [zlib.error, ValueError]
    if "lzma" in sys.modules:
        found.append(sys.modules["lzma"].LZMAError)
    if "zstandard" in sys.modules:
        found.append(sys.modules["zstandard"].ZstdError)
    return tuple(found)
