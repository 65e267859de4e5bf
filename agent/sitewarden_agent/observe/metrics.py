"""The host's health as one set of samples: CPU, memory, load, file systems, network, and the product's data folders.

Promises: names as OpenMetrics has them, with the unit as suffix; ratios are 0..1; a value that cannot be had is left
out, never guessed. Blocking: call it in a thread. Not here: when to sample, blocks (`blocks`).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

import psutil

from sitewarden_agent.config import Folder, Health
from sitewarden_agent.model import Series

_IMAGES = frozenset({"squashfs", "iso9660", "udf", "erofs", "cramfs"})  # always full, by nature
_FOLDER_SHARE = 20
"""Measuring a folder takes at most one part in this many of the time."""
_FOLDER_FILES_MAX = 2_000_000

Sample = dict[Series, float]


class Sampler:
    """Samples one host. `complaints` says what could not be measured the last time."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._folders = [_FolderSize(folder) for folder in health.folders]
        self.complaints: list[str] = []
        psutil.cpu_percent(None)  # begins the first interval

    def sample(self) -> Sample:
        self.complaints = []
        found: Sample = {}
        for part in (self._processor, self._memory, self._disks, self._network, self._data_folders):
            try:
                found.update(part())
            except (OSError, psutil.Error, ValueError, AttributeError) as error:
                self.complaints.append(f"{part.__name__.strip('_')}: {error}")
        return found

    def _processor(self) -> Iterator[tuple[Series, float]]:
        yield Series("cpu_used_ratio", unit="ratio"), psutil.cpu_percent(None) / 100
        yield Series("load1"), psutil.getloadavg()[0]
        yield Series("uptime_seconds", unit="seconds"), max(0.0, time.time() - psutil.boot_time())

    def _memory(self) -> Iterator[tuple[Series, float]]:
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        yield Series("memory_used_ratio", unit="ratio"), 1 - memory.available / memory.total
        yield Series("memory_available_bytes", unit="bytes"), float(memory.available)
        if swap.total:
            yield Series("swap_used_ratio", unit="ratio"), swap.used / swap.total

    def _disks(self) -> Iterator[tuple[Series, float]]:
        for mount in self._mounts():
            try:
                status = os.statvfs(mount)
            except OSError as error:
                self.complaints.append(f"{mount}: {error.strerror}")
                continue
            labels = (("mountpoint", mount),)
            size, available = status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize
            used = (status.f_blocks - status.f_bfree) * status.f_frsize
            if not size:
                continue
            yield Series("filesystem_size_bytes", labels, "bytes"), float(size)
            yield Series("filesystem_avail_bytes", labels, "bytes"), float(available)
            # As df counts: what only root may use is neither used nor there.
            yield Series("filesystem_used_ratio", labels, "ratio"), used / max(1, used + available)
            if status.f_files:
                share = 1 - status.f_favail / status.f_files
                yield Series("filesystem_inodes_used_ratio", labels, "ratio"), min(1.0, max(0.0, share))
        if counters := psutil.disk_io_counters():
            yield Series("disk_read_bytes_total", unit="bytes"), float(counters.read_bytes)
            yield Series("disk_written_bytes_total", unit="bytes"), float(counters.write_bytes)

    def _mounts(self) -> list[str]:
        """The configured mount points, else each real file system once."""
        if self._health.disks:
            return list(self._health.disks)
        by_device: dict[str, str] = {}
        for part in psutil.disk_partitions(all=False):
            if part.fstype not in _IMAGES:
                known = by_device.setdefault(part.device, part.mountpoint)
                if len(part.mountpoint) < len(known):  # bind mounts show the same disk again
                    by_device[part.device] = part.mountpoint
        return sorted(by_device.values()) or ["/"]

    def _network(self) -> Iterator[tuple[Series, float]]:
        received = transmitted = 0
        for name, counters in psutil.net_io_counters(pernic=True).items():
            if not name.startswith(("lo", "veth")):
                received += counters.bytes_recv
                transmitted += counters.bytes_sent
        yield Series("network_receive_bytes_total", unit="bytes"), float(received)
        yield Series("network_transmit_bytes_total", unit="bytes"), float(transmitted)

    def _data_folders(self) -> Iterator[tuple[Series, float]]:
        for folder in self._folders:
            size = folder.size()
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

    def size(self) -> int | None:
        now_s = time.monotonic()
        if now_s >= self._rest_until_s:
            try:
                self._size = _bytes_in(self._path)
                self.complaint = ""
            except OSError as error:
                self._size, self.complaint = None, f"{self._path}: {error.strerror}"
            self._rest_until_s = now_s + _FOLDER_SHARE * (time.monotonic() - now_s)
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
