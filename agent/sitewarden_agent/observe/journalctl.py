"""journalctl as a child of this process: the one program that reads every version of the systemd journal.

Promises: it is started only where the local file has a log with `journal`, with a fixed list of words and no shell; it
ends with this process, because it notices that nobody reads; its output is read as fast as it is stored, no faster, and
one entry takes at most ENTRY_MAX_BYTES of memory. Not here: what entries mean (`journal`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Mapping
from typing import Any

from sitewarden_agent import programs
from sitewarden_agent.config import Log
from sitewarden_agent.observe.journal import FIELDS, fields_of

PROGRAM = "journalctl"
CHUNK_BYTES = 64 * 1024
ENTRY_MAX_BYTES = 1024 * 1024
_SAID_MAX_BYTES = 2_000
_END_S = 2.0


class JournalEnded(Exception):
    """journalctl is not there or ended; the text says why."""


def words(log: Log, program: str, *, cursor: str | None) -> list[str]:
    """What is started to follow the journal from `cursor` on, or from where the log begins."""
    found = [program, "--output=json", f"--output-fields={','.join(FIELDS)}", "--all", "--no-pager", "--follow"]
    if cursor is not None:
        found += ["--no-tail", f"--after-cursor={cursor}"]
    elif log.start == "start":
        found += ["--no-tail"]
    else:
        found += ["--lines=1"]  # the last one there is: where to go on from
    if log.journal_folder is not None:
        found += [f"--directory={log.journal_folder}"]
    return [*found, *(f"--unit={unit}" for unit in log.units)]


class Journalctl:
    """Life: made (started), `read` any number of times, `close`."""

    def __init__(self, log: Log, *, cursor: str | None) -> None:
        program = programs.find(PROGRAM)
        if program is None:
            raise JournalEnded("this host has no journalctl; install systemd's, or name files in `paths` instead")
        try:
            self._child = subprocess.Popen(
                words(log, program, cursor=cursor),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env={"PATH": programs.PATH, "LC_ALL": "C.UTF-8"},
                close_fds=True,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise JournalEnded(f"{program} cannot be started ({error.strerror}); allow it to the agent") from None
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        self._out, self._err = self._child.stdout.fileno(), self._child.stderr.fileno()
        os.set_blocking(self._out, False)
        os.set_blocking(self._err, False)
        self._begun = bytearray()
        self._skipping = False
        self._said = b""
        self.dropped = 0
        """Entries that were too long to be read."""

    async def read(self, timeout_s: float | None) -> list[Mapping[str, Any]]:
        """The entries that came, none when `timeout_s` passed. Raises JournalEnded."""
        data = self._take()
        if data is None:
            await _readable(self._out, timeout_s)
            data = self._take()
        if data == b"":
            raise JournalEnded(self._why())
        return self._entries(data or b"")

    @property
    def said(self) -> str:
        """What it complained of, such as a journal that it may not read whole."""
        with contextlib.suppress(BlockingIOError):
            self._said = (self._said + (os.read(self._err, _SAID_MAX_BYTES) or b""))[:_SAID_MAX_BYTES]
        return " ".join(self._said.decode("utf-8", "replace").split())

    def close(self) -> None:
        self._child.terminate()
        try:
            self._child.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        for stream in (self._child.stdout, self._child.stderr):
            if stream is not None:
                stream.close()

    def _take(self) -> bytes | None:
        """What is there: None when nothing is yet, empty at the end."""
        try:
            return os.read(self._out, CHUNK_BYTES)
        except BlockingIOError:
            return None

    def _entries(self, data: bytes) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        *whole, rest = data.split(b"\n")
        for line in whole:
            if self._skipping:
                self._skipping = False
            elif (entry := fields_of(bytes(self._begun) + line)) is not None:
                found.append(entry)
            self._begun.clear()
        if not self._skipping:
            self._begun += rest
        if len(self._begun) > ENTRY_MAX_BYTES:
            self._begun.clear()
            self._skipping = True
            self.dropped += 1
        return found

    def _why(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(_END_S)
        return f"journalctl ended with {self._child.returncode}: {self.said or 'it said nothing'}"


async def _readable(descriptor: int, timeout_s: float | None) -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, told.set)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):  # not wait_for, which until 3.12 may swallow a cancellation
                await told.wait()
    finally:
        loop.remove_reader(descriptor)
