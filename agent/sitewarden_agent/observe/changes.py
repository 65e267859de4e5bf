"""What changed at the site: configuration files, the system's packages, versions of components.

Promises: what is known of each thing is a mark, written in the spool's transaction of the change, so that every change
is told exactly once, also what changed while the agent was down; the first look at a thing is told to nobody. Of a
file's content only its redacted text is kept, in the state folder, and only redacted lines are told; its hash is keyed
with the site's key. Everything is bounded. Not here: when to look (`jobs.site`).
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import glob
import hashlib
import hmac
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sitewarden_agent.config import WatchedFiles
from sitewarden_agent.model import Change, Component, FileMark
from sitewarden_alerting.reading.redact import RedactionError

FILES, VERSIONS, PACKAGES = ":files", ":versions", ":packages"
"""Sources of marks. A log's name never begins with a colon."""
FILES_MAX = 200  # of one section
TEXT_MAX_BYTES = 256 * 1024
KEPT_MAX_BYTES = 16 * 1024 * 1024
HASH_MAX_BYTES = 16 * 1024 * 1024
DIFF_MAX_LINES = 200
DIFF_MAX_CHARS = 8_000
_LINE_MAX = 300
_COMPARED_MAX_LINES = 2_000
_GONE = "gone"


@dataclass(slots=True)
class Found:
    """What a look found: changes with the marks that go with them, and the snapshots that are needed no more."""

    changes: list[Change] = field(default_factory=list)
    marks: list[FileMark] = field(default_factory=list)
    stale: list[Path] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def settled(self) -> None:
        """Everything is in the spool."""
        for path in self.stale:
            path.unlink(missing_ok=True)


class Snapshots:
    """Redacted texts as they were last, one file each in a folder of the state folder, `KEPT_MAX_BYTES` together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def forget_all_but(self, marks: Iterable[FileMark]) -> None:
        """What is watched no more, and what a kill left behind."""
        wanted = {self.path(mark.file_id, mark.signature).name for mark in marks}
        with contextlib.suppress(OSError):
            for entry in self._folder.iterdir():
                if entry.name not in wanted:
                    entry.unlink(missing_ok=True)

    def path(self, file_id: str, signature: str) -> Path:
        return self._folder / f"{file_id}-{signature}"

    def keep(self, file_id: str, signature: str, text: str) -> None:
        """Raises OSError, also when there is no more room for it: then the next change is told without its lines."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if sum(entry.stat().st_size for entry in os.scandir(self._folder)) + len(text) > KEPT_MAX_BYTES:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        there = self.path(file_id, signature)
        draft = there.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
        draft.replace(there)

    def text(self, file_id: str, signature: str) -> str | None:
        """None when it was not kept."""
        try:
            with open(self.path(file_id, signature), encoding="utf-8", newline="") as file:
                return file.read(2 * TEXT_MAX_BYTES)
        except OSError:
            return None


@dataclass(slots=True)
class _Seen:
    """A file as it was looked at: when nothing of this moved, it is not read again."""

    inode: int
    size_bytes: int
    mtime_ns: int


class FileWatch:
    """One section of [[watch_files]]. `marks` is what is known from before, by file."""

    def __init__(
        self,
        wanted: WatchedFiles,
        snapshots: Snapshots,
        *,
        key: bytes,
        redact: Callable[[str], str],
        marks: Iterable[FileMark],
    ) -> None:
        self._wanted = wanted
        self._snapshots = snapshots
        self._key = key
        self._redact = redact
        self._known = {mark.path: mark.signature for mark in marks}
        self._seen: dict[str, _Seen] = {}
        self._missing: set[str] = set()

    def look(self) -> Found:
        """What changed since the last look that was `taken`; after one that was not, everything is looked at anew."""
        found = Found()
        here = self._paths(found)
        for path in here:
            self._file(path, found)
        gone = {path for path, known in self._known.items() if known != _GONE and path not in here}
        missing = {path for path in gone if self._is_mine(path) and not os.path.lexists(path)}
        for path in missing & self._missing:  # twice in a row: it is not just being replaced
            self._told(path, self._known[path], _GONE, "", found)
        self._missing = missing
        return found

    def taken(self, found: Found) -> None:
        """What was found is in the spool: from now on it is what is known."""
        self._known.update({mark.path: mark.signature for mark in found.marks})
        found.settled()

    def not_taken(self) -> None:
        """The spool had no room: the next look finds it again."""
        self._seen.clear()

    def _paths(self, found: Found) -> list[str]:
        paths: list[str] = []
        for pattern in self._wanted.paths:
            try:
                paths += sorted(glob.iglob(pattern, recursive=True))[: FILES_MAX + 1]
            except OSError as error:
                found.complaints.append(f"watch_files {pattern}: {error.strerror}")
        if len(paths) > FILES_MAX:
            found.complaints.append(
                f"watch_files {self._wanted.paths[0]}: more than {FILES_MAX} files; the first are watched, narrow it"
            )
        return list(dict.fromkeys(paths))[:FILES_MAX]

    def _is_mine(self, path: str) -> bool:
        return any(matches(path, pattern) for pattern in self._wanted.paths)

    def _file(self, path: str, found: Found) -> None:
        try:
            status = os.stat(path)
            seen = _Seen(status.st_ino, status.st_size, status.st_mtime_ns)
            if self._seen.get(path) == seen or not os.path.isfile(path):
                return
            signature, text = self._read(path)
        except OSError as error:
            found.complaints.append(f"watch_files {path}: {error.strerror}; let the agent's user read it")
            return
        self._seen[path] = seen
        before = self._known.get(path)
        if before != signature:
            self._told(path, before, signature, text, found)

    def _read(self, path: str) -> tuple[str, str]:
        """Its keyed hash, and its redacted text; no text for what is large, not text, or not wanted. Raises OSError."""
        hashing = hmac.new(self._key, digestmod="sha256")
        content = bytearray()
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            while len(content) <= HASH_MAX_BYTES and (chunk := file.read(64 * 1024)):
                hashing.update(chunk)
                if len(content) <= TEXT_MAX_BYTES:
                    content += chunk
        text = ""
        if self._wanted.diff and len(content) <= TEXT_MAX_BYTES and b"\0" not in content:
            with contextlib.suppress(RedactionError):  # then only that it changed is told
                text = self._redact(content.decode("utf-8", "replace"))
        return hashing.hexdigest()[:16], text

    def _told(self, path: str, before: str | None, now: str, text: str, found: Found) -> None:
        file_id = _id(path)
        if text:
            with contextlib.suppress(OSError):  # then the next change has no diff
                self._snapshots.keep(file_id, now, text)
        found.marks.append(FileMark(FILES, path, file_id, 0, signature=now))
        if before is None:
            return  # watched for the first time
        old = self._snapshots.text(file_id, before) if before != _GONE else ""
        detail = ""
        if self._wanted.diff and old is not None and (text or now == _GONE) and (old or text):
            detail = difference(old, text)
        said_before = "" if before == _GONE else f"hash {before[:8]}"
        said_now = _GONE if now == _GONE else f"hash {now[:8]}"
        found.changes.append(Change("config", self._redact(path), said_before, said_now, detail))
        found.stale.append(self._snapshots.path(file_id, before))


