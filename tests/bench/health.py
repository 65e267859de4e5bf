"""What a sample of the host's health costs, beside the same of psutil in the same run.

`python -m tests.bench health`. Both read what psutil can tell (processor, memory, swap, load, file systems, disks,
network, uptime); ours reads pressure, sockets, open files, temperatures and containers besides. The look at every
process, which ours takes once a minute, is measured alone, against `psutil.process_iter`. Times are of the processor.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sitewarden_agent.config import Health
from sitewarden_agent.observe.metrics import Sampler
from sitewarden_agent.observe.metrics_processes import Processes
from sitewarden_agent.observe.procfs import Kernel

TIMES = 200
ROUNDS = 20
PROCESSES = 100
GOAL_MS = 1.0


def main() -> None:
    import psutil

    idle = [subprocess.Popen(["/bin/sleep", "600"]) for _ in range(max(0, PROCESSES - _running()))]
    try:
        sampler = Sampler(Health(top_processes=False))
        psutil.cpu_percent(None)
        ours, theirs = _compared(sampler.sample, lambda: _psutil(psutil), TIMES)
        print(f"  a sample, {len(sampler.sample())} series: {ours:.2f} ms; by psutil, 14 series: {theirs:.2f} ms")
        processes = Processes(Kernel(), Health())
        names = ["name", "cpu_times", "memory_info", "create_time", "num_threads"]
        one_round, by_psutil = _compared(
            lambda: _round(processes), lambda: [each.info for each in psutil.process_iter(names)], ROUNDS
        )
        print(f"  every process ({_running()}): {one_round:.2f} ms; by psutil: {by_psutil:.2f} ms")
        a_sample = ours + one_round / 6
        print(f"  a sample with its sixth of a round: {a_sample:.2f} ms (goal {GOAL_MS:.0f} ms)")
        print(f"  psutil / ours: a sample {theirs / ours:.1f}, every process {by_psutil / one_round:.1f}")
        print(f"  memory that the import takes: {_import_kib('sitewarden_agent.observe.metrics')} KiB, ", end="")
        print(f"psutil {_import_kib('psutil')} KiB")
    finally:
        for process in idle:
            process.kill()
            process.wait()


def _compared(ours: Callable[[], object], theirs: Callable[[], object], times: int) -> tuple[float, float]:
    """Medians in milliseconds, measured by turns."""
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(times):
        for place, measured in enumerate((ours, theirs)):
            began_s = time.thread_time()
            measured()
            spent[place].append((time.thread_time() - began_s) * 1000)
    return statistics.median(spent[0]), statistics.median(spent[1])


def _round(processes: Processes) -> None:
    _round.at_s += 1_000_000.0  # type: ignore[attr-defined]
    list(processes(_round.at_s))  # type: ignore[attr-defined]


_round.at_s = 0.0  # type: ignore[attr-defined]


def _psutil(psutil: object) -> None:
    """What the sampler did when it asked psutil."""
    import os

    psutil.cpu_percent(None)  # type: ignore[attr-defined]
    psutil.getloadavg(), psutil.boot_time()  # type: ignore[attr-defined]
    psutil.virtual_memory(), psutil.swap_memory()  # type: ignore[attr-defined]
    for part in psutil.disk_partitions(all=False):  # type: ignore[attr-defined]
        os.statvfs(part.mountpoint)
    psutil.disk_io_counters(), psutil.net_io_counters(pernic=True)  # type: ignore[attr-defined]


def _running() -> int:
    return sum(1 for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _import_kib(name: str) -> int:
    """How much larger the importing of a module, with what the agent has loaded anyway, makes a process."""
    code = (
        "import sys, sitewarden_agent.config, sitewarden_agent.model, time, re\n"
        "def rss(): return int(open('/proc/self/statm').read().split()[1]) * 4\n"
        "before = rss()\n"
        f"import {name}\n"
        "print(rss() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout)
