"""Rollups: what an hour's samples come to, and a day's hours. Pure but for `days`, which reads what is known of them.

NaN is no sample: an hour in which a series has none has a count of 0 there, and NaN for the rest. What comes late is
added to what its hour came to, also where the hour's samples are forgotten already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection

from sitewarden_collector.store import day_hours, sample_days
from sitewarden_collector.store.day_hours import COUNT, FIGURES, HIGHEST, HOURS_A_DAY, LAST, LOWEST, MEAN
from sitewarden_collector.store.matrices import Matrix, Times
from sitewarden_collector.store.sample_days import Day, DayKey

_WHATEVER_IT_IS = np.errstate(invalid="ignore", over="ignore")  # infinite numbers have no mean


class Part(NamedTuple):
    """What some samples of an hour come to: figures x series. `is_newest`: none that was summed up is newer."""

    figures: Matrix
    is_newest: bool


@dataclass(frozen=True, slots=True)
class Summed:
    """What came of a day: parts of its hours (since 1970)."""

    customer_id: str
    series: int
    hours: dict[int, list[Part]] = field(default_factory=dict)


@_WHATEVER_IT_IS
def of_samples(matrix: Matrix) -> Matrix:
    """Figures x series, out of series x ticks."""
    made = np.full((len(FIGURES), len(matrix)), np.nan)
    there = ~np.isnan(matrix)
    made[COUNT] = there.sum(axis=1)
    made[LOWEST] = np.fmin.reduce(matrix, axis=1, initial=np.nan)
    made[HIGHEST] = np.fmax.reduce(matrix, axis=1, initial=np.nan)
    _divide(np.where(there, matrix, 0.0).sum(axis=1), made[COUNT], into=made[MEAN])
    made[LAST] = _last(matrix, there)
    return made


@_WHATEVER_IT_IS
def of_hours(figures: Matrix) -> Matrix:
    """Figures x series of a day, out of figures x series x hours in their order; of one host or of several."""
    counts = figures[..., COUNT, :, :]
    there = counts > 0
    made = np.full(figures.shape[:-1], np.nan)
    made[..., COUNT, :] = counts.sum(axis=-1)
    made[..., LOWEST, :] = np.fmin.reduce(figures[..., LOWEST, :, :], axis=-1, initial=np.nan)
    made[..., HIGHEST, :] = np.fmax.reduce(figures[..., HIGHEST, :, :], axis=-1, initial=np.nan)
    sums = np.where(there, figures[..., MEAN, :, :] * counts, 0.0).sum(axis=-1)
    _divide(sums, made[..., COUNT, :], into=made[..., MEAN, :])
    made[..., LAST, :] = _last(figures[..., LAST, :, :], there)
    return made


def by_hour(stack: Matrix, hours: Times) -> Iterator[list[tuple[int, Matrix]]]:
    """Of each host the hours in their order with figures x series, out of hosts x series x ticks and the hour of each
    tick."""
    changes = hours[:, 1:] != hours[:, :-1]
    if (changes == changes[0]).all():
        yield from _by_hour(stack, hours, [0, *(np.flatnonzero(changes[0]) + 1).tolist()])
    else:
        for host in range(len(stack)):
            yield from by_hour(stack[host : host + 1], hours[host : host + 1])


def _by_hour(stack: Matrix, hours: Times, begins: list[int]) -> Iterator[list[tuple[int, Matrix]]]:
    """The hours of all hosts begin at the same ticks."""
    ends = np.array([*begins[1:], hours.shape[1]])
    made = np.empty((len(stack), len(begins), len(FIGURES), stack.shape[1]))
    with np.errstate(invalid="ignore", over="ignore"):
        sums = np.add.reduceat(stack, begins, axis=2)
    counts = ends - np.array(begins)
    made[:, :, LOWEST] = np.minimum.reduceat(stack, begins, axis=2).swapaxes(1, 2)
    made[:, :, HIGHEST] = np.maximum.reduceat(stack, begins, axis=2).swapaxes(1, 2)
    made[:, :, MEAN] = (sums / counts).swapaxes(1, 2)
    made[:, :, COUNT] = counts[:, np.newaxis]
    made[:, :, LAST] = stack[:, :, ends - 1].swapaxes(1, 2)
    missing = set(np.flatnonzero(~np.isfinite(sums).all(axis=(1, 2))).tolist())
    for host, which in enumerate(hours[:, begins].tolist()):
        if host in missing:
            for place, (begin, end) in enumerate(zip(begins, ends.tolist(), strict=True)):
                made[host, place] = of_samples(stack[host, :, begin:end])
        yield list(zip(which, made[host], strict=True))


def days(tx: Connection, summed: Mapping[DayKey, Summed]) -> list[Day]:
    """The days with these hours in them, to be written; reads only."""
    known = sample_days.known(tx, summed)
    made = []
    alike: dict[tuple[int, int, tuple[int, ...], bool], list[DayKey]] = {}
    for key, fresh in summed.items():
        before, there = known.get(key, (None, b""))
        hours = tuple(sorted(fresh.hours))
        newest, count = day_hours.newest(there)
        is_single = max(map(len, fresh.hours.values())) == 1
        if is_single and hours[0] > newest and (before is None or count + len(hours) < HOURS_A_DAY):
            shape = (key[3], fresh.series, hours, before is not None)
            alike.setdefault(shape, []).append(key)
        else:
            made.append(_rewritten(key, fresh, before, there))
    for (day, series, hours, is_known), keys in alike.items():
        figures = _stacked([summed[key] for key in keys], hours, series)
        parts = day_hours.closed_all(hours, figures)
        if is_known:
            until_now = day_hours.opened_all([known[key][0] for key in keys], series=series)
            figures = np.concatenate([until_now[..., np.newaxis], figures], axis=3)
        wholes = day_hours.closed_all([day], of_hours(figures)[..., np.newaxis])
        for key, part, whole in zip(keys, parts, wholes, strict=True):
            before, there = known.get(key, (None, b""))
            made.append(Day(key, summed[key].customer_id, whole, there + part, before))
    return made


def _stacked(some: Sequence[Summed], hours: Sequence[int], series: int) -> Matrix:
    """Hosts x figures x series x hours."""
    parts = [one.hours[hour][0].figures for one in some for hour in hours]
    return np.concatenate(parts).reshape(len(some), len(hours), len(FIGURES), series).transpose(0, 2, 3, 1)


def _rewritten(key: DayKey, fresh: Summed, before: bytes | None, there: bytes) -> Day:
    """The day as one part."""
    hours, figures = day_hours.opened(there, series=fresh.series)
    known = {hour: figures[:, :, place] for place, hour in enumerate(hours.tolist())}
    for hour in sorted(fresh.hours):
        parts = [part.figures for part in fresh.hours[hour]]
        late = parts[0] if len(parts) == 1 else _of_all(parts)
        if hour in known:
            is_newest = fresh.hours[hour][-1].is_newest
            known[hour] = _of_all([known[hour], late] if is_newest else [late, known[hour]])
        else:
            known[hour] = late
    stacked = np.stack([known[hour] for hour in sorted(known)], axis=2)
    whole = day_hours.closed([key[3]], of_hours(stacked)[..., np.newaxis])
    return Day(key, fresh.customer_id, whole, day_hours.closed(sorted(known), stacked), before)


def _of_all(parts: Sequence[Matrix]) -> Matrix:
    return of_hours(np.stack(parts, axis=2))


def _divide(total: Matrix, count: Matrix, *, into: Matrix) -> None:
    np.divide(total, count, out=into, where=count > 0)


def _last(matrix: Matrix, there: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Matrix:
    """The last number of each row that is there; NaN where none is."""
    place = matrix.shape[-1] - 1 - np.argmax(there[..., ::-1], axis=-1)
    last = np.take_along_axis(matrix, place[..., np.newaxis], axis=-1)[..., 0]
    found: Matrix = np.where(there.any(axis=-1), last, np.nan)
    return found
