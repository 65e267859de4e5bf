"""Days of samples in brief: of each hour and of the day the lowest, highest, mean, count and last of every series.

One row an agent, schema, site and day. It outlives the samples it sums up, so that a month is drawn and sites are
compared without opening their blocks. `whole` stands apart, because questions over all sites read one of each; how both
rest tells `day_hours`, for which the whole day is one hour. Not here: summing up (`services.rollups`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    LargeBinary,
    Select,
    String,
    Table,
    and_,
    bindparam,
    select,
)
from sqlalchemy.exc import IntegrityError

from sitewarden_alerting.observations import Series
from sitewarden_collector.store import bulk, day_hours, forgetting
from sitewarden_collector.store.base import Id, metadata
from sitewarden_collector.store.day_hours import COUNT, FIGURES, HIGHEST, HOUR_NS, LAST, LOWEST, MEAN
from sitewarden_collector.store.resting import Matrix, Times
from sitewarden_collector.store.samples import series_of, told_by

__all__ = ["COUNT", "FIGURES", "HIGHEST", "HOUR_NS", "LAST", "LOWEST", "MEAN"]

days = Table(
    "sample_days",
    metadata,
    Column("agent_id", Id, ForeignKey("agents.id"), primary_key=True),
    Column("schema_id", String(16), primary_key=True),
    Column("site_id", Id, primary_key=True),
    Column("day", BigInteger, primary_key=True),  # since 1970, UTC
    Column("customer_id", Id, nullable=False),
    Column("whole", LargeBinary, nullable=False),
    Column("hours", LargeBinary, nullable=False),
    Index("ix_sample_days_site_day", "site_id", "day"),
    Index("ix_sample_days_day", "day"),
)

DayKey = tuple[str, str, str, int]
"""Agent, schema, site and day."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day as it is to be written. `before`: `whole` as it was when this one was made of it; None: there was none."""

    key: DayKey
    customer_id: str
    whole: bytes
    hours: bytes
    before: bytes | None


@dataclass(frozen=True, slots=True, eq=False)
class Brief:
    """One series of one agent hour by hour, hours without a sample left out: when each began, and figures x hours."""

    agent_id: str
    series: Series
    times: Times
    figures: Matrix


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one series of one agent, of a whole day."""

    agent_id: str
    site_id: str
    series: Series
    number: float


_KEY = tuple(days.primary_key.columns)


@cache
def _known(dialect: str) -> Select[Any]:
    asked = bulk.pairs(dialect)
    of_pair = (days.c.agent_id == asked.first, days.c.schema_id == asked.second)
    some = days.c.day.in_(bindparam("days", expanding=True))
    return select(*_KEY, days.c.whole, days.c.hours).select_from(asked.table).join(days, and_(*of_pair, some))


def known(tx: Connection, keys: Collection[DayKey]) -> dict[DayKey, tuple[bytes, bytes]]:
    """What is known of some days: `whole` and `hours`."""
    if not keys:
        return {}
    asked = {(agent_id, schema_id) for agent_id, schema_id, _, _ in keys}
    given = bulk.pair_values(tx.dialect.name, asked) | {"days": sorted({key[3] for key in keys})}
    found = {tuple(row[:4]): (row[4], row[5]) for row in tx.execute(_known(tx.dialect.name), given)}
    return {key: found[key] for key in keys if key in found}


def put(tx: Connection, some: Sequence[Day]) -> bool:
    """Write days; False when one is not any more what it was made of."""
    fresh = [(*one.key, one.customer_id, one.whole, one.hours) for one in some if one.before is None]
    again = [(one.whole, one.hours, *one.key, one.before) for one in some if one.before is not None]
    try:
        bulk.insert(tx, days, tuple(days.c.keys()), fresh)
    except IntegrityError:
        return False  # another collector was first
    where = (*(column.name for column in _KEY), "whole")
    return bulk.update(tx, days, ("whole", "hours"), where, again) == len(again)


def briefs(tx: Connection, site_id: str, names: Collection[str], since_ns: int, until_ns: int) -> list[Brief]:
    """Every series of these names of a site hour by hour, the hours that begin between two times."""
    day_ns = 24 * HOUR_NS
    rows = tx.execute(
        select(days.c.agent_id, days.c.schema_id, days.c.hours)
        .where(days.c.site_id == site_id, days.c.day.between(since_ns // day_ns, until_ns // day_ns))
        .order_by(days.c.day)
    ).all()
    told: dict[tuple[str, str], tuple[Series, ...]] = {}
    found: dict[tuple[str, Series], list[tuple[Times, Matrix]]] = {}
    for agent_id, schema_id, data in rows:
        if (agent_id, schema_id) not in told:
            told[agent_id, schema_id] = series_of(tx, agent_id, [schema_id]).get(schema_id, ())
        all_series = told[agent_id, schema_id]
        places = [place for place, one in enumerate(all_series) if one.name in names]
        if not places:
            continue
        hours, figures = day_hours.opened(data, series=len(all_series), wanted=places)
        times = hours * HOUR_NS
        within = (times >= since_ns) & (times <= until_ns)
        for nth, place in enumerate(places):
            there = within & (figures[COUNT, nth] > 0)
            if there.any():
                found.setdefault((agent_id, all_series[place]), []).append((times[there], figures[:, nth, there]))
    return [
        Brief(
            agent_id,
            one,
            np.concatenate([part[0] for part in parts]),
            np.concatenate([part[1] for part in parts], axis=1),
        )
        for (agent_id, one), parts in found.items()
    ]


def of_day(tx: Connection, name: str, day: int, figure: int) -> Iterator[Figure]:
    """One figure of every series called `name`, of all sites, of one day. Each schema is read once, and days of one
    shape are opened together."""
    told = told_by(tx, name)
    alike: dict[tuple[int, tuple[int, ...]], list[tuple[str, str, str, bytes]]] = {}
    for row in tx.execute(
        select(days.c.agent_id, days.c.schema_id, days.c.site_id, days.c.whole).where(days.c.day == day)
    ):
        width, places = told.get((row[0], row[1]), (0, ()))
        if places:
            alike.setdefault((width, tuple([place for place, _ in places])), []).append(tuple(row))
    for (width, wanted), some in alike.items():
        opened = day_hours.opened_all([row[3] for row in some], series=width, wanted=wanted)
        for (agent_id, schema_id, site_id, _), numbers in zip(some, opened.tolist(), strict=True):
            for nth, (_, series) in enumerate(told[agent_id, schema_id][1]):
                if numbers[COUNT][nth] > 0:
                    yield Figure(agent_id, site_id, series, numbers[figure][nth])


def forget_old(tx: Connection, *, before_ns: int, limit: int) -> int:
    """Delete days that ended before a time, `limit` at most; how many."""
    return forgetting.forget(tx, days, lambda rows: rows.c.day < before_ns // (24 * HOUR_NS), limit=limit)
