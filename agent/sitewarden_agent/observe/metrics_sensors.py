"""Temperatures of the host in degrees Celsius, and each one's share of what its maker calls critical.

Promises: sensors that are slow to answer are asked no more; none is asked more than once a minute. Not here: fans.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from sitewarden_agent.model import Series
from sitewarden_agent.observe.procfs import Kernel, whole

Values = Iterator[tuple[Series, float]]

_EVERY_S = 60.0
_FIND_EVERY_S = 1_800.0
_SLOW_S = 0.05
_SENSORS_MAX = 16
_LOWEST, _HIGHEST = -60.0, 250.0  # what is beyond is a broken sensor


class _Sensor:
    def __init__(self, path: str, name: str, critical: float | None) -> None:
        labels = (("sensor", name),)
        self.path = path
        self.celsius = Series("temperature_celsius", labels, "celsius")
        self.ratio = Series("temperature_critical_ratio", labels, "ratio")
        self.critical = critical


class Temperatures:
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._sensors: list[_Sensor] = []
        self._slow: set[str] = set()
        self._find_at_s = 0.0
        self._ask_at_s = 0.0
        self._values: list[tuple[Series, float]] = []

    def __call__(self, now_s: float) -> Values:
        if now_s >= self._find_at_s:
            self._find_at_s = now_s + _FIND_EVERY_S
            found = [each for each in sensors(self._kernel) if each.path not in self._slow]
            self._sensors = found[:_SENSORS_MAX]
        if self._sensors and now_s >= self._ask_at_s:
            self._ask_at_s = now_s + _EVERY_S
            self._values = [pair for sensor in list(self._sensors) for pair in self._ask(sensor)]
        yield from self._values

    def _ask(self, sensor: _Sensor) -> Values:
        began_s = time.perf_counter()
        celsius = _celsius(self._kernel.once(sensor.path))
        if time.perf_counter() - began_s > _SLOW_S:
            self._slow.add(sensor.path)
            self._sensors.remove(sensor)
        if celsius is None:
            return
        yield sensor.celsius, celsius
        if sensor.critical:
            yield sensor.ratio, max(0.0, celsius / sensor.critical)


def sensors(kernel: Kernel) -> list[_Sensor]:
    """Those of hwmon; the thermal zones where there are none. Names are the chip's and the sensor's own."""
    found: dict[str, _Sensor] = {}
    for chip in sorted(kernel.names("/sys/class/hwmon")):
        there = f"/sys/class/hwmon/{chip}"
        for entry in sorted(kernel.names(there)):
            if not (entry.startswith("temp") and entry.endswith("_input")):
                continue
            stem = f"{there}/{entry.removesuffix('_input')}"
            name = f"{kernel.text(f'{there}/name') or chip} {kernel.text(f'{stem}_label') or entry[:-6]}"
            while name in found:  # two disks, two sockets
                name += f" {chip}"
            critical = _celsius(kernel.once(f"{stem}_crit")) or _celsius(kernel.once(f"{stem}_max"))
            found[name] = _Sensor(f"{stem}_input", name, critical)
    if not found:
        for zone in sorted(kernel.names("/sys/class/thermal")):
            if zone.startswith("thermal_zone"):
                there = f"/sys/class/thermal/{zone}"
                name = f"{kernel.text(f'{there}/type') or 'zone'} {zone.removeprefix('thermal_zone')}"
                found[name] = _Sensor(f"{there}/temp", name, None)
    return list(found.values())


def _celsius(told: bytes | None) -> float | None:
    thousandths = whole(told) if told else None
    if thousandths is None or not _LOWEST < thousandths / 1000 < _HIGHEST:
        return None
    return thousandths / 1000
