"""Says when something changes in the tail's folders, so that it need not look all the time.

Promises: one inotify instance for all, folders only, never files, no thread: the loop waits on its descriptor. What
cannot be watched (limits, no such interface) is a complaint, and `hears_all` says whether the tail may trust to being
told: over a network file system nobody is told what other hosts write. Reading a log wakes nobody.
Interface: linux/inotify.h, through ctypes. Not here: what is done about a change (`tail`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import struct
import sys
from collections.abc import Callable, Iterator

_MODIFY, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x40, 0x80, 0x100, 0x200
_OVERFLOW, _IGNORED, _UNMOUNT, _ONLYDIR, _ISDIR = 0x4000, 0x8000, 0x2000, 0x01000000, 0x40000000
_NAMES_CHANGE = _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
_WANTED = _MODIFY | _NAMES_CHANGE | _ONLYDIR
_HEADER = struct.Struct("iIII")
_READ_BYTES = 64 * 1024
_LIMITS = {
    errno.EMFILE: "raise fs.inotify.max_user_instances",
    errno.ENOSPC: "raise fs.inotify.max_user_watches",
    errno.EACCES: "give the agent's user the right to read it",
}
# linux/magic.h: NFS, SMB, CIFS, SMB2, Ceph, FUSE, 9p, AFS, Coda, GFS2, OCFS2, Lustre, vboxsf, GPFS
_TOLD_NOTHING = {0x6969, 0x517B, 0xFF534D42, 0xFE534D42, 0xC36400, 0x65735546, 0x01021997, 0x5346414F, 0x73757245}
_TOLD_NOTHING |= {0x01161970, 0x7461636F, 0x0BD00BD0, 0x786F4256, 0x47504653}


class Watch:
    """Life: made, then `folders` and `change` any number of times, `close`.

    `concerns` says of a path whether its change is a reason to look. Most of what changes in a folder like /var/log is
    somebody else's log.
    """

    def __init__(self, concerns: Callable[[str], bool]) -> None:
        self._concerns = concerns
        self._folders: dict[tuple[str, int], int] = {}
        self._paths: dict[int, set[str]] = {}
        """By watch. Two paths may lead to one folder."""
        self._failed: list[str] = []
        self._deaf: set[str] = set()
        self._told: set[str] | None = None
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = -1
        if sys.platform == "linux":
            self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._why = "" if self._descriptor >= 0 else _advice(ctypes.get_errno())

    @property
    def hears_all(self) -> bool:
        """Whether every change in the folders is told. Else the tail must look by itself every second."""
        return not self._failed and not self._deaf

    def folders(self, wanted: set[str]) -> None:
        """Watch these folders and no others. One that was made anew under its name is another folder."""
        keys: set[tuple[str, int]] = set()
        for folder in wanted:
            with contextlib.suppress(OSError):
                keys.add((folder, os.stat(folder).st_ino))
        for key in self._folders.keys() - keys:
            self._forget(key)
        self._failed = []
        for key in keys - self._folders.keys():
            self._add(key)

    def complaints(self) -> list[str]:
        return list(self._failed)

    async def change(self, timeout_s: float) -> bool | None:
        """Wait for a change that concerns anybody, so long at most: None when there was none.

        True when names changed: then there may be other files than before.
        """
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        while (found := self.heard()) is None and (left_s := end_s - loop.time()) > 0:
            await self._readable(loop, left_s)
        return found

    def heard(self) -> bool | None:
        """What `change` gives, of what was told until now."""
        found: bool | None = None
        for watch, mask, name in self._events():
            if mask & _OVERFLOW:
                found, self._told = True, None
                continue
            folders = self._paths.get(watch)
            if folders is None:
                continue  # not watched any more
            if mask & (_IGNORED | _UNMOUNT):
                self._gone(watch)
                found, self._told = True, None
            elif mask & _ISDIR:
                found = bool(found) or bool(mask & _NAMES_CHANGE)
            elif concerned := {path for folder in folders if self._concerns(path := os.path.join(folder, name))}:
                found = bool(found) or bool(mask & _NAMES_CHANGE)
                if self._told is not None:
                    self._told |= concerned
        return found

    def told(self) -> frozenset[str] | None:
        """The paths of which something was heard since this was asked last; None where some may be missing."""
        told, self._told = self._told, set()
        return None if told is None else frozenset(told)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        self._folders, self._paths, self._deaf = {}, {}, set()

    async def _readable(self, loop: asyncio.AbstractEventLoop, timeout_s: float) -> None:
        if self._descriptor < 0:
            await asyncio.sleep(timeout_s)
            return
        told = asyncio.Event()
        loop.add_reader(self._descriptor, told.set)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):  # not wait_for, which until 3.12 may swallow a cancellation
                    await told.wait()
        finally:
            loop.remove_reader(self._descriptor)

    def _events(self) -> Iterator[tuple[int, int, str]]:
        while self._descriptor >= 0:
            try:
                data = os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                return
            at, last = 0, (0, 0, b"")
            while at < len(data):
                watch, mask, _, size = _HEADER.unpack_from(data, at)
                at += _HEADER.size + size
                name = data[at - size : at].rstrip(b"\0")
                if (watch, mask, name) != last:  # a writer that is busy says the same again and again
                    last = (watch, mask, name)
                    yield watch, mask, os.fsdecode(name)
            if len(data) < _READ_BYTES // 2:
                return

    def _add(self, key: tuple[str, int]) -> None:
        folder = key[0]
        why = self._why
        if self._descriptor >= 0:
            watch = self._libc.inotify_add_watch(self._descriptor, os.fsencode(folder), _WANTED)
            if watch >= 0:
                self._told = None  # of what was written into it until now
                self._folders[key] = watch
                self._paths.setdefault(watch, set()).add(folder)
                if self._is_told_nothing(folder):
                    self._deaf.add(folder)
                return
            why = _advice(ctypes.get_errno())
        self._failed.append(f"{folder} cannot be watched ({why}); it is looked at every second")

    def _forget(self, key: tuple[str, int]) -> None:
        watch = self._folders.pop(key)
        self._deaf.discard(key[0])
        paths = self._paths.get(watch, set())
        paths.discard(key[0])
        if not paths:
            self._paths.pop(watch, None)
            self._libc.inotify_rm_watch(self._descriptor, watch)  # fails when the folder is gone and its watch with it

    def _gone(self, watch: int) -> None:
        """The kernel ended that watch: its folder was deleted, or its file system unmounted."""
        self._deaf -= self._paths.pop(watch, set())
        self._folders = {key: each for key, each in self._folders.items() if each != watch}

    def _is_told_nothing(self, folder: str) -> bool:
        buffer = ctypes.create_string_buffer(256)
        if self._libc.statfs(os.fsencode(folder), buffer) != 0:
            return True
        return ctypes.c_ulong.from_buffer(buffer).value & 0xFFFFFFFF in _TOLD_NOTHING


def _advice(number: int) -> str:
    said = os.strerror(number) if number else "this system has no inotify"
    return f"{said}: {_LIMITS[number]}" if number in _LIMITS else said
