"""Rollups: what an hour's samples come to, and a day's hours. Pure but for `add`, which writes them with the hours.

NaN is no sample: an hour in which a series has none has a count of 0 there, and NaN for the rest. An hour that is
joined again, because something came late, is summed up anew and takes the place of what was known.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from itertools import groupby

from sqlalchemy import Connection

from sitewarden_collector.store import sample_days
from sitewarden_collector.store.sample_days import COUNT, FIGURES, HIGHEST, HOUR_NS, LAST, LOWEST, MEAN, Day

HOURS_A_DAY = 24


def of_columns(columns: Sequence[array[float]]) -> array[float]:
    """The figures of each series: all lowests, all highests, all means, all counts, all lasts."""
    made = array("d", [math.nan]) * (len(columns) * len(FIGURES))
    width = len(columns)
    for place, column in enumerate(columns):
        total = math.fsum(column) if len(column) else math.nan
        if total != total:  # some are NaN
            column = array("d", [number for number in column if number == number])
            total = math.fsum(column)
        made[COUNT * width + place] = len(column)
        if column:
            made[LOWEST * width + place] = min(column)
            made[HIGHEST * width + place] = max(column)
            made[MEAN * width + place] = total / len(column)
            made[LAST * width + place] = column[-1]
    return made


def of_hours(hours: Sequence[array[float]], width: int) -> array[float]:
    """The figures of a day, out of columns of its hours in their order, one for each figure and series."""
    made = array("d", [math.nan]) * (width * len(FIGURES))
    for place in range(width):
        counts = hours[COUNT * width + place]
        ticks = [tick for tick, count in enumerate(counts) if count > 0]
        total = sum(counts)
        made[COUNT * width + place] = total
        if ticks:
            made[LOWEST * width + place] = min(hours[LOWEST * width + place][tick] for tick in ticks)
            made[HIGHEST * width + place] = max(hours[HIGHEST * width + place][tick] for tick in ticks)
            means = hours[MEAN * width + place]
            made[MEAN * width + place] = math.fsum(means[tick] * counts[tick] for tick in ticks) / total
            made[LAST * width + place] = hours[LAST * width + place][ticks[-1]]
    return made


def add(
    tx: Connection,
    agent_id: str,
    schema_id: str,
    site_id: str,
    *,
    customer_id: str,
    hours: Iterable[tuple[int, array[float]]],
) -> None:
    """Write the figures of some hours (since 1970) of an agent, schema and site, in place of what was known of them."""
    for day, some in groupby(sorted(hours, key=lambda one: one[0]), key=lambda one: one[0] // HOURS_A_DAY):
        fresh = dict(some)
        width = len(next(iter(fresh.values()))) // len(FIGURES)
        times_ns, columns = sample_days.hours_of(tx, agent_id, schema_id, site_id, day=day, width=width)
        rows = {at_ns // HOUR_NS: [column[tick] for column in columns] for tick, at_ns in enumerate(times_ns)}
        rows |= {hour: list(figures) for hour, figures in fresh.items()}
        known = sorted(rows)
        by_figure = tuple(array("d", column) for column in zip(*(rows[hour] for hour in known), strict=True))
        sample_days.put(
            tx,
            Day(
                agent_id=agent_id,
                schema_id=schema_id,
                site_id=site_id,
                day=day,
                customer_id=customer_id,
                whole=of_hours(by_figure, width),
                times_ns=tuple(hour * HOUR_NS for hour in known),
                hours=by_figure,
            ),
        )
