"""What it costs to look at samples: evaluation of 2,500 pushes of 40 series x 10 ticks by 250 agents, default rules.

Batches are stored as intake stores them; only evaluation is timed, its commits included, in processor seconds.
`together` is how many agents' pushes wait when a step begins: all of them under full load, few when little arrives.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection

from sitewarden_alerting.model import Policy
from sitewarden_alerting.observations import ProbeResult, Series
from sitewarden_alerting.rules import Rulebook
from sitewarden_collector.config import Rules
from sitewarden_collector.services import evaluation, intake, rulepacks
from sitewarden_collector.services.faults import Memory
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.samples import RawBlock
from sitewarden_protos import blocks as codec
from tests import postgres
from tests.cast import NOON, SECOND, batch, error_line, probe, settle_agent

AGENTS = 250
PUSHES = 10  # of each agent
TICKS = 10
MOUNTS = ("/", "/var", "/data", "/home")
WATCHED = (
    *(Series("filesystem_used_ratio", (("mountpoint", mount),), "ratio") for mount in MOUNTS),
    *(Series("filesystem_inodes_used_ratio", (("mountpoint", mount),), "ratio") for mount in MOUNTS),
    Series("memory_used_ratio", (), "ratio"),
    Series("cpu_used_ratio", (), "ratio"),
)
SERIES = (*WATCHED, *(Series(f"disk_read_bytes_{number}", (), "bytes") for number in range(30)))


def main() -> None:
    book = rulepacks.load(Rules())
    for name, url in _databases():
        with url as where:
            for together in (250, 64, 16, 1):
                _quiet(f"{name}, {together} together", where, book, together)
            _mixed(f"{name}, one in ten with a probe's result or an error", where, book)


def _databases() -> Iterator[tuple[str, AbstractContextManager[str]]]:
    yield "SQLite", _sqlite()
    yield "PostgreSQL (its server not counted)", postgres.running()


@contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="sitewarden-bench-") as folder:
        yield f"sqlite:///{Path(folder) / 'evaluation.db'}"


def _quiet(what: str, url: str, book: Rulebook, together: int) -> None:
    """Pushes that concern no rule."""
    with _filled(url) as (db, hosts):
        spent_s, pushes, steps, memory = 0.0, 0, 0, Memory()
        chance = random.Random(1)
        shapes = _shapes(chance)
        for turn in range(1, PUSHES + 1):
            for start in range(0, AGENTS, together):
                some = hosts[start : start + together]
                if together < 16 and start >= 25:
                    break
                db.write_now(_push, some, turn, shapes, chance)
                began_s = time.process_time()
                while db.write_now(evaluation.step, book, Policy(), now_ns=NOON + turn * 100 * SECOND, memory=memory):
                    steps += 1
                if turn > 1:  # the first time, schemas and plans are read
                    spent_s += time.process_time() - began_s
                    pushes += len(some)
        print(f"  {what}: {spent_s * 1e6 / pushes:.0f} us a push, {pushes} pushes in {steps} steps (goal 40)")


def _mixed(what: str, url: str, book: Rulebook) -> None:
    """Pushes of which some hold more than samples."""
    with _filled(url) as (db, hosts):
        spent_s, pushes, memory = 0.0, 0, Memory()
        chance = random.Random(2)
        shapes = _shapes(chance)
        for turn in range(1, PUSHES + 1):
            db.write_now(_push, hosts, turn, shapes, chance, more=0.1)
            began_s = time.process_time()
            while db.write_now(evaluation.step, book, Policy(), now_ns=NOON + turn * 100 * SECOND, memory=memory):
                pass
            if turn > 1:
                spent_s += time.process_time() - began_s
                pushes += len(hosts)
        print(f"  {what}: {spent_s * 1e6 / pushes:.0f} us a push")


@contextmanager
def _filled(url: str) -> Iterator[tuple[Database, list[Agent]]]:
    with closing(Database(url)) as db:
        tables().drop_all(db.engine)
        tables().create_all(db.engine)
        yield db, db.write_now(lambda tx: [settle_agent(tx, "web-1", f"site-{n}", "bench") for n in range(AGENTS)])


def _shapes(chance: random.Random) -> list[list[list[float]]]:
    """Columns of ten ticks each, drawn once: what is timed is not their making."""
    return [
        [[round(chance.uniform(0.2, 0.9), 3) for _ in range(TICKS)] for _ in WATCHED]
        + [[float(chance.randrange(1 << 30)) for _ in range(TICKS)] for _ in SERIES[len(WATCHED) :]]
        for _ in range(16)
    ]


def _push(
    tx: Connection,
    some: list[Agent],
    turn: int,
    shapes: list[list[list[float]]],
    chance: random.Random,
    *,
    more: float = 0.0,
) -> None:
    start_ns = NOON + turn * TICKS * 10 * SECOND
    times_ns = tuple(start_ns + tick * 10 * SECOND for tick in range(TICKS))
    for agent in some:
        columns = chance.choice(shapes)
        block = RawBlock(
            schema_id="feedfacefeedface",
            series=SERIES if turn == 1 else (),
            block=codec.encode(times_ns, columns),
            early=False,
            times_ns=times_ns,
            shift_ns=0,
            last=tuple(column[-1] for column in columns),
        )
        what: list[RawBlock | ProbeResult] = [block]
        if chance.random() < more:
            what.append(probe() if chance.random() < 0.8 else error_line(f"error {turn}"))  # type: ignore[arg-type]
        intake.accept(tx, agent.id, batch=batch(turn, *what, wall_ns=start_ns), now_ns=start_ns)
