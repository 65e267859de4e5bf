"""`python -m tests.faults_oncall --runs 500 --alerts 100000`: the full count, a tenth of the runs on PostgreSQL."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import create_engine, text

from sitewarden_collector.store import escalations
from tests import postgres
from tests.cast import MINUTE, SECOND
from tests.faults_oncall.run import trial
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
            good &= asyncio.run(storm(f"sqlite:///{Path(folder) / 'collector.db'}", arguments.alerts))
    return 0 if good else 1


async def storm(url: str, alerts: int) -> bool:
    """So many tickets that page, all within one minute by the desk's clock, with a kill in the middle."""
    world = World(url, 1)
    began_s = time.monotonic()
    at_once = 500
    for number in range(0, alerts, at_once):
        if number // at_once == alerts // at_once // 2:
            world.die_at(3, after=True)
        world.open_tickets(min(at_once, alerts - number))
        world.now += round(60 * SECOND * at_once / alerts)
        await world.run()
    world.now += 2 * MINUTE
    await world.run(3)
    faults = world.faults()
    number = world.db.read_now(escalations.count)
    took_s = time.monotonic() - began_s
    print(f"storm: {alerts} alerts, {number} escalations, {len(world.arrivals)} notices sent, {took_s:.0f} s")
    print("\n".join(faults[:20]) or "no page lost, none after an acknowledgement, none twice")
    world.db.close()
    return not faults and len(world.paged) == alerts


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
