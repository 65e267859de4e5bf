"""One torture: a stage under traffic, killed `kills` times, then left in peace until all has arrived, then judged.

A third of the kills come at a random moment, two thirds at a durable step (the n-th commit of that process, before or
after it). Between them the cable is cut, slowed or left hanging, and where the folder is on a file system of its own
(`disk`) it is filled to the last byte. The seed decides everything but the scheduler.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from sitewarden_collector.demo.stage import Stage, free_ports
from sitewarden_collector.store.engine import Database
from tests.torture.cable import Cable
from tests.torture.oracle import Verdict, judge
from tests.torture.workload import Workload

VICTIMS = ("observe", "link", "collector")
STEP_TIMEOUT_S = 6.0
QUIET_TIMEOUT_S = 120.0

AGENT = """
[[logs]]
name = "ledger"
paths = ["{logs}/ledger.log*"]
from = "start"
storm_per_minute = 0  # every record is looked for

[[logs]]
name = "loop"
paths = ["{logs}/loop.log*"]
from = "start"
storm_per_minute = 5  # here all that arrives is their number

[health]
interval_s = 0.5
"""


@dataclass
class Report:
    seed: int
    engine: str
    kills: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    verdict: Verdict | None = None

    def __str__(self) -> str:
        kills = ", ".join(f"{name} {count}" for name, count in sorted(self.kills.items()))
        others = ", ".join(f"{name} {count}" for name, count in sorted(self.failures.items()))
        return (
            f"{self.engine}, seed {self.seed}: {sum(self.kills.values())} kills ({kills}); {others}; "
            f"{self.seconds:.0f} s; {self.verdict}"
        )


@dataclass
class Torture:
    folder: Path
    logs: Path  # not on `disk`: what fills up is the agent's disk and headquarters', not the product's
    seed: int
    kills: int
    database_url: str = ""
    disk: Path | None = None  # a small file system that holds `folder`: it is filled now and then
    records_per_s: float = 150.0

    def run(self) -> Report:
        self._random = random.Random(self.seed)
        report = Report(self.seed, "postgres" if self.database_url else "sqlite")
        started = time.monotonic()
        self.logs.mkdir(parents=True)
        ports = free_ports(3)
        cable = Cable(ports[0])
        self._stage = stage = Stage(
            self.folder,
            database_url=self.database_url,
            streams_port=ports[0],
            enrolment_port=ports[1],
            http_port=ports[2],
            agent_link_toml=f'endpoints = ["127.0.0.1:{cable.port}"]\nbackoff_base_s = 0.1',
            agent_toml=AGENT.format(logs=self.logs),
            collector_toml="[limits]\nbatches_per_s = 1000.0\nbatch_burst = 1000\n",
        )
        stage.write_configs()
        workload = Workload(self.logs / "ledger.log", self.seed, records_per_s=self.records_per_s)
        try:
            stage.start_collector()
            stage.enrol()
            for victim in ("observe", "link"):
                self._start(victim)
            workload.start()
            while sum(report.kills.values()) < self.kills:
                self._trouble(cable, report)
                self._kill_one(report)
            workload.stop()
            cable.bytes_per_s, cable.hanging, cable.refusing = 0.0, False, False
            url = self.database_url or f"sqlite:///{self.folder / 'collector' / 'collector.db'}"
            with closing(Database(url)) as db:
                report.verdict = self._wait_and_judge(db, workload)
        finally:
            stage.close()
            cable.close()
        report.seconds = time.monotonic() - started
        return report

    def _start(self, victim: str, **environment: str) -> None:
        words = ("collector", "serve") if victim == "collector" else ("agent", "run", victim)
        config = self._stage.collector_config if victim == "collector" else self._stage.agent_config
        argv = [sys.executable, "-m", "tests.torture.dying", *words, "--config", str(config)]
        self._stage.start(victim, argv, PYTHONPATH=str(Path(__file__).parents[2]), **environment)

    def _kill_one(self, report: Report) -> None:
        victim = self._random.choice(VICTIMS)
        if self._random.random() < 1 / 3:
            time.sleep(self._random.random() * 0.6)
            self._stage.kill(victim)
            report.kills[f"{victim} at random"] += 1
            self._start(victim)
            return
        # Exchange it for one that dies at a step of its own.
        self._stage.kill(victim)
        at, side = self._random.randint(1, 20 if victim == "collector" else 8), self._random.choice(("before", "after"))
        self._start(victim, DIE_AT=str(at), DIE_SIDE=side)
        try:
            self._stage.processes[victim].wait(STEP_TIMEOUT_S)
            report.kills[f"{victim} at a step"] += 1
        except subprocess.TimeoutExpired:  # it did not come to that step: any moment will do
            self._stage.kill(victim)
            report.kills[f"{victim} at random"] += 1
        self._start(victim)

    def _trouble(self, cable: Cable, report: Report) -> None:
        cable.bytes_per_s, cable.hanging, cable.refusing = 0.0, False, False
        match self._random.randint(0, 9):
            case 0:
                cable.cut()
                report.failures["cuts"] += 1
            case 1:
                cable.bytes_per_s = 40_000.0
                report.failures["slow"] += 1
            case 2:
                cable.hanging = True
                report.failures["hangs"] += 1
            case 3:
                cable.refusing = True
                cable.cut()
                report.failures["refusals"] += 1
            case 4 if self.disk is not None:
                self._fill_disk()
                report.failures["full disks"] += 1

    def _fill_disk(self) -> None:
        """Not a byte is left for a while; then there is room again."""
        assert self.disk is not None
        ballast = self.disk / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file:
                while file.write(b"\0" * 65_536):
                    pass
        except OSError:
            pass
        time.sleep(0.5 + self._random.random())
        ballast.unlink()

    def _wait_and_judge(self, db: Database, workload: Workload) -> Verdict:
        deadline = time.monotonic() + QUIET_TIMEOUT_S
        verdict = judge(db, workload.written, looped=workload.looped)
        while (verdict.missing or verdict.torn or verdict.counted < verdict.looped) and time.monotonic() < deadline:
            for name in VICTIMS:
                if self._stage.processes[name].poll() is not None:
                    self._start(name)
            time.sleep(0.5)
            fresh = judge(db, workload.written, looped=workload.looped)
            if (fresh.stored, fresh.counted) > (verdict.stored, verdict.counted):
                deadline = time.monotonic() + QUIET_TIMEOUT_S
            verdict = fresh
        time.sleep(1.0)  # whatever would come twice has come by now
        return judge(db, workload.written, looped=workload.looped)
