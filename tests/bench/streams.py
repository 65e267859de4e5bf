"""Thousands of agents on one collector: what each weighs, what their heartbeats cost, and how fast all are back.

`python -m tests.bench streams`. A real collector (SQLite, full sync, mutual TLS) and agents of the simulator in a
process of its own, which is not counted. In order: connect, rest with heartbeats every 30 s, send 1,000 batches a
second, end the collector by SIGTERM and by SIGKILL, starting it again at once each time: eight minutes. Of these the
first and the last are done by `return`, in four. Processor times are the collector's own, so that they mean something
on a machine that others use; times by the clock are as the machine was. How late the agents' own process was is told
beside what it measured: it cannot see less than that.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sitewarden_collector import config as configuration
from sitewarden_collector import pki
from sitewarden_collector.cli import _common
from sitewarden_collector.demo.stage import free_ports
from sitewarden_collector.services import enrolment
from sitewarden_collector.simulate import identity, scenario
from sitewarden_collector.simulate.agent import VERSION
from sitewarden_collector.simulate.scenario import Scenario
from sitewarden_collector.store.engine import Database

AGENTS = 5_000
AGENTS_A_SITE = 10
BATCH_EVERY_S = 5.0
HEARTBEAT_S = 30.0
AT_ONCE = 200
IDLE_S = 20.0
REST_S = 60.0
LOAD_S = 40.0
BACK_MAX_S = 240.0
FIRST_PER_S = 60.0  # the agents' own process has to keep up with them
RETURN_FIRST_PER_S = 150.0
GOALS = "goals: all back within 60 s, none refused, 150 KB an agent, heartbeats 10 % of a core, acknowledged p99 50 ms"
_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


class Headquarters:
    """The collector's process; started and ended at will."""

    def __init__(self, folder: Path) -> None:
        self.streams, enrolment_port, self.http = free_ports(3)
        self.config = folder / "collector.toml"
        self.config.write_text(
            f'data_dir = "{folder / "data"}"\n[listen]\nstreams = "127.0.0.1:{self.streams}"\n'
            f'enrolment = "127.0.0.1:{enrolment_port}"\nhttp = "127.0.0.1:{self.http}"\n'
            f"[limits]\nheartbeat_s = {HEARTBEAT_S}\n"
        )
        self._log = (folder / "collector.log").open("ab")
        # An installed program is compiled once; a developer's shell may forbid keeping that.
        self._environment = os.environ | {
            "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
            "PYTHONDONTWRITEBYTECODE": "",
        }
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> float:
        """Start it, and wait until it serves; seconds that took."""
        began_s = time.monotonic()
        argv = [sys.executable, "-m", "sitewarden_collector", "serve", "--config", str(self.config)]
        self.process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=self._log, text=True, env=self._environment
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "next:" in line:
                return time.monotonic() - began_s
        raise RuntimeError(f"the collector did not come up: see {self._log.name}")

    def end(self, number: signal.Signals) -> float:
        """End it by that signal; seconds until it was gone."""
        assert self.process is not None
        began_s = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=120)
        return time.monotonic() - began_s

    def processor_s(self) -> float:
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK_S

    def weight_kb(self) -> int:
        """Its proportional share of memory."""
        assert self.process is not None
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(re.search(r"(?m)^Pss:\s+(\d+)", text)[1])  # type: ignore[index]

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=30) as answer:
            return str(answer.read().decode())


class Crowd:
    """The agents' process."""

    def __init__(self, file: Path, port: int) -> None:
        argv = [sys.executable, "-m", "tests.bench.streams_crowd", str(file), f"localhost:{port}"]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, word: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def all_here(self, agents: int, *, since_s: float = 0.0) -> dict[str, Any]:
        """Wait until everybody is connected anew; the last report."""
        until_s = time.monotonic() + BACK_MAX_S
        while True:
            time.sleep(1.0)
            told = self.tell("count")
            if (told["here"] >= agents and told["first_s"] >= since_s) or time.monotonic() > until_s:
                return self.tell("report")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def main(agents: int = AGENTS) -> None:
    _run(agents, _measure, first_per_s=FIRST_PER_S)


def come_back(agents: int = AGENTS) -> None:
    """Only how fast all are back."""
    _run(agents, _return, first_per_s=RETURN_FIRST_PER_S)


def _run(agents: int, measure: Callable[[Path, Headquarters, int], None], *, first_per_s: float) -> None:
    _say(f"{agents} agents; {GOALS}")
    with tempfile.TemporaryDirectory(prefix="sitewarden-bench-") as base:
        folder = Path(base)
        headquarters = Headquarters(folder)
        _enrol(folder / "crowd", headquarters.config, agents, first_per_s=first_per_s)
        headquarters.start()
        try:
            measure(folder / "crowd", headquarters, agents)
        finally:
            if headquarters.process is not None:
                headquarters.process.kill()
                headquarters.process.wait()


def _say(text: str) -> None:
    """At once: a run may be cut short."""
    print(f"  {text}", flush=True)


