"""How fast the desk answers: the board with 10,000 open tickets and 5,000 sites, and a ticket with 24 hours of charts.

Requests go through the whole application (signed in, filtered, rendered) without a network; the bounds are the issue's:
p95 under 300 ms. What it measures is one process at rest, on SQLite in a file.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import httpx
from sqlalchemy import Connection, insert

from sitewarden_alerting.model import Evidence, SignalKind, Ticket, TicketState
from sitewarden_alerting.observations import Series
from sitewarden_collector.services import aftermath
from sitewarden_collector.services.access import Principal, Role
from sitewarden_collector.store import agents, evidence, samples, tickets
from sitewarden_collector.store.base import new_id, tables
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.samples import RawBlock
from sitewarden_collector.store.sites import customers, sites
from sitewarden_collector.web import identity
from sitewarden_protos import blocks
from tests.bench.figures import percentiles
from tests.cast import EPOCH, HOUR, MINUTE, SECOND, settle_agent
from tests.desk import make_app, make_context

TICKETS, SITES, CUSTOMERS = 10_000, 5_000, 200
SERIES = (
    Series("cpu_used_ratio", (), "ratio"),
    Series("memory_used_ratio", (), "ratio"),
    Series("load1", (), ""),
    *(Series("filesystem_used_ratio", (("mountpoint", name),), "ratio") for name in ("/", "/data", "/var")),
    *(Series("probe_duration_seconds", (("probe", name),), "s") for name in ("front", "login")),
    *(Series(f"other_{number}", (), "") for number in range(40)),
)
QUESTIONS = {
    "board": "/",
    "board, its live part": "/?part=live",
    "board, filtered by text": "/?text=gateway&priority=2",
    "board, page 100": "/?page=100",
    "tickets by site": "/tickets?sort=site",
    "sites": "/sites",
}
REPEATS = 40
LIMIT_MS = 300.0


def fill(tx: Connection, now_ns: int) -> str:
    """Customers, sites with an agent each, tickets with their clocks; the number of one with a day of samples."""
    chance = random.Random(7)
    owners = [new_id() for _ in range(CUSTOMERS)]
    tx.execute(
        insert(customers), [{"id": one, "name": f"customer {i}", "created_ns": now_ns} for i, one in enumerate(owners)]
    )
    places = [(new_id(), owners[i % CUSTOMERS]) for i in range(SITES)]
    tx.execute(
        insert(sites),
        [
            {"id": one, "customer_id": owner, "name": f"site-{i}", "created_ns": now_ns}
            for i, (one, owner) in enumerate(places)
        ],
    )
    tx.execute(
        insert(agents.agents),
        [
            {
                "id": new_id(),
                "customer_id": owner,
                "site_id": site,
                "hostname": f"host-{i}",
                "machine_fingerprint": f"machine-{i}",
                "version": chance.choice(("0.1.0", "0.2.0")),
                "state": "active",
                "state_why": "",
                "enrolled_ns": now_ns,
                "last_seen_ns": now_ns - chance.randrange(4) * MINUTE,
                "clock_offset_ns": 0,
                "spool": "",
            }
            for i, (site, owner) in enumerate(places)
        ],
    )
    for number in range(TICKETS):
        site, owner = places[chance.randrange(SITES)]
        opened_ns = now_ns - chance.randrange(48 * HOUR)
        _open(tx, site, owner, f"INC-{number + 1}", chance, opened_ns, fault=f"fp1:{number:016x}")
    return _watched(tx, chance, now_ns)


def _open(
    tx: Connection, site: str, owner: str, number: str, chance: random.Random, opened_ns: int, *, fault: str
) -> Ticket:
    what = chance.choice(("payment gateway refused", "disk full", "login answers 503", "queue stands", "backup failed"))
    ticket = Ticket(
        id=new_id(),
        site_id=site,
        customer_id=owner,
        fault=fault,
        rule="error-burst",
        kind=SignalKind.LOG,
        title=f"{what} on host {number}",
        severity=chance.randrange(2, 6),
        opened_ns=opened_ns,
        last_ns=opened_ns,
        number=number,
        count=chance.randrange(1, 500),
        priority=chance.randrange(1, 5),
        state=chance.choice((TicketState.NEW, TicketState.ASSIGNED, TicketState.IN_PROGRESS)),
        assignee=chance.choice(("", "ada", "bob")),
    )
    tickets.save(tx, ticket, new=True)
    event = tickets.Event(opened_ns, "open_ticket", "rules", "12 errors in a minute")
    aftermath.record(tx, ticket, [event], now_ns=opened_ns)
    return ticket


def _watched(tx: Connection, chance: random.Random, now_ns: int) -> str:
    agent = settle_agent(tx, "app-1", "watched-site", "watched customer")
    begun_ns = now_ns - 24 * HOUR
    for minute in range(24 * 60):
        times_ns = tuple(begun_ns + minute * MINUTE + tick * 10 * SECOND for tick in range(6))
        columns = [[chance.random() for _ in times_ns] for _ in SERIES]
        block = RawBlock(
            schema_id="feedfacefeedface",
            series=SERIES if minute == 0 else (),
            block=blocks.encode(times_ns, columns),
            early=False,
            times_ns=times_ns,
            shift_ns=0,
            last=tuple(column[-1] for column in columns),
        )
        samples.add(tx, agent, epoch=EPOCH, seq=minute + 1, blocks=[(0, block)], received_ns=times_ns[-1])
    at_ns = now_ns - 6 * HOUR
    ticket = _open(tx, agent.site_id, agent.customer_id, "INC-90001", chance, at_ns, fault="fp1:watched")
    entries = {i: Evidence(agent.id, EPOCH, 1, i, at_ns, "app-1", f"error {i}\n  at line 12") for i in range(20)}
    evidence.add(tx, ticket.id, entries, total=20)
    return ticket.number


async def ask(app_url: httpx.AsyncClient, path: str, *, repeats: int) -> list[float]:
    """How long each answer took, in milliseconds; the first one, which fills caches, is not counted."""
    taken = []
    for turn in range(repeats + 1):
        begun_s = time.perf_counter()
        answer = await app_url.get(path, headers={"accept": "text/html,application/json"})
        answer.raise_for_status()
        if turn:
            taken.append((time.perf_counter() - begun_s) * 1000)
    return taken


async def measure(db: Database, number: str, *, repeats: int = REPEATS) -> dict[str, list[float]]:
    """The times of every question."""
    app = make_app(make_context(db, now_ns=time.time_ns))
    known = identity.principal

    async def ada(request: object) -> Principal:
        return Principal("ada", Role.MANAGER, timezone="Asia/Shanghai")

    identity.principal = ada
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk") as client:
            asked = QUESTIONS | {
                "ticket": f"/tickets/{number}",
                "ticket, 24 h of charts": f"/tickets/{number}/charts?span=24h",
            }
            return {name: await ask(client, path, repeats=repeats) for name, path in asked.items()}
    finally:
        identity.principal = known


def p95(milliseconds: Sequence[float]) -> float:
    ordered = sorted(milliseconds)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, closing(Database(f"sqlite:///{Path(folder) / 'desk.db'}")) as db:
        tables().create_all(db.engine)
        begun_s = time.monotonic()
        number = db.write_now(fill, time.time_ns())
        print(f"  {TICKETS} open tickets, {SITES} sites, made in {time.monotonic() - begun_s:.0f} s")
        for name, taken in asyncio.run(measure(db, number)).items():
            verdict = "" if p95(taken) < LIMIT_MS else f"  OVER {LIMIT_MS:.0f} ms"
            print(f"  {name}: p95 {p95(taken):.0f} ms, {percentiles(taken, len(taken))}{verdict}")
