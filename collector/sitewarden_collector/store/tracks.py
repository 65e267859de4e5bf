"""Samples of a stretch of time, series by series, out of whatever blocks hold them: minutes as they came, joined hours.

Both are read by one statement: a minute that is being joined to its hour is in exactly one of them. Not here: what is
stored (`store.samples`, `store.sample_hours`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, literal, select, union_all

from sitewarden_alerting.observations import Series
from sitewarden_collector.store import matrices
from sitewarden_collector.store.matrices import Matrix, Times
from sitewarden_collector.store.sample_hours import hours
from sitewarden_collector.store.samples import blocks, series_of


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
    told: dict[tuple[str, str], tuple[int, list[int], list[Series]]] = {}
    found: dict[tuple[str, Series], list[tuple[Times, Matrix]]] = {}
    for agent_id, schema_id, shift_ns, block in _blocks(tx, site_id, since_ns, until_ns=until_ns):
        schema = (agent_id, schema_id)
        if schema not in told:
            all_series = series_of(tx, agent_id, [schema_id]).get(schema_id, ())
            places = [place for place, one in enumerate(all_series) if one.name in names]
            told[schema] = len(all_series), places, [all_series[place] for place in places]
        width, places, wanted = told[schema]
        if not wanted:
            continue
        times, matrix = matrices.opened(block, series=width, wanted=places)
        for place, one in enumerate(wanted):
            found.setdefault((agent_id, one), []).append((times + shift_ns, matrix[place]))
    made = [
        _track(agent_id, one, parts, since_ns=since_ns, until_ns=until_ns) for (agent_id, one), parts in found.items()
    ]
    return [track for track in made if len(track.times)]


def _track(
    agent_id: str, series: Series, parts: list[tuple[Times, Matrix]], *, since_ns: int, until_ns: int | None
) -> Track:
    times = np.concatenate([part[0] for part in parts])
    values = np.concatenate([part[1] for part in parts])
    there = (times >= since_ns) & ~np.isnan(values)
    if until_ns is not None:
        there &= times <= until_ns
    if not there.all():
        times, values = times[there], values[there]
    return Track(agent_id, series, times, values)


def _blocks(tx: Connection, site_id: str, since_ns: int, *, until_ns: int | None) -> list[tuple[str, str, int, bytes]]:
    """Agent, schema, what is to be added to the times, and block, in the order of their first times."""
    parts = []
    for table, shift in ((blocks, blocks.c.shift_ns), (hours, literal(0))):
        where = [table.c.site_id == site_id, table.c.last_ns >= since_ns]
        if until_ns is not None:
            where.append(table.c.first_ns <= until_ns)
        parts.append(
            select(table.c.agent_id, table.c.schema_id, shift.label("shift_ns"), table.c.block, table.c.first_ns).where(
                *where
            )
        )
    rows = tx.execute(union_all(*parts)).all()
    return [(row[0], row[1], row[2], row[3]) for row in sorted(rows, key=lambda row: row[4])]
