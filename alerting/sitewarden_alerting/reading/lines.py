"""Bytes of a log file to records: lines, and the lines that evidently continue them.

Promises: the records are the same for every way in which the bytes are cut into chunks; offsets are those of the
file, so that reading resumes at the right byte; memory is bounded by `max_record_bytes` however long a line or a
record is. Nothing is lost: bytes that are not UTF-8 become replacement characters, what exceeds the bound is cut off
and counted.
Not here: finding, opening and following files (the agent's tail), and what a record says (`event`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sitewarden_alerting.reading import continuation

DEFAULT_MAX_RECORD_BYTES = 65_536
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `offset`: its first byte in the file; `end`: the byte after its last line; `text`: its lines joined
    by newlines, without line ends; `lines`: how many lines it took; `truncated`: bytes that were cut off because the
    record was too long.
    """

    offset: int
    end: int
    text: str
    lines: int
    truncated: int


class Assembler:
    """Cuts one file's bytes into records.

    Life: `feed` any number of times, `flush` when the file has been silent or ends; both may alternate for ever.
    After a rotation or a truncation make a new one. `offset` is where in the file the first fed byte stands; `decode`
    makes text of a line, of UTF-8 unless told otherwise; `line_end` is the one byte that ends one. Without `joins` each
    line is a record.
    """

    def __init__(
        self,
        offset: int = 0,
        max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES,
        *,
        decode: Callable[[bytes], str] | None = None,
        line_end: bytes = b"\n",
        joins: bool = True,
    ) -> None:
        if max_record_bytes < 16:
            raise ValueError(f"max_record_bytes is {max_record_bytes}; give at least 16")
        self._max = max_record_bytes
        self._decode = decode or _decode
        self._line_end = line_end
        self._joins = joins
        self._next = offset  # the file offset of the next byte to be fed
        self._line = bytearray()  # the unterminated last line, as far as it is kept
        self._line_start = offset
        self._line_lost = 0  # bytes of the unterminated line that were not kept
        self._open: continuation.Open | None = None
        self._texts: list[str] = []
        self._kept = 0
        self._start = offset
        self._end = offset
        self._count = 0
        self._lost = 0
        self._blanks = 0
        self.truncated_records = 0

    def feed(self, data: bytes) -> list[Record]:
        """Take the next bytes of the file; return the records which these bytes prove to be complete."""
        records: list[Record] = []
        start = 0
        find, line_end = data.find, self._line_end
        while (stop := find(line_end, start)) >= 0:
            if self._line or self._line_lost or data.startswith(b"\0", start) or stop - start > self._max:
                self._keep(data[start:stop])
                line, lost, at = bytes(self._line), self._line_lost, self._line_start
                self._line.clear()
                self._line_lost = 0
            else:
                line, lost, at = data[start:stop], 0, self._next
            self._next += stop + 1 - start
            self._line_start = self._next
            closed = self._take(line, lost, at, self._next)
            if closed is not None:
                records.append(closed)
            start = stop + 1
        if start < len(data):
            self._keep(data[start:])
            self._next += len(data) - start
        return records

    @property
    def partial(self) -> bool:
        """Whether the last line lacks its end."""
        return bool(self._line or self._line_lost)

    @property
    def pending(self) -> Record | None:
        """The open record of complete lines, or None."""
        return None if self._open is None else self._record()

    @property
    def resume_offset(self) -> int:
        """Where reading must resume after a restart so that nothing is lost: the start of what has not been
        returned.
        """
        return self._start if self._open is not None else self._line_start

    def flush(self, partial: bool = False) -> Record | None:
        """Close the open record because nothing follows it (silence, end of file).

        With `partial`, an unterminated last line counts as complete; should it start a record of its own, the open
        record is returned and a further call returns the line.
        """
        if partial and (self._line or self._line_lost):
            line, lost, at = bytes(self._line), self._line_lost, self._line_start
            if (
                self._open is not None
                and line.strip()
                and not (self._joins and continuation.continues(replace(self._open), self._decode(line)))
            ):
                return self._close()
            self._line.clear()
            self._line_lost = 0
            self._line_start = self._next
            closed = self._take(line, lost, at, self._next)
            if closed is not None:
                return closed
        return self._close() if self._open is not None else None

    def skip_to(self, offset: int) -> None:
        """Give up what is open and go on at `offset` of the file, where a record is known to begin.

        For who has searched the bytes before it and found nothing that matters.
        """
        self._line.clear()
        self._next = self._line_start = self._start = self._end = offset
        self._line_lost = self._lost = self._kept = self._count = self._blanks = 0
        self._open = None
        self._texts = []

    def begins_record(self, line: bytes, previous: bytes, *, blank: bool) -> bool:
        """Whether `line` begins a record whatever is open; in doubt it does not. `previous` is the last line before it
        that is not blank; `blank` says that blank ones stand between.
        """
        return not self._joins or continuation.begins(self._text(line), self._text(previous), blank=blank)

    @property
    def next_offset(self) -> int:
        """The offset in the file of the next byte to be fed."""
        return self._next

    def _text(self, line: bytes) -> str:
        return self._decode(line.lstrip(b"\0")[: self._max].rstrip(b"\r"))

    def _keep(self, data: bytes) -> None:
        """Add bytes to the unterminated line, within the bound. A run of NULs before a line is a hole of the file,
        not text.
        """
        if not self._line and not self._line_lost and data.startswith(b"\0"):
            rest = data.lstrip(b"\0")
            self._line_start += len(data) - len(rest)
            data = rest
        room = self._max - len(self._line)
        self._line += data[:room]
        self._line_lost += max(0, len(data) - room)

    def _take(self, line: bytes, lost: int, at: int, end: int) -> Record | None:
        """Take a complete line; return the record before it when it starts a new one."""
        if at == 0 and line.startswith(_BOM):
            line = line[3:]
        if line.endswith(b"\r"):
            line = line.rstrip(b"\r")
        if not line or line.isspace():
            if self._open is not None:
                self._blanks += 1
                self._open.blank = True
                self._end = end
            return None
        text = self._decode(line)
        if self._open is not None and self._joins and continuation.continues(self._open, text):
            self._add(text, len(line), lost)
            self._end = end
            return None
        closed = self._close() if self._open is not None else None
        self._open = continuation.opened(text)
        self._texts = [text]
        self._kept = len(line)
        self._start, self._end, self._count, self._lost, self._blanks = at, end, 1, lost, 0
        return closed

    def _add(self, text: str, size: int, lost: int) -> None:
        room = self._max - self._kept
        self._count += 1 + self._blanks
        self._lost += lost
        if room <= 0:
            self._lost += size
        else:
            if self._blanks and self._blanks < 100:
                self._texts.extend([""] * self._blanks)
            if size > room:
                self._lost += size - room
                text = text.encode("utf-8", "replace")[:room].decode("utf-8", "ignore")
            self._texts.append(text)
            self._kept += size + 1
        self._blanks = 0

    def _record(self) -> Record:
        return Record(self._start, self._end, "\n".join(self._texts), self._count, self._lost)

    def _close(self) -> Record:
        record = self._record()
        if record.truncated:
            self.truncated_records += 1
        self._open = None
        self._texts = []
        return record


def _decode(line: bytes) -> str:
    return line.decode("utf-8", "replace")
