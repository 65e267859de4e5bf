"""What must be executable so that a program can be started: itself, its interpreter, the loader.

Reads the beginnings of files and nothing else. Shared libraries need no such right: they are read and mapped. Not here:
what the program starts in turn, which nobody can know (`may_execute` in the configuration).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs without a path are looked for, whatever the environment says."""
_HEAD_BYTES = 4_096
_DEPTH_MAX = 4  # as the kernel follows interpreters of interpreters
_INTERPRETER = 3


def needed(programs: Iterable[str]) -> tuple[Path, ...]:
    """The files to execute for these. A folder stands for all that is in it; what is not there needs nothing."""
    found: set[Path] = set()
    for program in programs:
        _add(found, program, _DEPTH_MAX)
    return tuple(sorted(found))


def find(name: str) -> str | None:
    """The absolute path of a program of the system; None when it has none."""
    for folder in PATH.split(":"):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK):
            return path
    return None


def _add(found: set[Path], program: str, depth: int) -> None:
    if "\0" in program:
        return
    path = Path(os.path.realpath(program))
    if path in found or depth < 0:
        return
    if os.path.isdir(path):
        found.add(path)
        for loader in _loaders():
            _add(found, loader, depth - 1)
        return
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return
    found.add(path)
    for interpreter in _interpreters(head):
        _add(found, interpreter, depth - 1)


def _interpreters(head: bytes) -> list[str]:
    if head.startswith(b"#!"):
        line = head[2:].split(b"\n", 1)[0].split(b"\0", 1)[0]
        words = [os.fsdecode(word) for word in line.split()]
        named = words[:1]
        if words and os.path.basename(words[0]) == "env":  # the first word after it that is neither option nor variable
            wanted = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), "")
            named += [path for path in (find(wanted),) if path and wanted]
        return named
    try:
        return _loader(head)
    except (struct.error, OverflowError):
        return []


def _loader(head: bytes) -> list[str]:
    """PT_INTERP of an ELF file of 64 bits (System V ABI, program header)."""
    if head[:6] != b"\x7fELF\x02\x01":
        return []
    (table,) = struct.unpack_from("<Q", head, 32)
    size, count = struct.unpack_from("<HH", head, 54)
    for number in range(count):
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", head, table + number * size)
        if kind == _INTERPRETER:
            return [os.fsdecode(head[offset : offset + length].rstrip(b"\0"))]
    return []


def _loaders() -> list[str]:
    """Those of the shells and tools of this host."""
    shell = find("sh")
    try:
        return _interpreters(Path(shell).read_bytes()[:_HEAD_BYTES]) if shell else []
    except OSError:
        return []
