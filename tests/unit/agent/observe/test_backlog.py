"""A backlog, whose blocks are searched before they are read, gives the records, names and marks of reading it all."""

from __future__ import annotations

import gzip
import os
import random
from pathlib import Path

import pytest

from sitewarden_agent.model import LogEvent
from sitewarden_agent.observe import logfile
from sitewarden_agent.observe.scanning.scanner import Scanner
from sitewarden_alerting.reading.lines import Record
from sitewarden_alerting.reading.severity import Severity
from tests.unit.agent.tail_bench import Killed, Site


def calm(first: int, last: int, *, bad: int = 97) -> str:
    """Lines of which one in `bad` is worth sending, some of them with a stack trace."""
    made = []
    for number in range(first, last):
        level, more = "INFO ", ""
        if number % bad == 0:
            level = "ERROR"
            more = "java.io.IOException: gone\n\tat a.B.c(B.java:1)\n\t... 3 more\n" if number % 2 else ""
        made.append(f"2026-11-23 15:02:{number % 60:02d},301 {level} [main] a.B - request {number} was handled\n{more}")
    return "".join(made)


def test_a_backlog_gives_the_same_events_and_marks_as_reading_every_byte(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("\n".join((calm(0, 30_000), "plain words", calm(30_000, 30_100), "x" * 200_000)))
    results = []
    for searched in (True, False):
        site = Site(tmp_path, min_severity="warning")
        site.start()
        assert site.tail is not None
        if not searched:
            for follower in site.tail._followers:
                follower._reader.scanner = None
        site.settle()
        marks = [mark for mark in site.store.kept.values() if mark.offset]
        results.append(([_unborn(each) for each in site.events()], [mark.offset for mark in marks]))
        site.kill()
    assert results[0] == results[1]
    assert len(results[0][0]) >= 300


def _unborn(event: LogEvent) -> tuple[int, str, str, bool]:
    return (event.offset, event.part.value, event.message, event.truncated)


def test_most_of_a_backlog_never_becomes_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path, min_severity="warning")
    site.write(calm(0, 20_000))
    seen = []
    whole = logfile.LogFile._closed

    def closed(file: logfile.LogFile, record: Record, wall_ns: int) -> LogEvent | None:
        seen.append(record)
        return whole(file, record, wall_ns)

    monkeypatch.setattr(logfile.LogFile, "_closed", closed)
    site.settle()
    assert len(site.records()) == 207
    assert len(seen) < 2 * 207 + 300  # the first KiB, whose encoding is not known yet, become records


def test_a_backlog_through_kills_at_any_step_loses_and_repeats_nothing(tmp_path: Path) -> None:
    expected = sorted(f"request {number} was handled" for number in range(0, 12_000, 97))
    for seed in range(8):
        draw = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        site = Site(folder, min_severity="warning")
        written = 0
        while written < 12_000:
            count = draw.choice((1, 7, 900, 4_000))
            text = calm(written, min(12_000, written + count))
            written += count
            cut = draw.randint(0, len(text))
            site.write(text[:cut])
            _look_or_die(site, draw)
            site.write(text[cut:])
            _look_or_die(site, draw)
        site.store.kill_at = None
        site.settle()
        assert sorted(message.partition("\n")[0] for message in site.records()) == expected


def _look_or_die(site: Site, draw: random.Random) -> None:
    site.store.kill_at = site.store.steps + draw.randint(1, 4) if draw.random() < 0.5 else None
    try:
        site.look(turns=draw.randint(0, 1))
    except Killed:
        site.kill()


def test_the_rest_of_a_compressed_rotation_is_searched_too(tmp_path: Path) -> None:
    site = Site(tmp_path, min_severity="warning")
    site.write(calm(0, 1_000))
    site.settle()
    site.kill()
    site.write(calm(1_000, 9_000))
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(site.path.read_bytes()))
    site.path.unlink()
    site.write(calm(9_000, 9_500))
    site.settle()
    assert len(site.records()) == len(range(0, 9_500, 97))
    assert site.gaps() == []


def test_a_backlog_that_is_cut_and_written_anew_is_noticed(tmp_path: Path) -> None:
    site = Site(tmp_path, min_severity="warning")
    site.write(calm(0, 2_000))
    site.settle()
    os.truncate(site.path, 0)
    site.write(calm(50_000, 56_000))
    site.settle()
    assert len(site.records()) == len(range(0, 2_000, 97)) + len([n for n in range(50_000, 56_000) if n % 97 == 0])


def test_records_that_a_keep_pattern_finds_go_whatever_their_severity_from_a_backlog_and_one_by_one(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path, min_severity="error", keep=("request 1234[0-9] was", "never there"))
    site.write(calm(0, 20_000, bad=10**9))
    site.settle()
    assert len(site.records()) == 11
    site.write(calm(12_340, 12_342, bad=10**9))
    site.settle()
    assert len(site.records()) == 13


def test_a_busy_backlog_leaves_turns_to_the_others(tmp_path: Path) -> None:
    site = Site(tmp_path, "*.log", min_severity="warning")
    site.write("", "busy.log")
    site.write("", "quiet.log")
    site.look()
    site.write(calm(0, 60_000), "busy.log")
    site.write("2026-11-23 15:02:11,301 ERROR [main] a.B - quiet one\n", "quiet.log")
    site.at_once()
    assert any(event.message == "quiet one" for event in site.events())


def test_engines_agree_on_what_a_backlog_holds(tmp_path: Path) -> None:
    block = calm(0, 3_000).encode()
    ends = {name: Scanner(Severity.ERROR, engine_name=name).ends(block) for name in ("hyperscan", "re2", "re")}
    lines = {name: {block.count(b"\n", 0, end - 1) for end in found} for name, found in ends.items()}
    assert lines["hyperscan"] == lines["re2"] == lines["re"]
