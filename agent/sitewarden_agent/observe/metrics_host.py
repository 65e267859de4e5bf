"""What the kernel counts for the whole host: processor, memory, pressure, network, sockets, open files.

Each class is one family of series: called with the time, it gives what is there now; shares are of the time since the
call before. Not here: disks (`metrics_disks`), processes, temperatures, containers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from sitewarden_agent.model import Series
from sitewarden_agent.observe.procfs import PAGE_BYTES, Kernel, after, named, processor_ticks, rows

Values = Iterator[tuple[Series, float]]

_CPU_USED = Series("cpu_used_ratio", unit="ratio")
_CPU_IOWAIT = Series("cpu_iowait_ratio", unit="ratio")
_CPU_STEAL = Series("cpu_steal_ratio", unit="ratio")
_CPUS = Series("cpu_count")
_LOADS = (Series("load1"), Series("load5"), Series("load15"))
_THREADS = Series("threads")
_BLOCKED = Series("processes_blocked")
_UPTIME = Series("uptime_seconds", unit="seconds")
_MEMORY_USED = Series("memory_used_ratio", unit="ratio")
_MEMORY_AVAILABLE = Series("memory_available_bytes", unit="bytes")
_MEMORY_SIZE = Series("memory_size_bytes", unit="bytes")
_SWAP_USED = Series("swap_used_ratio", unit="ratio")
_SWAP_IN = Series("swap_read_bytes_total", unit="bytes")
_SWAP_OUT = Series("swap_written_bytes_total", unit="bytes")
_OOM_KILLS = Series("oom_kills_total")
_PRESSURE = tuple(
    (f"/proc/pressure/{what}", kind.encode(), Series(f"pressure_{what}_{kind}_ratio", unit="ratio"))
    for what, kind in (("cpu", "some"), ("memory", "some"), ("memory", "full"), ("io", "some"), ("io", "full"))
)
_NETWORK = (
    Series("network_receive_bytes_total", unit="bytes"),
    Series("network_receive_errors_total"),
    Series("network_receive_dropped_total"),
    Series("network_transmit_bytes_total", unit="bytes"),
    Series("network_transmit_errors_total"),
    Series("network_transmit_dropped_total"),
)
_NETWORK_RATES = (
    (0, Series("network_receive_bytes_per_second", unit="bytes_per_second")),
    (3, Series("network_transmit_bytes_per_second", unit="bytes_per_second")),
)
_TCP_STATES = (
    (b"inuse", Series("tcp_sockets_in_use")),
    (b"tw", Series("tcp_sockets_time_wait")),
    (b"orphan", Series("tcp_sockets_orphaned")),
)
_TCP_MEMORY = Series("tcp_memory_bytes", unit="bytes")
_TCP_COUNTS = (
    (
        "/proc/net/snmp",
        b"Tcp:",
        {
            b"CurrEstab": Series("tcp_connections_established"),
            b"AttemptFails": Series("tcp_failed_attempts_total"),
            b"RetransSegs": Series("tcp_retransmitted_segments_total"),
        },
    ),
    ("/proc/net/netstat", b"TcpExt:", {b"ListenOverflows": Series("tcp_listen_overflows_total")}),
)
_FILES = Series("file_handles")
_FILES_USED = Series("file_handles_used_ratio", unit="ratio")
_REAL_NICS_EVERY_S = 300.0


class Processor:
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._before: tuple[int, ...] = (0,) * 10  # so the very first shares are those since the host started
        self._shares = (0.0, 0.0, 0.0)

    def __call__(self, now_s: float) -> Values:
        stat = self._kernel.read("/proc/stat")
        if stat:
            used, iowait, steal = self._shares_of(processor_ticks(stat))
            yield _CPU_USED, used
            yield _CPU_IOWAIT, iowait
            yield _CPU_STEAL, steal
            yield _CPUS, float(max(1, stat.count(b"\ncpu")))
            if (blocked := after(stat, b"\nprocs_blocked ")) is not None:
                yield _BLOCKED, float(blocked)
        part = (self._kernel.read("/proc/loadavg") or b"").split()
        yield from zip(_LOADS, map(float, part[:3]), strict=False)
        if len(part) > 3:
            yield _THREADS, float(part[3].partition(b"/")[2])
        # What passed while the host slept counts too: it was up.
        yield _UPTIME, time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    def _shares_of(self, ticks: tuple[int, ...]) -> tuple[float, float, float]:
        """Used, waiting for disks, taken by the hypervisor. Guests are counted in `user` already."""
        spent = [max(0, now - then) for now, then in zip(ticks, self._before, strict=True)][:8]
        total = sum(spent)
        if total:
            self._before = ticks
            idle, iowait, steal = spent[3], spent[4], spent[7]
            self._shares = ((total - idle - iowait) / total, iowait / total, steal / total)
        return self._shares


class Memory:
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def __call__(self, now_s: float) -> Values:
        info = self._kernel.read("/proc/meminfo") or b""
        total, available = after(info, b"MemTotal:"), after(info, b"MemAvailable:")
        if total and available is not None:
            yield _MEMORY_USED, 1 - available / total
            yield _MEMORY_AVAILABLE, available * 1024.0
            yield _MEMORY_SIZE, total * 1024.0
        swap, free = after(info, b"SwapTotal:"), after(info, b"SwapFree:")
        counts = self._kernel.read("/proc/vmstat") or b""
        if swap and free is not None:
            yield _SWAP_USED, 1 - free / swap
            for word, series in ((b"\npswpin ", _SWAP_IN), (b"\npswpout ", _SWAP_OUT)):
                if (pages := after(counts, word)) is not None:
                    yield series, float(pages * PAGE_BYTES)
        if (kills := after(counts, b"\noom_kill ")) is not None:
            yield _OOM_KILLS, float(kills)


class Pressure:
    """The share of the time in which work waited for something (some of it, or all of it: full)."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._before: dict[Series, tuple[float, int]] = {}

    def __call__(self, now_s: float) -> Values:
        for path, kind, series in _PRESSURE:
            told = self._kernel.read(path) or b""
            line = told[told.find(kind) :].split(b"\n", 1)[0] if kind in told else b""
            if (total_us := after(line, b"total=")) is None:
                continue
            then_s, then_us = self._before.get(series, (now_s, total_us))
            self._before[series] = (now_s, total_us)
            spent_s = now_s - then_s
            yield series, min(1.0, max(0, total_us - then_us) / 1e6 / spent_s) if spent_s > 0 else 0.0


