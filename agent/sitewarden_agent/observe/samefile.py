"""Whether a file is the one that was read before: its inode, its first bytes, the bytes before the place of reading.

A path is a name, not a file: logs are renamed, cut, copied, compressed, deleted and made anew under the same name, and
a new file may get the old one's inode. Promises: a file counts as the same only when its bytes say so. Not here:
following files (`logfile`), deciding what a change means (`tail`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sitewarden_agent.model import FileMark
from sitewarden_agent.observe import decoding
from sitewarden_agent.observe.packed import Packed, is_packed

HEAD_BYTES = 1024
TAIL_BYTES = 64
LAST_LINE_BYTES = 64 * 1024
_CANDIDATES = 200
# What rotation puts behind a name or before its ending: .1  -20261123  .2026-11-23-10  .old  .1.gz
_ROTATED = re.compile(r"[.\-_](?:\d[\d.\-_T:]*|old|bak|prev|save)")

_NUMBER = re.compile(r"\d+")
_ROTATED_AT_END = re.compile(_ROTATED.pattern + r"\Z")


@dataclass(frozen=True, slots=True)
class FileKey:
    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileKey:
        return cls(status.st_dev, status.st_ino)


def file_id(key: FileKey, born_ns: int) -> str:
    """The name of one life of a file, for ever. `born_ns`: when it was first seen, or first seen cut and begun anew."""
    return f"{key.device:x}-{key.inode:x}-{born_ns:x}"


def parse_file_id(text: str) -> tuple[FileKey, int]:
    """Key and birth. Raises ValueError on anything else."""
    device, inode, born_ns = text.split("-")
    return FileKey(int(device, 16), int(inode, 16)), int(born_ns, 16)


@dataclass(frozen=True, slots=True)
class Signature:
    """A hash over the first `size` bytes. Of an empty file it says nothing."""

    text: str = ""
    size: int = 0

    @classmethod
    def of(cls, head: bytes) -> Signature:
        return cls(hashlib.sha256(head).hexdigest()[:32], len(head)) if head else cls()

    def matches(self, head: bytes) -> bool:
        """Whether a file that begins with `head` (as much as there is, up to HEAD_BYTES) can be the one signed."""
        return self.size == 0 or (len(head) >= self.size and Signature.of(head[: self.size]) == self)


def hash_before(descriptor: int, offset: int) -> str:
    """A hash over the TAIL_BYTES before `offset`; empty where nothing stands before it."""
    size = min(TAIL_BYTES, offset)
    return Signature.of(read_at(descriptor, size, offset=offset - size)).text if size else ""


def read_at(descriptor: int, size: int, *, offset: int) -> bytes:
    """Up to `size` bytes; fewer only at the end of the file."""
    data = os.pread(descriptor, size, offset)
    while data and len(data) < size and (more := os.pread(descriptor, size - len(data), offset + len(data))):
        data += more
    return data


def signature_of(descriptor: int) -> Signature:
    return Signature.of(read_at(descriptor, HEAD_BYTES, offset=0))


def is_rotation_of(name: str, live: str) -> bool:
    """Whether `name` is what rotation makes of `live`: app.log.1, app.log-20261123, app-20261123.log, app.1.log.gz."""
    name = re.sub(r"\.(?:gz|bz2|xz|zst)$", "", name)
    if name == live or len(name) <= len(live):
        return False
    stem, ending = os.path.splitext(live)
    if name.startswith(live):
        return _ROTATED.fullmatch(name[len(live) :]) is not None
    if ending and name.startswith(stem) and name.endswith(ending):
        return _ROTATED.fullmatch(name[len(stem) : len(name) - len(ending)]) is not None
    return False


def _is_named_after(name: str, other: str) -> bool:
    """Whether the two differ in numbers alone, or in what rotation adds: 0.log, 1.log, 0.log.20261123-101500."""
    name, other = (_NUMBER.sub("0", each) for each in (name, other))
    return name == other or is_rotation_of(name, other)


def _base(name: str) -> str:
    """The name that rotation began with, when `name` is one that it made: app.log of app.log.1."""
    stem, ending = os.path.splitext(name)
    before = _ROTATED_AT_END.sub("", stem)
    return f"{before}{ending}" if before and before != stem else _ROTATED_AT_END.sub("", name) or name


def may_be_rotation(path: str, *, of: str) -> bool:
    """The same for paths, which must be of one folder."""
    return os.path.dirname(path) == os.path.dirname(of) and is_rotation_of(os.path.basename(path), os.path.basename(of))


def start_of_last_line(path: str, encoding: str) -> int:
    """Where a last line without its end begins, else the end of the file."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - LAST_LINE_BYTES)
        file.seek(start)
        return start + decoding.line_start(encoding, file.read(), at=start)
    return 0


@dataclass(frozen=True, slots=True)
class Found:
    """Another file that holds what the lost one held."""

    path: str
    compressed: bool
    key: FileKey
    size: int


