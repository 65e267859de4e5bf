"""A bad release at every site at once: so many tickets that page, all within one minute by the desk's clock.

Each site's faults go the way of evaluation: triage, tickets with evidence, clocks, the feed, pages. Every fault is at
every site, so priorities are raised as they spread. The collector is killed in the middle, and some of the tickets are
acknowledged while more come; five minutes later each of the others takes its second step.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import Connection

from sitewarden_alerting.model import Evidence, Person, Policy, Signal, SignalKind, SignalState
from sitewarden_collector.errors import CollectorError
from sitewarden_collector.services import evaluation
from sitewarden_collector.store import clocks, escalations
from tests.cast import ADA, EPOCH, MINUTE, SECOND, settle_site
from tests.faults_oncall.world import Killed, World

FAULTS_PER_SITE = 20
SITES_AT_ONCE = 25  # as many agents' batches as evaluation takes in a transaction, about
CUSTOMERS = 50


async def storm(url: str, alerts: int) -> tuple[World, str]:
    """The world after the storm and its second step, and what it cost."""
    world = World(url, 1)
    sites = [f"site-{i}" for i in range(alerts // FAULTS_PER_SITE)]
    world.db.write_now(_settle, sites)
    began_s, cpu_s = time.monotonic(), time.process_time()
    for first in range(0, len(sites), SITES_AT_ONCE):
        if first // SITES_AT_ONCE == len(sites) // SITES_AT_ONCE // 2:
            world.die_at(1, after=True)
        _burst(world, sites[first : first + SITES_AT_ONCE])
        world.now += 60 * SECOND * SITES_AT_ONCE // len(sites)
        await world.run()
        if first % (SITES_AT_ONCE * 10) == 0:
            world.acknowledge(world.db.read_now(clocks.ticket_ids, after="", limit=first + 1)[-1])
    world.now += MINUTE
    await world.run(3)  # the digest goes out
    taken_s, taken_cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
    world.paged = world.db.read_now(clocks.ticket_ids, limit=alerts + 1)
    told = len(world.arrivals)
    world.now += 5 * MINUTE
    await world.run(2)
    world.now += 2 * MINUTE
    await world.run(2)
    all_s, all_cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
    number = world.db.read_now(escalations.count)
    return world, (
        f"storm: {len(world.paged)} tickets at {len(sites)} sites, {number} escalations, told in {told} notices: "
        f"{taken_s:.0f} s, CPU {taken_cpu_s / alerts * 1000:.2f} ms each; with the second step of all "
        f"{len(world.arrivals)} notices, {all_s:.0f} s, CPU {all_cpu_s / alerts * 1000:.2f} ms each"
    )


def _burst(world: World, sites: Sequence[str]) -> None:
    before = world.db.read_now(escalations.count)
    while world.db.read_now(escalations.count) == before:  # after a kill the same batches are evaluated again
        try:
            world.db.write_now(_evaluate, sites, world.now)
        except (Killed, CollectorError, OSError):
            world.restart()


def _settle(tx: Connection, sites: Sequence[str]) -> None:
    for i, name in enumerate(sites):
        settle_site(tx, name, f"customer-{i % CUSTOMERS}")


def _evaluate(tx: Connection, sites: Sequence[str], now_ns: int) -> None:
    policy = Policy(on_call=(Person(ADA, ("phone",)),))
    for name in sites:
        site = settle_site(tx, name)
        signals = [
            Signal(
                rule="errors",
                kind=SignalKind.LOG,
                site_id=site.id,
                customer_id=site.customer_id,
                fault=f"fp1:{i:016x}",
                subject=f"fault {i}",
                state=SignalState.FIRING,
                severity=4,
                title=f"payment failed in step {i}",
                reason="an error",
                at_ns=now_ns,
                evidence=(Evidence("", EPOCH, 1, i, now_ns, "web-1", f"payment failed in step {i}", f"web-1:{i}"),),
            )
            for i in range(FAULTS_PER_SITE)
        ]
        evaluation._decide(tx, {site.id: signals}, policy, now_ns=now_ns)
