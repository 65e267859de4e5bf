"""Rollups: what an hour's samples come to, and a day's hours. Pure but for `days`, which reads what is known of them.

NaN is no sample: an hour in which a series has none has a count of 0 there, and NaN for the rest. An hour that is
joined again, because something came late, is summed up anew and takes the place of what was known; where its samples
are forgotten already, what came late is added to what was known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from sitewarden_collector.store import day_hours, sample_days
from sitewarden_collector.store.day_hours import COUNT, FIGURES, HIGHEST, HOURS_A_DAY, LAST, LOWEST, MEAN
from sitewarden_collector.store.matrices import Matrix
from sitewarden_collector.store.sample_days import Day, DayKey

SINGLE_MAX = 3  # hours that are added one by one; more are written as one block


@dataclass(frozen=True, slots=True, eq=False)
class Hour:
    """What an hour comes to: figures x series. `whole`: out of all its samples, not only of those that came late."""

    figures: Matrix
    whole: bool


def of_samples(matrix: Matrix) -> Matrix:
    """Figures x series, out of series x ticks."""
    made = np.full((len(FIGURES), len(matrix)), np.nan)
    sums = matrix.sum(axis=1)
    if np.isfinite(sums).all():  # the usual case, in half the time: nothing is missing
        made[COUNT] = matrix.shape[1]
        made[LOWEST], made[HIGHEST] = matrix.min(axis=1), matrix.max(axis=1)
        made[MEAN], made[LAST] = sums / matrix.shape[1], matrix[:, -1]
        return made
    there = ~np.isnan(matrix)
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


def days(tx: Connection, summed: Mapping[DayKey, Mapping[int, Hour]], customers: Mapping[DayKey, str]) -> list[Day]:
    """The days with these hours (since 1970) in them, to be written; reads only."""
    known = sample_days.known(tx, summed)
    return [_day(key, customers[key], hours, *known.get(key, (None, b""))) for key, hours in summed.items()]


def _day(key: DayKey, customer_id: str, fresh: Mapping[int, Hour], before: bytes | None, there: bytes) -> Day:
    ordered = sorted(fresh)
    series = fresh[ordered[0]].figures.shape[1]
    newest, count = day_hours.newest(there)
    if ordered[0] > newest and len(fresh) <= SINGLE_MAX and count + len(fresh) < HOURS_A_DAY:
        parts = [fresh[hour].figures for hour in ordered]
        if before is not None:
            parts.insert(0, np.frombuffer(before, "<f8").reshape(len(FIGURES), series))
        for hour in ordered:
            there = day_hours.added(there, hour, fresh[hour].figures)
        return Day(key, customer_id, _bytes(of_hours(np.stack(parts, axis=2))), there, before)
    hours, figures = day_hours.opened(there, series=series)
    by_hour = {hour: figures[:, :, place] for place, hour in enumerate(hours.tolist())}
    for hour in ordered:
        late = fresh[hour]
        is_rest = hour in by_hour and not late.whole
        by_hour[hour] = of_hours(np.stack([late.figures, by_hour[hour]], axis=2)) if is_rest else late.figures
    stacked = np.stack([by_hour[hour] for hour in sorted(by_hour)], axis=2)
    return Day(key, customer_id, _bytes(of_hours(stacked)), day_hours.closed(sorted(by_hour), stacked), before)


def _bytes(figures: Matrix) -> bytes:
    return figures.astype("<f8", copy=False).tobytes()


def _divide(total: Matrix, count: Matrix, *, into: Matrix) -> None:
    np.divide(total, count, out=into, where=count > 0)


def _last(matrix: Matrix, there: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Matrix:
    """The last number of each row that is there; NaN where none is."""
    place = matrix.shape[1] - 1 - np.argmax(there[:, ::-1], axis=1)
    found: Matrix = np.where(there.any(axis=1), matrix[np.arange(len(matrix)), place], np.nan)
    return found
