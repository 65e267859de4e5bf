"""The demo is the main job end to end, so it is also the test of it: real processes, real TLS, a real fault."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

DEMO = [sys.executable, "-m", "sitewarden_collector", "demo"]


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_a_fault_becomes_ticket_page_risk_and_answer_and_nothing_stays_behind(tmp_path: Path) -> None:
    shown = subprocess.run(
        [*DEMO, "--once"], capture_output=True, text=True, timeout=270, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    steps = (
        "observation arrived",
        r"incident ticket INC-\d+ opened",
        "the contract of acme counts",
        "on-call engineer ada notified",
        r"incident ticket INC-\d+ opened at osaka-1, under globex's contract",
        r"risk warning RSK-\d+ raised: folder orders-data will be full at \d{4}-",
        "patch notice shown at the site",
        r"The desk: +http://127\.0\.0\.1:\d+/",
        "sign in as: +mei",
    )
    for step in steps:
        assert re.search(step, shown.stdout), f"{step}: not in\n{shown.stdout}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.e2e
def test_a_demo_that_is_interrupted_stops_everything_it_started(tmp_path: Path) -> None:
    demo = subprocess.Popen(DEMO, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert demo.stdout is not None
    for line in demo.stdout:
        if "agent enrolled" in line:
            break
    demo.send_signal(signal.SIGINT)
    assert demo.wait(60) == 0
    demo.stdout.close()
    deadline = time.monotonic() + 10
    while (left := _processes_of(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
    assert list(tmp_path.iterdir()) == []


def _processes_of(folder: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found
