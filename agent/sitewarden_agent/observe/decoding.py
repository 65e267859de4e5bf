"""In which encoding a log is written, and its bytes cut into records accordingly.

Promises: `assembler_for` gives the records of any supported encoding, with offsets that count raw bytes of the file;
line borders are found on the raw bytes, so a character that is split over two reads is whole again; bytes that mean
nothing become replacement characters and lose no line. An encoding that is not told is recognised from the first bytes,
at most a kilobyte: UTF-16 by its mark or its zeros. UTF-8 and GB18030 end lines alike and are told apart line by line.
Not here: what continues a record (`sitewarden_alerting.reading.lines`).
"""

from __future__ import annotations

import re
from typing import Literal, Protocol

from sitewarden_alerting.reading.lines import DEFAULT_MAX_RECORD_BYTES, Assembler, Record

Encoding = Literal["auto", "utf-8", "gb18030", "latin-1", "utf-16-le", "utf-16-be", "either", "cr"]
"""`auto`: not known yet; `either`: UTF-8 or GB18030, line by line; `cr`: the same, but carriage returns end lines."""

SNIFF_BYTES = 1024
_BOMS: tuple[tuple[bytes, Encoding], ...] = (
    (b"\xef\xbb\xbf", "either"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")


class Assembling(Protocol):
    """What `logfile` needs of an assembler: that of `reading.lines`, or one of those below."""

    def feed(self, data: bytes) -> list[Record]: ...
    def flush(self, partial: bool = False) -> Record | None: ...
    @property
    def pending(self) -> Record | None: ...
    @property
    def partial(self) -> bool: ...
    @property
    def resume_offset(self) -> int: ...


def assembler_for(
    encoding: str, offset: int, *, max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES, joins: bool = True
) -> Assembling:
    """An assembler for the bytes of a file from `offset` on. Without `joins` each line is a record."""
    match encoding:
        case "auto":
            return Undecided(offset, max_record_bytes, joins=joins)
        case "utf-16-le" | "utf-16-be":
            return Wide(encoding, offset, max_record_bytes, joins=joins)
        case "cr":
            return Assembler(offset, max_record_bytes, decode=either, line_end=b"\r", joins=joins)
        case "gb18030" | "latin-1":
            named = encoding
            return Assembler(offset, max_record_bytes, decode=lambda line: line.decode(named, "replace"), joins=joins)
        case "utf-8":
            return Assembler(offset, max_record_bytes, joins=joins)
    return Assembler(offset, max_record_bytes, decode=either, joins=joins)


def ends_lines_with_newline_bytes(encoding: str) -> bool:
    """Whether each byte 0x0A of a file, and nothing else, ends a line: then its blocks may be searched undecoded."""
    return encoding in ("utf-8", "gb18030", "latin-1", "either")


def recognised(head: bytes, *, at: int = 0) -> Encoding:
    """The encoding of a file by bytes of it that stand `at` there; `auto` when they are too few to tell."""
    head = head[:SNIFF_BYTES]
    for mark, encoding in _BOMS:
        if at == 0 and head.startswith(mark):
            return encoding
    if at == 0 and len(head) < 3 and any(mark.startswith(head) for mark, _ in _BOMS):
        return "auto"
    text = head.lstrip(b"\0")  # a hole, left by a writer that kept its place when the file was cut
    if wide := _leans_to(text, at=at + len(head) - len(text)):
        return wide if len(head) >= SNIFF_BYTES or line_start(wide, head, at=at) else "auto"
    if b"\n" in text:
        return "either"
    if len(head) < SNIFF_BYTES or not text:
        return "auto"
    return "cr" if text.rstrip(b"\r").count(b"\r") >= 2 else "either"


def _leans_to(text: bytes, *, at: int) -> Encoding | None:
    """UTF-16 when zeros stand at every other byte: of all characters of ASCII, of some that stand among others."""
    first, second = text[::2].count(0), text[1::2].count(0)
    even, odd = (second, first) if at % 2 else (first, second)
    zeros_needed = len(text) * 2 // 5 if text.isascii() else max(2, len(text) // 8)
    if odd and odd >= zeros_needed and even * 20 <= odd:
        return "utf-16-le"
    if even and even >= zeros_needed and odd * 20 <= even:
        return "utf-16-be"
    return None


def line_start(encoding: str, data: bytes, *, at: int) -> int:
    """Where in `data`, which stands at `at` in the file, its last line without an end begins. 0 when no line ends."""
    if encoding not in ("utf-16-le", "utf-16-be"):
        return data.rfind(b"\r" if encoding == "cr" else b"\n") + 1
    end = "\n".encode(encoding)
    found = data.rfind(end)
    while found >= 0 and (at + found) % 2:
        found = data.rfind(end, 0, found + 1)
    return found + 2 if found >= 0 else 0


def either(line: bytes) -> str:
    """A line of UTF-8, with replacement characters where it is broken, unless it is evidently one of GB18030."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        pass
    text = line.decode("utf-8", "replace")
    if _is_gb18030(line, text):
        return line.decode("gb18030", "replace")
    return text


def _is_gb18030(line: bytes, as_utf8: str) -> bool:
    """Whether a line that is no UTF-8 is Chinese: pairs of high bytes as in GB 2312, and little of it valid UTF-8."""
    broken = as_utf8.count("\ufffd")
    whole = sum(1 for character in as_utf8 if character > "\x7f") - broken
    if whole > broken:
        return False  # UTF-8 with a bad byte or two
    runs = [len(run) for run in _HIGH_RUN.findall(line)]
    if sum(runs) < 2 * sum(1 for run in runs if run % 2) + 4:
        return False  # single high bytes: a letter with an accent, in one byte
    text = line.decode("gb18030", "replace")
    return text.count("\ufffd") * 10 <= sum(1 for character in text if character > "\x7f")


class Wide(Assembler):
    """UTF-16: characters of two bytes, which stand at even places of the file."""

    def __init__(self, encoding: str, offset: int, max_record_bytes: int, *, joins: bool = True) -> None:
        super().__init__(offset, max_record_bytes, joins=joins)
        self._encoding = encoding
        self._newline = "\n".encode(encoding)
        self._half = b""  # the first byte of a character that is not whole yet

    def feed(self, data: bytes) -> list[Record]:
        records: list[Record] = []
        data = self._half + data
        whole = len(data) - (self._next + len(data)) % 2
        data, self._half = data[:whole], data[whole:]
        start, base = 0, self._next
        while (stop := self._end_of_line(data, start, base)) >= 0:
            self._keep(data[start:stop])
            line, lost, at = self._utf8(), self._line_lost, self._line_start
            self._line.clear()
            self._line_lost = 0
            start = stop + 2
            self._next = self._line_start = base + start
            closed = self._take(line, lost, at, self._next)
            if closed is not None:
                records.append(closed)
        if start < len(data):
            self._keep(data[start:])
            self._next = base + len(data)
        return records

    def flush(self, partial: bool = False) -> Record | None:
        """As of the assembler for UTF-8, which does the work on the line as such."""
        if not partial or not self.partial:
            return super().flush()
        raw, self._line = self._line, bytearray(self._utf8())
        record = super().flush(partial=True)
        if self._line:  # it stays: the open record was given first
            self._line = raw
        return record

    def _end_of_line(self, data: bytes, start: int, base: int) -> int:
        stop = data.find(self._newline, start)
        while stop >= 0 and (base + stop) % 2:
            stop = data.find(self._newline, stop + 1)
        return stop

    def _utf8(self) -> bytes:
        return bytes(self._line).decode(self._encoding, "replace").encode("utf-8", "replace")

    def _keep(self, data: bytes) -> None:
        if not self._line and not self._line_lost and data.startswith(b"\0\0"):
            hole = len(data) - len(data.lstrip(b"\0"))
            hole -= hole % 2  # the next character may begin with a zero
            self._line_start += hole
            data = data[hole:]
        room = (self._max - len(self._line)) // 2 * 2
        self._line += data[:room]
        self._line_lost += max(0, len(data) - room)


class Undecided:
    """An assembler whose encoding is not known before its first line is there."""

    def __init__(self, offset: int, max_record_bytes: int, *, joins: bool = True) -> None:
        self._joins = joins
        self._offset = offset
        self._max = max_record_bytes
        self._held = bytearray()
        self._decided: Assembling | None = None
        self._encoding: Encoding = "auto"

    @property
    def settled(self) -> tuple[Encoding, Assembling] | None:
        """The encoding, once it is known, and the assembler that goes on in the place of this one."""
        return None if self._decided is None else (self._encoding, self._decided)

    def feed(self, data: bytes) -> list[Record]:
        if self._decided is not None:
            return self._decided.feed(data)
        self._held += data
        if len(self._held) >= SNIFF_BYTES and (hole := len(self._held) - len(self._held.lstrip(b"\0"))):
            hole -= (self._offset + hole) % 2  # the first character may begin with a zero
            self._offset += max(0, hole)
            del self._held[: max(0, hole)]
        self._encoding = recognised(bytes(self._held), at=self._offset)
        if self._encoding == "auto":
            return []
        return self._decide()

    def _decide(self) -> list[Record]:
        if self._encoding == "auto":
            self._encoding = _leans_to(bytes(self._held), at=self._offset) or "either"
        self._decided = assembler_for(self._encoding, self._offset, max_record_bytes=self._max, joins=self._joins)
        held, self._held = bytes(self._held), bytearray()
        return self._decided.feed(held)

    def flush(self, partial: bool = False) -> Record | None:
        if self._decided is None and partial and self.partial:
            self._decide()  # gives nothing: no line of it has an end
        return None if self._decided is None else self._decided.flush(partial=partial)

    @property
    def pending(self) -> Record | None:
        return None if self._decided is None else self._decided.pending

    @property
    def partial(self) -> bool:
        return bool(self._held.strip(b"\0")) if self._decided is None else self._decided.partial

    @property
    def resume_offset(self) -> int:
        return self._offset if self._decided is None else self._decided.resume_offset
