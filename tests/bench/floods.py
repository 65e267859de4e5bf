"""Alerts in numbers, from intake on: a thousand in a minute, evenly; some beside an agent that floods; then a hundred
thousand in one minute.

Real processes, mutual TLS, SQLite with full sync. An alert is one error line of one site, as its agent would send it.
Of the thousand each is a fault of its own; its ticket is there when another process first sees it in the database,
looked for every 5 ms, and told to a ticket webhook. The hundred thousand are a bad release: errors of 2,000 faults, 200
at each of 500 sites. What has to hold then is counted, not timed: every alert stands in a ticket, people are called a
bounded number of times.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from sitewarden_collector import pki
from sitewarden_collector.demo.stage import Stage
from sitewarden_collector.services import webhooks
from sitewarden_collector.store.engine import Database
from sitewarden_protos.v1 import observation_pb2
from tests.bench import fleet
from tests.bench.figures import percentiles, say
from tests.bench.latency import words
from tests.bench.webhook import Webhook

EVEN_ALERTS, EVEN_SITES, EVEN_S = 1_000, 50, 60.0
FLOOD_SITES, FLOOD_BATCHES, FLOOD_BATCH, FLOOD_S = 500, 10, 20, 60.0
FLOOD_FAULTS = 2_000
BESIDE_ALERTS, BESIDE_S, BESIDE_BATCH = 300, 30.0, 200
SETTLE_S = 30.0
DRAIN_S = 1_800.0

_COLLECTOR = """
[webhooks]
allow_private = true

[[on_call]]
name = "ada"
channels = ["hook"]

