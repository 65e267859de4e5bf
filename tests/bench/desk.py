"""How fast the desk answers: the board with 10,000 open tickets and 5,000 sites, and a ticket with 24 hours of charts.

Requests go through the whole application (signed in, filtered, rendered, or by a token of the API) without a network,
on SQLite in a file and on PostgreSQL. Before each one something changes and the live feed tells of it, so that no
answer comes from what an earlier one counted. The bound is the issue's: p95 under 300 ms, for a ticket with its charts
in sum. The processor's time stands beside: on a machine that has other work, it says what the answer itself costs.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx

from sitewarden_collector.store import changes
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.engine import Database
from sitewarden_collector.web.context import Context
from tests import postgres
from tests.bench.desk_world import SITES, TICKETS, WATCHED, fill
from tests.desk import bearer, make_app, make_context, signed_in

CHARTS = ("ticket", "its charts, 24 h of two hosts")
PAGES = {
    "board": "/",
    "board, its live part": "/?part=live",
    "board, filtered by text": "/?text=gateway&priority=2",
    "board, page 100": "/?page=100",
    "tickets by site": "/tickets?sort=site",
    "sites": "/sites",
    "sites, worst first, page 50": "/sites?sort=health&page=50",
    CHARTS[0]: f"/tickets/{WATCHED}",
    CHARTS[1]: f"/tickets/{WATCHED}/charts?span=24h",
}
API = {
    "API, tickets": "/api/v1/tickets?limit=100",
    "API, open tickets of text": "/api/v1/tickets?limit=100&q=gateway&state=new",
    "API, sites": "/api/v1/sites?limit=100",
}
REPEATS = 40
LIMIT_MS = 300.0


@dataclass(frozen=True, slots=True)
class Taken:
    """Milliseconds that one answer took on the clock, and of the processor."""

    wall: float
    cpu: float


async def ask(client: httpx.AsyncClient, context: Context, path: str, *, repeats: int) -> list[Taken]:
    """How long each answer took; the first, which compiles templates and statements, is not counted."""
    found = []
    for turn in range(repeats + 1):
        await context.db.run(changes.note, "ticket", "", what="count", now_ns=context.now_ns())
        await context.live.step()
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        answer = await client.get(path)
        if turn:
            found.append(Taken((time.perf_counter() - wall_s) * 1000, (time.process_time() - cpu_s) * 1000))
        answer.raise_for_status()
    return found


async def measure(db: Database, *, repeats: int = REPEATS) -> dict[str, list[Taken]]:
    """The times of every question."""
    context = make_context(db, now_ns=time.time_ns)
    now_ns = time.time_ns()
    browser = signed_in(db, "manager", now_ns=now_ns) | {"Accept": "text/html,application/json"}
    program = bearer(db, "manager", now_ns=now_ns)
    transport = httpx.ASGITransport(app=make_app(context))
    found: dict[str, list[Taken]] = {}
    for headers, asked in ((browser, PAGES), (program, API)):
        async with httpx.AsyncClient(transport=transport, base_url="http://desk", headers=headers) as client:
            for name, path in asked.items():
                found[name] = await ask(client, context, path, repeats=repeats)
    page, charts = (found[name] for name in CHARTS)
    found["ticket and charts together"] = [
        Taken(one.wall + other.wall, one.cpu + other.cpu) for one, other in zip(page, charts, strict=True)
    ]
    return found


def p95(milliseconds: Sequence[float]) -> float:
    ordered = sorted(milliseconds)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def _show(db: Database) -> None:
    tables().create_all(db.engine)
    begun_s = time.monotonic()
    db.write_now(fill, time.time_ns())
    engine = "SQLite" if db.is_sqlite else "PostgreSQL"
    print(f"  {engine}: {TICKETS} open tickets, {SITES} sites, made in {time.monotonic() - begun_s:.0f} s")
    for name, taken in asyncio.run(measure(db)).items():
        wall, cpu = [one.wall for one in taken], [one.cpu for one in taken]
        verdict = "" if p95(wall) < LIMIT_MS else f"  OVER {LIMIT_MS:.0f} ms"
        said = f"p50 {sorted(wall)[len(wall) // 2]:.0f}, p95 {p95(wall):.0f} ms; processor p95 {p95(cpu):.0f} ms"
        print(f"    {name:32} {said} ({len(taken)} times){verdict}")


def main() -> None:
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, closing(Database(f"sqlite:///{Path(folder) / 'desk.db'}")) as db:
        _show(db)
    with postgres.running() as url, closing(Database(url)) as db:
        _show(db)
