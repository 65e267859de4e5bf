"""From a sample sent to the webhook called: real processes, mutual TLS, full sync, and Prometheus in the same run.

Agents of several sites send blocks of 40 series, one tick each; at random moments one series passes its level and stays
there, so each probe is a fault of its own. Its time is from before the write into the agent's stream to the arrival at
a receiver on loopback. Two thirds are told without waking anybody, the others are pages, slow enough that none has to
be bundled (30 new ones a minute are a storm, 3 for one person are put together). Beside the notices goes the message of
a ticket webhook. The peer gets the same blocks by remote write, without TLS; evaluation every second, no group wait.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection

from sitewarden_alerting.oncall import Layer, Schedule, Unit
from sitewarden_collector import pki
from sitewarden_collector.demo.stage import Stage
from sitewarden_collector.services import webhooks
from sitewarden_collector.store import people, schedules, sites
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.people import Reachable, Road
from sitewarden_protos import blocks
from sitewarden_protos.v1 import observation_pb2
from tests.bench import alert_peer, fleet, prometheus_peer
from tests.bench.alert_peer import LEVEL, SERIES, Peer
from tests.bench.figures import percentiles, say
from tests.bench.webhook import Webhook

SITES = 15
LEVELS, PAGES = 30, 10  # series of a site that tell quietly, and that page
WARMING = (0, LEVELS + PAGES - 1)
QUIET_PROBES, PAGE_PROBES = 200, 45
PAGE_GAP_S = 2.2
PEER_PROBES = 120
PEER_GAP_S = 0.37
ARRIVE_S = 15.0

_COLLECTOR = """
[rules]
dirs = ["{rules}"]

[webhooks]
allow_private = true

[channels.hook]
url = "webhook+http://127.0.0.1:{port}/"
"""

_RULES = f"""
[[rule]]
name = "bench-level"
kind = "threshold"
series = "{SERIES}"
above = {LEVEL}
severity = "warning"

[[rule]]
name = "bench-page"
kind = "threshold"
series = "bench_page_ratio"
above = {LEVEL}
severity = "critical"
"""


@dataclass
class Host:
    """The values of one site's host as they are now, and how they are told."""

    agent: fleet.Agent
    number: int
    values: list[float] = field(default_factory=lambda: [0.5] * (LEVELS + PAGES))
    told: bool = False

    def name(self, place: int) -> str:
        return f"s{self.number}x{place}y"

    async def pass_level(self, place: int) -> int:
        """Let a series pass its level; the monotonic ns at which the block was sent."""
        self.values[place] = 0.99
        return await self.agent.send([self._observation()])

    async def begin(self) -> None:
        await self.agent.send([self._observation()])

    def _observation(self) -> observation_pb2.Observation:
        now_ns = time.time_ns()
        block = blocks.encode([now_ns], [[value] for value in self.values])
        series = [] if self.told else [self._series(place) for place in range(len(self.values))]
        self.told = True
        samples = observation_pb2.SampleBlock(schema_id=f"{self.number:016x}", series=series, block=block, ticks=1)
        return observation_pb2.Observation(
            wall_unix_ns=now_ns, boot_id=bytes(16), monotonic_ns=time.monotonic_ns(), samples=samples
        )

    def _series(self, place: int) -> observation_pb2.Series:
        name = SERIES if place < LEVELS else "bench_page_ratio"
        return observation_pb2.Series(name=name, unit="ratio", labels={"id": self.name(place)})


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sitewarden-bench-") as base:
        ours_ms = asyncio.run(_ours(Path(base) / "ours"))
        if missing := prometheus_peer.missing():
            say(f"peer not measured: {', '.join(missing)} not installed (Debian: apt-get install {' '.join(missing)})")
            return
        theirs_ms = _theirs(Path(base) / "peer")
        say(f"Prometheus at 1 s and Alertmanager, the same:  {percentiles(theirs_ms, PEER_PROBES)}")
        if ours_ms and theirs_ms:
            p50, p99 = (_at(share, theirs_ms) / _at(share, ours_ms) for share in (0.5, 0.99))
            say(f"theirs to ours: p50 {p50:.0f}, p99 {p99:.0f} (goal 50)")


async def _ours(folder: Path) -> list[float]:
    channel, events = Webhook(), Webhook()
    rules = folder / "rules"
    rules.mkdir(parents=True)
    (rules / "bench.toml").write_text(_RULES)
    stage = Stage(folder / "stage", collector_toml=_COLLECTOR.format(rules=rules, port=channel.port))
    try:
        stage.write_configs()
        stage.start_collector()
        with closing(Database(f"sqlite:///{stage.folder / 'collector' / 'collector.db'}")) as database:
            places = [(f"site-{number}", f"customer-{number}") for number in range(SITES)]
            agents = await fleet.enrol(stage, database, places)
            database.write_now(_settle, stage.folder / "collector", places, events.url)
        hosts = [Host(agent, number) for number, agent in enumerate(agents)]
        for host in hosts:
            await host.begin()
        for place in WARMING:  # the first of each kind compiles its statements
            await hosts[0].pass_level(place)
            await asyncio.sleep(2.0)
        return await _probe(hosts, stage.processes["collector"].pid, channel, events)
    finally:
        stage.close()
        channel.close()
        events.close()


