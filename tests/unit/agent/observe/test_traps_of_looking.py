"""The torture list of logs, traps 18 to 23 and 25: looking, keeping count and dating, and what the best rival does."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sitewarden_agent import config as configuration
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.model import LogEvent, RecordPart
from sitewarden_agent.observe import process, watch
from sitewarden_agent.observe.records import Reader
from sitewarden_agent.observe.samefile import FileKey, file_id, parse_file_id
from sitewarden_agent.spool import Spool
from sitewarden_alerting.reading.lines import Record
from sitewarden_alerting.reading.severity import Severity
from tests.unit.agent.tail_bench import Killed, Site

DAY_NS = 86_400 * 10**9


def lines(first: int, last: int) -> str:
    return "".join(f"ERROR request {number} failed\n" for number in range(first, last))


def messages(first: int, last: int) -> list[str]:
    return sorted(f"request {number} failed" for number in range(first, last))


@contextmanager
def observing(folder: Path, pattern: str) -> Iterator[tuple[Spool, asyncio.Event, asyncio.Task[None]]]:
    """A real observing process's life in this loop, on real files."""
    (folder / "agent.toml").write_text(
        f'state_dir = "{folder}/state"\n[[logs]]\nname = "app"\npaths = ["{folder}/{pattern}"]\nfrom = "start"\n'
    )
    config = configuration.load(folder / "agent.toml")
    (folder / "state").mkdir()
    spool = Spool.open(folder / "state" / "spool.db", clock=SystemClock())
    stop = asyncio.Event()
    task = asyncio.create_task(process.run(config, spool, SystemClock(), stop))
    try:
        yield spool, stop, task
    finally:
        spool.close()


def told(spool: Spool) -> list[str]:
    while spool.seal(1 << 20, 1_000):
        pass
    found, seq = [], 0
    while (batch := spool.after(seq)) is not None:
        found += [each.what for each in batch.observations]
        seq = batch.seq
    return sorted(what.message for what in found if isinstance(what, LogEvent))


