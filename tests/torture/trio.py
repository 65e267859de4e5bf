"""`python -m tests.torture.trio --kills 200`: three collectors on one PostgreSQL, and everything that may end ends.

Two collectors share a machine and its ports (`sitewarden serve --processes 2`), the third is another machine with the
same secret key. Three real agents know both addresses. Meanwhile collectors are killed at random or stand still for a
while, the parent of the two is killed, connections to the database are cut under their transactions, and the database
itself ends as in a power cut and comes back from its log. Then all is left in peace until everything has arrived and
is evaluated, and the judge looks: every record is stored once, counted once in one ticket, and the audit log is whole.
The seed decides everything but the scheduler.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import OperationalError

from sitewarden_collector.demo.stage import Stage, StageError, free_ports
from sitewarden_collector.errors import DatabaseBusy
from sitewarden_collector.services import audit
from sitewarden_collector.store import spools, tickets
from sitewarden_collector.store.engine import Database
from tests import postgres
from tests.torture.oracle import Verdict, judge
from tests.torture.run import AGENT
from tests.torture.workload import Workload

SITES = ("shanghai-1", "berlin-1", "oslo-1")
NUMBERS_APART = 10_000_000  # of the records of two agents
PROCESSES = 2
START_TIMEOUT_S = 180.0
QUIET_TIMEOUT_S = 120.0
LAG_MAX_NS = 15 * 1_000_000_000

_LIMITS = "[limits]\nbatches_per_s = 1000.0\nbatch_burst = 1000\ndrain_window_s = 1.0\n"


@dataclass
class Report:
    seed: int
    ends: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    verdict: Verdict | None = None
    faults: list[str] = field(default_factory=list)
    """What the judge found beside the records: tickets, audit log, batches that nobody evaluated."""

    @property
    def holds(self) -> bool:
        return self.verdict is not None and self.verdict.holds and not self.faults

    def __str__(self) -> str:
        ends = ", ".join(f"{what} {times}" for what, times in sorted(self.ends.items()))
        found = "; ".join(self.faults) or "tickets and audit log hold"
        total = f"seed {self.seed}: {sum(self.ends.values())} ends ({ends}) in {self.seconds:.0f} s"
        return f"{total}; {self.verdict}; {found}"


@dataclass
class Trio:
    """One round. `run` once."""

    folder: Path
    server: postgres.Server
    database_url: str
    seed: int
    kills: int
    records_per_s: float = 60.0

    def run(self) -> Report:
        self._random = random.Random(self.seed)
        report = Report(self.seed)
        began = time.monotonic()
        self._stage = self._set()
        try:
            workloads = self._open()
            for workload in workloads:
                workload.start()
            while sum(report.ends.values()) < self.kills:
                time.sleep(self._random.random() * 0.8)
                report.ends[self._end_something()] += 1
                self._start_what_ended()
            for workload in workloads:
                workload.stop()
            with closing(Database(self.database_url)) as db:
                self._wait_and_judge(db, workloads, report)
        finally:
            self._stage.close()
        report.seconds = time.monotonic() - began
        return report

    def _set(self) -> Stage:
        self._ports = ports = free_ports(5)
        self._endpoints = f'endpoints = ["127.0.0.1:{ports[0]}", "127.0.0.1:{ports[1]}"]\nbackoff_base_s = 0.1'
        return Stage(
            self.folder,
            database_url=self.database_url,
            streams_port=ports[0],
            enrolment_port=ports[2],
            http_port=three_in_a_row(),
            site=SITES[0],
            agent_link_toml=self._endpoints,
            agent_toml=AGENT.format(logs=self._logs(SITES[0])),
            collector_toml=f"processes = {PROCESSES}\n{_LIMITS}",
        )

    def _open(self) -> list[Workload]:
        stage, ports = self._stage, self._ports
        stage.write_configs()
        stage.start("collector", stage.headquarters("serve"))
        _until_it_serves(stage.http_port)
        self._other = self._other_machine(streams=ports[1], enrolment=ports[3], http=ports[4], limits=_LIMITS)
        self._start_what_ended()
        stage.enrol()
        stage.start_agent()
        for site in SITES[1:]:
            agent = f"{self._endpoints}\n{AGENT.format(logs=self._logs(site))}"
            stage.open_further(site, site, agent)
        return [
            Workload(
                self._logs(site) / "ledger.log",
                self.seed + at,
                records_per_s=self.records_per_s,
                first=at * NUMBERS_APART,
                loops=5,
            )
            for at, site in enumerate(SITES)
        ]

    def _logs(self, site: str) -> Path:
        folder = self.folder / "logs" / site
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _other_machine(self, *, streams: int, enrolment: int, http: int, limits: str) -> Path:
        data = self.folder / "other"
        data.mkdir(mode=0o700)
        shutil.copy(self.folder / "collector" / "secret.key", data)
        config = self.folder / "other.toml"
        config.write_text(
            f'data_dir = "{data}"\n[database]\nurl = "{self.database_url}"\n[listen]\nstreams = "127.0.0.1:{streams}"\n'
            f'enrolment = "127.0.0.1:{enrolment}"\nhttp = "127.0.0.1:{http}"\n{limits}'
        )
        return config

    def _start_what_ended(self) -> None:
        for name, config in (("collector", self._stage.collector_config), ("other", self._other)):
            process = self._stage.processes.get(name)
            if process is None or process.poll() is not None:
                argv = [sys.executable, "-m", "sitewarden_collector", "serve", "--config", str(config)]
                self._stage.start(name, argv)

    def _children(self) -> list[int]:
        parent = self._stage.processes["collector"]
        try:
            return sorted(child.pid for child in psutil.Process(parent.pid).children())
        except psutil.NoSuchProcess:
            return []

    def _end_something(self) -> str:
        drawn = self._random.random()
        children = self._children()
        if drawn < 0.40 and children:
            os.kill(self._random.choice(children), signal.SIGKILL)
            return "process"
        if drawn < 0.60:
            self._stage.kill("other", with_children=False)
            return "machine"
        if drawn < 0.65:
            self._stage.kill("collector", with_children=False)
            return "parent"
        if drawn < 0.72 and children:
            victim = self._random.choice(children)
            os.kill(victim, signal.SIGSTOP)
            time.sleep(1.0 + self._random.random())
            os.kill(victim, signal.SIGCONT)
            return "standstill"
        if drawn < 0.90:
            self._cut_connections()
            return "cut connections"
        self.server.crash()
        time.sleep(self._random.random() * 1.5)
        self.server.start()
        return "database"

    def _cut_connections(self) -> None:
        """End half of what is connected to the database, at whatever it is."""
        with closing(Database(self.database_url)) as db, db.engine.connect() as tx:
            mine = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            pids = sorted(tx.execute(text(f"SELECT pid {mine}")).scalars())
            for pid in pids:
                if self._random.random() < 0.5:
                    tx.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

    def _wait_and_judge(self, db: Database, workloads: list[Workload], report: Report) -> None:
        written = {number: record for one in workloads for number, record in one.written.items()}
        looped = sum(one.looped for one in workloads)
        deadline, best = time.monotonic() + QUIET_TIMEOUT_S, (-1, -1, -1)
        while True:
            self._start_what_ended()
            try:
                verdict = judge(db, written, looped=looped)
                faults = db.read_now(_faults, written=len(written))
            except (DatabaseBusy, OperationalError):
                faults, verdict = ["the database does not answer"], Verdict(len(written))
            report.verdict, report.faults = verdict, faults
            if report.holds or time.monotonic() > deadline:
                break
            now = (verdict.stored, verdict.counted, -len(faults))
            if now > best:
                deadline, best = time.monotonic() + QUIET_TIMEOUT_S, now
            time.sleep(0.5)
        time.sleep(1.5)  # whatever would come twice has come by now
        report.verdict, report.faults = judge(db, written, looped=looped), db.read_now(_faults, written=len(written))


def _faults(tx: Connection, *, written: int) -> list[str]:
    found = []
    waiting, since_ns = spools.lag(tx)
    if waiting and time.time_ns() - since_ns > LAG_MAX_NS:  # samples come without end
        found.append(f"{waiting} spools are not evaluated")
    several = (
        select(tickets.tickets.c.site_id, tickets.tickets.c.fault)
        .where(tickets.tickets.c.state.in_(tickets.OPEN))
        .group_by(tickets.tickets.c.site_id, tickets.tickets.c.fault)
        .having(func.count() > 1)
    )
    found += [f"several open tickets of one fault: {row}" for row in tx.execute(several)]
    counted = sum(one.ticket.count for one in tickets.listing(tx) if "posting of entry" in one.ticket.title)
    if counted != written:
        found.append(f"tickets count {counted} records of {written}")
    found += audit.verify(tx).faults
    return found


def _until_it_serves(http_port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/healthz", timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    raise StageError("the collectors did not start in time")


def three_in_a_row() -> int:
    """A port whose next two are free as well: each of the processes answers on one of its own."""
    while True:
        port = free_ports(1)[0]
        try:
            for further in range(port + 1, port + PROCESSES + 1):
                with socket.create_server(("127.0.0.1", further)):
                    pass
        except (OSError, OverflowError):
            continue
        return port


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="what ends, in all")
    parser.add_argument("--round", type=int, default=50, help="of it before the judge looks")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the folder of a round that failed")
    arguments = parser.parse_args()
    left, seed, good = arguments.kills, arguments.seed, True
    while left > 0:
        kills = min(arguments.round, left)
        left -= kills
        base = Path(tempfile.mkdtemp(prefix="sitewarden-trio-"))
        with postgres.restartable() as server:
            try:
                report = Trio(base / "stage", server, server.url, seed, kills).run()
            except (StageError, subprocess.TimeoutExpired) as error:
                print(f"seed {seed}: {error}", flush=True)
                good = False
                continue
            finally:
                seed += 1
        print(report, flush=True)
        good = good and report.holds
        if report.holds or not arguments.keep:
            shutil.rmtree(base, ignore_errors=True)
        else:
            print(f"kept: {base}", flush=True)
    print("nothing lost, nothing twice" if good else "FAILED: see the rounds above; repeat one with --seed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
