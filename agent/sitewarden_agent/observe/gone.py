"""What is said of a file that is not there any more when reading goes on, and of which no copy was found.

A file that is gone does not tell what was written into it last: that nothing was missed, nobody can know for certain.
So what is said goes by what is known:

- a gap, where something speaks for a loss: bytes had been seen that were not read; rotation went on past the file, so
  its writer wrote; or somebody writes at its path again, after more than UNSEEN_NS in which nobody looked;
- nothing, where its path had led elsewhere already and all of it had been read then, in silence: an agent that runs on
  lets go of such a file without a word, too;
- else a change `log_gone`: all that was seen of it had been read, and whether more was written, is not known.

Not here: looking for the file and its copies (`follow`, `samefile`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection

from sitewarden_agent.model import Change, FileMark, Gap, GapReason
from sitewarden_agent.observe.samefile import FileKey, rotations_after

UNKNOWN = -1
"""Of unread bytes: some."""
UNSEEN_NS = 60_000_000_000
"""So short a time after what was seen last, a restart as a rule misses nothing."""


def said_of(mark: FileMark, shown: str, *, known: Collection[FileKey], now_ns: int) -> Gap | Change | None:
    """What to tell of the file of `mark`, whose path may be shown as `shown`.

    `known`: files that have a mark of their own, so that nothing of them is missed.
    """
    if not mark.offset and not mark.signature_bytes:
        return None  # nothing was ever seen in it
    read = f"read up to byte {mark.offset}"
    gap = ""
    if mark.unread:
        more = "more" if mark.unread == UNKNOWN else f"{mark.unread} bytes more"
        gap = f"it went away or was cut before it was read to its end; {read}, and {more} had been seen"
    elif mark.left:
        return None
    elif _rotated_past(mark, known):
        gap = f"it is gone, and rotation went on past it while nobody looked; {read}, all that was seen"
    elif now_ns - mark.changed_ns > UNSEEN_NS and _is_written_again(mark, known):
        gap = f"it went away or was cut, and nobody looked for long; {read}, all that was seen"
    if gap:
        return Gap(GapReason.FILE_LOST, "log", from_ns=now_ns, to_ns=now_ns, detail=f"{shown}: {gap}")
    return Change(
        "log_gone",
        subject=shown,
        before=f"read to its end, byte {mark.offset}",
        after="deleted, cut or written anew while nobody looked",
        detail="All that was seen of it had been read; whether more was written into it then, is not known.",
    )


def _rotated_past(mark: FileMark, known: Collection[FileKey]) -> bool:
    """Whether rotation made files of this one's path that are younger than what was seen, and that nobody knows."""
    if not mark.changed_ns:
        return False
    return any(found.key not in known for found in rotations_after(mark.path, changed_ns=mark.changed_ns))


def _is_written_again(mark: FileMark, known: Collection[FileKey]) -> bool:
    """Whether there is something new at its path, in the file itself, which was cut, or in another."""
    with contextlib.suppress(OSError):
        status = os.stat(mark.path)
        is_new = FileKey.of(status) not in known and status.st_mtime_ns > mark.changed_ns
        return is_new and status.st_size > 0
    return False
