"""Probes of every kind in the real observing process, confined as it is: what it saw and measured is in its spool."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from sitewarden_agent.app import SPOOL
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.model import Observation, ProbeResult, SampleBlock, Series
from sitewarden_agent.spool import Spool

SECRET = "hunter2-of-the-database"


@pytest.fixture
def metrics() -> Iterator[int]:
    registry = CollectorRegistry()
    Gauge("queue_length", "Waiting", ["mail"], registry=registry).labels("ada@example.com").set(17)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def configured(folder: Path, port: int) -> Path:
    (folder / "state").mkdir(mode=0o700)
    (folder / "nightly.dump").write_text("x" * 100)
    (folder / "password").write_text(SECRET)
    common = "interval_s = 1.0\nfailures_needed = 1\n"
    (folder / "agent.toml").write_text(
        f"""
state_dir = "{folder}/state"
[health]
interval_s = 0.1
[[probes]]
kind = "prometheus"
name = "metrics"
url = "http://127.0.0.1:{port}/metrics"
series = ["queue_*"]
{common}
[[probes]]
kind = "command"
name = "check"
command = ["/bin/sh", "-c", "echo 'WARNING - password=hunter2 | depth=7;5'; exit 1"]
{common}
[[probes]]
kind = "file"
name = "backup"
path = "{folder}/*.dump"
max_age_h = 1
{common}
[[probes]]
kind = "sql"
name = "database"
engine = "postgresql"
host = "127.0.0.1"
port = 1
user = "monitor"
password_file = "{folder}/password"
timeout_s = 30.0
{common}
"""
    )
    return folder / "agent.toml"


def observations(spool: Spool) -> list[Observation]:
    """Everything in the spool, sealed by this."""
    while spool.seal(1 << 20, 1_000):
        pass
    found: list[Observation] = []
    seq = 0
    while (batch := spool.after(seq)) is not None:
        found += batch.observations
        seq = batch.seq
    return found


async def test_what_probes_saw_and_measured_is_in_the_spool_and_nothing_secret(tmp_path: Path, metrics: int) -> None:
    config = configured(tmp_path, metrics)
    argv = [sys.executable, "-m", "sitewarden_agent", "run", "observe", "--config", str(config)]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE)
    try:
        async with asyncio.timeout(60):
            while not (tmp_path / "state" / SPOOL).exists():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        spool = Spool.open(tmp_path / "state" / SPOOL, clock=SystemClock())
        results: dict[str, ProbeResult] = {}
        async with asyncio.timeout(60):
            while len(results) < 4:
                await asyncio.sleep(0.1)
                found = [one.what for one in observations(spool)]
                results = {what.probe: what for what in found if isinstance(what, ProbeResult)}
            await asyncio.sleep(0.3)  # the next samples have what the last probe measured
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        found = [one.what for one in observations(spool)]
        state = spool.notes()["observe"]
        spool.close()
    finally:
        process.kill()
        errors = process.communicate()[1]
    assert {name: (what.kind, what.ok, what.level) for name, what in results.items()} == {
        "metrics": ("prometheus", True, ""),
        "check": ("command", False, "warning"),
        "backup": ("file", True, ""),
        "database": ("sql", False, ""),
    }
    assert results["database"].detail == "the connection was refused"
    assert "hunter2" not in results["check"].detail
    series = [one for what in found if isinstance(what, SampleBlock) for one in what.series]
    assert {"cpu_used_ratio", "plugin_value", "plugin_warning_value", "file_age_seconds"} <= {
        one.name for one in series
    }
    (queue,) = {one for one in series if one.name == "queue_length"}
    assert dict(queue.labels)["mail"].startswith("<mail:")
    last = next(what for what in reversed(found) if isinstance(what, SampleBlock))
    assert {Series("plugin_value", (("label", "depth"), ("probe", "check"))), queue} <= set(last.series)
    told = repr(found) + repr(state) + errors.decode()
    assert SECRET not in told
    assert "ada@example.com" not in told
    assert state["complaints"] == []