[channels.hook]
url = "webhook+http://127.0.0.1:{port}/"
"""


def main(flood_sites: int = FLOOD_SITES) -> None:
    for part in (_even, _beside, lambda stage, webhook: _flood(stage, webhook, flood_sites)):
        with tempfile.TemporaryDirectory(prefix="sitewarden-bench-") as base:
            webhook = Webhook()
            stage = Stage(Path(base) / "stage", collector_toml=_COLLECTOR.format(port=webhook.port))
            try:
                stage.write_configs()
                stage.start_collector()
                asyncio.run(part(stage, webhook))
            finally:
                stage.close()
                webhook.close()


async def _even(stage: Stage, webhook: Webhook) -> None:
    agents = await _agents(stage, EVEN_SITES)
    pid = stage.processes["collector"].pid
    await asyncio.sleep(2.0)
    spent_s, began_s = fleet.cpu_s(pid), time.monotonic()
    await asyncio.sleep(5.0)
    idle = (fleet.cpu_s(pid) - spent_s) / (time.monotonic() - began_s)
    with closing(Webhook()) as events:
        _subscribe(stage, events.url)
        spent_s, began_s = fleet.cpu_s(pid), time.monotonic()
        ticket_ms, event_ms = await _play(stage, agents, events, EVEN_ALERTS, EVEN_S, random.Random(21))
        lasted_s, spent_s = time.monotonic() - began_s, fleet.cpu_s(pid) - spent_s
    say(f"{EVEN_ALERTS} alerts in {EVEN_S:.0f} s (goal p99 1000 ms):")
    say(f"  sent to ticket there: {percentiles(ticket_ms, EVEN_ALERTS)}")
    say(f"  sent to ticket webhook called: {percentiles(event_ms, EVEN_ALERTS)}")
    each_ms = (spent_s - idle * lasted_s) / EVEN_ALERTS * 1000
    notices = _said(stage, "SELECT COUNT(*) FROM notices")
    say(f"  processor {each_ms:.1f} ms an alert; {idle * 100:.1f} % of a core when nothing happens; {notices} notices")


async def _beside(stage: Stage, webhook: Webhook) -> None:
    """Alerts of many while one agent sends errors as fast as they are acknowledged."""
    chance = random.Random(23)
    flooder, *agents = await _agents(stage, EVEN_SITES + 1)
    _subscribe(stage, webhook.url)
    await asyncio.sleep(2.0)
    done, flooded = asyncio.Event(), 0

    async def flood() -> None:
        nonlocal flooded
        while not done.is_set():
            await flooder.send([_error(*_fault(chance), offset=(flooded + i) * 100) for i in range(BESIDE_BATCH)])
            flooded += BESIDE_BATCH

    flooding = asyncio.create_task(flood())
    await asyncio.sleep(2.0)
    ticket_ms, event_ms = await _play(stage, agents, webhook, BESIDE_ALERTS, BESIDE_S, random.Random(24))
    done.set()
    await flooding
    say(f"{BESIDE_ALERTS} alerts in {BESIDE_S:.0f} s beside an agent that sent {flooded} errors:")
    say(f"  sent to ticket there: {percentiles(ticket_ms, BESIDE_ALERTS)}")
    say(f"  sent to ticket webhook called: {percentiles(event_ms, BESIDE_ALERTS)}")


async def _play(
    stage: Stage, agents: Sequence[fleet.Agent], events: Webhook, alerts: int, span_s: float, chance: random.Random
) -> tuple[list[float], list[float]]:
    """Send alerts evenly by all agents in turn: the milliseconds to their tickets, and to the webhook."""
    course = [(span_s * number / alerts, number % len(agents), _fault(chance)) for number in range(alerts)]
    seen: dict[str, int] = {}
    sent: dict[str, tuple[int, str]] = {}
    done = asyncio.Event()
    watching = asyncio.create_task(asyncio.to_thread(_watch, _file(stage), seen, done))

    async def send(site: int, fingerprint: str, said: str) -> None:
        sent[fingerprint] = await agents[site].send([_error(fingerprint, said, offset=len(sent) * 100)]), said

    began_s = time.monotonic()
    running = []
    for at_s, site, fault in course:
        await asyncio.sleep(max(0.0, began_s + at_s - time.monotonic()))
        running.append(asyncio.create_task(send(site, *fault)))
    await asyncio.gather(*running)
    await asyncio.sleep(3.0)
    done.set()
    await watching
    ticket_ms = [(seen[name] - at) / 1e6 for name, (at, _) in sent.items() if name in seen]
    told: dict[str, int] = {}  # the words of titles, which nobody else has
    for at, body in list(events.called):
        for word in json.loads(body)["data"]["ticket"]["title"].split() if b"open_ticket" in body else ():
            told.setdefault(word, at)
    event_ms = [(told[word] - at) / 1e6 for at, said in sent.values() if (word := said.split()[0]) in told]
    return ticket_ms, event_ms


async def _flood(stage: Stage, webhook: Webhook, sites: int) -> None:
    chance = random.Random(22)
    faults = [_fault(chance) for _ in range(FLOOD_FAULTS)]
    agents = await _agents(stage, sites)
    each = FLOOD_BATCHES * FLOOD_BATCH
    batches = [list(_parts(chance.sample(faults, each))) for _ in agents]
    alerts = len(agents) * each
    await asyncio.sleep(2.0)
    pid = stage.processes["collector"].pid
    words_of_health: dict[str, float] = {}
    done = asyncio.Event()
    began_s = time.monotonic()
    watching = asyncio.create_task(_ask_health(stage, words_of_health, began_s, done))

    async def play(agent: fleet.Agent, parts: Sequence[Sequence[tuple[str, str]]], phase: float) -> None:
        for number, part in enumerate(parts):
            await asyncio.sleep(max(0.0, began_s + FLOOD_S * (number + phase) / len(parts) - time.monotonic()))
            await agent.send([_error(*fault, offset=(number * 1_000 + i) * 100) for i, fault in enumerate(part)])

    spent_s = fleet.cpu_s(pid)
    await asyncio.gather(*(play(agent, parts, chance.random()) for agent, parts in zip(agents, batches, strict=True)))
    sent_s = time.monotonic() - began_s
    drained = await _drained(stage)
    drained_s, spent_s = time.monotonic() - began_s, fleet.cpu_s(pid) - spent_s
    await asyncio.sleep(70.0)  # the last digest goes out
    done.set()
    await watching
    # These agents have no heartbeat: while the backlog is worked off they fall silent, which is a ticket of its own.
    counted = _said(stage, "SELECT SUM(count) FROM tickets WHERE merged_into = '' AND kind <> 'silence'")
    silent = _said(stage, "SELECT SUM(count) FROM tickets WHERE merged_into = '' AND kind = 'silence'")
    tickets = _said(stage, "SELECT COUNT(*) FROM tickets")
    lost = "none lost" if counted == alerts else "LOST" if drained else "the others still wait"
    say(f"{alerts} alerts of {sites} sites, all acknowledged {sent_s:.0f} s after the first:")
    say(f"  {counted} are counted ({lost}), besides {silent} times that an agent was not heard of; {tickets} tickets")
    gave_up = "" if drained else " (GAVE UP WAITING)"
    spent_ms = spent_s / alerts * 1000
    say(
        f"  everything evaluated {drained_s:.0f} s after the first{gave_up}; processor {spent_ms:.2f} ms an alert, "
        f"memory {fleet.rss_mb(pid):.0f} MB"
    )
    pages = _said(stage, "SELECT COUNT(*) FROM pages")
    alive = stage.processes["collector"].poll() is None
    say(f"  {pages} tickets paged ada in {len(webhook.called)} calls; alive: {alive}; healthz said:")
    for said, at_s in words_of_health.items():
        say(f"    after {at_s:.0f} s: {said}")


async def _agents(stage: Stage, number: int) -> list[fleet.Agent]:
    with closing(Database(f"sqlite:///{_file(stage)}")) as database:
        return await fleet.enrol(stage, database, [(f"site-{i}", f"customer-{i % 50}") for i in range(number)])


def _subscribe(stage: Stage, url: str) -> None:
    """A program hears of every ticket that opens."""
    secret = pki.secret_key(stage.folder / "collector", create=False)
    with closing(Database(f"sqlite:///{_file(stage)}")) as database:
        opened = ("ticket.open_ticket",)
        database.write_now(webhooks.subscribe, secret, url=url, events=opened, by="bench", now_ns=time.time_ns())


def _file(stage: Stage) -> Path:
    return stage.folder / "collector" / "collector.db"


def _fault(chance: random.Random) -> tuple[str, str]:
    """A fingerprint, and the words that it stands for."""
    said = " ".join(words(chance, 6))
    return f"fp1:{sha256(said.encode()).hexdigest()[:16]}", said


def _parts(faults: Sequence[tuple[str, str]]) -> Iterator[Sequence[tuple[str, str]]]:
    for at in range(0, len(faults), FLOOD_BATCH):
        yield faults[at : at + FLOOD_BATCH]


def _error(fingerprint: str, said: str, *, offset: int) -> observation_pb2.Observation:
    now_ns = time.time_ns()
    log = observation_pb2.LogEvent(
        source="app",
        file="/var/log/app.log",
        file_id="0-0-0",
        offset=offset,
        part=observation_pb2.RECORD_PART_WHOLE,
        severity=observation_pb2.SEVERITY_ERROR,
        component="app",
        message=said,
        template=said,
        fingerprint=fingerprint,
        count=1,
        logged_unix_ns=now_ns,
    )
    return observation_pb2.Observation(
        wall_unix_ns=now_ns, boot_id=bytes(16), monotonic_ns=time.monotonic_ns(), log=log
    )


def _watch(file: Path, seen: dict[str, int], done: asyncio.Event) -> None:
    """Note when each fault's ticket is first seen."""
    last = 0
    newer = "SELECT rowid, fault FROM tickets WHERE rowid > ? ORDER BY rowid"
    with closing(sqlite3.connect(file)) as looking:
        while not done.is_set():
            for place, fault in looking.execute(newer, (last,)).fetchall():
                last, seen[fault] = place, time.monotonic_ns()
            time.sleep(0.005)


