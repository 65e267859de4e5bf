"""`sitewarden-agent probe` shows what would be sent, and `check-config` what probes lack on this host."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sitewarden_agent.cli._probe_hints import hints
from sitewarden_agent.config import CommandProbe, Config, SqlProbe


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "nightly.dump").write_text("x" * 100)
    path = tmp_path / "agent.toml"
    path.write_text(
        f"""
state_dir = "{tmp_path}/state"
[[probes]]
kind = "file"
name = "backup"
path = "{tmp_path}/*.dump"
max_age_h = 1
[[probes]]
kind = "command"
name = "queue"
command = ["/bin/sh", "-c", "echo 'CRITICAL - mail of ada@example.com waits | waiting=7;3;5'; exit 2"]
"""
    )
    return path


def ran(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: it gives up its rights for good."""
    argv = [sys.executable, "-m", "sitewarden_agent", "probe", "--config", str(config), *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_what_would_be_sent_is_shown_redacted_and_a_bad_probe_is_an_exit_code(config: Path) -> None:
    done = ran(config, "--json")
    assert done.returncode == 1, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    backup, queue = told["probes"]
    assert (backup["ok"], backup["detail"]) == (True, "nightly.dump is 0.0 h old and has 100 B")
    assert (queue["ok"], queue["level"], queue["kind"], queue["target"]) == (False, "critical", "command", "/bin/sh")
    assert queue["detail"].startswith("CRITICAL - mail of <")
    assert "ada@" not in done.stdout
    waiting = {"name": "plugin_value", "labels": {"label": "waiting", "probe": "queue"}, "unit": "", "value": 7.0}
    assert waiting in queue["samples"]
    assert not (config.parent / "state").exists()


def test_one_probe_can_be_looked_through_by_its_name(config: Path) -> None:
    done = ran(config, "backup")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("backup: good, nightly.dump is 0.0 h old")
    assert "queue" not in done.stdout
    done = ran(config, "backups")
    assert done.returncode != 0
    assert "there is no probe 'backups'; known are: backup, queue" in done.stderr


def test_what_a_probe_lacks_is_said_before_it_is_looked_through(tmp_path: Path) -> None:
    setuid, secret = tmp_path / "check_icmp", tmp_path / "password"
    setuid.write_text("#!/bin/sh\n")
    setuid.chmod(0o4755)
    secret.write_text("hunter2\n")
    secret.chmod(0o644)
    probes = (
        CommandProbe(name="a", command=("/no/such/check",), may_execute=(str(tmp_path),)),
        CommandProbe(name="b", command=(str(setuid),)),
        SqlProbe(name="c", engine="mysql", user="x", password_file=str(secret)),
        SqlProbe(name="d", engine="mysql", user="x", password_file="/no/such/password"),
    )
    said = "\n".join(hints(Config(probes=probes)))
    assert "probe 'a': /no/such/check cannot be found (No such file or directory); correct its path" in said
    assert f"probe 'b': {setuid} runs with others' rights" in said
    assert f"probe 'c': password_file {secret} can be read by others; chmod 640 it" in said
    assert "probe 'd': password_file /no/such/password cannot be found" in said
    assert "needs a drop-in (systemctl edit sitewarden-agent-observe.service)" in said
    assert "hunter2" not in said
    secret.chmod(0o640)
    assert hints(Config(probes=probes[2:3]))[0].startswith("as a service")
    assert hints(Config()) == []
