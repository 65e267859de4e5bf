"""What a million samples cost on the whole road: a real collector beside Prometheus and VictoriaMetrics, same samples.

250 hosts with a connection each, 40 series x 10 samples a push, stamps over six hours, so that hours are joined and
peers compact. Ours comes by mutual TLS, as agents send it, into SQLite with full sync; theirs by remote write,
Prometheus over mutual TLS, VictoriaMetrics over TLS. Who sends is not counted. Processor time is the server process's
own, until everything is acknowledged and evaluated, or until a peer has come to rest; what it spends in the same time
at rest is taken off, for all alike. Ours joins hours every two minutes: not to count minutes of rest, its collector is
ended then and this process joins what is due, in the same steps. `python -m tests.bench ingest`; INGEST_TURNS=40 sends
four million.
"""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sitewarden_collector import pki
from sitewarden_collector.config import PkiConfig
from sitewarden_collector.demo.stage import Stage
from sitewarden_collector.services import compaction, enrolment
from sitewarden_collector.simulate import identity
from sitewarden_collector.simulate.scenario import Part
from sitewarden_collector.store.engine import Database
from tests.bench import ingest_data, ingest_peers
from tests.bench.figures import percentiles
from tests.bench.ingest_data import SERIES, SPAN_NS, TICKS
from tests.bench.ingest_fleet import Host

HOSTS = 250
TURNS = int(os.environ.get("INGEST_TURNS", "10"))
IDLE_S = 8.0
AGO_NS = SPAN_NS + 3_600 * 1_000_000_000
"""The last sample is an hour old, so that its hour is over."""
EVALUATED_MAX_S = 400.0
_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Meter:
    """The processor time of a process, less what it spends at rest."""

    pid: int
    at_rest: float = 0.0
    """CPU seconds a second."""
    began_cpu_s: float = 0.0
    began_s: float = 0.0

    def rest(self, seconds: float = IDLE_S) -> None:
        """Learn what it spends at rest, and begin."""
        before_s = cpu_s(self.pid)
        time.sleep(seconds)
        self.at_rest = (cpu_s(self.pid) - before_s) / seconds
        self.began_cpu_s, self.began_s = cpu_s(self.pid), time.monotonic()

    def spent_s(self) -> float:
        return cpu_s(self.pid) - self.began_cpu_s - self.at_rest * (time.monotonic() - self.began_s)

    def come_to_rest(self, *, quiet_s: float = 10.0, least_s: float = 70.0, most_s: float = 240.0) -> None:
        """Return when it has spent no more than at rest for a while."""
        until_s = time.monotonic() + most_s
        begin_s = time.monotonic()
        while time.monotonic() < until_s:
            before = cpu_s(self.pid)
            time.sleep(quiet_s)
            calm = cpu_s(self.pid) - before <= (self.at_rest + 0.005) * quiet_s
            if calm and time.monotonic() - begin_s >= least_s:
                return


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def rss_mb(pid: int, what: str = "VmRSS") -> float:
    line = next(one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith(what))
    return int(line.split()[1]) / 1024


def main() -> None:
    begin_ns = time.time_ns() - AGO_NS
    millions = HOSTS * TURNS * SERIES * TICKS / 1e6
    print(f"  {millions:g} million samples, {HOSTS * TURNS} pushes; at rest: what the process spends without load")
    with tempfile.TemporaryDirectory(prefix="sitewarden-bench-") as folder:
        own = ours(Path(folder), begin_ns, millions)
    if missing := ingest_peers.missing():
        print(f"  peers not measured: {', '.join(missing)} not installed")
        return
    for kind in ingest_peers.KINDS:
        with tempfile.TemporaryDirectory(prefix="sitewarden-bench-") as folder:
            pushes = ingest_data.pushes(HOSTS, TURNS, begin_ns=begin_ns)
            theirs = ingest_peers.measure(kind, Path(folder), pushes, millions, Meter, rss_mb)
        print(f"  ours to {kind}: {own / theirs:.2f} (goal {ingest_peers.GOALS[kind]})")


