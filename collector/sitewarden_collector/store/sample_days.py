"""Days of samples in brief: of each hour and of the day the lowest, highest, mean, count and last of every series.

One row an agent, schema, site and day. It outlives the samples it sums up, so that a month is drawn and sites are
compared without opening their blocks. `day` numbers are raw doubles, because questions over all sites read one of each;
`hours` is a block of the wire's codec, one tick an hour. Not here: summing up (`services.rollups`).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Connection, ForeignKey, Index, LargeBinary, String, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import tuple_

from sitewarden_alerting.observations import Series
from sitewarden_collector.store.base import Id, metadata
from sitewarden_collector.store.samples import series_of, told_by
from sitewarden_protos import blocks as codec

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


@dataclass(frozen=True, slots=True)
class Day:
    """`whole[figure * series + place]` is one figure of the whole day; `hours` holds columns in the same order, with a
    tick for each hour that has samples, at its beginning."""

    agent_id: str
    schema_id: str
    site_id: str
    day: int
    customer_id: str
    whole: array[float]
    times_ns: tuple[int, ...]
    hours: tuple[array[float], ...]


@dataclass(frozen=True, slots=True)
class Brief:
    """One series of one agent, hour by hour: when each hour began, and its figures."""

    agent_id: str
    series: Series
    times_ns: tuple[int, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    mean: tuple[float, ...]
    count: tuple[float, ...]
    last: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one series of one agent, of a whole day."""

    agent_id: str
    site_id: str
    series: Series
    number: float


def hours_of(
    tx: Connection, agent_id: str, schema_id: str, site_id: str, *, day: int, width: int
) -> tuple[tuple[int, ...], tuple[array[float], ...]]:
    """What is known of a day: the hours' beginnings, and a column for each figure and series; empty when nothing is."""
    key = (
        days.c.agent_id == agent_id,
        days.c.schema_id == schema_id,
        days.c.site_id == site_id,
        days.c.day == day,
    )
    block = tx.execute(select(days.c.hours).where(*key)).scalar_one_or_none()
    columns = width * len(FIGURES)
    if block is None:
        return (), tuple(array("d") for _ in range(columns))
    return codec.decode(block, series=columns)


def put(tx: Connection, day: Day) -> None:
    """Write a day in place of what was known of it."""
    write = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    values = {name: getattr(day, name) for name in ("agent_id", "schema_id", "site_id", "day", "customer_id")}
    values |= {"whole": _to_bytes(day.whole), "hours": codec.encode(day.times_ns, day.hours)}
    key = [days.c.agent_id, days.c.schema_id, days.c.site_id, days.c.day]
    again = {"whole": values["whole"], "hours": values["hours"]}
    tx.execute(write(days).values(values).on_conflict_do_update(index_elements=key, set_=again))


def briefs(tx: Connection, site_id: str, names: Collection[str], since_ns: int, until_ns: int) -> list[Brief]:
    """Every series of these names of a site hour by hour, the hours that begin between two times."""
    day_ns = 24 * HOUR_NS
    rows = tx.execute(
        select(days.c.agent_id, days.c.schema_id, days.c.hours)
        .where(days.c.site_id == site_id, days.c.day.between(since_ns // day_ns, until_ns // day_ns))
        .order_by(days.c.day)
    ).all()
    known: dict[tuple[str, str], tuple[Series, ...]] = {}
    found: dict[tuple[str, Series], tuple[list[int], list[list[float]]]] = {}
    for agent_id, schema_id, block in rows:
        if (agent_id, schema_id) not in known:
            known[agent_id, schema_id] = series_of(tx, agent_id, [schema_id]).get(schema_id, ())
        told = known[agent_id, schema_id]
        places = [place for place, one in enumerate(told) if one.name in names]
        if not places:
            continue
        wanted = [figure * len(told) + place for place in places for figure in range(len(FIGURES))]
        times_ns, columns = codec.decode(block, series=len(told) * len(FIGURES), wanted=wanted)
        for nth, place in enumerate(places):
            times, figures = found.setdefault((agent_id, told[place]), ([], [[] for _ in FIGURES]))
            mine = columns[nth * len(FIGURES) : (nth + 1) * len(FIGURES)]
            for tick, at_ns in enumerate(times_ns):
                if since_ns <= at_ns <= until_ns and mine[COUNT][tick] > 0:
                    times.append(at_ns)
                    for figure, column in zip(figures, mine, strict=True):
                        figure.append(column[tick])
    return [
        Brief(agent_id, one, tuple(times), *(tuple(figure) for figure in figures))
        for (agent_id, one), (times, figures) in found.items()
        if times
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
        numbers = _from_bytes(whole)
        for place, series in places:
            if numbers[COUNT * width + place] > 0:
                yield Figure(agent_id, site_id, series, numbers[figure * width + place])


def forget_old(tx: Connection, *, before_ns: int, limit: int) -> int:
    """Delete days that ended before a time, `limit` at most; how many."""
    keys = list(days.primary_key.columns)
    old = select(*keys).where(days.c.day < before_ns // (24 * HOUR_NS)).limit(limit)
    return tx.execute(delete(days).where(tuple_(*keys).in_(old))).rowcount


def _to_bytes(numbers: array[float]) -> bytes:
    if sys.byteorder == "big":
        numbers = array("d", numbers)
        numbers.byteswap()
    return numbers.tobytes()


def _from_bytes(data: bytes) -> array[float]:
    numbers = array("d", data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
