"""How much log a second of CPU reads, against syslog-ng in the same run; and how soon an appended line is stored.

Two sets from a seed (`scan_data`), in the page cache: a calm day and a bad one. Measured is the CPU time of the whole
process, start and compiling included. syslog-ng (Debian's) reads the same file with the same twenty patterns as `match`
filters and writes the lines that match to a file; so does our scanner alone. The whole road also makes records, redacts
them, counts storms and stores the rest in the spool; syslog-ng has nothing like it, the ratio is there all the same.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil

from sitewarden_agent.app import SPOOL
from tests.bench import scan_data, scan_worker
from tests.bench.figures import percentiles

SET_BYTES = 1024 * 1024 * 1024
WHOLE_BYTES = 64 * 1024 * 1024
QUIET_S = 1.5
FILES = 50
APPENDS = 1_000
SETTLE_S = 12.0
"""An agent puts its memory in order once, eight seconds after its start: that is no append's delay."""
MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Run:
    lines: int
    cpu_s: float
    rss_mb: float
    size: int
    ready_s: float = 0.0
    """CPU seconds until it was ready to read: start, imports, compiling."""

    @property
    def rate(self) -> float:
        return self.size / 1e6 / self.cpu_s

    @property
    def rate_once_ready(self) -> float:
        return self.size / 1e6 / (self.cpu_s - self.ready_s)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sitewarden-bench-") as base:
        folder = Path(base)
        for name in scan_data.SETS:
            log = folder / f"{name}.log"
            made = [sys.executable, "-m", "tests.bench.scan_data", name, str(log), str(SET_BYTES)]
            subprocess.run(made, check=True)  # in another process: a child's peak of memory begins with its parent's
            _compare(name, log, folder)
            log.unlink()
        _latency(folder, "this disk")
    if MEMORY.is_dir():
        with tempfile.TemporaryDirectory(prefix="sitewarden-bench-", dir=MEMORY) as base:
            _latency(Path(base), "memory, without the flush of a disk")


def _compare(name: str, log: Path, folder: Path) -> None:
    _read(log)
    peer = _syslog_ng(log, folder)
    for count in (20, 500):
        run = _worker("lines", log, folder / "out", count)
        _say(name, f"scanner, {count} patterns", run, peer)
    if peer is not None:
        _say(name, "syslog-ng, 20 filters", peer, None)
    part = folder / "part.log"
    with log.open("rb") as whole, part.open("wb") as file:
        while file.tell() < WHOLE_BYTES:
            file.write(whole.read(1 << 20))
    for count in (0, 20, 500):
        state = folder / f"state-{name}-{count}"
        state.mkdir(mode=0o700)
        _say(name, f"whole road, {count} keep patterns", _worker("whole", part, state, count), peer)


def _say(name: str, what: str, run: Run, peer: Run | None) -> None:
    ratio = f", {run.rate / peer.rate:.1f} times syslog-ng" if peer is not None else ""
    ready = f" ({run.rate_once_ready:.0f} once ready, after {run.ready_s:.2f} s)" if run.ready_s else ""
    found = f"{run.lines} found, RSS {run.rss_mb:.0f} MB"
    print(f"{name}  {what:28}  {run.rate:6.0f} MB per CPU second{ready}, {found}{ratio}", flush=True)


def _read(path: Path) -> None:
    """Into the page cache."""
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