def ours(folder: Path, begin_ns: int, millions: float) -> float:
    """CPU seconds a million samples."""
    stage = Stage(folder / "stage")
    stage.write_configs()
    stage.start_collector()
    fleet: subprocess.Popen[str] | None = None
    try:
        database = stage.folder / "collector" / "collector.db"
        with closing(Database(f"sqlite:///{database}")) as db:
            hosts, root_pem = _hosts(db, stage, begin_ns)
        file = folder / "fleet"
        file.write_bytes(pickle.dumps((root_pem, hosts)))
        argv = [sys.executable, "-m", "tests.bench.ingest_fleet", str(file), f"localhost:{stage.streams_port}"]
        fleet = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert fleet.stdin is not None
        assert fleet.stdout is not None
        if fleet.stdout.readline() != "ready\n":
            raise RuntimeError(stage.last_words("collector"))
        meter = Meter(stage.processes["collector"].pid)
        with closing(sqlite3.connect(database)) as looking:
            empty_bytes = _used_bytes(looking)
            meter.rest()
            fleet.stdin.write("go\n")
            fleet.stdin.flush()
            course = json.loads(fleet.stdout.readline())
            acknowledged_s = meter.spent_s()
            _until(looking, "SELECT count(*) FROM spools WHERE evaluated_seq < last_seq", ())
            evaluated_s = meter.spent_s()
            fresh_bytes = _used_bytes(looking) - empty_bytes
        rss = f"RSS {rss_mb(meter.pid):.0f} MB (most {rss_mb(meter.pid, 'VmHWM'):.0f})"
        stage.stop("collector")
        with closing(Database(f"sqlite:///{database}")) as db:
            joined_s = _join(db)
        with closing(sqlite3.connect(database)) as looking:
            rested_bytes = _used_bytes(looking) - empty_bytes
        wire = sum(len(one) + 14 for host in hosts for one in host.messages)  # 5 bytes of gRPC, 9 of HTTP/2
        samples = millions * 1e6
        print(
            f"  ours: {(evaluated_s + joined_s) / millions:.3f} CPU-s a million samples: {evaluated_s / millions:.3f} "
            f"until all is acknowledged and evaluated ({acknowledged_s / millions:.3f} at the last acknowledgement), "
            f"{joined_s / millions:.3f} to join it (at rest {meter.at_rest:.3f} a second)\n"
            f"    {samples / course['took_s'] / 1e6:.2f} million samples a second; acknowledged "
            f"{percentiles(course['ack_ms'], HOSTS * TURNS)}\n"
            f"    wire {wire / samples:.2f} bytes a sample; disk {fresh_bytes / samples:.2f} as they came, "
            f"{rested_bytes / samples:.2f} joined; {rss}"
        )
        return (evaluated_s + joined_s) / millions
    finally:
        if fleet is not None:
            fleet.kill()
            fleet.wait()
        stage.close()


def _hosts(db: Database, stage: Stage, begin_ns: int) -> tuple[list[Host], bytes]:
    now_ns = time.time_ns()
    authority = db.write_now(enrolment.ensure_authority, stage.folder / "collector", now_ns=now_ns)
    parts = [Part(number, f"site-{number}", f"web-{number}", 0.0, 0.0) for number in range(HOSTS)]
    hosts: list[Host] = []
    for at in range(0, HOSTS, 50):
        some = parts[at : at + 50]
        found = db.write_now(
            identity.enrol_here,
            authority,
            some,
            customer="bench",
            version="0.1.0",
            policy=PkiConfig(),
            now_ns=now_ns,
        )
        hosts += [Host(one, part.machine, os.urandom(16), []) for one, part in zip(found, some, strict=True)]
    for push in ingest_data.pushes(HOSTS, TURNS, begin_ns=begin_ns):
        hosts[push.host].messages.append(ingest_data.message(push))
    return hosts, pki.pem(authority.root)


def _join(db: Database) -> float:
    """Join what is due as the collector does; CPU seconds."""
    began_s, now_ns = time.process_time(), time.time_ns()
    for agent_ids in db.read_now(compaction.waiting, now_ns=now_ns):
        joined = db.read_now(compaction.join, agent_ids, now_ns=now_ns)
        if len(joined):
            db.write_now(compaction.record, joined)
    return time.process_time() - began_s


def _until(
    looking: sqlite3.Connection, query: str, parameters: tuple[int, ...], most_s: float = EVALUATED_MAX_S
) -> None:
    until_s = time.monotonic() + most_s
    while looking.execute(query, parameters).fetchone()[0]:
        if time.monotonic() > until_s:
            print(f"  gave up waiting after {most_s:.0f} s: {query}")
            return
        time.sleep(0.5)


def _used_bytes(looking: sqlite3.Connection) -> int:
    """Of the database's pages, those that hold something."""
    count, free, size = (looking.execute(f"PRAGMA {name}").fetchone()[0] for name in _PAGES)
    return int((count - free) * size)


_PAGES = ("page_count", "freelist_count", "page_size")
Rss = Callable[[int], float]
