"""Samples of a stretch of time, series by series, out of whatever blocks hold them: minutes as they came, joined hours.

Both are read by one statement: a minute that is being joined to its hour is in exactly one of them. Not here: what is
stored (`store.samples`, `store.sample_hours`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, bindparam, literal, select, union_all

from sitewarden_alerting.observations import Series
from sitewarden_collector.store import matrices
from sitewarden_collector.store.matrices import Matrix, Samples, Times
from sitewarden_collector.store.sample_hours import hours
from sitewarden_collector.store.samples import blocks, series_of

_LATEST_NS = 2**63 - 1
# Agent, schema, first time, what is to be added to the times, and block.
_BLOCKS = union_all(
    *(
        select(table.c.agent_id, table.c.schema_id, table.c.first_ns, shift.label("shift_ns"), table.c.block).where(
            table.c.site_id == bindparam("site"),
            table.c.last_ns >= bindparam("since"),
            table.c.first_ns <= bindparam("until"),
        )
        for table, shift in ((blocks, blocks.c.shift_ns), (hours, literal(0)))
    )
)


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One series of one agent over time, in time order; NaN is left out. `times` are UTC nanoseconds."""

    agent_id: str
    series: Series
    times: Times
    values: Matrix

    @property
    def times_ns(self) -> tuple[int, ...]:
        return tuple(self.times.tolist())

    @property
    def numbers(self) -> tuple[float, ...]:
        return tuple(self.values.tolist())


def series(tx: Connection, site_id: str, name: str, since_ns: int, *, until_ns: int | None = None) -> list[Track]:
    """Every series called `name` of a site since a time: one track for each agent and set of labels, in time order."""
    return named(tx, site_id, {name}, since_ns, until_ns=until_ns)


def named(
    tx: Connection, site_id: str, names: Collection[str], since_ns: int, *, until_ns: int | None = None
) -> list[Track]:
    """`series` for several names at once: each block is opened once, and no more of it than is asked for."""
    until_ns = _LATEST_NS if until_ns is None else until_ns
    by_schema: dict[tuple[str, str], list[tuple[int, int, bytes]]] = {}
    for agent_id, schema_id, *rest in tx.execute(_BLOCKS, {"site": site_id, "since": since_ns, "until": until_ns}):
        by_schema.setdefault((agent_id, schema_id), []).append((rest[0], rest[1], rest[2]))
    found: dict[tuple[str, Series], list[tuple[Times, Matrix]]] = {}
    for (agent_id, schema_id), some in by_schema.items():
        all_series = series_of(tx, agent_id, [schema_id]).get(schema_id, ())
        places = [place for place, one in enumerate(all_series) if one.name in names]
        if not places:
            continue
        times, matrix = _within(_opened(some, len(all_series), places), since_ns, until_ns)
        there = ~np.isnan(matrix)
        is_whole = bool(there.all())
        for row, place in enumerate(places):
            one = (times, matrix[row]) if is_whole else (times[there[row]], matrix[row][there[row]])
            if len(one[0]):
                found.setdefault((agent_id, all_series[place]), []).append(one)
    return [Track(agent_id, one, *_together(parts)) for (agent_id, one), parts in found.items()]


def _opened(some: list[tuple[int, int, bytes]], width: int, places: list[int]) -> Samples:
    """Some series of all blocks of one schema, in time order. Of each block its first time, what is to be added to its
    times, and its bytes."""
    some.sort(key=lambda one: one[0])
    parts = [(shift_ns, *matrices.opened(block, series=width, wanted=places)) for _, shift_ns, block in some]
    times = np.concatenate([times + shift_ns if shift_ns else times for shift_ns, times, _ in parts])
    return matrices.in_order(times, np.concatenate([matrix for _, _, matrix in parts], axis=1))


def _within(samples: Samples, since_ns: int, until_ns: int) -> Samples:
    times, matrix = samples
    begin, end = np.searchsorted(times, since_ns), np.searchsorted(times, until_ns, side="right")
    return times[begin:end], matrix[:, begin:end]


def _together(parts: list[tuple[Times, Matrix]]) -> tuple[Times, Matrix]:
    """A series may stand in several schemas, one after the other."""
    if len(parts) == 1:
        return parts[0]
    times, values = matrices.in_order(
        np.concatenate([times for times, _ in parts]), np.concatenate([values for _, values in parts])[np.newaxis]
    )
    return times, values[0]