async def _ask_health(stage: Stage, said: dict[str, float], began_s: float, done: asyncio.Event) -> None:
    """What /healthz says in words, each sentence with when it was first said."""
    while not done.is_set():
        told = await asyncio.to_thread(_health, stage)
        for sentence in told:
            said.setdefault(re.sub(r"\d+", "N", sentence), time.monotonic() - began_s)
        await asyncio.sleep(2.0)


def _health(stage: Stage) -> list[str]:
    try:
        with urlopen(f"http://127.0.0.1:{stage.http_port}/healthz", timeout=10) as answer:
            told = json.load(answer)
    except HTTPError as error:
        told = json.load(error)
    except OSError as error:
        return [f"no answer: {error}"]
    return [*told.get("failing", ()), *told.get("attention", ())]


async def _drained(stage: Stage) -> bool:
    """Wait until rules have seen everything that is stored."""
    until_s = time.monotonic() + DRAIN_S
    while time.monotonic() < until_s:
        if not _said(stage, "SELECT COUNT(*) FROM spools WHERE evaluated_seq < last_seq"):
            return True
        await asyncio.sleep(0.5)
    return False


def _said(stage: Stage, question: str) -> int:
    with closing(sqlite3.connect(_file(stage))) as looking:
        return int(looking.execute(question).fetchone()[0] or 0)
