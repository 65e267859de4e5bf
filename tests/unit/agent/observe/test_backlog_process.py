"""The real observing process, confined, with a backlog before it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import msgspec

from sitewarden_agent.app import SPOOL
from sitewarden_agent.observe.scanning import engine
from tests.unit.agent.observe.test_backlog import calm

WAIT_S = 60.0


def test_the_confined_process_searches_a_backlog_and_tells_by_which_engine(tmp_path: Path) -> None:
    state, log = tmp_path / "state", tmp_path / "app.log"
    state.mkdir(mode=0o700)
    log.write_text(calm(0, 20_000))
    settings = tmp_path / "agent.toml"
    settings.write_text(
        f'state_dir = "{state}"\n[[logs]]\nname = "app"\npaths = ["{log}"]\nfrom = "start"\nmin_severity = "error"\n'
        'storm_per_minute = 0\nkeep = ["request 777[0-9] was"]\n'
    )
    argv = [sys.executable, "-m", "sitewarden_agent", "run", "observe", "--config", str(settings)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wanted = len({*range(0, 20_000, 97), *range(7_770, 7_780)})
    try:
        deadline_s = time.monotonic() + WAIT_S
        while (stored := _stored(state / SPOOL)) < wanted:
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline_s, f"{stored} of {wanted} records stored"
            time.sleep(0.05)
    finally:
        process.terminate()
        process.wait()
    assert _stored(state / SPOOL) == wanted
    with closing(sqlite3.connect(state / SPOOL)) as spool:
        note = msgspec.msgpack.decode(spool.execute("SELECT body FROM notes WHERE key = 'observe'").fetchone()[0])
    assert note["scanner"] == engine.choice()
    assert note["complaints"] == []


def _stored(path: Path) -> int:
    """How many log events are in the spool; 0 while it is being made."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as spool:
            return int(spool.execute("SELECT count(*) FROM logs").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