def of_versions(components: Iterable[Component], known: Mapping[str, str]) -> Found:
    """Components whose version is another than the one that is known. One that cannot be read now changed nothing."""
    found = Found()
    for component in components:
        before = known.get(component.name)
        if component.version and component.version != before:
            mark = FileMark(VERSIONS, component.name, _id(component.name), 0, signature=component.version)
            found.marks.append(mark)
            if before is not None:
                found.changes.append(Change("version", component.name, before, component.version))
    return found


def of_packages(
    packages: Mapping[str, str],
    snapshots: Snapshots,
    *,
    known: str | None,
    redact: Callable[[str], str],
) -> Found:
    """What was installed, upgraded and removed since the list whose signature is `known`."""
    found = Found()
    if not packages:
        return found
    text = "".join(f"{name} {packages[name]}\n" for name in sorted(packages))
    signature = hashlib.sha256(text.encode()).hexdigest()[:16]
    if signature == known:
        return found
    with contextlib.suppress(OSError):
        snapshots.keep("packages", signature, text)
    found.marks.append(FileMark(PACKAGES, "packages", "packages", 0, signature=signature))
    before = snapshots.text("packages", known) if known is not None else None
    if known is not None:
        found.stale.append(snapshots.path("packages", known))
    if before is None:
        return found
    old = dict(line.split(" ", 1) for line in before.splitlines() if " " in line)
    new = [name for name in packages if name not in old]
    gone = [name for name in old if name not in packages]
    upgraded = [name for name, version in packages.items() if name in old and old[name] != version]
    lines = [f"+ {name} {packages[name]}" for name in sorted(new)]
    lines += [f"- {name} {old[name]}" for name in sorted(gone)]
    lines += [f"  {name} {old[name]} -> {packages[name]}" for name in sorted(upgraded)]
    said = f"{len(new)} installed, {len(upgraded)} upgraded, {len(gone)} removed"
    if lines:
        found.changes.append(Change("packages", "system packages", "", said, _bounded(map(redact, lines))))
    return found


def difference(before: str, after: str) -> str:
    """The changed lines with two around them, bounded. What is equal at both ends is not compared."""
    old, new = before.splitlines(), after.splitlines()
    first = 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        first += 1
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    begin, end = max(0, first - 2), max(0, last - 2)
    old, new = old[begin : len(old) - end], new[begin : len(new) - end]
    if max(len(old), len(new)) > _COMPARED_MAX_LINES:
        return f"@@ from line {begin + 1} on: {len(old)} lines became {len(new)} @@"
    import difflib  # seldom needed

    lines = list(difflib.unified_diff(old, new, lineterm="", n=2))[2:]
    shifted = [_shifted(line, begin) if line.startswith("@@") else line for line in lines]
    return _bounded(shifted)


def _shifted(hunk: str, by: int) -> str:
    """The head of a hunk, whose numbers count from the first line that was compared."""
    parts = hunk.split(" ")
    for place in (1, 2):
        sign, (number, *rest) = parts[place][0], parts[place][1:].split(",")
        parts[place] = sign + ",".join([str(int(number) + by), *rest])
    return " ".join(parts)


def _bounded(lines: Iterable[str]) -> str:
    kept: list[str] = []
    size = 0
    for line in lines:
        short = line if len(line) <= _LINE_MAX else line[:_LINE_MAX] + "..."
        size += len(short) + 1
        if len(kept) == DIFF_MAX_LINES or size > DIFF_MAX_CHARS:
            kept.append("... more is not told")
            break
        kept.append(short)
    return "\n".join(kept)


def _id(path: str) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:32]


def matches(path: str, pattern: str) -> bool:
    """As glob has it: * within a folder, ** any depth."""
    return _leads(pattern.split("/"), path.split("/"))


def _leads(pattern: list[str], path: list[str]) -> bool:
    if not pattern or not path:
        return pattern == path
    if pattern[0] == "**":
        return any(_leads(pattern[1:], path[skipped:]) for skipped in range(len(path)))
    return fnmatch.fnmatchcase(path[0], pattern[0]) and _leads(pattern[1:], path[1:])
