"""File systems, disks and the product's data folders: how full, how busy.

Not here: everything else of the host (`metrics_host`).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator

from sitewarden_agent.config import Folder, Health
from sitewarden_agent.model import Series
from sitewarden_agent.observe.procfs import Kernel, rows, unescaped

Values = Iterator[tuple[Series, float]]

_IMAGES = frozenset({"squashfs", "iso9660", "udf", "erofs", "cramfs"})  # always full, by nature
_OVERLAYS = frozenset({"overlay", "overlayfs", "aufs"})  # what a container has as its root
_MOUNTS_EVERY_S = 60.0
_MOUNTS_MAX = 64
_DEVICES_MAX = 16
_SECTOR_BYTES = 512
_PASSING = ("loop", "ram", "zram", "fd", "sr")  # no disks
_STACKED = ("dm-", "md", "drbd", "bcache")  # they show what the disks below them do again
_READ = Series("disk_read_bytes_total", unit="bytes")
_WRITTEN = Series("disk_written_bytes_total", unit="bytes")
_FOLDER_SHARE = 300
"""Measuring a folder takes at most one part in this many of the time."""
_FOLDER_FILES_MAX = 2_000_000


class FileSystems:
    """`complaints` says which could not be measured the last time. Where they lie passes `redact`."""

    def __init__(self, kernel: Kernel, health: Health, redact: Callable[[str], str] = str) -> None:
        self._kernel = kernel
        self._redact = redact
        self._wanted = health.disks
        self._mounts: list[tuple[str, tuple[Series, ...]]] = []
        self._mounts_until_s = 0.0
        self.complaints: list[str] = []

    def __call__(self, now_s: float) -> Values:
        if now_s >= self._mounts_until_s:
            self._mounts_until_s = now_s + _MOUNTS_EVERY_S
            found = list(self._wanted) or real_mounts(self._kernel)
            self._mounts = [(mount, _of_mount(self._redact(mount))) for mount in found[:_MOUNTS_MAX]]
        self.complaints = []
        for mount, (size, available, used_share, inodes) in self._mounts:
            try:
                status = os.statvfs(mount)
            except OSError as error:
                self.complaints.append(f"{mount}: {error.strerror}")
                continue
            if not status.f_blocks:
                continue
            used, free = status.f_blocks - status.f_bfree, status.f_bavail
            yield size, float(status.f_blocks * status.f_frsize)
            yield available, float(free * status.f_frsize)
            # As df counts: what only root may use is neither used nor there.
            yield used_share, used / max(1, used + free)
            if status.f_files:
                yield inodes, min(1.0, max(0.0, 1 - status.f_favail / status.f_files))


def _of_mount(mount: str) -> tuple[Series, ...]:
    labels = (("mountpoint", mount),)
    return (
        Series("filesystem_size_bytes", labels, "bytes"),
        Series("filesystem_avail_bytes", labels, "bytes"),
        Series("filesystem_used_ratio", labels, "ratio"),
        Series("filesystem_inodes_used_ratio", labels, "ratio"),
    )


def real_mounts(kernel: Kernel) -> list[str]:
    """Each real file system once, by its shortest path; the root too, whatever it is made of."""
    known = kernel.once("/proc/filesystems") or b""
    real = {row[0].decode("ascii", "replace") for row in rows(known) if len(row) == 1} | {"zfs"}
    by_device: dict[bytes, str] = {}
    overlaid = False
    for row in rows(kernel.once("/proc/self/mounts") or b""):
        if len(row) < 3:
            continue
        device, mount, kind = row[0], unescaped(row[1]), row[2].decode("ascii", "replace")
        overlaid = overlaid or (mount == "/" and kind in _OVERLAYS)
        # A container has files like /etc/hosts mounted from the host's disk: they are no file system.
        if kind in real and kind not in _IMAGES and os.path.isdir(kernel.root + mount):
            shown = by_device.setdefault(device, mount)
            if len(mount) < len(shown):  # bind mounts show the same disk again
                by_device[device] = mount
    found = sorted({*by_device.values(), *(["/"] if overlaid else [])})
    return found or ["/"]


class Disks:
    """What was read and written, and of each disk how much of the time it was busy and how long a request took."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._kinds: dict[bytes, tuple[bool, tuple[Series, ...]]] = {}
        self._before: dict[bytes, tuple[float, int, int, int]] = {}

    def __call__(self, now_s: float) -> Values:
        table = self._kernel.read("/proc/diskstats")
        if not table:
            return
        read = written = 0
        for row in rows(table):
            if len(row) < 14:
                continue
            kind = self._kinds.get(row[2]) or self._kind(row[2])
            counted, series = kind
            if counted:
                read += int(row[5])
                written += int(row[9])
            if series:
                yield from self._busy(series, row, now_s)
        yield _READ, float(read * _SECTOR_BYTES)
        yield _WRITTEN, float(written * _SECTOR_BYTES)

    def _kind(self, name: bytes) -> tuple[bool, tuple[Series, ...]]:
        """Whether its bytes count, and the series of its own. Partitions and what is in memory have neither."""
        text = os.fsdecode(name)
        folder = f"{self._kernel.root}/sys/block/{text.replace('/', '!')}"
        disk = not text.startswith(_PASSING) and os.path.isdir(folder)
        labels = (("device", text),)
        series: tuple[Series, ...] = ()
        if disk and sum(1 for _, known in self._kinds.values() if known) < _DEVICES_MAX:
            series = (Series("disk_busy_ratio", labels, "ratio"), Series("disk_request_seconds", labels, "seconds"))
        self._kinds[name] = (disk and not text.startswith(_STACKED), series)
        return self._kinds[name]

    def _busy(self, series: tuple[Series, ...], row: list[bytes], now_s: float) -> Values:
        requests, waited_ms, busy_ms = int(row[3]) + int(row[7]), int(row[6]) + int(row[10]), int(row[12])
        then_s, requests_then, waited_then_ms, busy_then_ms = self._before.get(
            row[2], (now_s, requests, waited_ms, busy_ms)
        )
        self._before[row[2]] = (now_s, requests, waited_ms, busy_ms)
        spent_s, done = now_s - then_s, requests - requests_then
        yield series[0], min(1.0, max(0, busy_ms - busy_then_ms) / 1000 / spent_s) if spent_s > 0 else 0.0
        yield series[1], max(0, waited_ms - waited_then_ms) / 1000 / done if done > 0 else 0.0


