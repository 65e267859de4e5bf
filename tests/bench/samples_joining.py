"""What joining minutes to hours costs, and what samples weigh on disk after it, everything of theirs counted.

Hosts of 40 series tick every ten seconds and send ten ticks a push, in turns: 250 of them for two hours, 40 for a day.
The series are like a host's: a fifth stand still, the others are counters, bytes in pages, shares of three decimals and
loads of two, whole numbers and one decimal that walk; `full` says how many of the 40 are doubles without end, such as
shares that nobody rounded. Processor time is this process's, the least of the hours; whatever else runs on the machine
slows it.
"""

from __future__ import annotations

import struct
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, insert

from sitewarden_alerting.observations import Series
from sitewarden_collector.services import compaction
from sitewarden_collector.store import matrices, samples
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.matrices import Matrix
from sitewarden_collector.store.samples import Placed, RawBlock
from sitewarden_collector.store.spools import spools
from tests.cast import EPOCH, HOUR, NOON, SECOND, settle_agent

WIDTH, TICKS, STEP_NS = 40, 10, 10 * SECOND
PUSHES = HOUR // (TICKS * STEP_NS)
SHAPES = 16  # different hosts; the others are like one of them
SERIES = tuple(Series(f"host_series_{place}_ratio", (), "ratio") for place in range(WIDTH))
_FIRST_NS = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of the cheapest hour: reading and joining, writing."""

    join_s: float
    record_s: float


def main() -> None:
    for hosts, hours, full in ((250, 2, 0), (250, 2, 4), (40, 24, 0), (40, 24, 4)):
        with (
            tempfile.TemporaryDirectory(prefix="sitewarden-bench-") as folder,
            closing(Database(f"sqlite:///{Path(folder) / 'samples.db'}")) as db,
        ):
            tables().create_all(db.engine)
            _measure(db, hosts, hours, full=full)


def _measure(db: Database, count: int, hours: int, *, full: int) -> None:
    empty = db.read_now(_pages)[0]
    hosts = [db.write_now(settle_agent, f"host-{number}", f"site-{number}", "bench") for number in range(count)]
    blocks = [_pushes(shape, hours, full) for shape in range(SHAPES)]
    wire = sum(len(block) for some in blocks for block in some) / (SHAPES * hours * PUSHES * TICKS * WIDTH)
    costs = []
    for hour in range(hours):
        for push in range(hour * PUSHES, (hour + 1) * PUSHES):
            db.write_now(_send, hosts, blocks, push)
        costs.append(_join(db, now_ns=NOON + (hour + 1) * HOUR + compaction.REST_NS))
    pages, free, page_bytes = db.read_now(_pages)
    samples_an_hour = count * PUSHES * TICKS * WIDTH
    total = samples_an_hour * hours
    least = Cost(min(cost.join_s for cost in costs), min(cost.record_s for cost in costs))
    each_us = 1e6 / (count * PUSHES)
    print(
        f"  {count} hosts, {hours} h, {full} of {WIDTH} series doubles without end: {wire:.2f} bytes a sample on the "
        f"wire; on disk {(pages - free - empty) * page_bytes / total:.2f} (goal 1.0), with indexes, what hours and "
        f"days came to, schemas and newest numbers, and {free * page_bytes / total:.2f} in free pages"
    )
    print(
        f"    joining takes {(least.join_s + least.record_s) * each_us:.0f} us a push of {WIDTH} x {TICKS} (goal 20): "
        f"{least.join_s * each_us:.0f} to read and join, {least.record_s * each_us:.0f} to write; "
        f"{(least.join_s + least.record_s) * 1e6 / samples_an_hour:.3f} CPU-s a million samples"
    )


def _join(db: Database, *, now_ns: int) -> Cost:
    join_s = record_s = 0.0
    for agent_ids in db.read_now(compaction.waiting, now_ns=now_ns):
        began_s = time.process_time()
        joined = db.read_now(compaction.join, agent_ids, now_ns=now_ns)
        read_s = time.process_time()
        db.write_now(compaction.record, joined)
        join_s, record_s = join_s + read_s - began_s, record_s + time.process_time() - read_s
    return Cost(join_s, record_s)


def _send(tx: Connection, hosts: list[Agent], blocks: list[list[bytes]], push: int) -> None:
    placed = []
    for number, agent in enumerate(hosts):
        first_ns = NOON + push * TICKS * STEP_NS + number * 1_000_003
        block = bytearray(blocks[number % SHAPES][push])
        _FIRST_NS.pack_into(block, 8, first_ns)
        raw = RawBlock(
            schema_id="00000000000000ab",
            series=SERIES if push == 0 else (),
            block=bytes(block),
            early=False,
            times_ns=tuple(first_ns + tick * STEP_NS for tick in range(TICKS)),
            shift_ns=0,
            last=(0.5,) * WIDTH,
        )
        placed.append(Placed(agent.customer_id, agent.site_id, agent.id, EPOCH, push + 1, 0, raw))
    samples.add_all(tx, placed, fresh=[agent.id for agent in hosts] if push == 0 else [])
    if push == 0:
        done = {"epoch": EPOCH, "last_seq": 10**12, "passed_seq": 0, "evaluated_seq": 10**12}
        done |= {"created_ns": NOON, "last_ns": NOON}
        tx.execute(insert(spools), [done | {"agent_id": agent.id} for agent in hosts])


def _pushes(shape: int, hours: int, full: int) -> list[bytes]:
    matrix = _health(shape, hours, full)
    times_ns = np.arange(TICKS) * STEP_NS
    return [matrices.closed(times_ns, matrix[:, begin : begin + TICKS]) for begin in range(0, matrix.shape[1], TICKS)]


def _health(shape: int, hours: int, full: int) -> Matrix:
    chance, ticks = np.random.default_rng(shape), hours * PUSHES * TICKS
    columns = []
    for place in range(WIDTH):
        busy = chance.random(ticks) < 0.7
        walk = np.cumsum(chance.normal(0, 3, ticks) * busy)
        pages = np.cumsum(chance.integers(-300, 300, ticks) * busy)
        kinds = (
            np.full(ticks, float(chance.integers(1, 10**6))),
            np.full(ticks, 0.0),
            np.cumsum(chance.integers(0, 3_000, ticks) * busy).astype(float),
            4096.0 * (10**6 + pages),
            np.round(np.clip(0.2 + 0.05 * chance.standard_normal(ticks), 0, 1), 3),
            np.round(1 + np.abs(walk) / 30, 2),
            np.round(500 + walk),
            np.round(500 + walk, 1),
            np.round(50 + walk / 10, 1),
            np.cumsum(chance.random(ticks) < 0.05).astype(float),
        )
        columns.append((10**6 + pages) / 4_123_456.0 if place < full else kinds[place % len(kinds)])
    return np.array(columns)


def _pages(tx: Connection) -> tuple[int, int, int]:
    """Pages of the file, pages that are free, and bytes of a page."""
    asked = ("page_count", "freelist_count", "page_size")
    found = [int(tx.exec_driver_sql(f"PRAGMA {name}").scalar_one()) for name in asked]
    return found[0], found[1], found[2]
