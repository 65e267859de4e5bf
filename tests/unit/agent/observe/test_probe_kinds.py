"""Units of systemd, files that must be written in time, and checks after the convention of the monitoring plugins."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_agent import programs
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.config import CommandProbe, FileProbe, UnitProbe
from sitewarden_agent.observe import perfdata, probe_file
from sitewarden_agent.observe.looks import Look
from sitewarden_agent.observe.perfdata import Datum
from sitewarden_agent.observe.probe_unit import Unit
from sitewarden_agent.observe.probes import look, looker, target_of

CLOCK = SystemClock()
PLUGINS = Path("/usr/lib/nagios/plugins")
needs_plugins = pytest.mark.skipif(not (PLUGINS / "check_dummy").exists(), reason="needs: monitoring-plugins-basic")
MINUTE = 60 * 1_000_000_000


def named(seen: Look) -> dict[str, float]:
    return {series.name: value for series, value in seen.values.items()}


# Units of systemd, in the form that `systemctl show` documents: one KEY=value a line, in no order that is promised.

RUNS = "Result=success\nNRestarts=0\nExecMainStatus=0\nLoadState=loaded\nActiveState=active\nSubState=running\n"
FAILED = "Result=exit-code\nNRestarts=3\nExecMainStatus=203\nLoadState=loaded\nActiveState=failed\nSubState=failed\n"
UNKNOWN = "Result=success\nNRestarts=0\nExecMainStatus=0\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n"
RESTING = RUNS.replace("=active", "=inactive").replace("running", "dead")


def unit(**more: Any) -> Unit:
    return Unit(UnitProbe(name="service", unit="product.service", **more), CLOCK)


@pytest.mark.parametrize(
    ("shown", "settings", "ok", "detail"),
    [
        (RUNS, {}, True, "active (running)"),
        (FAILED, {}, False, "failed (exit-code, exit status 203)"),
        (FAILED, {"states": ("active", "inactive")}, False, "failed (exit-code, exit status 203)"),
        (UNKNOWN, {}, False, "there is no such unit; correct its name"),
        (RESTING, {}, False, "inactive (dead)"),
        (RESTING, {"states": ("active", "inactive")}, True, "inactive (dead)"),
        ("", {}, False, "in no state ()"),
    ],
)
def test_a_unit_is_in_a_good_state_or_not(shown: str, settings: dict[str, Any], ok: bool, detail: str) -> None:
    seen = unit(**settings).judge(shown, 0)
    assert (seen.ok, seen.detail) == (ok, detail)


def test_a_unit_that_systemd_restarts_again_and_again_is_bad_for_an_hour() -> None:
    one = unit(restarts_max=2)
    counts = [(0, 10), (1, 11), (2, 12), (3, 13), (59, 13), (62, 13), (63, 0), (64, 1)]
    seen = [one.judge(RUNS.replace("NRestarts=0", f"NRestarts={count}"), at * MINUTE) for at, count in counts]
    assert [each.ok for each in seen] == [True, True, True, False, False, True, True, True]
    assert seen[3].detail == "active (running), but restarted 3 times within an hour"
    assert named(seen[3]) == {"unit_restarts_total": 13}


async def test_systemctl_is_asked_for_that_unit_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f"#!/bin/sh\necho \"$@\" >{tmp_path}/asked\nprintf '{RUNS}'\n".replace("\n'", "'"))
    systemctl.chmod(0o755)
    monkeypatch.setattr(programs, "find", lambda name: str(tmp_path / name))
    assert (await look(UnitProbe(name="x", unit="a@b.service"), CLOCK)).detail == "active (running)"
    asked = (tmp_path / "asked").read_text().split()
    assert (asked[0], asked[-2:]) == ("show", ["--", "a@b.service"])
    systemctl.write_text("#!/bin/sh\necho 'System has not been booted with systemd' >&2\nexit 1\n")
    assert (
        await look(UnitProbe(name="x", unit="a.service"), CLOCK)
    ).detail == "System has not been booted with systemd"


async def test_a_host_without_systemd_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda name: None)
    assert "take a process probe instead" in (await look(UnitProbe(name="x", unit="a.service"), CLOCK)).detail


# Files that must be written in time.


async def test_the_newest_file_must_be_young_and_large_enough(tmp_path: Path) -> None:
    def wants(**more: Any) -> FileProbe:
        return FileProbe(**{"name": "backup", "path": f"{tmp_path}/*.dump", "max_age_h": 2.0, **more})

    assert (await look(wants(), CLOCK)).detail == "there is no such file"
    for name, age_h, size in (("old.dump", 30, 9_000), ("new.dump", 1, 5_000), ("newer.txt", 0, 1)):
        (tmp_path / name).write_bytes(b"x" * size)
        os.utime(tmp_path / name, (time.time() - age_h * 3_600,) * 2)
    (tmp_path / "folder.dump").mkdir()
    seen = await look(wants(), CLOCK)
    assert (seen.ok, seen.detail) == (True, "new.dump is 1.0 h old and has 4.9 KiB")
    assert named(seen)["file_size_bytes"] == 5_000
    assert 3_600 <= named(seen)["file_age_seconds"] < 3_700
    seen = await look(wants(max_age_h=0.5), CLOCK)
    assert (seen.ok, seen.detail) == (False, "new.dump is 1.0 h old and has 4.9 KiB; 0.5 h are allowed")
    seen = await look(wants(min_bytes=5_001), CLOCK)
    assert seen.detail == "new.dump is 1.0 h old and has 4.9 KiB; at least 4.9 KiB are expected"
    assert (await look(wants(path=f"{tmp_path}/newer.txt"), CLOCK)).ok


async def test_a_pattern_that_names_too_many_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_file, "FILES_MAX", 2)
    for name in "abc":
        (tmp_path / name).touch()
    seen = await look(FileProbe(name="x", path=f"{tmp_path}/*", max_age_h=1), CLOCK)
    assert "names more than 2 files; write a narrower one" in seen.detail


async def test_a_file_system_that_hangs_takes_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, asked = threading.Event(), []

    def hangs(pattern: str) -> None:
        asked.append(pattern)
        answers.wait(60)

    monkeypatch.setattr(probe_file, "newest", hangs)
    probe = FileProbe(name="x", path="/mnt/backup/*", max_age_h=1, timeout_s=0.05)
    see = looker(probe, CLOCK)
    seen = [await look(probe, CLOCK, see) for _ in range(3)]
    answers.set()
    assert [each.detail for each in seen] == ["no answer within 0.05 s"] * 3
    assert asked == ["/mnt/backup/*"]


# Checks after the convention of the monitoring plugins.


def check(*words: str, **more: Any) -> Look:
    probe = CommandProbe(name="check", command=words, **more)
    return asyncio.run(look(probe, CLOCK))


def shell(script: str, **more: Any) -> Look:
    return check("/bin/sh", "-c", script, **more)


@pytest.mark.parametrize(
    ("script", "ok", "level", "detail"),
    [
        ("echo 'OK - all well'", True, "", "OK - all well"),
        ("echo 'WARNING - slow'; exit 1", False, "warning", "WARNING - slow"),
        ("echo 'queue is long'; exit 2", False, "critical", "critical: queue is long"),
        ("echo 'usage'; exit 3", False, "unknown", "unknown: usage"),
        ("exit 2", False, "critical", "critical: no output, exit code 2"),
        ("echo broken >&2; exit 127", False, "unknown", "unknown: broken"),
        ("kill -SEGV $$", False, "unknown", "unknown: no output, signal 11"),
    ],
)
def test_the_exit_code_says_how_bad_it_is(script: str, ok: bool, level: str, detail: str) -> None:
    seen = shell(script)
    assert (seen.ok, seen.level, seen.detail) == (ok, level, detail)


def test_a_warning_may_be_good_enough() -> None:
    seen = shell("echo 'WARNING - slow'; exit 1", warning_is_bad=False)
    assert (seen.ok, seen.level, seen.detail) == (True, "", "WARNING - slow")


def test_one_that_hangs_is_unknown() -> None:
    seen = shell("sleep 60", timeout_s=0.2)
    assert (seen.ok, seen.level, seen.detail) == (False, "unknown", "no answer within 0.2 s")


def test_its_data_become_series_with_units_and_thresholds() -> None:
    seen = shell("echo \"OK | 'time taken'=250ms;500;1000 used=42%;80:;90 io=7c free=3KiB;@1:2;;0 odd=U x=1,5;;;;\"")
    told = {(series.name, dict(series.labels)["label"], series.unit): value for series, value in seen.values.items()}
    assert told == {
        ("plugin_seconds", "time taken", "seconds"): 0.25,
        ("plugin_warning_seconds", "time taken", "seconds"): 0.5,
        ("plugin_critical_seconds", "time taken", "seconds"): 1.0,
        ("plugin_ratio", "used", "ratio"): 0.42,
        ("plugin_warning_ratio", "used", "ratio"): 0.8,
        ("plugin_critical_ratio", "used", "ratio"): 0.9,
        ("plugin_total", "io", ""): 7.0,
        ("plugin_bytes", "free", "bytes"): 3072.0,
        ("plugin_warning_bytes", "free", "bytes"): 2048.0,
        ("plugin_value", "x", ""): 1.5,
    }


def test_data_after_further_lines_are_read_too() -> None:
    text, data = perfdata.parse("DISK OK | /=1B\nmore text\nlast text | /boot=2B\n/home=3B\n")
    assert text == "DISK OK"
    assert [(datum.label, datum.value) for datum in data] == [("/", 1), ("/boot", 2), ("/home", 3)]


def test_the_number_of_data_is_bounded() -> None:
    _, data = perfdata.parse("OK | " + " ".join(f"a{number}=1" for number in range(10_000)))
    assert len(data) == perfdata.DATA_MAX


@given(st.text(max_size=200) | st.from_regex(r"[^|\n]*\|('[^']*'=|[a-z ]*=)-?[0-9.,eU]*[a-z%]*(;[@~:0-9.]*)*"))
def test_whatever_a_check_prints_has_a_text_and_finite_data(output: str) -> None:
    text, data = perfdata.parse(output)
    assert "\n" not in text
    assert all(datum.label and abs(datum.value) < float("inf") for datum in data)


def test_arguments_of_a_check_are_not_told() -> None:
    probe = CommandProbe(name="x", command=("/usr/lib/nagios/plugins/check_http", "-a", "user:hunter2"))
    assert target_of(probe) == "/usr/lib/nagios/plugins/check_http"


@needs_plugins
def test_real_plugins_are_understood(tmp_path: Path) -> None:
    (tmp_path / "queue").write_text("x")
    load = check(str(PLUGINS / "check_load"), "-w", "900,900,900", "-c", "999,999,999")
    assert load.ok
    assert {"plugin_value", "plugin_warning_value", "plugin_critical_value"} == set(named(load))
    assert {dict(series.labels)["label"] for series in load.values} == {"load1", "load5", "load15"}
    disk = check(str(PLUGINS / "check_disk"), "-w", "1", "-c", "1", "-p", "/")
    assert disk.ok, disk.detail
    assert named(disk)["plugin_bytes"] > 1_000_000
    os.utime(tmp_path / "queue", (time.time() - 9_000,) * 2)
    age = check(str(PLUGINS / "check_file_age"), "-w", "60", "-c", "600", "-f", str(tmp_path / "queue"))
    assert (age.ok, age.level) == (False, "critical")
    assert age.detail.startswith("FILE_AGE CRITICAL")
    for code, level in (("0", ""), ("1", "warning"), ("2", "critical"), ("3", "unknown")):
        assert check(str(PLUGINS / "check_dummy"), code, "said").level == level
    assert check(str(PLUGINS / "check_tcp"), "-H", "127.0.0.1", "-p", "1", ports=(1,)).level == "critical"


def test_a_datum_without_thresholds_has_none() -> None:
    assert perfdata.parse("OK | a=1s")[1] == [Datum("a", 1.0, "seconds", None, None)]