def _enrol(file: Path, config: Path, agents: int, *, first_per_s: float) -> None:
    """Give everybody an identity; the crowd finds them in `file`."""
    began_s = time.process_time()
    plan = Scenario(
        agents=agents,
        sites=max(1, agents // AGENTS_A_SITE),
        batch_every_s=BATCH_EVERY_S,
        heartbeat_s=HEARTBEAT_S,
        series=40,
        ticks=10,
        connect_within_s=max(10.0, agents / first_per_s),
    )
    loaded = configuration.load(config)
    with closing(_common.open_database(loaded)) as db:
        assert isinstance(db, Database)
        now_ns = time.time_ns()
        authority = db.write_now(enrolment.ensure_authority, loaded.data_path, now_ns=now_ns)
        parts, made = scenario.parts(plan), []
        for at in range(0, agents, AT_ONCE):
            made += db.write_now(
                identity.enrol_here,
                authority,
                parts[at : at + AT_ONCE],
                customer="bench",
                version=VERSION,
                policy=loaded.pki,
                now_ns=now_ns,
            )
    file.write_bytes(pickle.dumps((pki.pem(authority.root), plan, parts, made)))
    _say(f"enrolled in {time.process_time() - began_s:.0f} s of processor")


def _measure(file: Path, headquarters: Headquarters, agents: int) -> None:
    alone_share = _share(headquarters, IDLE_S)
    empty_kb = headquarters.weight_kb()
    crowd = Crowd(file, headquarters.streams)
    try:
        _connect(crowd, headquarters, agents)
        crowd.tell("hush")
        hushed_share = _share(headquarters, REST_S / 2)
        crowd.tell("beat")
        rest_share = _share(headquarters, REST_S)
        each_kb = (headquarters.weight_kb() - empty_kb) / agents
        _say(
            f"at rest: {each_kb:.0f} KB each; {100 * rest_share:.1f} % of a core: {100 * alone_share:.1f} % without "
            f"agents, {100 * (hushed_share - alone_share):.1f} % for having them, heartbeats "
            f"{100 * (rest_share - hushed_share):.1f} %"
        )
        _load(crowd, headquarters, agents, empty_kb)
        for number in (signal.SIGTERM, signal.SIGKILL):
            _again(crowd, headquarters, agents, number)
    finally:
        crowd.close()


def _return(file: Path, headquarters: Headquarters, agents: int) -> None:
    crowd = Crowd(file, headquarters.streams)
    try:
        _connect(crowd, headquarters, agents)
        for number in (signal.SIGTERM, signal.SIGKILL):
            _again(crowd, headquarters, agents, number)
    finally:
        crowd.close()


def _connect(crowd: Crowd, headquarters: Headquarters, agents: int) -> None:
    used_s = headquarters.processor_s()
    told = crowd.all_here(agents)
    used_s = headquarters.processor_s() - used_s
    _say(f"{told['here']} connected: {1000 * used_s / agents:.2f} ms of processor each, TLS included")


def _load(crowd: Crowd, headquarters: Headquarters, agents: int, empty_kb: int) -> None:
    crowd.tell("send")
    time.sleep(10.0)
    crowd.tell("forget")
    used_s, began_s = headquarters.processor_s(), time.monotonic()
    time.sleep(LOAD_S)
    told = crowd.tell("report")
    passed_s = time.monotonic() - began_s
    used_s = headquarters.processor_s() - used_s
    rate = len(told["ack_ms"]) / passed_s
    _say(
        f"{rate:.0f} batches of 400 samples a second (asked: {agents / BATCH_EVERY_S:.0f}): "
        f"acknowledged {_percentiles(told['ack_ms'])}; heartbeats {_percentiles(told['beat_ms'])}; "
        f"{100 * used_s / passed_s:.0f} % of a core, {1e6 * used_s / max(1, len(told['ack_ms'])):.0f} us a batch; "
        f"the agents' process was late by {_percentiles(told['late_ms'])}"
    )
    each_kb = (headquarters.weight_kb() - empty_kb) / agents
    _say(f"after load: {each_kb:.0f} KB each")
    crowd.tell("rest")
    time.sleep(5.0)


def _again(crowd: Crowd, headquarters: Headquarters, agents: int, number: signal.Signals) -> None:
    crowd.tell("forget")
    gone_s = headquarters.end(number)
    began_s = time.monotonic()
    up_s = headquarters.start()
    told = crowd.all_here(agents, since_s=began_s)
    used_s = headquarters.processor_s()
    away = {reason: times for reason, times in told["turned_away"].items() if reason not in ("DRAINING", "ended")}
    _say(
        f"{number.name}: gone in {gone_s:.1f} s, up in {up_s:.1f} s; {told['here']} of {agents} back "
        f"{told['last_s'] - began_s:.1f} s after it was started, {used_s:.1f} s of processor; "
        f"refused {sum(away.values())} {away or ''}; connections that failed {told['lost']}"
    )


def _share(headquarters: Headquarters, seconds: float) -> float:
    used_s, began_s = headquarters.processor_s(), time.monotonic()
    time.sleep(seconds)
    return (headquarters.processor_s() - used_s) / (time.monotonic() - began_s)


def _percentiles(ordered_ms: list[float]) -> str:
    if not ordered_ms:
        return "none"
    p50, p99 = (ordered_ms[min(len(ordered_ms) - 1, int(share * len(ordered_ms)))] for share in (0.5, 0.99))
    return f"p50 {p50:.1f} p99 {p99:.1f} ms"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else AGENTS)
