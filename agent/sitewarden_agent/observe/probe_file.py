"""Something that must be written in time, such as a backup: the newest of the files that a pattern names.

Promises: a file system that does not answer costs one thread, however often it is asked. Only names and what `stat`
tells are read.
"""

from __future__ import annotations

import asyncio
import glob
import itertools
import os
import stat
from dataclasses import dataclass

from sitewarden_agent.clock import Clock
from sitewarden_agent.config import FileProbe
from sitewarden_agent.model import Series
from sitewarden_agent.observe.looks import Bad, Look

FILES_MAX = 100_000
_HOUR_S = 3_600.0
_STEPS = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True)
class Newest:
    path: str
    written_s: float
    size_bytes: int


class Files:
    """Looks for the files of one probe."""

    def __init__(self, probe: FileProbe, clock: Clock) -> None:
        self._probe = probe
        self._clock = clock
        self._looking: asyncio.Future[Newest | None] | None = None

    async def __call__(self) -> Look:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(asyncio.to_thread(newest, self._probe.path))
        found = await asyncio.shield(self._looking)
        if found is None:
            return Look(False, "there is no such file")
        age_s = self._clock.wall_ns() / 1e9 - found.written_s
        labels = (("probe", self._probe.name),)
        values = {
            Series("file_age_seconds", labels, "seconds"): round(age_s, 1),
            Series("file_size_bytes", labels, "bytes"): float(found.size_bytes),
        }
        said = f"{os.path.basename(found.path)} is {age_s / _HOUR_S:.1f} h old and has {_size(found.size_bytes)}"
        if age_s > self._probe.max_age_h * _HOUR_S:
            return Look(False, f"{said}; {self._probe.max_age_h:g} h are allowed", values=values)
        if found.size_bytes < self._probe.min_bytes:
            return Look(False, f"{said}; at least {_size(self._probe.min_bytes)} are expected", values=values)
        return Look(True, said, values=values)


def newest(pattern: str) -> Newest | None:
    """The regular file that was written last. Blocking. Raises Bad when the pattern names too many to look at."""
    found: Newest | None = None
    paths = glob.iglob(pattern, recursive=True) if glob.has_magic(pattern) else iter((pattern,))
    for path in itertools.islice(paths, FILES_MAX):
        try:
            seen = os.stat(path)
        except OSError:
            continue
        if stat.S_ISREG(seen.st_mode) and (found is None or seen.st_mtime > found.written_s):
            found = Newest(path, seen.st_mtime, seen.st_size)
    if next(paths, None) is not None:
        raise Bad(f"the pattern names more than {FILES_MAX} files; write a narrower one")
    return found


def _size(size_bytes: int) -> str:
    size, step = float(size_bytes), 0
    while size >= 1_024 and step < len(_STEPS) - 1:
        size, step = size / 1_024, step + 1
    return f"{size:.0f} {_STEPS[step]}" if step == 0 or size >= 10 else f"{size:.1f} {_STEPS[step]}"
