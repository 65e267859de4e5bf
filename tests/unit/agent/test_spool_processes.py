"""The spool between real processes: two writers at once, one of them killed, a disk that is really full."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sitewarden_agent.clock import SystemClock
from sitewarden_agent.model import FileMark, LogEvent, Observation, RecordPart
from sitewarden_agent.spool import Spool, SpoolFull

# Appends lines from the mark on, one a transaction, as observe does; says when it is done.
WRITER = """
import sys
from pathlib import Path
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.model import FileMark, LogEvent, Observation, RecordPart
from sitewarden_agent.spool import Spool
clock = SystemClock()
spool = Spool.open(Path(sys.argv[1]), clock=clock)
for number in range(next((mark.offset for mark in spool.marks()), 0), int(sys.argv[2])):
    what = LogEvent("app", "app.log", "1", number, RecordPart.WHOLE, 4, "", str(number), "", "")
    spool.append([Observation(what, 1, clock.boot_id(), 1)], marks=[FileMark("app", "app.log", "1", number + 1)])
"""

# Fills the spool under a limit on the size of files, which the kernel answers like a full disk; then lifts it.
FILLER = """
import json, resource, signal, sys
from pathlib import Path
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.model import FileMark, LogEvent, Observation, RecordPart
from sitewarden_agent.spool import Spool, SpoolFull
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
clock = SystemClock()
spool = Spool.open(Path(sys.argv[1]), clock=clock)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))
stored, refused = 0, 0
while refused < 3:
    what = LogEvent("app", "app.log", "1", stored, RecordPart.WHOLE, 4, "", str(stored) + "x" * 3000, "", "")
    try:
        spool.append([Observation(what, 1, clock.boot_id(), 1)], marks=[FileMark("app", "app.log", "1", stored + 1)])
        stored += 1
    except SpoolFull as error:
        refused, said = refused + 1, str(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
what = LogEvent("app", "app.log", "1", stored, RecordPart.WHOLE, 4, "", str(stored), "", "")
spool.append([Observation(what, 1, clock.boot_id(), 1)], marks=[FileMark("app", "app.log", "1", stored + 1)])
print(json.dumps({"stored": stored + 1, "said": said}))
"""


def offsets(spool: Spool) -> list[int]:
    """Seal and acknowledge what there is, as link does."""
    found = []
    while (sealed := spool.seal(10_000, 50)) is not None:
        found += [each.what.offset for each in sealed.observations if isinstance(each.what, LogEvent)]
        spool.acknowledge(sealed.seq)
    return found


def test_a_writer_killed_again_and_again_beside_a_reader_loses_nothing(tmp_path: Path) -> None:
    path, lines, chance = tmp_path / "spool.db", 400, random.Random(5)
    reader = Spool.open(path, clock=SystemClock())
    found: list[int] = []
    kills = 0
    while True:
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(lines)])
        until = time.monotonic() + 0.25 + chance.random() * 0.2
        while writer.poll() is None and (time.monotonic() < until or kills >= 5):
            found += offsets(reader)
        if writer.poll() is not None:
            assert writer.returncode == 0
            break
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        kills += 1
    found += offsets(reader)
    assert found == list(range(lines))
    reader.close()


def test_a_reader_killed_beside_a_writer_sends_the_same_batches_again(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), "200"])
    stored: dict[int, list[int]] = {}
    while writer.poll() is None:
        # A link that dies after each batch, before it could acknowledge it.
        reader = Spool.open(path, clock=SystemClock())
        reader.seek(max(stored, default=0))
        batch = reader.after(max(stored, default=0)) or reader.seal(10_000, 7)
        if batch is not None:
            stored[batch.seq] = [each.what.offset for each in batch.observations if isinstance(each.what, LogEvent)]
        reader.close()
    assert writer.returncode == 0
    reader = Spool.open(path, clock=SystemClock())
    reader.seek(max(stored, default=0))
    rest = offsets(reader)
    reader.close()
    assert [offset for seq in sorted(stored) for offset in stored[seq]] + rest == list(range(200))


def test_a_file_that_may_not_grow_is_a_full_disk_and_heals(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    done = subprocess.run([sys.executable, "-c", FILLER, str(path)], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert "disk" in told["said"]
    spool = Spool.open(path, clock=SystemClock())
    assert offsets(spool) == list(range(told["stored"]))
    spool.close()


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of its own, full soon."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk needs root; the test with a limit on files does the same without")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_somebody_else_fills_stops_reading_and_nothing_breaks(tmp_path: Path) -> None:
    clock = SystemClock()
    with small_disk(tmp_path / "disk", 4_000) as disk:
        spool = Spool.open(disk / "spool.db", clock=clock)
        stored, refused = 0, 0

        def append(size: int) -> None:
            what = LogEvent("app", "app.log", "1", stored, RecordPart.WHOLE, 4, "", "x" * size, "", "")
            mark = FileMark("app", "app.log", "1", stored + 1)
            spool.append([Observation(what, 1, clock.boot_id(), 1)], marks=[mark])

        (disk / "other").write_bytes(b"\0" * 3_200_000)
        while refused < 3:
            try:
                append(5_000)
                stored += 1
            except SpoolFull:
                refused += 1
        assert spool.marks()[0].offset == stored
        (disk / "other").unlink()
        append(10)
        assert drained(spool) == list(range(stored + 1))
        spool.close()


def drained(spool: Spool) -> list[int]:
    """As `offsets`, for a disk with so little room that a try may fail and the next one work."""
    batches: dict[int, list[int]] = {}
    for _ in range(200):
        try:
            while (sealed := spool.after(max(batches, default=0)) or spool.seal(10_000, 50)) is not None:
                whats = [each.what for each in sealed.observations]
                batches[sealed.seq] = [what.offset for what in whats if isinstance(what, LogEvent)]
                spool.acknowledge(sealed.seq)
            return [offset for seq in sorted(batches) for offset in batches[seq]]
        except SpoolFull:
            continue
    raise AssertionError("the disk never had room again")
