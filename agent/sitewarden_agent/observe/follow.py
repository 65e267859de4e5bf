"""Follows the files of one log: which are there, which were renamed, cut, copied or deleted, and where reading goes on.

Promises: each record once, through every kind of rotation and any restart; what was lost before it could be read is
told as a gap; a file that cannot be read is a complaint and stops nothing. Not here: the bytes of one file (`logfile`),
how two files are told apart (`samefile`), whose turn it is (`tail`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

from sitewarden_agent.clock import Clock
from sitewarden_agent.config import Log
from sitewarden_agent.model import FileMark, Gap, GapReason
from sitewarden_agent.observe import discovery, gone
from sitewarden_agent.observe.copies import is_copy, may_grow
from sitewarden_agent.observe.finished import Finished
from sitewarden_agent.observe.gathered import Gathered
from sitewarden_agent.observe.logfile import LogFile
from sitewarden_agent.observe.marks import done, is_done, known, marks_of_lives
from sitewarden_agent.observe.packed import is_packed
from sitewarden_agent.observe.records import Reader
from sitewarden_agent.observe.samefile import (
    FileKey,
    Found,
    Signature,
    copies_of,
    encoding_of,
    file_id,
    rotations_after,
    signature_of,
    start_of_last_line,
    where_is,
)
from sitewarden_agent.observe.turn import FileCut, Turn

BROKEN_REST_NS = 60_000_000_000
"""A file that something unforeseen happened with is left alone for so long."""


class Follower:
    """The files of one log. Life: `restore` once, then `discover` and `turn` in any order, `close`."""

    def __init__(self, log: Log, gathered: Gathered, *, clock: Clock, redact: Callable[[str], str]) -> None:
        self.log = log
        self.complaints: list[str] = []
        self._gathered = gathered
        self._clock = clock
        self._redact = redact
        self._reader = Reader.of(log, redact)
        self._restored: dict[FileKey, list[tuple[int, FileMark]]] = {}
        self._live: dict[FileKey, LogFile] = {}
        self._ending: list[LogFile] = []
        self._named = discovery.Named(log)
        self._behind_links: set[str] = set()
        self._looked_into = discovery.LookedInto()
        self._finished = Finished()
        self._looked_ns = 0
        """When `discover` looked last, in this run (wall time)."""
        self._seen_before = False
        """Whether this log was followed before: a file that is new was then made since, and is read whole."""

    @property
    def files(self) -> tuple[LogFile, ...]:
        return (*self._live.values(), *self._ending)

    def concerns(self, path: str) -> bool:
        """Whether a change of `path` is a reason to look: a name of this log, or what a link of that name leads to."""
        return self._named(path) or path in self._behind_links

    def close(self) -> None:
        for file in self.files:
            file.close()
        self._live.clear()
        self._ending.clear()

    # Going on after a restart.

    def restore(self, marks: tuple[FileMark, ...]) -> None:
        """Find the files of the last run, wherever they are now, and go on where it stopped."""
        self._seen_before = bool(marks)
        for mark in marks:
            if is_done(mark):
                self._gathered.forget(self.log.name, mark.file_id)
        allowed = tuple(mark for mark in marks if self._is_allowed(mark))
        empty: list[LogFile] = []
        self._restored = marks_of_lives(allowed)
        for key, lives in self._restored.items():
            for born_ns, mark in lives[:-1]:  # cut since: the rest of such a life can only be in a copy
                self._read_rest_in_a_copy(key, born_ns, mark=mark)
            born_ns, mark = lives[-1]
            if not self._resume(key, born_ns, mark=mark):
                self._read_rest_in_a_copy(key, born_ns, mark=mark)
            elif not mark.offset and not mark.signature_bytes:
                empty += [file for file in self.files if file.file_id == mark.file_id]
        for file in empty:  # whether it was written, copied and cut since, its own bytes cannot say
            self._read_between(file.path, file, since_ns=file.born_ns)
        for file, mark in [(file, mark) for file in self._ending for mark in allowed if mark.file_id == file.file_id]:
            self._read_between(mark.path, file)

    def _is_allowed(self, mark: FileMark) -> bool:
        """Whether the configuration still leads to that file. Where it does not, the rest of it stays unread."""
        if not mark.path or discovery.may_lie_at(self.log, mark.path):
            return True
        self._lost(mark.path, f"the configuration does not lead there any more; read up to byte {mark.offset}")
        self._gathered.forget(self.log.name, mark.file_id)
        return False

    def _resume(self, key: FileKey, born_ns: int, *, mark: FileMark) -> bool:
        """Go on in that very file, under its path or another beside it. False when it is not there any more."""
        for path in discovery.while_it_changes(mark.path, lambda: where_is(mark, key)):
            file = self._open(path, key=key, born_ns=born_ns, mark=mark)
            if file is not None:
                if discovery.names(self.log, path):
                    self._live[key] = file
                else:
                    file.path = mark.path  # what came after it lies beside the name it had
                    self._end(file)
                return True
        return False

    def _read_rest_in_a_copy(self, key: FileKey, born_ns: int, *, mark: FileMark) -> None:
        """The file of `mark` is gone or was cut while nobody looked: the rest may be in a copy, else it is lost."""
        for found in discovery.while_it_changes(mark.path, lambda: copies_of(mark, key)):
            file = self._open(found.path, key=found.key, born_ns=born_ns, mark=mark, known_as=key)
            if file is not None:
                if self._go_on_in(file, found):
                    self._count_as_read(found)
                    return
                file.close()
        others = {key for key, lives in self._restored.items() if lives[-1][1] != mark} | {f.key for f in self.files}
        if what := gone.said_of(mark, self._shown(mark.path), known=others, now_ns=self._clock.wall_ns()):
            self._gathered.observe(what)
        self._gathered.forget(self.log.name, mark.file_id)

    # Looking for files.

    def discover(self) -> None:
        """Look for files that are new, and for those that went away or got another name."""
        before_ns, self._looked_ns = self._looked_ns, self._clock.wall_ns()
        found, self.complaints = discovery.files(self.log)
        for key, file in list(self._live.items()):
            if key in found:
                file.path = found[key].path
            else:
                del self._live[key]
                self._end(file)
        for key, seen in found.items():
            if key in self._live or is_packed(seen.path):
                continue  # an archive is the rest of a file that was followed, or old
            if again := next((file for file in self._ending if file.key == key and not file.final), None):
                self._ending.remove(again)  # renamed back into the patterns
                again.ending, again.path = False, seen.path
                self._live[key] = again
            else:
                self._begin(seen, at_end=not self._seen_before and self.log.start == "end")
                if before_ns and all(file.path != seen.path for file in self._ending):
                    # Nothing was at this path: what was made there since and rotated away follows no file of ours.
                    self._read_between(seen.path, None, since_ns=before_ns - discovery.TICK_NS)
        for file in self._latest_ending():
            self._read_between(file.path, file)
        self._behind_links = {os.path.realpath(seen.path) for seen in found.values() if seen.is_link}
        if not self._seen_before:
            # Said even when there is no file yet: one that is made before the next start is then read whole.
            self._gathered.mark(known(self.log.name))
            self._seen_before = True

    def _latest_ending(self) -> list[LogFile]:
        """Of each path that led elsewhere the file of last time, where its folder changed since it was looked at."""
        latest = {file.path: file for file in self._ending if not file.final}
        if not latest:
            return []
        news = self._looked_into.changed({os.path.dirname(path) for path in latest}, self._clock.wall_ns())
        return [file for path, file in latest.items() if os.path.dirname(path) in news]

    def _read_between(
        self, path: str, file: LogFile | None, *, since_ns: int = 0, but: frozenset[FileKey] = frozenset()
    ) -> None:
        """Read what was begun at `path` after `file` and rotated away again before anybody looked, never what `but`
        names. `since_ns`: where the file's own time says nothing, as it has been cut."""
        with contextlib.suppress(OSError):
            changed_ns = since_ns if since_ns or not file else os.fstat(file.descriptor).st_mtime_ns
            for found in discovery.while_it_changes(path, lambda: rotations_after(path, changed_ns=changed_ns)):
                if (
                    found.key in but
                    or self._finished.holds(found)
                    or any(found.key in (each.key, each.reads) or each.is_copied_in(found) for each in self.files)
                ):
                    continue
                if discovery.names(self.log, found.path) or (found.compressed and not (file and file.final)):
                    continue  # the one is found anyway; the other was compressed before its elder: not by rotation
                between = self._open(found.path, key=found.key, born_ns=self._clock.wall_ns())
                if between is not None:
                    self._gathered.mark(between.mark)
                    if not found.compressed:
                        self._end(between)
                    elif not self._go_on_in(between, found):
                        between.close()

    def _begin(self, seen: discovery.Seen, *, at_end: bool) -> None:
        copy = is_copy(seen, self.files, now_ns=self._clock.wall_ns())
        if copy and may_grow(seen, self._clock.wall_ns()):
            return  # it may still grow; it is seen again at the next look
        born_ns = self._clock.wall_ns()
        mark = None
        if copy:
            mark = FileMark(self.log.name, seen.path, file_id(seen.key, born_ns), seen.size)
        elif at_end and (start := start_of_last_line(seen.path, self._encoding(seen.path))):
            mark = FileMark(self.log.name, seen.path, file_id(seen.key, born_ns), start)
        file = self._open(seen.path, key=seen.key, born_ns=born_ns, mark=mark)
        if file is not None:
            self._live[seen.key] = file
            self._gathered.mark(file.mark)

    def _open(
        self, path: str, *, key: FileKey, born_ns: int, mark: FileMark | None = None, known_as: FileKey | None = None
    ) -> LogFile | None:
        """The file at `path` if it is still that of `key`, from `mark` on. `known_as`: the key that its id keeps."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self.complaints.append(f"{path}: {error.strerror}; give the agent's user the right to read it")
            return None
        if FileKey.of(os.fstat(descriptor)) != key:
            os.close(descriptor)  # replaced since it was seen: the next look finds it
            return None
        signed = mark is not None and mark.signature_bytes > 0
        file = LogFile(
            reader=self._reader,
            path=path if known_as is None or mark is None else mark.path,
            shown_path=self._shown(path if mark is None else mark.path),
            key=known_as or key,
            born_ns=born_ns,
            descriptor=descriptor,
            offset=mark.offset if mark else 0,
            encoding=self._encoding(path) if mark and mark.offset else self.log.encoding,
            head_sent=mark.head_sent if mark else False,
            signature=Signature(mark.signature, mark.signature_bytes) if mark and signed else signature_of(descriptor),
            grown_ns=self._clock.monotonic_ns(),
            due_ns=0,
            seen_size=os.fstat(descriptor).st_size,
        )
        if file.is_empty:
            file.beside = frozenset(found.key for found in rotations_after(path, changed_ns=0))
        return file

    def _encoding(self, path: str) -> str:
        """The encoding that is set, else the one that the file's first bytes show."""
        return self.log.encoding if self.log.encoding != "auto" else encoding_of(path)

    def _shown(self, path: str) -> str:
        """The path as headquarters may see it."""
        try:
            return self._redact(path)
        except Exception:  # noqa: BLE001 - a name that cannot be redacted is not shown
            return self.log.name

    # Reading.

    def due(self, now_ns: int, told: frozenset[str] | None = None) -> Iterator[LogFile]:
        """The files in which something is due. `told`: where something changed since all were looked at, if known."""
        for file in self.files:
            if file.rests_until_ns > now_ns:
                continue
            if told is not None and file.path not in told and file.due_ns is None and file.is_quiet:
                continue
            try:
                news = file.has_news()
            except OSError as error:  # the stale handle of a network file system
                self._reopen(file, error)
                continue
            if news or (file.due_ns is not None and file.due_ns <= now_ns):
                yield file

    def turn(self, file: LogFile, now_ns: int) -> int | None:
        """One turn of one file, gathered. Returns when the next is due without news (monotonic), None if never."""
        empty, changed_ns = file.is_empty, file.seen_changed_ns
        try:
            turn = file.turn(now_ns, wall_ns=self._clock.wall_ns())
        except FileCut:
            self._cut(file)
            return now_ns
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one file, the others are read
            self._reopen(file, error, rest_until_ns=0 if isinstance(error, OSError) else now_ns + BROKEN_REST_NS)
            return None
        self._gather(file, turn)
        if empty and changed_ns and file.seen_changed_ns != changed_ns and file.beside is not None:
            # Written, copied and cut again between two looks, an empty file is only another empty file.
            self._read_between(file.path, file, since_ns=file.born_ns, but=file.beside)
        file.due_ns = turn.again_ns
        if file.ending and turn.bytes_read == 0 and turn.again_ns is None:
            file.due_ns = file.grown_ns + file.linger_ns
            if now_ns >= file.due_ns:
                self._finish(file)
                return None
        return file.due_ns

    def _gather(self, file: LogFile, turn: Turn) -> None:
        for event in turn.events:
            self._gathered.observe(event)
        self._gathered.bytes += turn.bytes_taken
        if self._reader.dropped:
            now_ns = self._clock.wall_ns()
            detail = f"redaction failed on records of {file.shown_path}; they were dropped"
            gap = Gap(GapReason.REDACTION, "log", self._reader.dropped, from_ns=now_ns, to_ns=now_ns, detail=detail)
            self._gathered.observe(gap)
            self._reader.dropped = 0
        self._gathered.mark(turn.mark)
        file.given = turn.mark

    # What happens to files.

    def _end(self, file: LogFile) -> None:
        """Renamed out of the patterns, deleted or replaced: what is left is read from the open descriptor."""
        file.ending = True
        file.due_ns = 0
        self._ending.append(file)

    def _finish(self, file: LogFile) -> None:
        """Nothing follows any more: close the last record, forget the file."""
        self._gather(file, file.finish(self._clock.wall_ns()))
        if file.torn:
            self._lost(file.path, f"{file.torn}; read up to byte {file.position}")
        self._finished.add(file.reads, file.signature)
        self._gathered.mark(done(file.mark))
        self._let_go(file)
        self._gathered.forget(self.log.name, file.file_id)

    def _let_go(self, file: LogFile) -> None:
        if self._live.get(file.key) is file:
            del self._live[file.key]
        if file in self._ending:
            self._ending.remove(file)
        file.close()

    def _reopen(self, file: LogFile, error: Exception, *, rest_until_ns: int = 0) -> None:
        """Go on at the last mark with a fresh descriptor; what was read after it and not given is read again."""
        why = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        self.complaints.append(f"{file.path}: {why}; opening it anew")
        mark = file.given
        self._let_go(file)
        if not self._resume(file.key, file.born_ns, mark=mark):
            self._read_rest_in_a_copy(file.key, file.born_ns, mark=mark)
        for again in self.files:
            if again.key == file.key:
                again.rests_until_ns = rest_until_ns

    def _cut(self, file: LogFile) -> None:
        """Cut, or cut and written anew. What was not read before may be in a copy that was made before the cut."""
        was_live = self._live.get(file.key) is file
        path, key = file.path, file.key
        if was_live:
            del self._live[key]
        else:
            self._ending.remove(file)
        for found in discovery.while_it_changes(path, lambda: file.copies(key)):
            self._count_as_read(found)
            if self._go_on_in(file, found):
                break
        if file.final:
            self._read_between(path, file)
        else:
            self._finish(file)
            if file.lost_bytes:
                self._lost(path, f"it was cut before its last {file.lost_bytes} bytes were read")
        if was_live:
            begun = self._open(path, key=key, born_ns=max(self._clock.wall_ns(), file.born_ns + 1))
            if begun is not None:
                self._live[key] = begun
                self._gathered.mark(begun.mark)

    def _count_as_read(self, found: Found) -> None:
        """A copy is read under its original's name; under its own it counts as read, also after a restart."""
        if any(file.key == found.key for file in self.files):
            return
        born_ns = self._clock.wall_ns()
        mark = FileMark(self.log.name, found.path, file_id(found.key, born_ns), found.size)
        copy = None if found.compressed else self._open(found.path, key=found.key, born_ns=born_ns, mark=mark)
        if copy is None:
            return
        self._gathered.mark(copy.mark)
        if discovery.names(self.log, found.path):
            self._live[found.key] = copy
        else:
            self._end(copy)

    def _go_on_in(self, file: LogFile, found: Found) -> bool:
        try:
            file.go_on_in(found)
        except OSError:
            return False
        self._end(file)
        return True

    def _lost(self, path: str, detail: str) -> None:
        now_ns = self._clock.wall_ns()
        shown = f"{self._shown(path)}: {detail}"
        self._gathered.observe(Gap(GapReason.FILE_LOST, "log", from_ns=now_ns, to_ns=now_ns, detail=shown))
