"""The agent keeps within its limits: which step when, what is measured, and that the steps are really taken."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_agent import app
from sitewarden_agent import config as configuration
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.model import Change, LogEvent, Observation, SampleBlock
from sitewarden_agent.observe import process
from sitewarden_agent.observe.footprint import Footprint, children, folder_bytes, taken
from sitewarden_agent.observe.limits import Limits, Step, Use
from sitewarden_agent.pacer import SAVED_UP_S, WAIT_MAX_S, Pacer
from sitewarden_agent.spool import Spool

MIB = 1024 * 1024


def limits() -> Limits:
    return Limits(cpu_share=0.25, memory_bytes=100 * MIB)


@pytest.mark.parametrize(
    ("memory_mb", "step"), [(79, Step.OK), (80, Step.SPARING), (90, Step.LEAN), (100, Step.PAUSED), (500, Step.PAUSED)]
)
def test_memory_leads_through_all_steps(memory_mb: int, step: Step) -> None:
    found = limits()
    assert found.look(Use(0.0, memory_mb * MIB), passed_s=10) is (step is not Step.OK)
    assert found.step is step
    assert found.because == ("memory" if step else "")


def test_a_step_is_left_only_well_below_what_led_to_it() -> None:
    found = limits()
    for memory_mb, step in (
        (100, Step.PAUSED),
        (91, Step.PAUSED),
        (89, Step.LEAN),
        (81, Step.LEAN),
        (79, Step.SPARING),
    ):
        found.look(Use(0.0, memory_mb * MIB), passed_s=10)
        assert found.step is step, memory_mb
    found.look(Use(0.0, 60 * MIB), passed_s=10)
    assert found.step is Step.OK


def test_a_short_effort_is_no_reason_to_act() -> None:
    found = limits()
    assert not found.look(Use(0.5, 0), passed_s=10)
    assert not found.look(Use(0.0, 0), passed_s=10)


def test_a_long_effort_slows_reading_and_never_stops_it() -> None:
    found = limits()
    for _ in range(100):
        found.look(Use(4.0, 0), passed_s=10)
    assert (found.step, found.because) == (Step.LEAN, "cpu")


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 200 * MIB)), max_size=30))
def test_at_the_limit_of_memory_reading_always_waits(looks: list[tuple[float, int]]) -> None:
    found = limits()
    for share, memory_bytes in looks:
        found.look(Use(share, memory_bytes), passed_s=10)
        assert (found.step is Step.PAUSED) >= (memory_bytes >= 100 * MIB)
        assert bool(found.because) == bool(found.step)


# The share of the processor.


def test_work_within_what_was_saved_up_never_waits() -> None:
    pacer = Pacer(0.25)
    assert pacer.owed_s(now_s=0.0, used_s=100.0) == 0.0
    assert pacer.owed_s(now_s=1.0, used_s=100.0 + 0.25 * SAVED_UP_S) == 0.0


@given(st.floats(0.01, 4.0), st.lists(st.floats(0.001, 2.0), min_size=1, max_size=200))
def test_no_work_takes_more_than_its_share_for_long(share: float, pieces: list[float]) -> None:
    """Whatever the pieces of work, waiting as told keeps the sum within the share and what was saved up."""
    pacer = Pacer(share)
    now_s = used_s = 0.0
    pacer.owed_s(now_s=now_s, used_s=used_s)
    for piece_s in pieces:
        used_s += piece_s
        now_s += piece_s
        while (owed_s := pacer.owed_s(now_s=now_s, used_s=used_s)) > 1e-6:
            assert owed_s <= WAIT_MAX_S
            now_s += owed_s
        assert used_s <= share * (now_s + SAVED_UP_S) + 0.01


# What is measured.


def test_a_process_is_measured_with_what_it_started() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        try:
            while not children(parent.pid):
                assert parent.poll() is None
            found = Footprint()
            found.look({"observe": parent.pid, "link": os.getpid()}, 1.0)
            alone = taken(parent.pid)
            assert alone is not None
            assert found.memory_bytes["observe"] > alone.memory_bytes / 2
            assert found.cpu_share == {}
            found.look({"observe": parent.pid, "link": os.getpid()}, 2.0)
            assert 0.0 <= found.cpu_share["observe"] < 10.0
        finally:
            parent.kill()


def test_a_process_that_is_gone_counts_as_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as short:
        pass
    assert taken(short.pid) is None
    found = Footprint()
    found.look({"link": short.pid}, 1.0)
    assert found.memory_bytes == {}


def test_the_life_of_a_process_before_it_was_seen_is_not_counted() -> None:
    found = Footprint()
    found.look({}, 1.0)
    found.look({"observe": os.getpid()}, 2.0)
    assert found.cpu_share["observe"] == 0.0


def test_the_folder_of_the_agent_is_measured_in_blocks(tmp_path: Path) -> None:
    (tmp_path / "spool.db").write_bytes(b"x" * 100_000)
    assert folder_bytes(tmp_path) >= 100_000
    assert folder_bytes(tmp_path / "not there") == 0


# The steps are really taken.


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - what is waited for happens on the disk
            await asyncio.sleep(0.02)


async def test_at_its_limit_of_memory_the_agent_stops_reading_and_says_so_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("jobs.limits.LOOK_EVERY_S", 0.02), ("jobs.logs.PAUSED_S", 0.02)):
        monkeypatch.setattr(f"sitewarden_agent.observe.{name}", value)
    resident = [65 * MIB]
    monkeypatch.setattr(
        "sitewarden_agent.observe.jobs.limits.Footprint.look",
        lambda self, pids, now_s: self.memory_bytes.update(observe=resident[0]),
    )
    (tmp_path / "agent.toml").write_text(
        f"""
