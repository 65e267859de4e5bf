"""Which files a log's patterns name, and which folders must be watched to hear of new ones. Reads folders only."""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from sitewarden_agent.config import Log
from sitewarden_agent.observe.samefile import FileKey

FILES_MAX = 1_000
FOLDERS_MAX = 1_000
NAMED_KEPT = 4_096
FRESH_NS = 1_000_000_000
LOOKS_MAX = 20
TICK_NS = 10_000_000
"""The longest tick of a kernel (100 Hz)."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen:
    path: str
    key: FileKey
    size: int
    changed_ns: int
    is_link: bool = False


def files(log: Log) -> tuple[dict[FileKey, Seen], list[str]]:
    """The regular files that `log` names, each once, and complaints about what cannot be read.

    At most FILES_MAX, those changed last; the rest is named in a complaint.
    """
    found: dict[FileKey, Seen] = {}
    complaints: list[str] = []
    for pattern in log.paths:
        for path in _expand(pattern):
            if excluded(path, log.exclude):
                continue
            try:
                status = os.stat(path)
            except OSError as error:
                if not isinstance(error, FileNotFoundError):
                    complaints.append(f"{path}: {error.strerror}")
                continue
            if stat.S_ISREG(status.st_mode):
                key = FileKey.of(status)
                if key not in found:
                    found[key] = Seen(path, key, status.st_size, status.st_mtime_ns, os.path.islink(path))
    if len(found) > FILES_MAX:
        kept = sorted(found.values(), key=lambda seen: seen.changed_ns, reverse=True)[:FILES_MAX]
        complaints.append(f"{len(found)} files match; only the {FILES_MAX} changed last are read: narrow the patterns")
        found = {seen.key: seen for seen in kept}
    return found, complaints


def folders(log: Log) -> set[str]:
    """The folders in which files of `log` are made, as far as they exist; of links also where they lead.

    Where the pattern of a folder has no match yet, or may have another one tomorrow, the folders above it as well.
    """
    found: set[str] = set()
    for pattern in log.paths:
        parent = os.path.dirname(pattern)
        found |= _leading_to(parent)
        for folder in _expand(parent) if glob.has_magic(parent) else (parent,):
            found |= _existing(folder)
            if len(found) >= FOLDERS_MAX:
                return found
        found |= {folder for path in _expand(pattern) if os.path.islink(path) for folder in _behind(path)}
    return found


def _leading_to(folder: str) -> set[str]:
    """The folders in which those that `folder` names are made, up to the first that is there and no pattern."""
    found: set[str] = set()
    while folder not in ("", "/") and (glob.has_magic(folder) or not os.path.isdir(folder)):
        folder = os.path.dirname(folder)
        for each in _expand(folder) if glob.has_magic(folder) else (folder,):
            found |= _existing(each)
    return found


def _behind(link: str) -> set[str]:
    """The folder that a link leads to. A dangling one may lead into a folder that is made later."""
    folder = os.path.dirname(os.path.realpath(link))
    return _existing(folder) or _leading_to(folder)


def excluded(path: str, patterns: tuple[str, ...]) -> bool:
    name = os.path.basename(path)
    return any(fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def names(log: Log, path: str) -> bool:
    """Whether `log` names `path`, by its patterns alone."""
    if excluded(path, log.exclude):
        return False
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in log.paths)


def while_it_changes(path: str, look: Callable[[], Iterable[T]]) -> Iterator[T]:
    """What `look` finds in the folder of `path`, anew while names change in it meanwhile, a few times at most.

    The time of a folder moves with the kernel's tick: what changes twice within one has the same time. So a look counts
    only when the last change was older than that before it began.
    """
    folder = os.path.dirname(path)
    for _ in range(LOOKS_MAX):
        began_ns = time.time_ns()
        before_ns = _changed_ns(folder)
        yield from look()
        if before_ns < began_ns - TICK_NS and _changed_ns(folder) == before_ns:
            return
        time.sleep(TICK_NS / 1e9)


def _changed_ns(folder: str) -> int:
    with contextlib.suppress(OSError):
        return os.stat(folder).st_mtime_ns
    return 0


class Named:
    """`names` for one log, which remembers its answers: the same paths are asked about with every change of a file."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._known: dict[str, bool] = {}

    def __call__(self, path: str) -> bool:
        known = self._known.get(path)
        if known is None:
            if len(self._known) >= NAMED_KEPT:
                self._known.clear()
            known = self._known[path] = names(self._log, path)
        return known


class LookedInto:
    """Folders and when they had changed, as far as that was seen."""

    def __init__(self) -> None:
        self._changed_ns: dict[str, int] = {}

    def changed(self, folders: set[str], now_ns: int) -> set[str]:
        """Those of `folders` that changed since they were asked about. What is not asked about is forgotten."""
        changed_ns: dict[str, int] = {}
        for folder in folders:
            with contextlib.suppress(OSError):
                changed_ns[folder] = os.stat(folder).st_mtime_ns
        before, self._changed_ns = self._changed_ns, changed_ns
        # What changes twice within a tick of the clock has the same time.
        return {folder for folder, at in changed_ns.items() if at > now_ns - FRESH_NS or before.get(folder) != at}


def may_lie_at(log: Log, path: str) -> bool:
    """Whether `path` is in a folder in which `log` names files, itself one or what rotation made of one.

    A place to resume at comes out of the spool, in which the other process can write as well: it must not lead where
    the configuration does not.
    """
    folder = path.split("/")[:-1]
    for pattern in log.paths:
        *parents, name = pattern.split("/")
        if _leads([*parents, name] if name == "**" else parents, folder):
            return True
    return False


def _leads(pattern: list[str], folder: list[str]) -> bool:
    """Whether a folder's steps are what a pattern's may be; ** is any number of them. A step back is only itself."""
    if not pattern or not folder:
        return all(step == "**" for step in pattern) and not folder
    if pattern[0] == "**":
        return _leads(pattern[1:], folder) or (folder[0] != ".." and _leads(pattern, folder[1:]))
    same = folder[0] == pattern[0] or (folder[0] != ".." and fnmatch.fnmatchcase(folder[0], pattern[0]))
    return same and _leads(pattern[1:], folder[1:])


def _expand(pattern: str) -> list[str]:
    if not glob.has_magic(pattern):
        return [pattern]
    with contextlib.suppress(OSError):
        return sorted(glob.iglob(pattern, recursive=True, include_hidden=True))
    return []


def _existing(folder: str) -> set[str]:
    return {folder} if os.path.isdir(folder) else set()
