"""The systemd journal as a log: real journal files, the real journalctl, and kills at every point."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_agent import config as configuration
from sitewarden_agent import confine
from sitewarden_agent.app import SPOOL
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.errors import ConfigError
from sitewarden_agent.model import LogEvent
from sitewarden_agent.observe import process
from sitewarden_agent.observe.journal import Joining, entry_of, number_of
from sitewarden_agent.spool import Spool

WRITER = "/lib/systemd/systemd-journal-remote"
CURSOR = "s=0b415173bccc4179ae185db3d92f6bdf;i={number:x};b=aa;m=3e8;t=6610b6e0accc0;x=dd97a233a14a6fd0"
DEADLINE_S = 30

needs_journal = pytest.mark.skipif(
    not os.access(WRITER, os.X_OK) or shutil.which("journalctl") is None,
    reason="needs: systemd-journal-remote and journalctl",
)


def raw(number: int, message: object, **fields: str) -> dict[str, Any]:
    shown = {"PRIORITY": "6", "SYSLOG_IDENTIFIER": "shop", "_PID": "7", "_TRANSPORT": "stdout", **fields}
    return {
        "__CURSOR": CURSOR.format(number=number),
        "__REALTIME_TIMESTAMP": str(1_795_551_579_000_000 + number),
        "MESSAGE": message,
        **shown,
    }


def texts(*entries: dict[str, Any]) -> list[str]:
    joining = Joining()
    for each in entries:
        entry = entry_of(each)
        if entry is not None:
            joining.add(entry)
    return [record.text for _, record in joining.close()]


TRACE = [
    "ERROR order failed",
    "java.lang.IllegalStateException: broken",
    "\tat a.B.c(B.java:1)",
    "\tat a.B.d(B.java:2)",
]


def test_lines_that_a_program_prints_are_one_record_again() -> None:
    (text,) = texts(*(raw(number, line) for number, line in enumerate(TRACE)))
    assert text == "2026-11-24T20:19:39.000000Z localhost shop[7]: " + "\n".join(TRACE)


def test_what_two_programs_print_at_once_is_not_mixed() -> None:
    entries = []
    for number, line in enumerate(TRACE):
        entries += [raw(2 * number, line), raw(2 * number + 1, line, _PID="8")]
    first, second = texts(*entries)
    assert first.endswith("\n".join(TRACE))
    assert second.endswith("shop[8]: " + "\n".join(TRACE))


def test_a_priority_is_kept_and_a_message_of_many_lines_stays_one() -> None:
    (text,) = texts(raw(1, "disk gone\n  sector 5", PRIORITY="2", SYSLOG_FACILITY="0", _TRANSPORT="kernel"))
    assert text == "<2>1 2026-11-24T20:19:39.000001Z localhost shop 7 - - disk gone\n  sector 5"


def test_text_that_is_no_utf_8_comes_as_bytes() -> None:
    assert texts(raw(1, list("错误: 失败".encode("gb18030"))))[0].endswith("错误: 失败")
    assert texts(raw(1, list(b"ERROR \xff")))[0].endswith("ERROR \ufffd")


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=4), max_leaves=8))
def test_no_value_of_a_field_breaks_the_reading(value: object) -> None:
    for name in ("MESSAGE", "PRIORITY", "_PID", "SYSLOG_IDENTIFIER", "__REALTIME_TIMESTAMP", "__CURSOR"):
        texts({**raw(1, "ERROR x"), name: value})


def test_names_ascend_within_a_journal_and_differ_between_two() -> None:
    numbers = [number_of(CURSOR.format(number=number)) for number in (1, 2, 4_000_000_000)]
    assert numbers == sorted(numbers)
    assert number_of(CURSOR.format(number=1).replace("s=0", "s=1")) not in numbers
    assert max(numbers) < 2**63


def test_a_log_is_of_files_or_of_the_journal(tmp_path: Path) -> None:
    for text, said in (
        ('name = "a"', "either paths, or journal = true"),
        ('name = "a"\njournal = true\npaths = ["/x"]', "either paths, or journal = true"),
        ('name = "a"\npaths = ["/x"]\nunits = ["b"]', "set journal = true, or leave them out"),
        ('name = "a"\njournal = true\nunits = ["--directory=/etc"]', "units must be like postgresql.service"),
    ):
        (tmp_path / "agent.toml").write_text(f"[[logs]]\n{text}\n")
        with pytest.raises(ConfigError, match=said):
            configuration.load(tmp_path / "agent.toml")


# With the real journalctl.


class Writer:
    """A program's journal: entries come into a real journal file as they are written."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._child = subprocess.Popen(
            [WRITER, f"--output={folder}/system.journal", "-"],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._count = 0

    def write(self, *messages: str, unit: str = "shop.service", transport: str = "stdout", priority: int = 6) -> None:
        assert self._child.stdin is not None
        for message in messages:
            self._count += 1
            fields = {
                "__REALTIME_TIMESTAMP": str(time.time_ns() // 1_000),
                "__MONOTONIC_TIMESTAMP": str(self._count),
                "_BOOT_ID": "a" * 32,
                "PRIORITY": str(priority),
                "SYSLOG_IDENTIFIER": "shop",
                "_PID": "7",
                "_SYSTEMD_UNIT": unit,
                "_TRANSPORT": transport,
                "MESSAGE": message,
            }
            text = "".join(f"{name}={value}\n" for name, value in fields.items())
            self._child.stdin.write(f"{text}\n".encode())
        self._child.stdin.flush()

    def close(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(10)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "journal")
    yield writer
    writer.close()


def configured(folder: Path, *, start: str = "start", units: str = "[]") -> Path:
    (folder / "state").mkdir(exist_ok=True)
    (folder / "agent.toml").write_text(
        f'state_dir = "{folder}/state"\n[health]\ninterval_s = 3600\n[[logs]]\nname = "shop"\njournal = true\n'
        f'journal_folder = "{folder}/journal"\nunits = {units}\nfrom = "{start}"\nstorm_per_minute = 0\n'
    )
    return folder / "agent.toml"


def spool_of(folder: Path) -> Spool:
    return Spool.open(folder / "state" / SPOOL, clock=SystemClock())


def told(spool: Spool) -> list[str]:
    while spool.seal(1 << 20, 1_000):
        pass
    found, seq = [], 0
    while (batch := spool.after(seq)) is not None:
        found += [each.what for each in batch.observations]
        seq = batch.seq
    events = [what for what in found if isinstance(what, LogEvent)]
    assert len({(event.file_id, event.offset) for event in events}) == len(events)
    return [event.message for event in events]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not true():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def observing(path: Path, spool: Spool):  # type: ignore[no-untyped-def]
    stop = asyncio.Event()
    task = asyncio.create_task(process.run(configuration.load(path), spool, SystemClock(), stop))
    try:
        yield
    finally:
        stop.set()
        await task


@needs_journal
async def test_entries_come_once_over_restarts_and_only_those_of_the_units(tmp_path: Path, journal: Writer) -> None:
    path = configured(tmp_path, units='["shop.service"]')
    journal.write("ERROR request 0 failed", *TRACE)
    journal.write("ERROR of another", unit="other.service")
    expected = ["request 0 failed", "\n".join(TRACE).removeprefix("ERROR ")]
    spool = spool_of(tmp_path)
    with contextlib.closing(spool):
        async with observing(path, spool):
            await until(lambda: len(told(spool)) == 2)
            journal.write("ERROR request 1 failed", "INFO fine")
            await until(lambda: len(told(spool)) == 3)
        journal.write("ERROR request 2 failed", transport="journal", priority=3)
        async with observing(path, spool):
            await until(lambda: len(told(spool)) == 4)
            notes = spool.notes()["observe"]
        expected += ["request 1 failed", "ERROR request 2 failed"]
        assert told(spool) == expected
        assert notes["complaints"] == []
        assert [file["path"] for file in notes["files"]] == ["journal (shop.service)"]


@needs_journal
async def test_only_what_comes_later_is_read_when_it_is_first_followed_from_its_end(
    tmp_path: Path, journal: Writer
) -> None:
    path = configured(tmp_path, start="end")
    journal.write("ERROR old 1", "ERROR old 2")
    time.sleep(0.05)
    with contextlib.closing(spool_of(tmp_path)) as spool:
        async with observing(path, spool):
            await until(lambda: bool(spool.marks("shop")))
            journal.write("ERROR new")
            await until(lambda: told(spool) != [])
        assert told(spool) == ["new"]


@needs_journal
async def test_without_journalctl_it_is_a_complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sitewarden_agent.programs.find", lambda name: None)
    (tmp_path / "journal").mkdir()
    path = configured(tmp_path)
    with contextlib.closing(spool_of(tmp_path)) as spool:
        async with observing(path, spool):
            await until(lambda: any("no journalctl" in each for each in complaints(spool)))


def complaints(spool: Spool) -> list[str]:
    found: list[str] = spool.notes().get("observe", {}).get("complaints", [])
    return found


@needs_journal
def test_killed_again_and_again_under_the_kernel_s_confinement_it_loses_and_repeats_nothing(
    tmp_path: Path, journal: Writer
) -> None:
    path, written = configured(tmp_path), 0
    for round_number in range(4):
        child = subprocess.Popen(
            [sys.executable, "-m", "sitewarden_agent", "run", "observe", "--config", path], stderr=subprocess.DEVNULL
        )
        started_s = time.monotonic()
        while time.monotonic() - started_s < 0.4 + 0.3 * round_number:
            journal.write(*(f"ERROR request {number} failed" for number in range(written, written + 5)))
            written += 5
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
        child.wait()
    with contextlib.closing(spool_of(tmp_path)) as spool:
        child = subprocess.Popen(
            [sys.executable, "-m", "sitewarden_agent", "run", "observe", "--config", path], stderr=subprocess.DEVNULL
        )
        try:
            asyncio.run(until(lambda: len(told(spool)) >= written))
        finally:
            child.terminate()
            child.wait(30)
        assert told(spool) == [f"request {number} failed" for number in range(written)]
        state = spool.notes()["confinement_observe"]["state"]
    assert state in ("confined", "partly", "not confined")
    asyncio.run(until(lambda: not followers(tmp_path / "journal")))


def followers(folder: Path) -> list[str]:
    """The journalctl that follow this folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = each.read_bytes()
            if b"journalctl" in line and os.fsencode(folder) in line:
                found.append(each.parent.name)
    return found


def test_journalctl_may_be_executed_only_where_a_log_is_of_the_journal(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    allowed = confine.for_observe(configuration.load(configured(tmp_path))).execute
    (tmp_path / "agent.toml").write_text('[[logs]]\nname = "a"\npaths = ["/x"]\n')
    assert confine.for_observe(configuration.load(tmp_path / "agent.toml")).execute == ()
    if shutil.which("journalctl") is not None:
        assert any(path.name == "journalctl" for path in allowed)
