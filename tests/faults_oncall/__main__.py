"""`python -m tests.faults_oncall --runs 500 --alerts 100000`: the full count, a tenth of the runs on PostgreSQL."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from sqlalchemy import create_engine, text

from tests import postgres
from tests.faults_oncall.run import trial
from tests.faults_oncall.storm import storm
from tests.faults_oncall.world import World


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--alerts", type=int, default=100_000, help="tickets that page within one minute")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    logging.getLogger("sitewarden").setLevel(logging.CRITICAL)  # what fails here is meant to
    good = True
    for seed in range(arguments.seed, arguments.seed + arguments.runs):
        with tempfile.TemporaryDirectory(prefix="sitewarden-oncall-") as folder:
            good &= _said(seed, asyncio.run(trial(f"sqlite:///{Path(folder) / 'collector.db'}", seed)))
    with postgres.running() as server:
        for seed in range(arguments.seed, arguments.seed + arguments.runs // 10):
            good &= _said(seed, asyncio.run(trial(_fresh(server, f"t{seed}"), seed)))
    if arguments.alerts:
        with tempfile.TemporaryDirectory(prefix="sitewarden-oncall-") as folder:
            world, cost = asyncio.run(storm(f"sqlite:///{Path(folder) / 'collector.db'}", arguments.alerts))
            print(cost)
            good &= _said(0, world) and len(world.paged) == arguments.alerts
    return 0 if good else 1


def _fresh(server: str, name: str) -> str:
    """A new database on the server."""
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return str(admin.url.set(database=name).render_as_string(hide_password=False))


def _said(seed: int, world: World) -> bool:
    faults = world.faults()
    said = "; ".join(faults[:5]) or "ok"
    print(f"seed {seed}: {len(world.paged)} pages, {world.kills} kills, {len(world.arrivals)} arrivals: {said}")
    world.db.close()
    return not faults


if __name__ == "__main__":
    sys.exit(main())