async def _probe(hosts: Sequence[Host], pid: int, channel: Webhook, events: Webhook) -> list[float]:
    chance = random.Random(11)
    spent_s, began_s = fleet.cpu_s(pid), time.monotonic()
    await asyncio.sleep(5.0)
    idle = (fleet.cpu_s(pid) - spent_s) / (time.monotonic() - began_s)
    say(f"{QUIET_PROBES + PAGE_PROBES} probes within {PAGE_GAP_S * PAGE_PROBES:.0f} s")
    course = [(PAGE_GAP_S * (i + 0.3 * chance.random()), i % SITES, LEVELS + i // SITES) for i in range(PAGE_PROBES)]
    free = [(site, place) for site in range(SITES) for place in range(LEVELS) if site or place not in WARMING]
    quiet = chance.sample(free, QUIET_PROBES)
    course += [(chance.uniform(0, PAGE_GAP_S * PAGE_PROBES), site, place) for site, place in quiet]
    sent: dict[str, int] = {}

    async def probe(site: int, place: int) -> None:
        sent[hosts[site].name(place)] = await hosts[site].pass_level(place)

    spent_s, began_s = fleet.cpu_s(pid), time.monotonic()
    running = []
    for at_s, site, place in sorted(course):
        await asyncio.sleep(max(0.0, began_s + at_s - time.monotonic()))
        running.append(asyncio.create_task(probe(site, place)))
    await asyncio.gather(*running)
    spent_s, lasted_s = fleet.cpu_s(pid) - spent_s, time.monotonic() - began_s
    until_s = time.monotonic() + ARRIVE_S
    # Called on another thread: there is nothing to await.
    while time.monotonic() < until_s and len(channel.called) < len(sent) + len(WARMING):  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    told_ms = _between(sent, channel)
    pages = {hosts[site].name(place) for _, site, place in course if place >= LEVELS}
    quiet_ms = [ms for name, ms in told_ms.items() if name not in pages]
    page_ms = [ms for name, ms in told_ms.items() if name in pages]
    event_ms = list(_between(sent, events).values())
    say(f"sample sent to channel called, waking nobody:  {percentiles(quiet_ms, QUIET_PROBES, digits=1)}")
    say(f"sample sent to channel called, a page:         {percentiles(page_ms, PAGE_PROBES, digits=1)}")
    say(f"sample sent to ticket webhook called:          {percentiles(event_ms, len(sent), digits=1)}")
    each_ms = (spent_s - idle * lasted_s) / len(sent) * 1000
    say(f"processor of the collector: {each_ms:.1f} ms an alert; {idle * 100:.1f} % of a core when nothing happens")
    return list(told_ms.values())


def _theirs(folder: Path) -> list[float]:
    webhook = Webhook()
    peer = Peer(folder, webhook)
    chance = random.Random(12)
    sent: dict[str, int] = {}
    try:
        peer.open()
        series = {site: dict.fromkeys(alert_peer.labels_of(f"site-{site}", _names(site)), 0.5) for site in range(SITES)}
        for values in series.values():
            peer.write(values)
        for site, place in chance.sample([(s, p) for s in range(SITES) for p in range(LEVELS + PAGES)], PEER_PROBES):
            time.sleep(2 * PEER_GAP_S * chance.random())
            name = _names(site)[place]
            values = series[site]
            for labels in values:
                if ("id", name) in labels:
                    values[labels] = 0.99
            sent[name] = peer.write(values)
        until_s = time.monotonic() + ARRIVE_S
        while time.monotonic() < until_s and len(_between(sent, webhook)) < len(sent):
            time.sleep(0.2)
        return list(_between(sent, webhook).values())
    finally:
        peer.close()
        webhook.close()


def _names(site: int) -> list[str]:
    return [f"s{site}x{place}y" for place in range(LEVELS + PAGES)]


def _settle(tx: Connection, data: Path, places: Sequence[tuple[str, str]], url: str) -> None:
    """Each customer has a schedule and an engineer of their own; one program hears of tickets."""
    now_ns = time.time_ns()
    for site, customer in places:
        engineer = f"engineer-of-{customer}"
        people.save(tx, Reachable(engineer, (Road("hook"),)))
        layer = Layer("primary", (engineer,), "2024-01-01T09:00", unit=Unit.WEEKS)
        customer_id = sites.customer_id_of(tx, customer)
        schedules.add(tx, Schedule(f"of-{site}", "UTC", (layer,)), customer_id=customer_id, now_ns=now_ns)
    secret = pki.secret_key(data, create=False)
    webhooks.subscribe(tx, secret, url=url, events=("ticket.open_ticket",), by="bench", now_ns=now_ns)


def _between(sent: Mapping[str, int], webhook: Webhook) -> dict[str, float]:
    """Milliseconds from sending to arrival, of those that arrived."""
    arrived = {name: webhook.when(_holding(name.encode())) for name in sent}
    return {name: (at - sent[name]) / 1e6 for name, at in arrived.items() if at is not None}


def _holding(word: bytes) -> Callable[[bytes], bool]:
    return lambda body: word in body


def _at(share: float, milliseconds: Sequence[float]) -> float:
    ordered = sorted(milliseconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
