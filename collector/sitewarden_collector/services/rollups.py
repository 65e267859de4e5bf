"""Rollups: what an hour's samples come to, and a day's hours. Pure but for `days`, which reads what is known of them.

NaN is no sample: an hour in which a series has none has a count of 0 there, and NaN for the rest. What comes late is
added to what its hour came to, also where the hour's samples are forgotten already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Connection

from sitewarden_collector.store import day_hours, sample_days
from sitewarden_collector.store.day_hours import COUNT, FIGURES, HIGHEST, HOURS_A_DAY, LAST, LOWEST, MEAN
from sitewarden_collector.store.matrices import Matrix, Times
from sitewarden_collector.store.sample_days import Day, DayKey


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What some samples of an hour come to: figures x series. `is_newest`: none that was summed up is newer."""

    figures: Matrix
    is_newest: bool


@dataclass(frozen=True, slots=True)
class Summed:
    """What came of a day: parts of its hours (since 1970)."""

    customer_id: str
    hours: dict[int, list[Part]] = field(default_factory=dict)


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


def by_hour(matrix: Matrix, hours: Times) -> Iterator[tuple[int, Matrix]]:
    """Figures x series of each hour, out of series x ticks and the hour of each tick, in their order."""
    begins = [0, *(np.flatnonzero(hours[1:] != hours[:-1]) + 1).tolist()]
    if len(begins) == 1:
        yield int(hours[0]), of_samples(matrix)
        return
    ends = np.array([*begins[1:], len(hours)])
    sums = np.add.reduceat(matrix, begins, axis=1)
    if not np.isfinite(sums).all():
        for begin, end in zip(begins, ends.tolist(), strict=True):
            yield int(hours[begin]), of_samples(matrix[:, begin:end])
        return
    made = np.empty((len(begins), len(FIGURES), len(matrix)))
    counts = ends - np.array(begins)
    made[:, LOWEST] = np.minimum.reduceat(matrix, begins, axis=1).T
    made[:, HIGHEST] = np.maximum.reduceat(matrix, begins, axis=1).T
    made[:, MEAN] = (sums / counts).T
    made[:, COUNT] = counts[:, np.newaxis]
    made[:, LAST] = matrix[:, ends - 1].T
    yield from zip(hours[begins].tolist(), made, strict=True)


def days(tx: Connection, summed: Mapping[DayKey, Summed]) -> list[Day]:
    """The days with these hours in them, to be written; reads only."""
    known = sample_days.known(tx, summed)
    return [_day(key, one, *known.get(key, (None, b""))) for key, one in summed.items()]


def _day(key: DayKey, fresh: Summed, before: bytes | None, there: bytes) -> Day:
    by_hour = {hour: [part.figures for part in fresh.hours[hour]] for hour in sorted(fresh.hours)}
    ordered = {hour: some[0] if len(some) == 1 else _of_all(some) for hour, some in by_hour.items()}
    series = next(iter(ordered.values())).shape[1]
    newest, count = day_hours.newest(there)
    if next(iter(ordered)) > newest and (before is None or count + len(ordered) < HOURS_A_DAY):
        figures = np.stack(list(ordered.values()), axis=2)
        there += day_hours.closed(list(ordered), figures)
        if before is not None:
            figures = np.insert(figures, 0, np.frombuffer(before, "<f8").reshape(len(FIGURES), series), axis=2)
        return Day(key, fresh.customer_id, _bytes(of_hours(figures)), there, before)
    hours, figures = day_hours.opened(there, series=series)
    known = {hour: figures[:, :, place] for place, hour in enumerate(hours.tolist())}
    for hour, late in ordered.items():
        if hour in known:
            is_newest = fresh.hours[hour][-1].is_newest
            known[hour] = _of_all([known[hour], late] if is_newest else [late, known[hour]])
        else:
            known[hour] = late
    stacked = np.stack([known[hour] for hour in sorted(known)], axis=2)
    return Day(key, fresh.customer_id, _bytes(of_hours(stacked)), day_hours.closed(sorted(known), stacked), before)


def _of_all(parts: Sequence[Matrix]) -> Matrix:
    return of_hours(np.stack(parts, axis=2))


def _bytes(figures: Matrix) -> bytes:
    return figures.astype("<f8", copy=False).tobytes()


def _divide(total: Matrix, count: Matrix, *, into: Matrix) -> None:
    np.divide(total, count, out=into, where=count > 0)


def _last(matrix: Matrix, there: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Matrix:
    """The last number of each row that is there; NaN where none is."""
    place = matrix.shape[1] - 1 - np.argmax(there[:, ::-1], axis=1)
    found: Matrix = np.where(there.any(axis=1), matrix[np.arange(len(matrix)), place], np.nan)
    return found