def _worker(mode: str, log: Path, out: Path, count: int) -> Run:
    argv = [sys.executable, "-m", "tests.bench.scan_worker", mode, str(log), str(out), str(count)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found, ready_s = process.stdout.read().split()
    return _ended(process, log, lines=int(found), ready_s=float(ready_s))


def _ended(process: subprocess.Popen[str], log: Path, *, lines: int, ready_s: float = 0.0) -> Run:
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(lines, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, log.stat().st_size, ready_s)


def _syslog_ng(log: Path, folder: Path) -> Run | None:
    program = shutil.which("syslog-ng") or shutil.which("/usr/sbin/syslog-ng")
    if program is None:
        print("syslog-ng is not here: nothing to compare with (Debian: apt-get install syslog-ng-core)")
        return None
    out = folder / "syslog-ng.out"
    out.unlink(missing_ok=True)
    wanted = " or ".join(f'match({_quoted(each)} value("MESSAGE") type("pcre"))' for each in scan_worker.PATTERNS)
    config = folder / "syslog-ng.conf"
    config.write_text(
        "@version: 3.38\n"
        "options { threaded(no); stats-freq(0); log-msg-size(65536); keep-timestamp(no); };\n"
        f'source s {{ file("{log}" flags(no-parse) follow-freq(1) read-old-records(yes)); }};\n'
        f"filter f {{ {wanted} }};\n"
        f'destination d {{ file("{out}" template("$MESSAGE\\n")); }};\n'
        "log { source(s); filter(f); destination(d); };\n"
    )
    (folder / "persist").unlink(missing_ok=True)
    files = [
        f"-{letter}{folder / name}"
        for letter, name in (("f", config.name), ("R", "persist"), ("p", "pid"), ("c", "ctl"))
    ]
    argv = [program, "-F", "--no-caps", *(part for each in files for part in (each[:2], each[2:]))]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    watched = psutil.Process(process.pid)
    used, since = -1.0, time.monotonic()
    while time.monotonic() - since < QUIET_S or not out.exists():  # until it rests
        time.sleep(0.1)
        now = sum(watched.cpu_times()[:2])
        if now - used > 0.03:
            used, since = now, time.monotonic()
    process.send_signal(signal.SIGTERM)
    with out.open("rb") as file:
        lines = sum(1 for _ in file)
    return _ended(process, log, lines=lines)


def _quoted(pattern: str) -> str:
    return '"' + pattern.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _latency(folder: Path, where: str) -> None:
    """From a line's write to its commit, which waits until the disk has it."""
    logs, state = folder / "logs", folder / "state"
    logs.mkdir()
    state.mkdir(mode=0o700)
    for number in range(FILES):
        (logs / f"{number}.log").write_text(f"2026-11-23 10:00:00,000 INFO file {number} begins\n")
    settings = folder / "agent.toml"
    settings.write_text(
        f'state_dir = "{state}"\n[[logs]]\nname = "app"\npaths = ["{logs}/*.log"]\nstorm_per_minute = 0\n'
    )
    argv = [sys.executable, "-m", "sitewarden_agent", "run", "observe", "--config", str(settings)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(SETTLE_S)
        with closing(sqlite3.connect(f"file:{state / SPOOL}?mode=ro", uri=True, isolation_level=None)) as spool:
            milliseconds = _append_and_wait(logs, spool)
    finally:
        process.terminate()
        process.wait()
    print(f"appended to stored, {FILES} files, spool on {where}: {percentiles(milliseconds, APPENDS, digits=1)}")


def _append_and_wait(logs: Path, spool: sqlite3.Connection) -> list[float]:
    draw = random.Random(4)
    milliseconds = []
    stored = _stored(spool)
    for number in range(APPENDS):
        time.sleep(draw.uniform(0.01, 0.05))
        with (logs / f"{draw.randrange(FILES)}.log").open("ab") as file:
            began = time.perf_counter()
            file.write(b"2026-11-23 10:00:00,000 ERROR probe %d failed\n" % number)
        while (now := _stored(spool)) == stored and time.perf_counter() - began < 5:
            time.sleep(0.0001)
        if now > stored:
            milliseconds.append((time.perf_counter() - began) * 1e3)
        stored = now
    return milliseconds


def _stored(spool: sqlite3.Connection) -> int:
    found = spool.execute("SELECT seq FROM sqlite_sequence WHERE name = 'logs'").fetchone()
    return int(found[0]) if found is not None else 0
