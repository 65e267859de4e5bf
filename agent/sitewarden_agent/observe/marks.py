"""What the marks of a log mean besides a place in a file. Pure.

The mark `known` says that the log was followed before; a mark that is `done` is of a file that was read to its end, and
outlives it only when the agent is killed before it is forgotten.
"""

from __future__ import annotations

import msgspec

from sitewarden_agent.model import FileMark
from sitewarden_agent.observe.samefile import FileKey, parse_file_id

_KNOWN = "known"
_DONE = ""


def known(source: str) -> FileMark:
    """Said even when there is no file yet: one that is made before the next start is then new, and read whole."""
    return FileMark(source, "", _KNOWN, 0)


def done(mark: FileMark) -> FileMark:
    """The mark of a file that was read to its end: nothing is looked for any more."""
    return msgspec.structs.replace(mark, path=_DONE)


def is_done(mark: FileMark) -> bool:
    return mark.path == _DONE and mark.file_id != _KNOWN


def marks_of_lives(marks: tuple[FileMark, ...]) -> dict[FileKey, list[tuple[int, FileMark]]]:
    """The lives of each file that are not done, with their births, the latest last.

    A mark that names no file is passed over: it must not keep the others from being read.
    """
    lives: dict[FileKey, list[tuple[int, FileMark]]] = {}
    for mark in marks:
        if mark.file_id != _KNOWN and not is_done(mark):
            try:
                key, born_ns = parse_file_id(mark.file_id)
            except ValueError:
                continue
            lives.setdefault(key, []).append((born_ns, mark))
    for each in lives.values():
        each.sort(key=lambda life: life[0])
    return lives
