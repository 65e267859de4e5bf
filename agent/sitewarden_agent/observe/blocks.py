"""Collects samples into the one block an agent sends a minute.

Promises: a block closes after a minute, when the set of series changes, when the clock went back, or at once when a
value crosses a watch level that headquarters sent: what matters now does not wait. Pure. Not here: sampling
(`metrics`), the encoding (`sitewarden_protos.blocks`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from sitewarden_agent.model import SampleBlock, Series
from sitewarden_agent.spool import WatchLevel
from sitewarden_protos import blocks

BLOCK_NS = 60_000_000_000


class Collecting:
    """The block that is open now."""

    def __init__(self) -> None:
        self._series: tuple[Series, ...] = ()
        self._times_ns: list[int] = []
        self._rows: list[list[float]] = []
        self._last: dict[Series, float] = {}

    def add(
        self, time_ns: int, values: Mapping[Series, float], *, levels: Iterable[WatchLevel] = ()
    ) -> list[SampleBlock]:
        """Take one tick (UTC nanoseconds). Returns the blocks that closed, mostly none."""
        closed: list[SampleBlock | None] = []
        series = tuple(sorted(values, key=lambda each: (each.name, each.labels)))
        if self._times_ns and (series != self._series or time_ns <= self._times_ns[-1]):
            closed.append(self.close())
        self._series = series
        self._times_ns.append(time_ns)
        self._rows.append([values[each] for each in series])
        early = self._crosses(values, levels)
        self._last = dict(values)
        if early or time_ns - self._times_ns[0] >= BLOCK_NS:
            closed.append(self.close(early=early))
        return [block for block in closed if block is not None]

    def close(self, *, early: bool = False) -> SampleBlock | None:
        """The block as it is; None when it is empty."""
        if not self._times_ns or not self._series:
            self._times_ns, self._rows = [], []
            return None
        columns = list(zip(*self._rows, strict=True))
        block = blocks.encode(self._times_ns, columns)
        ticks = len(self._times_ns)
        self._times_ns, self._rows = [], []
        return SampleBlock(series=self._series, block=block, ticks=ticks, early=early)

    def _crosses(self, values: Mapping[Series, float], levels: Iterable[WatchLevel]) -> bool:
        by_name: dict[str, list[WatchLevel]] = {}
        for level in levels:
            by_name.setdefault(level.series, []).append(level)
        if not by_name:
            return False
        return any(
            _beyond(value, level) != _beyond(self._last.get(series, math.nan), level)
            for series, value in values.items()
            for level in by_name.get(series.name, ())
        )


def _beyond(value: float, level: WatchLevel) -> bool:
    """NaN is beyond nothing, so a first value that is beyond crosses."""
    above = level.above is not None and value > level.above
    below = level.below is not None and value < level.below
    return above or below
