"""Whatever way the bytes come and wherever the agent is killed: exactly the written records, once."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.agent.tail_bench import Killed, Site


def written(count: int) -> tuple[bytes, list[str]]:
    """A log of single lines and stack traces, and its records."""
    text, records = [], []
    for number in range(count):
        lines = [f"ERROR request {number} failed"]
        if number % 3 == 0:
            lines += [f"\tat a.B.c{number}(B.java:{number})", f"\tat a.B.d(B.java:{number})"]
        text.append("\n".join(lines) + "\n")
        records.append("\n".join(lines).removeprefix("ERROR "))
    return "".join(text).encode(), records


def names(records: list[str]) -> list[str]:
    """First lines: what a record is called in the end, whether its continuation was seen in time or not."""
    return [record.partition("\n")[0] for record in records if record.startswith("request")]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_any_split_of_the_writes_gives_the_same_records(cuts: list[int], chance: random.Random) -> None:
    """Pauses within a record are shorter than the silence that ends one."""
    content, records = written(20)
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        site.start()
        start = 0
        while start < len(content):
            size = chance.choice(cuts)
            site.write(content[start : start + size])
            start += size
            site.at_once()
            site.clock.pass_s(chance.choice([0, 0.01, 0.2]))
        site.settle()
        assert site.records() == records
        site.stop()


def turns_with_kills(site: Site, kill_at: int) -> None:
    """One look; the kill comes at the given durable step, and the agent starts again."""
    site.store.steps, site.store.kill_at = 0, kill_at
    try:
        site.look()
    except Killed:
        site.store.kill_at = None
        site.kill()
        site.look()
    site.store.kill_at = None


DELETED = 6
"""The step in which the file is deleted before its last line was looked at."""


def steps_of_life(site: Site) -> Iterator[None]:
    """A log's life, with a look of the agent after each step."""
    content, _ = written(24)
    third = len(content) // 3
    site.write(content[:third])
    yield
    site.write(content[third : third + 10])
    yield
    site.write(content[third + 10 : 2 * third])
    site.path.rename(site.folder / "app.log.2")
    yield
    site.write(content[2 * third : -50], "app.log.2")  # its writer has not noticed yet
    yield
    site.write(content[-50:], "app.log.2")
    site.write("ERROR request 100 failed\nERROR request 101 failed\n")
    yield
    site.write("ERROR request 102 failed\n")
    shutil.copy(site.path, site.folder / "app.log.1")
    os.truncate(site.path, 0)
    site.write("ERROR request 103 failed\n")
    yield
    site.write("ERROR request 104 failed\n")
    site.path.unlink()
    yield
    for _ in range(8):
        yield


@pytest.mark.parametrize("patterns", [("app.log",), ("app.log*",)], ids=["one name", "all names"])
def test_killed_at_every_durable_step_of_a_life_with_rotations(tmp_path: Path, patterns: tuple[str, ...]) -> None:
    expected = sorted(names(written(24)[1]) + [f"request {number} failed" for number in range(100, 105)])
    for step in range(15):
        for kill_at in range(1, 6):
            folder = tmp_path / f"{step}-{kill_at}"
            folder.mkdir()
            site = Site(folder, *patterns)
            for number, _ in enumerate(steps_of_life(site)):
                turns_with_kills(site, kill_at if number == step else 0)
            found = sorted(names(site.records()))
            assert site.gaps() == []
            if step >= DELETED and site.softly_told():
                # Nobody can know what stood in a file that was deleted while the agent was down; it is told as that.
                found = sorted({*found, "request 104 failed"})
            else:
                assert site.softly_told() == []
            assert found == expected, f"killed in step {step} at {kill_at}"
            site.stop()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(0, 6), st.sampled_from([0.0, 0.1, 1.5])), max_size=25))
def test_any_kill_point_gives_each_record_once(moves: list[tuple[int, int, float]]) -> None:
    content, records = written(60)
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        site.start()
        start = 0
        for size, kill_at, pause_s in [*moves, (len(content), 0, 1.5)]:
            end = min(len(content), start + size)
            end = content.rfind(b"\nERROR", 0, end) + 1 if end < len(content) else end  # pauses stand between records
            site.write(content[start:end]) if end > start else None
            start = max(start, end)
            turns_with_kills(site, kill_at)
            site.clock.pass_s(pause_s)
        site.settle()
        assert site.records() == records
        site.stop()
