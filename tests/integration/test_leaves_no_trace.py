"""The agent leaves no trace but its state folder: installed into its own environment, run, stopped, removed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.test_install import ROOT, _environment, _uv

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("install")]

SHARED = ("/etc", "/run", "/var/lib", "/var/tmp", "/dev/shm", "/usr/lib/systemd/system")


def _seen(folder: Path) -> dict[str, tuple[int, int]]:
    """Every path below, with its size and time of change; of folders the name: what is made in them shows by itself."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        found[str(path)] = (0, 0) if path.is_dir() else (status.st_size, status.st_mtime_ns)
    return found


def _named_after_us() -> set[str]:
    return {str(path) for folder in SHARED for path in Path(folder).glob("*sitewarden*")}


def test_the_agent_leaves_no_trace_but_its_state_folder(tmp_path: Path) -> None:
    home, state, product = tmp_path / "home", tmp_path / "state", tmp_path / "product"
    for folder in (home, state, product, tmp_path / "tmp"):
        folder.mkdir(mode=0o700)
    (product / "app.log").write_text("2026-11-24 10:00:00 INFO begins\n")
    config = home / "agent.toml"
    config.write_text(f'state_dir = "{state}"\n[[logs]]\nname = "app"\npaths = ["{product}/*.log"]\n')
    before, ours_before = _seen(tmp_path), _named_after_us()

    opt = tmp_path / "opt"
    _uv("build", "--quiet", "--wheel", "--out-dir", opt, ROOT / "deploy" / "agent")
    [wheel] = opt.glob("*.whl")
    program = _environment(opt / "environment", wheel)[0] / "sitewarden-agent"
    installed = _seen(opt)
    agent = subprocess.Popen(
        [program, "run", "--config", config],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(tmp_path / "tmp")},
        cwd=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline_s = time.monotonic() + 60
        while b"observing" not in _spool(state):
            assert agent.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
    finally:
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(60) == 0
    changed = {path for path, seen in _seen(opt).items() if installed.get(path) != seen}
    assert not [path for path in changed if "__pycache__" not in path], "the program writes nothing beside itself"

    shutil.rmtree(opt)  # as deploy/README says it is removed
    after = {path: seen for path, seen in _seen(tmp_path).items() if not path.startswith(f"{state}/")}
    assert after == before
    assert _named_after_us() == ours_before


def _spool(state: Path) -> bytes:
    """The note of the observing process is in the journal as it was written."""
    return b"".join(path.read_bytes() for path in state.glob("spool.db*") if path.is_file() and "bell" not in path.name)
