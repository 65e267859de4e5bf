"""Samples of a stretch of time, series by series, out of whatever blocks hold them: minutes as they came, joined hours.

Both are read by one statement: a minute that is being joined to its hour is in exactly one of them. Not here: what is
stored (`store.samples`, `store.sample_hours`).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, literal, select, union_all

from sitewarden_alerting.observations import Series
from sitewarden_collector.store.sample_hours import hours
from sitewarden_collector.store.samples import blocks, series_of
from sitewarden_protos import blocks as codec


@dataclass(frozen=True, slots=True)
class Track:
    """One series of one agent over time; NaN is left out."""

    agent_id: str
    series: Series
    times_ns: tuple[int, ...]
    numbers: tuple[float, ...]


def series(tx: Connection, site_id: str, name: str, since_ns: int, *, until_ns: int | None = None) -> list[Track]:
    """Every series called `name` of a site since a time: one track for each agent and set of labels, in time order."""
    return named(tx, site_id, {name}, since_ns, until_ns=until_ns)


def named(
    tx: Connection, site_id: str, names: Collection[str], since_ns: int, *, until_ns: int | None = None
) -> list[Track]:
    """`series` for several names at once: each block is opened once, and no more of it than is asked for."""
    end = math.inf if until_ns is None else until_ns
    tracks: dict[tuple[str, Series], tuple[list[int], list[float]]] = {}
    known: dict[tuple[str, str], tuple[int, list[int], list[tuple[list[int], list[float]]]]] = {}
    for agent_id, schema_id, shift_ns, block in _blocks(tx, site_id, since_ns, until_ns=until_ns):
        schema = (agent_id, schema_id)
        if schema not in known:
            told_series = series_of(tx, agent_id, [schema_id]).get(schema_id, ())
            places = [place for place, one in enumerate(told_series) if one.name in names]
            ends = [tracks.setdefault((agent_id, told_series[place]), ([], [])) for place in places]
            known[schema] = len(told_series), places, ends
        width, places, ends = known[schema]
        if not ends:
            continue
        times_ns, columns = codec.decode(block, series=width, wanted=places)
        shifted = [at_ns + shift_ns for at_ns in times_ns] if shift_ns else times_ns
        whole = bool(shifted) and since_ns <= min(shifted) and max(shifted) <= end
        for (times, numbers), column in zip(ends, columns, strict=True):
            if whole and not math.isnan(sum(column)):
                times += shifted
                numbers += column
                continue
            for at_ns, number in zip(shifted, column, strict=True):
                if since_ns <= at_ns <= end and number == number:  # NaN: no sample
                    times.append(at_ns)
                    numbers.append(number)
    return [Track(agent, one, tuple(t), tuple(n)) for (agent, one), (t, n) in tracks.items() if t]


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