class DataFolders:
    """`complaints` says which could not be measured the last time."""

    def __init__(self, health: Health) -> None:
        self._folders = [_FolderSize(folder) for folder in health.folders]
        self.complaints: list[str] = []

    def __call__(self, now_s: float) -> Values:
        self.complaints = []
        for folder in self._folders:
            size = folder.size(now_s)
            if folder.complaint:
                self.complaints.append(folder.complaint)
            if size is not None:
                labels = (("folder", folder.name),)
                yield Series("folder_used_bytes", labels, "bytes"), float(size)
                yield Series("folder_limit_bytes", labels, "bytes"), float(folder.limit_bytes)
                yield Series("folder_used_ratio", labels, "ratio"), size / folder.limit_bytes


class _FolderSize:
    """The bytes of the files in a folder. A large one is measured less often, and keeps its last size in between."""

    def __init__(self, folder: Folder) -> None:
        self.name = folder.name
        self.limit_bytes = folder.limit_bytes
        self.complaint = ""
        self._path = folder.path
        self._size: int | None = None
        self._rest_until_s = 0.0

    def size(self, now_s: float) -> int | None:
        if now_s >= self._rest_until_s:
            began_s = time.perf_counter()
            try:
                self._size = _bytes_in(self._path)
                self.complaint = ""
            except OSError as error:
                self._size, self.complaint = None, f"{self._path}: {error.strerror}"
            self._rest_until_s = now_s + _FOLDER_SHARE * (time.perf_counter() - began_s)
        return self._size


def _bytes_in(path: str) -> int:
    """Raises OSError when the folder itself cannot be read; what vanishes meanwhile counts as nothing."""
    total = files = 0
    linked: set[tuple[int, int]] = set()
    todo = [path]
    while todo:
        folder = todo.pop()
        try:
            entries = os.scandir(folder)
        except OSError:
            if folder == path:
                raise
            continue
        with entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    elif files < _FOLDER_FILES_MAX:
                        status = entry.stat(follow_symlinks=False)
                        files += 1
                        if status.st_nlink > 1:
                            if (status.st_dev, status.st_ino) in linked:
                                continue
                            linked.add((status.st_dev, status.st_ino))
                        total += status.st_size
    return total
