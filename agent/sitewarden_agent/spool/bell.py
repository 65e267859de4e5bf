"""Observe rings, link wakes: a named pipe beside the spool, so that a line does not wait for the next look.

A ring may be lost (nobody listens, the pipe is full): the listener also looks from time to time. Never blocks.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

_PIPE_ITSELF = os.O_CLOEXEC | os.O_NOFOLLOW


class Bell:
    """One end of the bell. `ring` from any process; `listen` gives a descriptor to wait on and is for one process."""

    def __init__(self, spool_path: Path) -> None:
        self._path = spool_path.with_name(spool_path.name + ".bell")
        self._out: int | None = None
        self._in: int | None = None

    def ring(self) -> None:
        """Wake the listener, if there is one."""
        try:
            if self._out is None:
                self._out = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | _PIPE_ITSELF)
                if not stat.S_ISFIFO(os.fstat(self._out).st_mode):
                    self._drop_out()  # nothing is written into what is no pipe
                    return
            os.write(self._out, b"\x00")
        except BlockingIOError:
            pass  # it is ringing already
        except OSError:
            # No pipe, or no listener: the next ring opens it anew.
            self._drop_out()

    def listen(self) -> int | None:
        """A descriptor that becomes readable at a ring; None where the file system knows no named pipes."""
        if self._in is None:
            try:
                with contextlib.suppress(FileExistsError):
                    os.mkfifo(self._path, 0o660)  # as file.MODE
                # Open for both directions: with a writer of its own the pipe never reports its end.
                self._in = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | _PIPE_ITSELF)
                if not stat.S_ISFIFO(os.fstat(self._in).st_mode):
                    os.close(self._in)
                    self._in = None
            except OSError:
                self._in = None
        return self._in

    def hush(self) -> None:
        """Take all rings that came."""
        if self._in is not None:
            with contextlib.suppress(OSError):
                while os.read(self._in, 4096):
                    pass

    def close(self) -> None:
        self._drop_out()
        if self._in is not None:
            os.close(self._in)
            self._in = None

    def _drop_out(self) -> None:
        if self._out is not None:
            os.close(self._out)
            self._out = None
