"""Days of samples in brief: of each hour and of the day the lowest, highest, mean, count and last of every series.

One row an agent, schema, site and day. It outlives the samples it sums up, so that a month is drawn and sites are
compared without opening their blocks. `day` numbers are raw doubles, because questions over all sites read one of each;
`hours` is a block of the wire's codec, one tick an hour. Not here: summing up (`services.rollups`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from sqlalchemy import BigInteger, Column, Connection, ForeignKey, Index, LargeBinary, String, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import tuple_

from sitewarden_alerting.observations import Series
from sitewarden_collector.store import matrices
from sitewarden_collector.store.base import Id, metadata
from sitewarden_collector.store.matrices import Matrix, Times
from sitewarden_collector.store.samples import series_of, told_by

HOUR_NS = 3_600 * 1_000_000_000
FIGURES = ("lowest", "highest", "mean", "count", "last")
LOWEST, HIGHEST, MEAN, COUNT, LAST = range(len(FIGURES))

days = Table(
    "sample_days",
    metadata,
    Column("agent_id", Id, ForeignKey("agents.id"), primary_key=True),
    Column("schema_id", String(16), primary_key=True),
    Column("site_id", Id, primary_key=True),
    Column("day", BigInteger, primary_key=True),  # since 1970, UTC
    Column("customer_id", Id, nullable=False),
    Column("whole", LargeBinary, nullable=False),  # little-endian doubles: for each of FIGURES one of each series
    Column("hours", LargeBinary, nullable=False),
    Index("ix_sample_days_site_day", "site_id", "day"),
    Index("ix_sample_days_day", "day"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """`whole` is figures x series of the whole day, `hours` figures x series x hours; `times`: when each hour began."""

    agent_id: str
    schema_id: str
    site_id: str
    day: int
    customer_id: str
    whole: Matrix
    times: Times
    hours: Matrix


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


def hours_of(
    tx: Connection, agent_id: str, schema_id: str, site_id: str, *, day: int, width: int
) -> tuple[Times, Matrix]:
    """What is known of a day: when its hours began, and figures x series x hours; no hours where nothing is."""
    key = (
        days.c.agent_id == agent_id,
        days.c.schema_id == schema_id,
        days.c.site_id == site_id,
        days.c.day == day,
    )
    block = tx.execute(select(days.c.hours).where(*key)).scalar_one_or_none()
    if block is None:
        return np.empty(0, np.int64), np.empty((len(FIGURES), width, 0))
    times, matrix = matrices.opened(block, series=width * len(FIGURES))
    return times, matrix.reshape(len(FIGURES), width, len(times))


def put(tx: Connection, day: Day) -> None:
    """Write a day in place of what was known of it."""
    write = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    values = {name: getattr(day, name) for name in ("agent_id", "schema_id", "site_id", "day", "customer_id")}
    flat = day.hours.reshape(-1, len(day.times))
    blobs = {"whole": day.whole.astype("<f8").tobytes(), "hours": matrices.closed(day.times, flat)}
    key = [days.c.agent_id, days.c.schema_id, days.c.site_id, days.c.day]
    tx.execute(write(days).values(values | blobs).on_conflict_do_update(index_elements=key, set_=blobs))


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
    for agent_id, schema_id, block in rows:
        if (agent_id, schema_id) not in told:
            told[agent_id, schema_id] = series_of(tx, agent_id, [schema_id]).get(schema_id, ())
        all_series = told[agent_id, schema_id]
        width = len(all_series)
        places = [place for place, one in enumerate(all_series) if one.name in names]
        if not places:
            continue
        wanted = [figure * width + place for figure in range(len(FIGURES)) for place in places]
        times, matrix = matrices.opened(block, series=width * len(FIGURES), wanted=wanted)
        figures = matrix.reshape(len(FIGURES), len(places), len(times))
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
    """One figure of every series called `name`, of all sites, of one day. Each schema is read once."""
    told = told_by(tx, name)
    for agent_id, schema_id, site_id, whole in tx.execute(
        select(days.c.agent_id, days.c.schema_id, days.c.site_id, days.c.whole).where(days.c.day == day)
    ):
        width, places = told.get((agent_id, schema_id), (0, ()))
        if not places:
            continue
        numbers = np.frombuffer(whole, "<f8").reshape(len(FIGURES), width)
        for place, series in places:
            if numbers[COUNT, place] > 0:
                yield Figure(agent_id, site_id, series, float(numbers[figure, place]))


def forget_old(tx: Connection, *, before_ns: int, limit: int) -> int:
    """Delete days that ended before a time, `limit` at most; how many."""
    keys = list(days.primary_key.columns)
    old = select(*keys).where(days.c.day < before_ns // (24 * HOUR_NS)).limit(limit)
    return tx.execute(delete(days).where(tuple_(*keys).in_(old))).rowcount