def by_inode(directory: str, key: FileKey, *, signature: Signature, like: str = "") -> str | None:
    """The path in `directory` under which that file lives now; with `like` only one that is named after that."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if like and not _is_named_after(entry.name, like):
                continue
            if entry.inode() == key.inode and not is_packed(entry.name):
                with contextlib.suppress(OSError):
                    if FileKey.of(entry.stat()) == key and signature.matches(_head(entry.path)):
                        return entry.path
    return None


def holds(path: str, *, key: FileKey, signature: Signature, size: int, tail: bytes = b"", before: str = "") -> bool:
    """Whether the file at `path` is that of `key`, with the signed head, `size` bytes or more, `tail` ending there.

    `before` is the hash of such a tail.
    """
    try:
        status = os.stat(path)
        if FileKey.of(status) != key or status.st_size < size or not signature.matches(_head(path)):
            return False
        return _reads(path, size=size, tail=tail, before=before)
    except OSError:
        return False


def where_is(mark: FileMark, key: FileKey) -> Iterator[str]:
    """Where the very file of a mark is now, if it still is: at its path, or under another name beside it.

    Where its path is a link, also beside what that leads to now. That folder the configuration does not name, so there
    it must be named after what the link leads to, and the mark must know how it begins.
    """
    signature = Signature(mark.signature, mark.signature_bytes)
    if holds(mark.path, key=key, signature=signature, size=mark.offset, before=mark.before):
        yield mark.path
        return
    found = by_inode(os.path.dirname(mark.path), key, signature=signature)
    if found is None and signature.size and os.path.islink(mark.path):
        folder, name = os.path.split(os.path.realpath(mark.path))
        found = by_inode(folder, key, signature=signature, like=name)
    if found is not None and holds(found, key=key, signature=signature, size=mark.offset, before=mark.before):
        yield found


def copies_of(mark: FileMark, key: FileKey) -> Iterator[Found]:
    """A copy of the file of a mark, if there is one."""
    signature = Signature(mark.signature, mark.signature_bytes)
    found = copy_of(mark.path, signature=signature, size=mark.offset, not_key=key, before=mark.before)
    if found is not None:
        yield found


def copy_of(
    path: str, *, signature: Signature, size: int, not_key: FileKey, tail: bytes = b"", before: str = ""
) -> Found | None:
    """A copy of the file that was at `path`, of at least `size` bytes, beside it: a plain one before a packed one.

    `tail` is what stood before byte `size`, `before` a hash of that, when it is known. Needs a signature: an empty file
    has no copies.
    """
    if signature.size == 0:
        return None
    base = os.path.join(os.path.dirname(path), _base(os.path.basename(path)))
    found = dict.fromkeys((*_rotations(path), *(_rotations(base) if base != path else ())))
    for candidate in sorted(found, key=is_packed):
        with contextlib.suppress(OSError):
            status = os.stat(candidate)
            key = FileKey.of(status)
            # An archive may have got the inode of what it was made of.
            if (key == not_key and not is_packed(candidate)) or not stat.S_ISREG(status.st_mode):
                continue
            compressed = is_packed(candidate)
            if not signature.matches(_head(candidate)):
                continue
            if not compressed and status.st_size < size:
                continue
            if not _reads(candidate, size=size, tail=tail, before=before):
                continue
            return Found(candidate, compressed, key, status.st_size)
    return None


def _reads(path: str, *, size: int, tail: bytes, before: str) -> bool:
    """Whether what stands before byte `size` is `tail`, or has the hash `before`."""
    if tail:
        return _slice(path, offset=size - len(tail), size=len(tail)) == tail
    start = max(0, size - TAIL_BYTES)
    return not before or Signature.of(_slice(path, offset=start, size=size - start)).text == before


def rotations_after(path: str, *, changed_ns: int) -> list[Found]:
    """What rotation made of `path` and that changed after `changed_ns`, plain or packed, the oldest first."""
    found: list[Found] = []
    for candidate in _rotations(path):
        with contextlib.suppress(OSError):
            status = os.stat(candidate)
            if status.st_mtime_ns > changed_ns and stat.S_ISREG(status.st_mode):
                found.append(Found(candidate, is_packed(candidate), FileKey.of(status), status.st_size))
    return found[::-1]


def _rotations(path: str) -> Iterator[str]:
    """Files that rotation may have made of `path`, beside it or beside what it leads to, the newest first."""
    found: list[tuple[int, str]] = []
    for live in map(Path, dict.fromkeys((path, os.path.realpath(path) if os.path.islink(path) else path))):
        with contextlib.suppress(OSError), os.scandir(live.parent) as entries:
            for entry in entries:
                if is_rotation_of(entry.name, live.name):
                    with contextlib.suppress(OSError):
                        found.append((entry.stat().st_mtime_ns, entry.path))
    for _, candidate in sorted(found, reverse=True)[:_CANDIDATES]:
        yield candidate


def encoding_of(path: str) -> str:
    """The encoding of the text in the file at `path`, packed or not; `auto` when its first bytes do not tell yet."""
    with contextlib.suppress(OSError):
        return decoding.recognised(_head(path))
    return "auto"


def begins_with(path: str, signature: Signature) -> bool:
    """Whether the file at `path` can be the one signed. Raises OSError."""
    return signature.matches(_head(path))


def _head(path: str) -> bytes:
    return _slice(path, offset=0, size=HEAD_BYTES)


def _slice(path: str, *, offset: int, size: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not is_packed(path):
            return read_at(descriptor, size, offset=offset)
        with contextlib.closing(Packed(descriptor)) as packed:
            packed.skip(offset)
            return packed.read(size)
    finally:
        os.close(descriptor)
