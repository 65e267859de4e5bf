"""How figures are said: always with their count, and with what did not arrive."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path


def machine() -> str:
    """The machine in one line, without its name."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"


def say(line: str) -> None:
    """Print a figure at once, wherever it goes: a run may be ended before its last one."""
    print(line, flush=True)


def percentiles(milliseconds: Sequence[float], probes: int, *, digits: int = 0) -> str:
    if not milliseconds:
        return f"none of {probes} arrived"
    ordered = sorted(milliseconds)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return (
        f"p50 {at(0.5):.{digits}f} ms, p90 {at(0.9):.{digits}f} ms, p99 {at(0.99):.{digits}f} ms, "
        f"max {ordered[-1]:.{digits}f} ms "
        f"({len(ordered)} of {probes} arrived)"
    )
