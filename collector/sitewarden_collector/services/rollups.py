"""Rollups: what an hour's samples come to, and a day's hours. Pure but for `add`, which writes them with the hours.

NaN is no sample: an hour in which a series has none has a count of 0 there, and NaN for the rest. An hour that is
joined again, because something came late, is summed up anew and takes the place of what was known.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import numpy as np
from sqlalchemy import Connection

from sitewarden_collector.store import sample_days
from sitewarden_collector.store.matrices import Matrix
from sitewarden_collector.store.sample_days import COUNT, FIGURES, HIGHEST, HOUR_NS, LAST, LOWEST, MEAN, Day

HOURS_A_DAY = 24


def of_samples(matrix: Matrix) -> Matrix:
    """Figures x series, out of series x ticks."""
    there = ~np.isnan(matrix)
    made = np.full((len(FIGURES), len(matrix)), np.nan)
    made[COUNT] = there.sum(axis=1)
    made[LOWEST] = np.fmin.reduce(matrix, axis=1, initial=np.nan)
    made[HIGHEST] = np.fmax.reduce(matrix, axis=1, initial=np.nan)
    _divide(np.where(there, matrix, 0.0).sum(axis=1), made[COUNT], into=made[MEAN])
    made[LAST] = _last(matrix, there)
    return made


def of_hours(figures: Matrix) -> Matrix:
    """Figures x series of a day, out of figures x series x hours in their order."""
    counts = figures[COUNT]
    there = counts > 0
    made = np.full(figures.shape[:2], np.nan)
    made[COUNT] = counts.sum(axis=1)
    made[LOWEST] = np.fmin.reduce(figures[LOWEST], axis=1, initial=np.nan)
    made[HIGHEST] = np.fmax.reduce(figures[HIGHEST], axis=1, initial=np.nan)
    _divide(np.where(there, figures[MEAN] * counts, 0.0).sum(axis=1), made[COUNT], into=made[MEAN])
    made[LAST] = _last(figures[LAST], there)
    return made


def add(
    tx: Connection,
    agent_id: str,
    schema_id: str,
    site_id: str,
    *,
    customer_id: str,
    hours: Iterable[tuple[int, Matrix]],
) -> None:
    """Write the figures of some hours (since 1970) of an agent, schema and site, in place of what was known of them."""
    for day, some in groupby(sorted(hours, key=lambda one: one[0]), key=lambda one: one[0] // HOURS_A_DAY):
        fresh = dict(some)
        width = next(iter(fresh.values())).shape[1]
        times, known = sample_days.hours_of(tx, agent_id, schema_id, site_id, day=day, width=width)
        by_hour = {at_ns // HOUR_NS: known[:, :, tick] for tick, at_ns in enumerate(times.tolist())} | fresh
        ordered = sorted(by_hour)
        figures = np.stack([by_hour[hour] for hour in ordered], axis=2)
        sample_days.put(
            tx,
            Day(
                agent_id=agent_id,
                schema_id=schema_id,
                site_id=site_id,
                day=day,
                customer_id=customer_id,
                whole=of_hours(figures),
                times=np.array(ordered, np.int64) * HOUR_NS,
                hours=figures,
            ),
        )


def _divide(total: Matrix, count: Matrix, *, into: Matrix) -> None:
    np.divide(total, count, out=into, where=count > 0)


def _last(matrix: Matrix, there: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Matrix:
    """The last number of each row that is there; NaN where none is."""
    place = matrix.shape[1] - 1 - np.argmax(there[:, ::-1], axis=1)
    found: Matrix = np.where(there.any(axis=1), matrix[np.arange(len(matrix)), place], np.nan)
    return found
