"""What the agent costs its host when nothing happens: processor, resident and unshared memory of all its processes.

The real agent under its supervisor, connected over mutual TLS, 50 log files of which each gave a record, health every
10 s, for two minutes after it has settled. Processor time is that of all threads by the scheduler's own count
(nanoseconds), and of children that ended. Unshared memory counts a library that only one of the agent's processes has
as its own, although the collector on this host shares it. "as two units" is without the supervisor, as the service
units run it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from sitewarden_collector.demo.stage import Stage

FILES = 50
SETTLE_S = 20.0
WATCH_S = 120.0
GOAL_CPU_PERCENT, GOAL_RSS_MB, GOAL_USS_MB = 0.15, 75.0, 50.0
_TICKS_S = os.sysconf("SC_CLK_TCK")

_AGENT = """
[[logs]]
name = "app"
paths = ["{logs}/*.log"]
"""


@dataclass(frozen=True, slots=True)
class Cost:
    name: str
    cpu_percent: float
    rss_mb: float
    uss_mb: float
    threads: int
    switches_per_s: float


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sitewarden-bench-") as base:
        logs = Path(base) / "logs"
        logs.mkdir()
        for number in range(FILES):
            (logs / f"{number}.log").write_text(f"2026-11-23 10:00:00,000 INFO file {number} begins\n")
        stage = Stage(Path(base) / "stage", agent_toml=_AGENT.format(logs=logs))
        try:
            stage.open()
            time.sleep(SETTLE_S / 2)
            for log in logs.iterdir():  # an agent that has never read anything would look better than it is
                with log.open("a") as file:
                    file.write("2026-11-23 10:00:01,000 ERROR the pump is hot\n2026-11-23 10:00:02,000 INFO fine\n")
            time.sleep(SETTLE_S / 2)
            costs = measured(psutil.Process(stage.processes["agent"].pid), watch_s=WATCH_S)
        finally:
            stage.close()
    for cost in costs:
        print(f"{_line(cost)}, {cost.threads} threads, {cost.switches_per_s:.1f} switches/s")
    together = _sum("together", costs)
    print(f"{_line(together)}  (goal: {GOAL_CPU_PERCENT} %, {GOAL_RSS_MB:.0f} MB, {GOAL_USS_MB:.0f} MB)")
    print(_line(_sum("as two units", [cost for cost in costs if cost.name != "supervisor"])))


def measured(supervisor: psutil.Process, *, watch_s: float) -> list[Cost]:
    """What each of the agent's processes took over this time."""
    processes = [supervisor, *supervisor.children(recursive=True)]
    before = [(_cpu_s(process.pid), _switches(process.pid)) for process in processes]
    time.sleep(watch_s)
    maps = [_mappings(process.pid) for process in processes]
    costs = []
    for number, (process, (cpu_s, switches)) in enumerate(zip(processes, before, strict=True)):
        others = {path for other, found in enumerate(maps) if other != number for path in found}
        uss = sum(private + (0 if path in others else shared) for path, (private, shared) in maps[number].items())
        costs.append(
            Cost(
                next((word for word in process.cmdline() if word in ("observe", "link")), "supervisor"),
                (_cpu_s(process.pid) - cpu_s) / watch_s * 100,
                process.memory_info().rss / 1e6,
                uss / 1e6,
                process.num_threads(),
                (_switches(process.pid) - switches) / watch_s,
            )
        )
    return costs


def _sum(name: str, costs: list[Cost]) -> Cost:
    return Cost(
        name,
        sum(cost.cpu_percent for cost in costs),
        sum(cost.rss_mb for cost in costs),
        sum(cost.uss_mb for cost in costs),
        sum(cost.threads for cost in costs),
        sum(cost.switches_per_s for cost in costs),
    )


def _line(cost: Cost) -> str:
    return f"{cost.name:12}  {cost.cpu_percent:.3f} % of a core, RSS {cost.rss_mb:.1f} MB, USS {cost.uss_mb:.1f} MB"


def _cpu_s(pid: int) -> float:
    """Of all threads, and of children that ended."""
    total = 0.0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError):
            total += int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0]) / 1e9
    stat = Path(f"/proc/{pid}/stat").read_text()
    return total + sum(map(int, stat[stat.rindex(")") + 2 :].split()[13:15])) / _TICKS_S


def _switches(pid: int) -> int:
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError):
            status = Path(f"/proc/{pid}/task/{thread}/status").read_text()
            total += sum(int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line)
    return total


def _mappings(pid: int) -> dict[str, tuple[int, int]]:
    """Private and shared bytes, by the file that is mapped."""
    found: dict[str, tuple[int, int]] = {}
    path = ""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if words[0][-1] != ":":
            path = words[5] if len(words) > 5 else ""
        elif words[0] in ("Private_Clean:", "Private_Dirty:", "Shared_Clean:", "Shared_Dirty:"):
            private, shared = found.get(path, (0, 0))
            size = int(words[1]) * 1024
            is_private = words[0].startswith("Private")
            found[path] = (private + size, shared) if is_private else (private, shared + size)
    return found