class Network:
    """Sums over the cards that lead out of the host, so that what passes a bridge is counted once."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._real: frozenset[bytes] = frozenset()
        self._real_until_s = 0.0
        self._before: tuple[float, list[int]] | None = None

    def __call__(self, now_s: float) -> Values:
        table = self._kernel.read("/proc/net/dev")
        if not table:
            return
        if now_s >= self._real_until_s:
            self._real, self._real_until_s = self._cards(), now_s + _REAL_NICS_EVERY_S
        sums = [0] * 6
        for row in rows(table.replace(b":", b": "), skip=2):
            name = row[0].rstrip(b":")
            if (name in self._real) if self._real else not name.startswith((b"lo", b"veth")):
                for place, column in enumerate((1, 3, 4, 9, 11, 12)):
                    sums[place] += int(row[column])
        yield from zip(_NETWORK, map(float, sums), strict=True)
        then_s, before = self._before or (now_s, sums)
        self._before = (now_s, sums)
        for place, series in _NETWORK_RATES:
            yield series, max(0, sums[place] - before[place]) / (now_s - then_s) if now_s > then_s else 0.0

    def _cards(self) -> frozenset[bytes]:
        """Those with a device behind them; none in a container, where the one card is virtual."""
        there = f"{self._kernel.root}/sys/class/net"
        names = self._kernel.names("/sys/class/net")
        return frozenset(os.fsencode(name) for name in names if os.path.exists(f"{there}/{name}/device"))


class Sockets:
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def __call__(self, now_s: float) -> Values:
        told, told6 = self._kernel.read("/proc/net/sockstat") or b"", self._kernel.read("/proc/net/sockstat6") or b""
        cells = next((row for row in rows(told) if row[0] == b"TCP:"), [])
        numbers = dict(zip(cells[1::2], map(float, cells[2::2]), strict=False))
        if b"inuse" in numbers:
            numbers[b"inuse"] += after(told6, b"TCP6: inuse ") or 0
        for word, series in _TCP_STATES:
            if word in numbers:
                yield series, numbers[word]
        if b"mem" in numbers:
            yield _TCP_MEMORY, numbers[b"mem"] * PAGE_BYTES
        for path, group, counts in _TCP_COUNTS:
            found = named(self._kernel.read(path) or b"", group, *counts)
            for series, number in zip(counts.values(), found, strict=True):
                if number is not None:
                    yield series, float(number)


class OpenFiles:
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def __call__(self, now_s: float) -> Values:
        part = (self._kernel.read("/proc/sys/fs/file-nr") or b"").split()
        if len(part) == 3:
            used, most = int(part[0]) - int(part[1]), int(part[2])
            yield _FILES, float(used)
            if most:
                yield _FILES_USED, used / most
