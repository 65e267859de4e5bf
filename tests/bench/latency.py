"""From a line written to its ticket committed, and to the channel called, with real processes and mutual TLS.

Each probe is one new error line (a fault never seen before, so that it opens a ticket) in a log that the agent follows.
The line's time is the return of write(); the ticket's is when another process first sees it in the database, looked for
every millisecond; the channel's is the arrival of the webhook. The peer's figures stand beside it where it is installed
(`prometheus_peer` says what is compared).
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from sitewarden_collector.demo.stage import Stage
from tests.bench import prometheus_peer
from tests.bench.figures import percentiles
from tests.bench.webhook import Webhook

PROBES = 200
CHANNEL_PROBES = 8
BUNDLE_S = 21.0  # pages to one person within less are gathered, so that a storm is no storm of calls
PEER_PROBES = 40
GAP_S = 0.25
WAIT_S = 5.0

_AGENT = """
[[logs]]
name = "app"
paths = ["{log}"]
from = "start"
"""

_COLLECTOR = """
[rules]
dirs = ["{rules}"]

[[on_call]]
name = "ada"
channels = ["hook"]

[channels.hook]
url = "webhook+http://127.0.0.1:{port}/"
"""


def words(random_: random.Random, count: int) -> list[str]:
    """Words that nobody has seen: each probe has to be a fault of its own."""
    letters = "bcdfghklmnprstvz"
    return ["".join(random_.choice(letters) + random_.choice("aeiou") for _ in range(4)) for _ in range(count)]


def main() -> None:
    random_ = random.Random(5)
    ticket_ms: list[float] = []
    channel_ms: list[float] = []
    with tempfile.TemporaryDirectory(prefix="sitewarden-bench-") as base:
        folder, webhook = Path(base), Webhook()
        log = folder / "app.log"
        log.touch()
        rules = folder / "rules"
        rules.mkdir()
        (rules / "no-storm.toml").write_text('disable = ["log-storm"]\n')  # every probe is to have its own ticket
        stage = Stage(
            folder / "stage",
            collector_toml=_COLLECTOR.format(port=webhook.port, rules=rules),
            agent_toml=_AGENT.format(log=log),
        )
        try:
            stage.open()
            time.sleep(4.0)  # connected, and past its own start
            database = stage.folder / "collector" / "collector.db"
            with log.open("a", buffering=1) as out, closing(sqlite3.connect(database)) as looking:
                for probe in range(PROBES + CHANNEL_PROBES):
                    paged = probe < CHANNEL_PROBES  # later ones would stand in a bundle, which waits for others
                    fresh = words(random_, 6)
                    out.write(f"2026-11-23 10:00:00,000 ERROR [{fresh[0]}] {' '.join(fresh[1:])}\n")
                    written = time.monotonic_ns()
                    if (seen := _ticket(looking, fresh[1], written)) is not None:
                        ticket_ms.append((seen - written) / 1e6)
                    if paged and (called := _call(webhook, fresh[1], written)) is not None:
                        channel_ms.append((called - written) / 1e6)
                    time.sleep(BUNDLE_S if paged else GAP_S * random_.random())
        finally:
            stage.close()
            webhook.close()
        print(f"line written to ticket committed:  {percentiles(ticket_ms, PROBES + CHANNEL_PROBES)}")
        print(f"line written to channel called:    {percentiles(channel_ms, CHANNEL_PROBES)}")
        if missing := prometheus_peer.missing():
            print(
                f"peer not measured: {', '.join(missing)} not installed (Debian: apt-get install {' '.join(missing)})"
            )
            return
        peer_ms = prometheus_peer.latencies_ms(folder / "peer", PEER_PROBES)
        print(f"Prometheus and Alertmanager, error counted to webhook: {percentiles(peer_ms, PEER_PROBES)}")
        if channel_ms and peer_ms:
            ratio = sorted(channel_ms)[len(channel_ms) // 2] / sorted(peer_ms)[len(peer_ms) // 2]
            print(f"median to the channel, ours to theirs: {ratio:.3f}")


def _ticket(looking: sqlite3.Connection, word: str, since_ns: int) -> int | None:
    while time.monotonic_ns() - since_ns < WAIT_S * 1e9:
        if looking.execute("SELECT 1 FROM tickets WHERE title LIKE ?", (f"%{word}%",)).fetchone():
            return time.monotonic_ns()
        time.sleep(0.001)
    return None


def _call(webhook: Webhook, word: str, since_ns: int) -> int | None:
    while time.monotonic_ns() - since_ns < WAIT_S * 1e9:
        if (at := webhook.when(lambda body: word.encode() in body)) is not None:
            return at
        time.sleep(0.001)
    return None
