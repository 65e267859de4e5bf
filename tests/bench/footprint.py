"""What the agent costs its host when nothing happens: CPU, resident and unshared memory of all its processes.

The real agent under its supervisor, connected over mutual TLS, 50 log files, health every 10 s, for a stated time.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import psutil

from sitewarden_collector.demo.stage import Stage

FILES = 50
SETTLE_S = 12.0
WATCH_S = 60.0

_AGENT = """
[[logs]]
name = "app"
paths = ["{logs}/*.log"]
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sitewarden-bench-") as base:
        logs = Path(base) / "logs"
        logs.mkdir()
        for number in range(FILES):
            (logs / f"{number}.log").write_text(f"2026-11-23 10:00:00,000 INFO file {number} begins\n")
        stage = Stage(Path(base) / "stage", agent_toml=_AGENT.format(logs=logs))
        try:
            stage.open()
            time.sleep(SETTLE_S)
            supervisor = psutil.Process(stage.processes["agent"].pid)
            processes = [supervisor, *supervisor.children(recursive=True)]
            before = [_cpu_s(process) for process in processes]
            time.sleep(WATCH_S)
            total_cpu = total_rss = total_uss = 0.0
            for process, cpu_s in zip(processes, before, strict=True):
                name = next((word for word in process.cmdline() if word in ("observe", "link")), "supervisor")
                memory = process.memory_full_info()
                used = (_cpu_s(process) - cpu_s) / WATCH_S * 100
                total_cpu, total_rss, total_uss = total_cpu + used, total_rss + memory.rss, total_uss + memory.uss
                print(_line(name, used, memory.rss, memory.uss))
            print(_line("together", total_cpu, total_rss, total_uss))
        finally:
            stage.close()


def _line(name: str, cpu_percent: float, rss_bytes: float, uss_bytes: float) -> str:
    return f"{name:10}  {cpu_percent:.2f} % of a core, RSS {rss_bytes / 1e6:.0f} MB, USS {uss_bytes / 1e6:.0f} MB"


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
