"""Whether a file that is new is a copy of one that is followed, as copytruncate makes it: read already, or about to be.

A copy that is still being made is not judged; it is seen again at the next look. Not here: reading the rest of a file
in its copy (`follow`).
"""

from __future__ import annotations

from collections.abc import Iterable

from sitewarden_agent.observe.discovery import Seen
from sitewarden_agent.observe.logfile import LogFile
from sitewarden_agent.observe.samefile import holds, may_be_rotation

COPYING_NS = 10_000_000_000
"""A copy that changed within this time may still be growing."""


def may_grow(seen: Seen, now_ns: int) -> bool:
    return now_ns - seen.changed_ns < COPYING_NS


def is_copy(seen: Seen, files: Iterable[LogFile], *, now_ns: int) -> bool:
    """Whether `seen` is a copy of one of `files`, or a part of one that is being made (wall time)."""
    for file in files:
        if file.key == seen.key or not file.signature.size or not may_be_rotation(seen.path, of=file.path):
            continue
        if seen.size < min(file.signature.size, file.position):
            return may_grow(seen, now_ns)  # too little to tell yet
        known = min(seen.size, file.position)
        tail = file.tail if known == file.position else b""
        if holds(seen.path, key=seen.key, signature=file.signature, size=known, tail=tail):
            # A part of the original is a copy only while it grows.
            return known == file.position or may_grow(seen, now_ns)
    return False
