"""The observing half as whole processes: what is seen is in the spool; it stops, restarts and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sitewarden_agent import config as configuration
from sitewarden_agent.app import SPOOL
from sitewarden_agent.cli import main
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.model import (
    Change,
    LogEvent,
    Observation,
    Outcome,
    OutcomeState,
    ProbeResult,
    SampleBlock,
    SiteNotice,
)
from sitewarden_agent.observe import process
from sitewarden_agent.spool import Spool

DEADLINE_S = 60.0


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "agent.toml").write_text(
        f"""
state_dir = "{tmp_path}/state"
[[logs]]
name = "app"
paths = ["{tmp_path}/*.log"]
[health]
interval_s = 0.1
[[probes]]
name = "db"
kind = "tcp"
address = "127.0.0.1:1"
interval_s = 0.1
failures_needed = 1
"""
    )
    (tmp_path / "state").mkdir(mode=0o700)
    return tmp_path


@contextlib.contextmanager
def spool_of(site: Path) -> Iterator[Spool]:
    spool = Spool.open(site / "state" / SPOOL, clock=SystemClock())
    try:
        yield spool
    finally:
        spool.close()


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


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not true():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.02)


async def test_log_probe_and_health_arrive_in_the_spool(site: Path) -> None:
    config = configuration.load(site / "agent.toml")
    stop = asyncio.Event()
    with spool_of(site) as spool:
        running = asyncio.create_task(process.run(config, spool, SystemClock(), stop))
        await until(lambda: bool(spool.marks("app")))  # the first look is over: what comes now is new
        (site / "app.log").write_text("ERROR password=hunter2 for bob@example.com\nINFO fine\n")

        def seen(kind: type) -> bool:
            return any(isinstance(each.what, kind) for each in observations(spool))

        await until(lambda: seen(LogEvent) and seen(ProbeResult))
        stop.set()
        await running
        found = [each.what for each in observations(spool)]
        notes = spool.notes()["observe"]
    (event,) = (what for what in found if isinstance(what, LogEvent))
    assert event.message.startswith("password=<secret:")
    assert "hunter2" not in repr(found)
    assert "bob@example.com" not in repr(found)
    assert [what.kind for what in found if isinstance(what, Change)] == ["agent_started"]
    assert any(isinstance(what, SampleBlock) for what in found), "the open block is saved at the end"
    assert [what.ok for what in found if isinstance(what, ProbeResult)] == [False]
    assert notes["state"] == "stopped"
    assert notes["complaints"] == []


async def test_a_change_of_a_file_wakes_the_reading(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sitewarden_agent.observe.tail.POLL_NS", 3_600 * 10**9)  # nobody looks by himself
    config = configuration.load(site / "agent.toml")
    stop = asyncio.Event()
    (site / "app.log").touch()
    with spool_of(site) as spool:
        running = asyncio.create_task(process.run(config, spool, SystemClock(), stop))
        await until(lambda: len(spool.marks("app")) == 2)  # the log is known and its file, too
        with (site / "app.log").open("a") as log:
            log.write("ERROR now\n")
        await until(lambda: any(isinstance(each.what, LogEvent) for each in observations(spool)))
        (site / "new.log").write_text("ERROR new\n")
        await until(lambda: sum(isinstance(each.what, LogEvent) for each in observations(spool)) == 2)
        stop.set()
        await running


async def test_a_job_that_breaks_is_said_and_the_others_go_on(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object) -> None:
        raise RuntimeError("the sky fell")

    monkeypatch.setattr("sitewarden_agent.observe.metrics.Sampler.sample", broken)
    monkeypatch.setattr("sitewarden_agent.observe.jobs.status.NOTE_EVERY_S", 0.05)
    config = configuration.load(site / "agent.toml")
    stop = asyncio.Event()
    with spool_of(site) as spool:
        running = asyncio.create_task(process.run(config, spool, SystemClock(), stop))
        await until(
            lambda: any("the sky fell" in said for said in spool.notes().get("observe", {}).get("complaints", ()))
        )
        (site / "app.log").write_text("ERROR still here\n")
        await until(lambda: any(isinstance(each.what, LogEvent) for each in observations(spool)))
        stop.set()
        await running


async def test_a_reboot_is_noticed(site: Path) -> None:
    config = configuration.load(site / "agent.toml")

    class OtherBoot(SystemClock):
        def boot_id(self) -> str:
            return "f" * 32

    with spool_of(site) as spool:
        for clock in (SystemClock(), OtherBoot(), OtherBoot()):
            stop = asyncio.Event()
            stop.set()
            await process.run(config, spool, clock, stop)
        kinds = [each.what.kind for each in observations(spool) if isinstance(each.what, Change)]
    assert kinds.count("agent_started") == 3
    assert kinds.count("reboot") == 1


def start(site: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "sitewarden_agent", "run", "--config", str(site / "agent.toml")]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def children(agent: subprocess.Popen[bytes]) -> dict[str, psutil.Process]:
    found = {}
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(agent.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess, IndexError, ValueError):
                command = child.cmdline()
                found[command[command.index("run") + 1]] = child
    return found


async def test_run_keeps_both_processes_and_leaves_nothing_behind(site: Path) -> None:
    agent = start(site)
    try:
        with spool_of(site) as spool:
            await until(lambda: spool.notes().get("observe", {}).get("state") == "observing")
            await until(lambda: "link" in spool.notes() and bool(spool.marks("app")))
            first = children(agent)
            assert set(first) == {"observe", "link"}
            first["observe"].kill()
            await until(lambda: children(agent).get("observe", first["observe"]).pid != first["observe"].pid)
            (site / "app.log").write_text("ERROR after the kill\n")
            await until(lambda: any(isinstance(each.what, LogEvent) for each in observations(spool)))
        last = children(agent)
        agent.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(agent.wait, DEADLINE_S) == 0
        assert not any(child.is_running() for child in last.values())
    finally:
        agent.kill()
        agent.wait()


async def test_nothing_of_the_agent_survives_its_supervisor(site: Path) -> None:
    agent = start(site)
    try:
        with spool_of(site) as spool:
            await until(lambda: spool.notes().get("observe", {}).get("state") == "observing")
            await until(lambda: set(children(agent)) == {"observe", "link"})
            await until(lambda: "link" in spool.notes())
        both = list(children(agent).values())
    finally:
        agent.kill()
        agent.wait()
    await until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in both))


async def test_a_second_agent_on_the_same_state_is_refused(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = start(site)
    try:
        with spool_of(site) as spool:
            await until(lambda: spool.notes().get("observe", {}).get("state") == "observing")
        monkeypatch.setattr("sitewarden_agent.app.LOCK_WAIT_S", 0.1)
        assert await asyncio.to_thread(main, ["run", "observe", "--config", str(site / "agent.toml")]) == 2
    finally:
        agent.terminate()
        await asyncio.to_thread(agent.wait, DEADLINE_S)


# The commands that look at a state folder.


def test_status_of_an_agent_that_never_ran_makes_nothing(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--config", str(site / "agent.toml")]) == 0
    assert "never started" in capsys.readouterr().out
    assert os.listdir(site / "state") == []


def test_status_tells_what_the_notes_say(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spool_of(site) as spool:
        spool.note("link", {"state": "waiting", "endpoint": "hq:7401", "last_error": "no route", "advice": "Call us."})
        spool.note(
            "observe",
            {
                "state": "observing",
                "files": [{"log": "app", "path": "/x.log", "offset": 10, "size": 30}],
                "probes": [{"name": "db", "ok": False, "detail": "refused"}],
                "complaints": ["/y.log: Permission denied"],
            },
        )
    assert main(["status", "--config", str(site / "agent.toml")]) == 0
    said = capsys.readouterr().out
    for part in ("waiting to hq:7401", "no route", "Call us.", "/x.log, 20 bytes", "db: BAD (refused)", "! /y.log"):
        assert part in said
    assert main(["status", "--json", "--config", str(site / "agent.toml")]) == 0
    state = json.loads(capsys.readouterr().out)
    assert state["observe"]["running"] is True
    assert state["spool"]["held"] == 0


def test_notices_are_shown_as_they_came(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["notices", "--config", str(site / "agent.toml")]) == 0
    assert "No notices yet" in capsys.readouterr().err
    notice = SiteNotice("018f", "Patch 1.2", "Fixes it.\nInstall soon.", "patch", "REL-7", 1_700_000_000 * 10**9, 0)
    with spool_of(site) as spool:
        spool.add_notice(notice, outcome=Outcome("018f", OutcomeState.DONE))
    assert main(["notices", "--json", "--config", str(site / "agent.toml")]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "id": "018f",
        "received": "2023-11-14T22:13:20Z",
        "expires": None,
        "category": "patch",
        "reference": "REL-7",
        "subject": "Patch 1.2",
        "body": "Fixes it.\nInstall soon.",
    }
    assert main(["notices", "--config", str(site / "agent.toml")]) == 0
    assert "patch: Patch 1.2 (REL-7)\n    Fixes it." in capsys.readouterr().out


def test_preflight_says_what_to_do_about_each_thing(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "app.log").touch()
    assert main(["preflight", "--json", "--config", str(site / "agent.toml")]) == 1
    checks = {check["name"]: check for check in map(json.loads, capsys.readouterr().out.splitlines())}
    assert checks["state_dir"]["state"] == "ok"
    assert checks["log app"]["state"] == "ok"
    assert checks["identity"]["state"] == "failed"
    assert "sitewarden-agent enroll" in checks["identity"]["advice"]
    assert all(check["advice"] for check in checks.values() if check["state"] != "ok")


def test_preflight_tries_the_way_to_headquarters(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (site / "agent.toml").open("a") as config:
        config.write('[link]\nendpoints = ["127.0.0.1:1"]\n')
    assert main(["preflight", "--json", "--config", str(site / "agent.toml")]) == 1
    checks = {check["name"]: check for check in map(json.loads, capsys.readouterr().out.splitlines())}
    assert checks["collector 127.0.0.1:1"]["state"] == "failed"
    assert "firewalls" in checks["collector 127.0.0.1:1"]["advice"]


def test_check_config_shows_which_files_are_meant(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "app.log").touch()
    assert main(["check-config", "--json", "--config", str(site / "agent.toml")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is True
    assert said["logs"][0]["files"] == [str(site / "app.log")]


def test_check_config_complains_in_both_forms(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "agent.toml").write_text("[helth]\n")
    assert main(["check-config", "--json", "--config", str(site / "agent.toml")]) == 2
    assert "did you mean 'health'?" in json.loads(capsys.readouterr().out)["error"]
    assert main(["check-config", "--config", str(site / "agent.toml")]) == 2
    assert "did you mean 'health'?" in capsys.readouterr().err