async def test_trap_18_a_folder_and_a_file_that_are_made_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Best: rsyslog looks after it watches (PR#2353); Wazuh opened new files at their end (#33382)."""
    monkeypatch.setattr("sitewarden_agent.observe.tail.POLL_NS", 3_600 * 10**9)
    monkeypatch.setattr("sitewarden_agent.observe.tail.TOLD_POLL_NS", 3_600 * 10**9)
    with observing(tmp_path, "logs/*/app.log") as (spool, stop, task):
        await until(lambda: bool(spool.marks("app")))
        for number in range(10):
            (tmp_path / "logs" / str(number)).mkdir(parents=True)
            (tmp_path / "logs" / str(number) / "app.log").write_text(lines(number, number + 1))
            await asyncio.sleep(0)
        await until(lambda: told(spool) == messages(0, 10))
        stop.set()
        await task


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - what is waited for happens in another task's thread
            await asyncio.sleep(0.01)


async def test_trap_19_polling_alone_finds_everything_where_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Best: telegraf's poll (#6706). As over NFS: the watch stands and hears nothing."""
    monkeypatch.setattr(watch, "_WANTED", 0x8 | 0x01000000)  # of what happens in a folder it is told next to nothing
    monkeypatch.setattr(watch.Watch, "_is_told_nothing", lambda self, folder: True)
    monkeypatch.setattr("sitewarden_agent.observe.tail.POLL_NS", 10**7)
    with observing(tmp_path, "app.log") as (spool, stop, task):
        (tmp_path / "app.log").write_text(lines(0, 5))
        await until(lambda: told(spool) == messages(0, 5))
        (tmp_path / "app.log").rename(tmp_path / "app.log.1")
        (tmp_path / "app.log").write_text(lines(5, 10))
        await until(lambda: told(spool) == messages(0, 10))
        stop.set()
        await task


def test_trap_19_a_stale_handle_is_opened_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Best: none; mtail gives the file up (#505)."""
    site = Site(tmp_path)
    site.write(lines(0, 5))
    site.settle()
    real, stale = os.fstat, {file.descriptor for follower in site.tail._followers for file in follower.files}  # type: ignore[union-attr]

    def fstat(descriptor: int) -> os.stat_result:
        if descriptor in stale:
            stale.clear()
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(descriptor)

    monkeypatch.setattr("os.fstat", fstat)
    site.write(lines(5, 10))
    site.settle()
    assert not stale
    assert sorted(site.records()) == messages(0, 10)
    assert site.gaps() == []


def test_trap_19_inode_numbers_of_64_bits(tmp_path: Path) -> None:
    """Best: none; fluent-bit prints them as negative numbers (#3111)."""
    key = FileKey(2**64 - 1, 2**64 - 2)
    assert parse_file_id(file_id(key, 5)) == (key, 5)
    assert "-" not in file_id(key, 5).split("-")[1]


def test_trap_20_one_watch_for_all_files_and_none_for_each(tmp_path: Path) -> None:
    """Best: grok_exporter, one instance and folders only (#128); promtail takes an instance a target (loki#1153)."""
    for number in range(300):
        (tmp_path / f"{number}.log").touch()
    site = Site(tmp_path, "*.log")
    site.settle()
    threads = threading.active_count()
    watching = watch.Watch(lambda path: True)
    assert site.tail is not None
    watching.folders(site.tail.folders())
    assert [Path("/proc/self/fdinfo", each).read_text().count("inotify wd:") for each in instances()] == [1]
    assert threading.active_count() == threads
    watching.close()


def instances() -> list[str]:
    """The descriptors of this process that are watches."""
    found = []
    for each in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(f"/proc/self/fd/{each}") == "anon_inode:inotify":
                found.append(each)
    return found


@pytest.mark.parametrize("kill_at", [1, 2], ids=["before it is stored", "after it is stored"])
def test_trap_21_what_is_read_and_how_far_go_together(tmp_path: Path, kill_at: int) -> None:
    """Best: none of fluent-bit (#2051, #2123) and its like; every durable step and kill: test_tail_kills."""
    site = Site(tmp_path)
    site.write(lines(0, 5))
    site.settle()
    site.write(lines(5, 10))
    site.store.steps, site.store.kill_at = 0, kill_at
    with pytest.raises(Killed):
        site.look()
    site.store.kill_at = None
    site.kill()
    site.settle()
    assert sorted(site.records()) == messages(0, 10)


def test_trap_22_a_torn_checkpoint_is_not_possible_and_a_full_disk_stops_the_reading(tmp_path: Path) -> None:
    """Best: Datadog writes it atomically (PR#19766); Filebeat's was torn (beats#3537). A torn spool: test_spool."""
    site = Site(tmp_path)
    site.write(lines(0, 5))
    site.settle()
    site.store.full = True
    site.write(lines(5, 10))
    site.look(turns=3)
    site.kill()
    site.store.full = False
    site.settle()
    assert sorted(site.records()) == messages(0, 10)


def test_trap_23_a_busy_file_starves_nobody_and_a_pause_stops_no_discovery(tmp_path: Path) -> None:
    """Best: Vector's small turns (PR#810); fluent-bit's paused input finds no files (#465)."""
    site = Site(tmp_path, "*.log")
    site.write(lines(0, 20_000), "busy.log")
    for number in range(20):
        site.write(f"ERROR quiet {number}\n", f"{number}.log")
    site.start()
    site.at_once()
    assert len([text for text in site.records() if text.startswith("quiet")]) == 20
    assert len(site.records()) < 10_000
    site.store.full = True
    site.write("ERROR late\n", "late.log")
    site.look(turns=3)
    (tmp_path / "late.log").rename(tmp_path / "late.log.1.log")
    site.store.full = False
    site.settle()
    assert "late" in site.records()


def dated(text: str, *, now: datetime, zone: str = "UTC") -> datetime:
    reader = Reader("app", Severity.DEBUG, ZoneInfo(zone), lambda text: text)
    now_ns = int(now.timestamp()) * 10**9
    event = reader.event(Record(0, len(text), text, 1, 0), RecordPart.WHOLE, file="f", file_id="1-1-1", now_ns=now_ns)
    assert event is not None
    return datetime.fromtimestamp(event.logged_ns // 10**9, UTC)


@pytest.mark.parametrize(
    ("now", "year"),
    [
        (datetime(2026, 12, 31, 23, 59, 58, tzinfo=UTC), 2026),
        (datetime(2027, 1, 1, 0, 0, 2, tzinfo=UTC), 2026),
        (datetime(2027, 3, 1, tzinfo=UTC), 2026),
    ],
)
def test_trap_25_a_time_without_a_year_at_new_year(now: datetime, year: int) -> None:
    """Best: asked for, the nearest year; rsyslog is a year off (#4765), Filebeat too (beats#15442)."""
    read = dated("Dec 31 23:59:58 host app[1]: ERROR broken", now=now)
    assert read == datetime(year, 12, 31, 23, 59, 58, tzinfo=UTC)


def test_trap_25_a_time_of_next_year_from_a_clock_that_is_a_little_ahead() -> None:
    read = dated("Jan  1 00:00:03 host app[1]: ERROR broken", now=datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert read == datetime(2027, 1, 1, 0, 0, 3, tzinfo=UTC)


def test_trap_25_the_hour_that_comes_twice_stays_within_an_hour_of_now() -> None:
    """Best: none; sysklogd is an hour off (#92). A local time of that hour names two instants."""
    for hour in (0, 1):
        now = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
        read = dated("Oct 25 02:30:00 host app[1]: ERROR broken", now=now, zone="Europe/Berlin")
        assert abs(read - now).total_seconds() <= 3_600


def test_of_an_idle_file_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a network file system each read costs: an idle file is asked for its state alone."""
    site = Site(tmp_path)
    site.write(lines(0, 1_000))
    site.settle()
    reads: list[int] = []
    real = os.pread

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        reads.append(size)
        return real(descriptor, size, offset)

    monkeypatch.setattr("os.pread", pread)
    site.look(turns=3)
    assert reads == []