state_dir = "{tmp_path}/state"
[[logs]]
name = "app"
paths = ["{tmp_path}/*.log"]
[health]
interval_s = 0.1
[limits]
memory_mb = 64
"""
    )
    (tmp_path / "state").mkdir(mode=0o700)
    stop, found = asyncio.Event(), list[Observation]()
    spool = Spool.open(tmp_path / "state" / app.SPOOL, clock=SystemClock())

    def seen() -> list[Observation]:
        while (batch := spool.seal(1 << 20, 1_000)) is not None:
            found.extend(batch.observations)
        return found

    def steps() -> list[str]:
        return [each.what.after for each in seen() if isinstance(each.what, Change) and each.what.kind == "limited"]

    running = asyncio.create_task(process.run(configuration.load(tmp_path / "agent.toml"), spool, SystemClock(), stop))
    try:
        await until(lambda: steps() == ["paused"])
        (tmp_path / "app.log").write_text("ERROR one\n")
        await until(lambda: any("limit of memory" in each for each in spool.notes()["observe"]["complaints"]))
        assert not any(isinstance(each.what, LogEvent) for each in seen())
        resident[0] = 10 * MIB
        await until(lambda: any(isinstance(each.what, LogEvent) for each in seen()))
        assert steps() == ["paused", "ok"]
    finally:
        stop.set()
        await running
    blocks = [each.what for each in seen() if isinstance(each.what, SampleBlock)]
    assert any(series.name == "agent_memory_bytes" for block in blocks for series in block.series)
    spool.close()


def test_what_a_process_only_needed_to_start_is_given_back() -> None:
    """In a process of its own: code that was read in goes, what was made stays, and everything still works."""
    code = (
        "from sitewarden_agent import lean; lean.begin(tls=False)\n"
        "import sys, typing, hashlib, hmac; assert '_hashlib' not in sys.modules\n"
        "assert hashlib.sha256(b'abc').hexdigest().startswith('ba7816bf')\n"
        "assert len(hashlib.blake2b(b'abc', digest_size=8).digest()) == 8\n"
        "assert len(hmac.new(b'key', b'abc', 'sha256').digest()) == 32\n"
        "assert sys.modules['typing_extensions'] is typing\n"
        "import asyncio, msgspec, grpc.aio, sqlite3\n"
        "assert 'ssl' not in sys.modules\n"
        "def resident(): return int(open('/proc/self/statm').read().split()[1])\n"
        "before = resident(); lean.settle(); lean.settle_again(); after = resident()\n"
        "asyncio.run(asyncio.sleep(0)); sqlite3.connect(':memory:').execute('select 1')\n"
        "assert msgspec.json.decode(msgspec.json.encode({'a': [1]})) == {'a': [1]}\n"
        "import ssl; ssl.create_default_context()\n"
        "print(after < before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("True\n", "")
