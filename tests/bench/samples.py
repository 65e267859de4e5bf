"""How fast samples are found again, and what they weigh: a day of one site, a month of one series, all sites compared.

The samples are host health as it is drawn by a seeded walk: half of the series whole numbers, half with one decimal.
They come as an agent sends them, a block a minute, and are joined as a collector joins them. SQLite in a file.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, func, insert, select

from sitewarden_alerting.observations import Series
from sitewarden_collector.services import charts, compaction, growth
from sitewarden_collector.store import sample_days, sample_hours, samples, tracks
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.samples import RawBlock
from sitewarden_collector.store.spools import spools
from sitewarden_protos import blocks as codec
from tests.bench import samples_joining
from tests.cast import DAY, EPOCH, HOUR, MINUTE, NOON, SECOND, settle_agent

SERIES = tuple(Series(f"series_{number}", (), "") for number in range(50))
DISK = Series("filesystem_used_bytes", (("mountpoint", "/data"),), "bytes")
SITES = 1_000
REPEATS = 30


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="sitewarden-bench-") as folder,
        closing(Database(f"sqlite:///{Path(folder) / 'samples.db'}")) as db,
    ):
        tables().create_all(db.engine)
        _one_site(db)
        _month(db)
        _all_sites(db)
    samples_joining.main()


def _one_site(db: Database) -> None:
    agent = db.write_now(settle_agent, "web-1", "day", "bench")
    chance = random.Random(1)
    db.write_now(_send, agent, _walks(chance, len(SERIES), 24 * 360), SERIES, begin_ns=NOON)
    raw = db.read_now(_bytes, samples.blocks)
    began_s = time.process_time()
    joined = db.read_now(compaction.join, [agent.id], now_ns=NOON + 2 * DAY)
    db.write_now(compaction.record, joined)
    spent_s = time.process_time() - began_s
    count = len(SERIES) * 24 * 360
    weight = db.read_now(_bytes, sample_hours.hours), db.read_now(_bytes, sample_days.days)
    print(
        f"  {count} samples: {raw / count:.2f} bytes each as they came, {weight[0] / count:.2f} joined, and "
        f"{weight[1] / count:.3f} for what hours and days came to; joining takes {spent_s * 1e6 / count:.2f} "
        "CPU-s a million"
    )
    names = {one.name for one in SERIES}
    _time(
        "24 h x 50 series of one site (goal 20 ms)",
        lambda: db.read_now(tracks.named, agent.site_id, names, NOON, until_ns=NOON + DAY),
    )
    _time(
        "24 h x 1 series of it",
        lambda: db.read_now(tracks.named, agent.site_id, {"series_7"}, NOON, until_ns=NOON + DAY),
    )


def _month(db: Database) -> None:
    agent = db.write_now(settle_agent, "web-1", "month", "bench")
    chance = random.Random(2)
    for day in range(30):
        columns = _walks(chance, len(SERIES), 24 * 12)
        db.write_now(_send, agent, columns, SERIES, begin_ns=NOON + day * DAY, step_ns=5 * MINUTE)
        db.write_now(compaction.record, db.read_now(compaction.join, [agent.id], now_ns=NOON + 40 * DAY))
    _time(
        "30 days of one series from rollups (goal 50 ms)",
        lambda: db.read_now(
            charts.tracks_between, agent.site_id, {"series_7"}, since_ns=NOON, until_ns=NOON + 30 * DAY
        ),
    )


def _all_sites(db: Database) -> None:
    chance = random.Random(3)

    def fill(tx: Connection) -> None:
        for number in range(SITES):
            agent = settle_agent(tx, "web-1", f"site-{number}", "bench")
            for day in (0, 7):
                columns = [[chance.uniform(1e9, 1e11) for _ in range(6)] for _ in range(20)]
                series = (DISK, *SERIES[:19])
                _send(tx, agent, columns, series, begin_ns=NOON + day * DAY, seq=1 + day * 10_000)
            compaction.record(tx, compaction.join(tx, [agent.id], now_ns=NOON + 7 * DAY - HOUR))

    db.write_now(fill)
    found: list[growth.Growth] = []

    def ask() -> None:
        found[:] = db.read_now(growth.top, DISK.name, days=7, count=20, now_ns=NOON + 7 * DAY + HOUR)

    _time(f"top 20 of {SITES} sites by growth in 7 days (goal 50 ms)", ask)
    assert len(found) == 20


def _walks(chance: random.Random, series: int, ticks: int) -> list[list[float]]:
    columns = []
    for place in range(series):
        level, column = chance.uniform(10, 1000), []
        for _ in range(ticks):
            if chance.random() < 0.7:
                level += chance.gauss(0, 3)
            column.append(float(round(level)) if place % 2 else round(level, 1))
        columns.append(column)
    return columns


def _send(
    tx: Connection,
    agent: Agent,
    columns: list[list[float]],
    series: tuple[Series, ...],
    *,
    begin_ns: int,
    step_ns: int = 10 * SECOND,
    seq: int | None = None,
) -> None:
    ticks = len(columns[0])
    begin = seq if seq is not None else begin_ns // MINUTE
    last = begin
    for at, some in _by_minute(ticks, max(1, MINUTE // step_ns)):
        times_ns = tuple(begin_ns + tick * step_ns for tick in some)
        block = RawBlock(
            schema_id=f"{len(series):016d}",
            series=series,
            block=codec.encode(times_ns, [column[some.start : some.stop] for column in columns]),
            early=False,
            times_ns=times_ns,
            shift_ns=0,
            last=tuple(column[some.stop - 1] for column in columns),
        )
        last = begin + at
        samples.add(tx, agent, epoch=EPOCH, seq=last, blocks=[(0, block)], received_ns=begin_ns)
    known = tx.execute(select(spools.c.last_seq).where(spools.c.agent_id == agent.id)).scalar_one_or_none()
    if known is None:
        row = {"agent_id": agent.id, "epoch": EPOCH, "last_seq": 10**12, "passed_seq": 0, "evaluated_seq": 10**12}
        tx.execute(insert(spools).values(row | {"created_ns": begin_ns, "last_ns": begin_ns}))


def _by_minute(ticks: int, together: int) -> Iterator[tuple[int, range]]:
    for at, start in enumerate(range(0, ticks, together)):
        yield at, range(start, min(ticks, start + together))


def _bytes(tx: Connection, table: object) -> int:
    columns = [table.c[name] for name in ("block", "whole", "hours") if name in table.c]  # type: ignore[attr-defined]
    return int(sum(tx.execute(select(func.sum(func.length(column)))).scalar_one() or 0 for column in columns))


def _time(what: str, ask: Callable[[], object]) -> None:
    ask()
    walls, cpus = [], []
    for _ in range(REPEATS):
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        ask()
        walls.append((time.perf_counter() - wall_s) * 1000)
        cpus.append((time.process_time() - cpu_s) * 1000)
    walls.sort()
    cpus.sort()
    print(
        f"  {what}: p50 {walls[len(walls) // 2]:.1f} ms, p95 {walls[int(len(walls) * 0.95)]:.1f}; "
        f"processor p50 {cpus[len(cpus) // 2]:.1f}"
    )
