"""One life of one log file: an open descriptor, the place in it, the record that is still open.

Promises: every byte is fed once, in order; `turn` reads a bounded amount and returns the events that are due together
with the mark that belongs to them, so that both go into one transaction and a kill between any two steps neither loses
nor repeats a record. A record's first line goes at once (HEAD) when nothing follows yet; what follows makes a FULL of
the same name (file_id, offset). Time is an argument.

Life: made open, `turn` any number of times, `finish` when nothing follows, `close`. Not here: renames, cuts (`tail`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from sitewarden_agent.model import FileMark, LogEvent, RecordPart
from sitewarden_agent.observe.decoding import Assembling, Undecided, assembler_for, ends_lines_with_newline_bytes
from sitewarden_agent.observe.gone import UNKNOWN
from sitewarden_agent.observe.packed import Packed
from sitewarden_agent.observe.records import Reader, first_line
from sitewarden_agent.observe.samefile import (
    HEAD_BYTES,
    TAIL_BYTES,
    FileKey,
    Found,
    Signature,
    copy_of,
    file_id,
    hash_before,
    holds,
    read_at,
    signature_of,
)
from sitewarden_agent.observe.scanning.buffers import BLOCK_BYTES, block_buffer, read_into
from sitewarden_agent.observe.scanning.scanner import Scanner
from sitewarden_agent.observe.scanning.skim import skim
from sitewarden_agent.observe.turn import FileCut, Head, Turn
from sitewarden_alerting.reading.lines import Assembler, Record

TURN_BYTES = 128 * 1024
FIRST_BYTES = 16 * 1024
"""Enough to tell the encoding of a file; then what follows may be searched."""
SEARCH_FROM_BYTES = 64 * 1024
"""With so much unread, blocks are searched before they are read."""
RECORD_SILENCE_NS = 250_000_000
"""A record that nothing was added to for this long is complete."""
LINGER_DELETED_NS = 5_000_000_000
LINGER_RENAMED_NS = 3_600_000_000_000
"""How long a file that its path no longer leads to is held after its last byte: its writer may still have it open."""
LINE_SILENCE_NS = 1_000_000_000
"""A last line without its end is told after this long; should more follow, the whole line follows too."""


@dataclass(slots=True)
class LogFile:
    reader: Reader
    path: str
    shown_path: str
    key: FileKey
    born_ns: int
    descriptor: int
    offset: int = 0
    encoding: str = "auto"
    """How its text is written; `auto` until that is recognised."""
    signature: Signature = field(default_factory=Signature)
    head_sent: bool = False
    ending: bool = False
    """The path no longer leads here: read to the end, then finish."""
    final: bool = False
    """Nothing is ever added: a copy, plain or compressed."""
    grown_ns: int = 0
    due_ns: int | None = None
    """When a turn is due without news from the file (monotonic)."""
    searched: bool = False
    """Whether the last turn searched a block: then the next costs little."""
    rests_until_ns: int = 0
    """Not read before then (monotonic): something unforeseen happened."""
    given: FileMark = field(init=False)
    """The mark of what was given by turns that ended well."""
    seen_size: int = 0
    seen_changed_ns: int = 0
    lost_bytes: int = 0
    """After FileCut: how many bytes were seen to be there and not read before the cut."""
    beside: frozenset[FileKey] | None = None
    """Of a file that was empty when it was opened: the rotated files that lay beside it then."""
    torn: str = ""
    """Why the rest could not be read of an archive."""
    position: int = field(init=False)
    left: bool = False
    """Its path led elsewhere when it was read to its end, and nothing came since."""
    _late: bool = field(init=False, default=False)
    """Something came after that: its writer still has it."""
    _told: int = field(init=False, default=0)
    """Everything up to here was judged, though its record may still be open."""
    _sure_size: int = field(init=False, default=0)
    """How large the file was when it was last sure to be the one that is read."""
    _assembler: Assembling = field(init=False)
    _head: Head | None = field(init=False, default=None)
    _tail: bytes = field(init=False, default=b"")
    _hashed: tuple[int, str] = field(init=False, default=(0, ""))
    _packed: Packed | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.position = self.offset
        self._assembler = assembler_for(self.encoding, self.offset, joins=self.reader.form.joins)
        if self.head_sent:
            self._head = Head(self.offset, None)
        self.given = self.mark

    @property
    def file_id(self) -> str:
        return file_id(self.key, self.born_ns)

    @property
    def reads(self) -> FileKey:
        """The file that the bytes come from now: a copy is read under its original's key."""
        return FileKey.of(os.fstat(self.descriptor))

    @property
    def tail(self) -> bytes:
        """What stood before the place of reading; empty when nothing was read since the start."""
        return self._tail

    @property
    def linger_ns(self) -> int:
        """How long this file is held after its last byte once its path no longer leads to it."""
        if self.final:
            return 0
        with contextlib.suppress(OSError):
            if os.fstat(self.descriptor).st_nlink > 0:
                return LINGER_RENAMED_NS
        return LINGER_DELETED_NS

    def is_copied_in(self, found: Found) -> bool:
        """Whether that is a copy of this file, or of a part of what was read of it."""
        tail = self._tail if found.size >= self.position else b""
        size = min(found.size, self.position)
        signed = self.signature.size > 0
        return signed and holds(found.path, key=found.key, signature=self.signature, size=size, tail=tail)

    @property
    def is_quiet(self) -> bool:
        """Whether what is written into it is told under its path."""
        return not (self.ending or self.rests_until_ns)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever seen in it."""
        return self.position == 0 and self.signature.size == 0

    def copies(self, key: FileKey) -> Iterator[Found]:
        """A copy of what was read of this file, which is not that of `key`, if there is one."""
        found = copy_of(self.path, signature=self.signature, size=self.position, tail=self._tail, not_key=key)
        if found is not None:
            yield found

    @property
    def unread(self) -> int:
        return max(0, self.seen_size - self.position)

    def has_news(self) -> bool:
        """Whether a turn would find anything: more bytes, fewer, or others."""
        status = os.fstat(self.descriptor)
        self.seen_size = max(self.seen_size, status.st_size)  # less is a cut: how much was there is then worth knowing
        return not self.final and (status.st_size != self.position or status.st_mtime_ns != self.seen_changed_ns)

    def turn(self, now_ns: int, *, wall_ns: int) -> Turn:
        """Read up to TURN_BYTES, of a backlog up to BLOCK_BYTES, and give what is due. Raises FileCut when what was
        read is no longer there.

        `now_ns` is monotonic; `wall_ns` is today, for times without a year.
        """
        scanner = self._scanner()
        self.searched = scanner is not None
        if scanner is not None and self._packed is None:
            records, size, most = *self._skim(scanner, now_ns), BLOCK_BYTES
        else:
            most = self._most
            data = self._read_packed(most) if self._packed is not None else self._read(most)
            size = len(data)
            self._grow(size, (self._tail + data)[-TAIL_BYTES:], now_ns)
            if scanner is not None and isinstance(self._assembler, Assembler):
                records = skim(self._assembler, data, size, scanner.ends(data))
            else:
                records = self._assembler.feed(data)
            if isinstance(self._assembler, Undecided) and self._assembler.settled is not None:
                self.encoding, self._assembler = self._assembler.settled
        events = [self._closed(record, wall_ns) for record in records]
        again_ns = 0 if size == most else self._at_the_end(events, now_ns, wall_ns)
        self.left = self._is_left(size, again_ns)
        taken = sum(record.end - record.offset for record in records) if scanner is not None else size
        return self._done(events, size, again_ns=again_ns, taken=taken)

    def finish(self, wall_ns: int) -> Turn:
        """Close what is open: nothing follows any more."""
        events: list[LogEvent | None] = []
        while (record := self._assembler.flush(partial=True)) is not None:
            events.append(self._closed(record, wall_ns))
        return self._done(events, 0, again_ns=None)

    def go_on_in(self, found: Found) -> None:
        """Read the rest in a copy of this file. Raises OSError when it cannot be opened."""
        descriptor = os.open(found.path, os.O_RDONLY | os.O_CLOEXEC)
        if FileKey.of(os.fstat(descriptor)) != found.key:
            os.close(descriptor)
            raise OSError(f"{found.path} is another file now")
        if found.compressed:
            packed = Packed(descriptor)
            try:
                packed.skip(self.position)
            except OSError:
                packed.close()
                os.close(descriptor)
                raise
            self._packed = packed
        os.close(self.descriptor)
        self.descriptor = descriptor
        self.ending = self.final = True

    def close(self) -> None:
        if self._packed is not None:
            self._packed.close()
            self._packed = None
        os.close(self.descriptor)

    def _grow(self, size: int, tail: bytes, now_ns: int) -> None:
        """So much more was read, and ends with `tail`."""
        if not size:
            return
        self.position += size
        self.grown_ns = now_ns
        self._tail = tail
        self.seen_size = max(self.seen_size, self.position)
        if self.signature.size < HEAD_BYTES and not self.final:
            self.signature = signature_of(self.descriptor)

    @property
    def _most(self) -> int:
        """How much is read in one turn without searching it."""
        may_search = self.reader.scanner is not None and self.reader.scanner.searches
        first = self.position == 0 or isinstance(self._assembler, Undecided)
        return min(TURN_BYTES, FIRST_BYTES) if may_search and first else TURN_BYTES

    def _scanner(self) -> Scanner | None:
        """What searches the next block, when there is much to read and most of it may be passed over."""
        scanner = self.reader.scanner
        if scanner is None or not scanner.searches or self.position == 0:  # a mark of the encoding may stand there
            return None
        if self._packed is None and self.unread < SEARCH_FROM_BYTES:
            return None
        return scanner if ends_lines_with_newline_bytes(self.encoding) else None

    def _skim(self, scanner: Scanner, now_ns: int) -> tuple[list[Record], int]:
        """Search the next block in place; the records of what was found, and how much was read."""
        assert isinstance(self._assembler, Assembler)
        with block_buffer() as buffer:
            overlap = len(self._tail)
            status = os.fstat(self.descriptor)
            end = read_into(self.descriptor, buffer, overlap + BLOCK_BYTES, offset=self.position - overlap)
            self._must_follow(status, buffer[:overlap] if end >= overlap else b"\0")
            size = max(0, end - overlap)
            with memoryview(buffer) as view, view[overlap : overlap + size] as block:
                ends = scanner.ends(block)
            records = skim(self._assembler, buffer, overlap + size, ends, start=overlap)
            self._grow(size, bytes(buffer[max(0, end - TAIL_BYTES) : end]), now_ns)
        return records, size

    def _read(self, most: int) -> bytes:
        """The next bytes, read together with those before them: only where these are still the same do they follow."""
        status = os.fstat(self.descriptor)
        overlap = len(self._tail)
        data = read_at(self.descriptor, overlap + most, offset=self.position - overlap)
        self._must_follow(status, data[:overlap])
        return data[overlap:]

    def _must_follow(self, status: os.stat_result, before: bytes | bytearray) -> None:
        """Raise FileCut unless what was just read follows what was read before."""
        seen_before, self.seen_size = self.seen_size, status.st_size
        if status.st_size < self.position or before != self._tail:
            # What is larger now was written anew: its size says nothing of what was there.
            known = seen_before if status.st_size < self.position else self._sure_size
            self.lost_bytes = max(0, known - self.position)
            raise FileCut(self.path)
        if status.st_mtime_ns != self.seen_changed_ns and not self.final:
            if not self.signature.matches(read_at(self.descriptor, HEAD_BYTES, offset=0)):
                self.lost_bytes = max(0, self._sure_size - self.position)
                raise FileCut(self.path)
            self.seen_changed_ns = status.st_mtime_ns
        self._sure_size = status.st_size

    def _read_packed(self, most: int) -> bytes:
        assert self._packed is not None
        try:
            return self._packed.read(most)
        except OSError as error:
            self.torn = str(error)
            return b""

    def _at_the_end(self, events: list[LogEvent | None], now_ns: int, wall_ns: int) -> int | None:
        """Everything there is was read: send heads, close what is silent. Returns when to look again."""
        silent_ns = now_ns - self.grown_ns
        partial = self._assembler.partial
        pending = self._assembler.pending
        if pending is not None and silent_ns >= (LINE_SILENCE_NS if partial else RECORD_SILENCE_NS):
            record = self._assembler.flush()
            assert record is not None
            events.append(self._closed(record, wall_ns))
            pending = None
        if pending is not None:
            events.append(self._heading(first_line(pending), wall_ns))
            if not partial and (self._head is None or self._head.text == pending.text):
                self._told = self.position
            return self.grown_ns + (LINE_SILENCE_NS if partial else RECORD_SILENCE_NS)
        if partial:
            if silent_ns < LINE_SILENCE_NS:
                return self.grown_ns + LINE_SILENCE_NS
            if self._head is None or self._head.offset != self._assembler.resume_offset:
                events.append(self._heading(self._partial_record(), wall_ns))
                self._told = self.position
        return None

    def _is_left(self, size: int, again_ns: int | None) -> bool:
        """After a turn that read `size` bytes."""
        self._late = self.ending and (self._late or (self.left and size > 0))
        return self.ending and again_ns is None and not self._late

    def _partial_record(self) -> Record | None:
        """The unterminated last line as a record of its own, without taking it from the assembler."""
        start = self._assembler.resume_offset
        if self._packed is not None:
            return None  # compressed files end: `finish` takes the line
        peek = assembler_for(self.encoding, start, joins=self.reader.form.joins)
        peek.feed(read_at(self.descriptor, min(self.position - start, TURN_BYTES), offset=start))
        return peek.flush(partial=True)

    def _heading(self, record: Record | None, wall_ns: int) -> LogEvent | None:
        if record is None or (self._head is not None and self._head.offset == record.offset):
            return None
        event = self._event(record, RecordPart.HEAD, wall_ns)
        if event is not None:
            self._head = Head(record.offset, record.text)
        return event

    def _closed(self, record: Record, wall_ns: int) -> LogEvent | None:
        head, self._head = self._head, None
        if head is None or head.offset != record.offset:
            return self._event(record, RecordPart.WHOLE, wall_ns)
        if head.text == record.text:
            return None
        # After a restart it is not known whether the head was a whole line. A spare FULL has the same name; a lost
        # end of a line would be lost for good.
        return self._event(record, RecordPart.FULL, wall_ns, whatever=True)

    def _event(self, record: Record, part: RecordPart, wall_ns: int, *, whatever: bool = False) -> LogEvent | None:
        return self.reader.event(
            record, part, file=self.shown_path, file_id=self.file_id, now_ns=wall_ns, whatever=whatever
        )

    def _done(self, events: list[LogEvent | None], bytes_read: int, *, again_ns: int | None, taken: int = 0) -> Turn:
        due = tuple(event for event in events if event is not None)
        return Turn(due, self.mark, bytes_read, again_ns, taken)

    @property
    def mark(self) -> FileMark:
        offset = self._assembler.resume_offset
        return FileMark(
            source=self.reader.source,
            path=self.path,
            file_id=self.file_id,
            offset=offset,
            head_sent=self._head is not None and self._head.offset == offset,
            signature=self.signature.text,
            signature_bytes=self.signature.size,
            before=self._before(offset),
            unread=self._untold(offset),
            changed_ns=self.seen_changed_ns,
            left=self.left,
        )

    def _untold(self, offset: int) -> int:
        """How many bytes after `offset` were seen and not told yet."""
        if self._packed is not None:
            return 0 if self.left else UNKNOWN
        return max(0, self.seen_size - max(offset, self._told))

    def _before(self, offset: int) -> str:
        """The hash of what stands before `offset`, of the very bytes that were read where they are still here."""
        if offset != self._hashed[0]:
            if offset == self.position and len(self._tail) == min(TAIL_BYTES, offset):
                text = Signature.of(self._tail).text
            else:  # in an archive there is no reading back
                text = "" if self._packed is not None else hash_before(self.descriptor, offset)
            self._hashed = (offset, text)
        return self._hashed[1]
