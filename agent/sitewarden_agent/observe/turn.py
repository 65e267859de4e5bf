"""What one turn of one log file gives, how it says that the file was cut, and what was sent of a record before."""

from __future__ import annotations

from dataclasses import dataclass

from sitewarden_agent.model import FileMark, LogEvent


class FileCut(Exception):
    """The file was cut, or cut and written anew: what was read is no longer in it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn gave. `again_ns`: when the next is due without further bytes (0: now; None: no need); `bytes_taken`
    became records: of a block that was searched that is little."""

    events: tuple[LogEvent, ...]
    mark: FileMark
    bytes_read: int
    again_ns: int | None
    bytes_taken: int = 0


@dataclass(slots=True)
class Head:
    """The HEAD that was sent of the record at `offset`. `text` is None when it was sent before a restart."""

    offset: int
    text: str | None
