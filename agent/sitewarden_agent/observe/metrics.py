"""The host's health as one set of samples, and that of the product's processes and data folders.

Promises: names as OpenMetrics has them, with the unit as suffix; ratios are 0..1; a value that cannot be had is left
out, never guessed; one family that fails takes no other with it. Blocking, and about a millisecond: see
`tests/bench/health.py`. Not here: when to sample, blocks (`blocks`), what each family measures (`metrics_*`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from sitewarden_agent.config import Health
from sitewarden_agent.model import Series
from sitewarden_agent.observe.metrics_cgroup import OwnContainer
from sitewarden_agent.observe.metrics_disks import DataFolders, Disks, FileSystems
from sitewarden_agent.observe.metrics_host import Memory, Network, OpenFiles, Pressure, Processor, Sockets
from sitewarden_agent.observe.metrics_processes import Processes
from sitewarden_agent.observe.metrics_sensors import Temperatures
from sitewarden_agent.observe.procfs import Kernel

_DIGITS = {"ratio": 4, "seconds": 6, "bytes_per_second": 0}
_LONG_S = 100.0
Sample = dict[Series, float]
Family = Callable[[float], Iterator[tuple[Series, float]]]


class Sampler:
    """Samples one host. `complaints` says what could not be measured the last time.

    `root` is where /proc and /sys lie; names of programs and folders pass `redact`.
    """

    def __init__(self, health: Health, *, root: str = "", redact: Callable[[str], str] = str) -> None:
        kernel = Kernel(root)
        self._kernel = kernel
        self._file_systems = FileSystems(kernel, health, redact)
        self._folders = DataFolders(health)
        self.processes = Processes(kernel, health, redact)
        self._families: tuple[Family, ...] = (
            Processor(kernel),
            Memory(kernel),
            Pressure(kernel),
            Network(kernel),
            Sockets(kernel),
            OpenFiles(kernel),
            self._file_systems,
            Disks(kernel),
            Temperatures(kernel),
            OwnContainer(kernel),
            self.processes,
            self._folders,
        )
        self.complaints: list[str] = []

    def sample(self, now_s: float | None = None) -> Sample:
        """What there is now; `now_s` is monotonic. Shares are of the time since the sample before."""
        now_s = time.monotonic() if now_s is None else now_s
        failed: list[str] = []
        found: Sample = {}
        for family in self._families:
            try:
                found.update((series, _meant(series, value)) for series, value in family(now_s))
            except (OSError, ValueError, IndexError, KeyError) as error:
                name = type(family).__name__
                reason = error.strerror if isinstance(error, OSError) and error.strerror else repr(error)
                failed.append(f"health: {name} cannot be measured ({reason}); the rest is")
        self.complaints = [
            *failed,
            *self._file_systems.complaints,
            *self._folders.complaints,
            *self.processes.complaints,
        ]
        return found

    def close(self) -> None:
        """Let the kernel's files go."""
        self._kernel.close()


def _meant(series: Series, value: float) -> float:
    """The value without digits that no measurement has: a quotient's sixteen take five times the room of five."""
    if series.unit == "seconds" and value >= _LONG_S:
        return round(value, 1)
    digits = _DIGITS.get(series.unit)
    return value if digits is None else round(value, digits)
