"""The tail: every record once, through rotations, cuts, copies, deletions and restarts (the torture list of logs)."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest

from sitewarden_agent.model import GapReason
from sitewarden_agent.observe import logfile
from sitewarden_alerting.reading.redact import RedactionError
from tests.unit.agent.tail_bench import Site


def lines(first: int, last: int) -> str:
    return "".join(f"ERROR request {number} failed\n" for number in range(first, last))


def messages(first: int, last: int) -> list[str]:
    return [f"request {number} failed" for number in range(first, last)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_every_line_arrives_once_and_in_order(site: Site) -> None:
    site.write(lines(0, 100))
    site.settle()
    assert site.records() == messages(0, 100)


def test_a_single_line_goes_at_once_and_nothing_follows(site: Site) -> None:
    site.start()
    site.look()
    site.write("ERROR broken\n")
    site.at_once()
    assert site.parts() == [("head", "broken")]
    site.settle()
    assert site.parts() == [("head", "broken")]


def test_a_stack_trace_opens_with_its_first_line_and_the_rest_follows(site: Site) -> None:
    site.start()
    site.look()
    site.write("ERROR broken\n\tat a.B.c(B.java:1)\n")
    site.at_once()
    assert site.parts() == [("head", "broken")]
    site.clock.pass_s(0.1)
    site.write("\tat a.B.d(B.java:2)\n")
    site.at_once()
    site.clock.pass_s(0.3)
    site.at_once()
    assert site.parts()[1:] == [("full", "broken\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)")]


def test_records_below_the_threshold_stay_at_the_site(tmp_path: Path) -> None:
    site = Site(tmp_path, min_severity="error")
    site.write("INFO fine\nWARN hm\nERROR broken\nINFO fine\n")
    site.settle()
    assert site.records() == ["broken"]


def test_only_what_comes_later_is_read_when_a_log_is_first_watched_from_its_end(tmp_path: Path) -> None:
    site = Site(tmp_path, start="end")
    site.write(lines(0, 5))
    site.look()
    site.write(lines(5, 7))
    site.settle()
    assert site.records() == messages(5, 7)


def test_a_file_made_between_two_starts_is_read_whole_though_the_log_starts_at_the_end(tmp_path: Path) -> None:
    site = Site(tmp_path, start="end")
    site.look(turns=2)
    site.stop()
    site.write(lines(0, 5))
    site.settle()
    assert site.records() == messages(0, 5)


def test_rename_rotation_while_reading_is_behind(site: Site) -> None:
    site.write(lines(0, 3))
    site.look()
    site.write(lines(3, 20_000))
    site.at_once()
    site.path.rename(site.folder / "app.log.1")
    site.write(lines(20_000, 20_005))
    site.settle()
    assert sorted(site.records()) == sorted(messages(0, 20_005))


def test_a_writer_that_still_holds_the_renamed_file_is_heard(site: Site) -> None:
    site.write(lines(0, 3))
    with site.path.open("ab") as held:
        site.look()
        site.path.rename(site.folder / "app.log.1")
        site.write(lines(10, 12))
        site.look(turns=2)
        held.write(lines(3, 5).encode())
    site.settle()
    assert sorted(site.records()) == sorted(messages(0, 5) + messages(10, 12))


def test_a_rename_within_the_patterns_repeats_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path, "app.log*")
    site.write(lines(0, 3))
    site.look()
    (tmp_path / "app.log").rename(tmp_path / "app.log.1")
    site.write(lines(3, 6))
    site.look()
    (tmp_path / "app.log.1").rename(tmp_path / "app.log.2")
    (tmp_path / "app.log").rename(tmp_path / "app.log.1")
    site.write(lines(6, 9))
    site.settle()
    assert sorted(site.records()) == messages(0, 9)


def test_rename_rotation_while_the_agent_is_down(site: Site) -> None:
    site.write(lines(0, 3))
    site.settle()
    site.kill()
    site.write(lines(3, 6))
    site.path.rename(site.folder / "app.log.1")
    site.write(lines(6, 9))
    site.settle()
    assert sorted(site.records()) == messages(0, 9)
    assert site.gaps() == []


def test_rotation_and_compression_while_the_agent_is_down(site: Site) -> None:
    site.write(lines(0, 3))
    site.settle()
    site.kill()
    site.write(lines(3, 6))
    (site.folder / "app.log.1.gz").write_bytes(gzip.compress(site.path.read_bytes()))
    site.path.unlink()
    site.write(lines(6, 9))
    site.settle()
    assert sorted(site.records()) == messages(0, 9)
    assert site.gaps() == []


@pytest.mark.parametrize("patterns", [("app.log",), ("app.log*",)])
def test_copytruncate_reads_the_rest_in_the_copy_and_nothing_twice(tmp_path: Path, patterns: tuple[str, ...]) -> None:
    site = Site(tmp_path, *patterns)
    site.write(lines(0, 3))
    site.look()
    site.write(lines(3, 6))
    shutil.copy(site.path, tmp_path / "app.log.1")
    os.truncate(site.path, 0)
    site.write(lines(6, 8))
    site.settle()
    site.clock.pass_s(60)
    site.settle()
    assert sorted(site.records()) == messages(0, 8)
    assert site.gaps() == []
    site.kill()
    site.settle()
    assert sorted(site.records()) == messages(0, 8)


@pytest.mark.parametrize("patterns", [("app.log",), ("app.log*",)])
def test_copytruncate_while_the_agent_is_down(tmp_path: Path, patterns: tuple[str, ...]) -> None:
    site = Site(tmp_path, *patterns)
    site.write(lines(0, 3))
    site.settle()
    site.kill()
    site.write(lines(3, 6))
    shutil.copy(site.path, tmp_path / "app.log.1")
    os.truncate(site.path, 0)
    site.write(lines(6, 8))
    site.settle()
    site.clock.pass_s(60)
    site.settle()
    assert sorted(site.records()) == messages(0, 8)
    assert site.gaps() == []


def test_a_copy_that_is_being_made_is_not_read_as_a_new_file(tmp_path: Path) -> None:
    site = Site(tmp_path, "app.log*")
    site.write(lines(0, 2_000))
    site.settle()
    whole = site.path.read_bytes()
    site.write(whole[:10], "app.log.1")
    site.look()
    site.write(whole[10:5_000], "app.log.1")
    site.look()
    site.write(whole[5_000:], "app.log.1")
    site.look()
    os.truncate(site.path, 0)
    site.write(lines(2_000, 2_002))
    site.settle()
    assert sorted(site.records()) == sorted(messages(0, 2_002))


def test_a_cut_without_a_copy_is_told_when_something_was_unread(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "TURN_BYTES", 64)
    site.write(lines(0, 10))
    site.start()
    site.at_once()
    os.truncate(site.path, 0)
    site.write(lines(10, 12))
    site.settle()
    assert [gap.reason for gap in site.gaps()] == [GapReason.FILE_LOST]
    assert "app.log" in site.gaps()[0].detail
    assert site.records()[-2:] == messages(10, 12)


def test_a_truncated_file_is_read_from_its_start(site: Site) -> None:
    site.write(lines(0, 5))
    site.settle()
    os.truncate(site.path, 0)
    site.write(lines(5, 6))
    site.settle()
    assert site.records() == messages(0, 6)


def test_truncated_and_rewritten_to_the_same_size_between_two_looks(site: Site) -> None:
    site.write(lines(0, 5))
    site.settle()
    with site.path.open("wb") as file:
        file.write(lines(5, 10).encode())
    site.settle()
    assert site.records() == messages(0, 10)


def test_truncated_and_rewritten_larger_between_two_looks(site: Site) -> None:
    site.write(lines(0, 5))
    site.settle()
    with site.path.open("wb") as file:
        file.write(lines(5, 30).encode())
    site.settle()
    assert site.records() == messages(0, 30)


def test_truncated_and_rewritten_with_the_same_first_lines(site: Site) -> None:
    banner = "".join(f"INFO banner line {number} of this program\n" for number in range(50))
    site.write(banner + lines(0, 5))
    site.settle()
    with site.path.open("wb") as file:
        file.write((banner + lines(5, 30)).encode())
    site.settle()
    assert [text for text in site.records() if "request" in text] == messages(0, 30)


def test_truncated_while_the_agent_is_down(site: Site) -> None:
    site.write(lines(0, 50))
    site.settle()
    site.kill()
    with site.path.open("wb") as file:
        file.write(lines(50, 52).encode())
    site.settle()
    assert site.records() == messages(0, 52)
    assert site.gaps() == []
    assert [change.kind for change in site.softly_told()] == ["log_gone"]


def test_an_inode_used_again_by_another_file_is_read_from_its_start(site: Site) -> None:
    site.write(lines(0, 5))
    site.settle()
    site.kill()
    inode = site.path.stat().st_ino
    # What inode reuse looks like to the agent: same device and inode, other bytes, at least as long.
    with site.path.open("r+b") as file:
        file.write(lines(100, 110).encode())
    assert site.path.stat().st_ino == inode
    site.settle()
    assert site.records() == messages(0, 5) + messages(100, 110)


def test_files_with_equal_first_bytes_are_two_files(tmp_path: Path) -> None:
    site = Site(tmp_path, "*.log")
    site.write(lines(0, 50), "a.log")
    site.write(lines(0, 50), "b.log")
    site.settle()
    assert sorted(site.records()) == sorted(messages(0, 50) * 2)


def test_deleted_while_unread(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "TURN_BYTES", 256)
    site.write(lines(0, 100))
    site.start()
    site.at_once()
    site.path.unlink()
    site.look(turns=30)
    assert site.records() == messages(0, 100)


def test_the_descriptor_of_a_deleted_file_is_let_go(site: Site) -> None:
    site.write(lines(0, 3))
    site.settle()
    site.path.unlink()
    site.look(turns=10)
    assert site.tail is not None
    assert site.tail.files() == []
    assert [mark.file_id for mark in site.store.marks()] == ["known"]


def test_deleted_and_made_anew_at_once(site: Site) -> None:
    site.write(lines(0, 3))
    site.look()
    site.write(lines(3, 5))
    site.path.unlink()
    site.write(lines(5, 8))
    site.settle()
    assert sorted(site.records()) == messages(0, 8)


def test_a_folder_made_later_is_found(tmp_path: Path) -> None:
    site = Site(tmp_path, "*/app.log", start="end")
    site.look()
    (tmp_path / "new").mkdir()
    site.write(lines(0, 3), "new/app.log")
    site.settle()
    assert site.records() == messages(0, 3)


def test_a_link_that_changes_its_target(site: Site) -> None:
    site.write(lines(0, 3), "one")
    site.path.symlink_to(site.folder / "one")
    site.look()
    site.write(lines(3, 6), "two")
    site.path.unlink()
    site.path.symlink_to(site.folder / "two")
    site.settle()
    assert sorted(site.records()) == messages(0, 6)


def test_a_dangling_link_and_a_folder_in_the_way_are_no_trouble(tmp_path: Path) -> None:
    site = Site(tmp_path, "*")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    site.write(lines(0, 3))
    site.settle()
    assert site.records() == messages(0, 3)


def test_a_partial_last_line_waits_for_its_end(site: Site) -> None:
    site.write("ERROR request 1 fai")
    site.look(turns=1)
    site.write("led\n")
    site.settle()
    assert site.records() == ["request 1 failed"]


def test_a_last_line_that_never_ends_is_told_all_the_same(site: Site) -> None:
    site.write("ERROR out of mem")
    site.settle()
    assert site.records() == ["out of mem"]
    site.write("ory\nERROR next\n")
    site.settle()
    assert site.records() == ["out of memory", "next"]


def test_the_last_line_of_a_deleted_file_needs_no_end(site: Site) -> None:
    site.write("ERROR last words")
    site.look()
    site.path.unlink()
    site.look(turns=10)
    assert site.records() == ["last words"]


def test_a_line_end_of_two_bytes_split_over_two_reads(site: Site) -> None:
    site.write("ERROR one\r")
    site.look()
    site.write("\nERROR two\r\n")
    site.settle()
    assert site.records() == ["one", "two"]


def test_nuls_left_by_a_writer_that_kept_its_place(site: Site) -> None:
    with site.path.open("wb") as writer:
        writer.write(lines(0, 100).encode())
        writer.flush()
        site.settle()
        os.truncate(site.path, 0)
        writer.write(b"ERROR after the cut\n")
        writer.flush()
        site.settle()
    assert site.records() == [*messages(0, 100), "after the cut"]


def test_a_very_long_line_is_cut_counted_and_followed_by_the_next(site: Site) -> None:
    site.write("ERROR " + "x" * 300_000 + "\nERROR next\n")
    site.settle()
    first, second = site.events()[0], site.events()[-1]
    assert first.truncated
    assert len(first.message) <= 65_536
    assert (second.message, second.truncated) == ("next", False)
    assert second.offset == 300_007


def test_restart_in_the_middle_of_a_record_resumes_at_its_first_byte(site: Site) -> None:
    site.write("ERROR first\nERROR broken\n\tat a.B.c(B.java:1)\n")
    site.start()
    site.at_once()
    site.kill()
    site.write("\tat a.B.d(B.java:2)\nERROR last\n")
    site.settle()
    assert site.records() == ["first", "broken\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)", "last"]


def test_nothing_is_read_while_the_spool_is_full_and_nothing_is_lost(site: Site) -> None:
    site.start()
    site.look()
    site.store.full = True
    site.write(lines(0, 10))
    site.look(turns=5)
    assert site.tail is not None
    assert site.tail.full
    before = site.tail.files()
    site.write(lines(10, 20))
    site.look(turns=5)
    assert [file["offset"] for file in site.tail.files()] == [file["offset"] for file in before]
    site.store.full = False
    site.settle()
    assert site.records() == messages(0, 20)


def test_a_record_that_redaction_fails_on_is_dropped_and_told(site: Site) -> None:
    def redact(text: str) -> str:
        if "2" in text:
            raise RedactionError("no")
        return text

    site.redact = redact
    site.write(lines(0, 4))
    site.settle()
    assert site.records() == ["request 0 failed", "request 1 failed", "request 3 failed"]
    assert [(gap.reason, gap.count) for gap in site.gaps()] == [(GapReason.REDACTION, 1)]


def test_a_busy_file_starves_nobody(tmp_path: Path) -> None:
    site = Site(tmp_path, "*.log")
    site.write(lines(0, 40_000), "busy.log")
    site.write("ERROR small\n", "quiet.log")
    site.start()
    site.at_once()
    assert "small" in site.records()


def test_a_file_that_cannot_be_read_is_a_complaint_and_the_others_are_read(tmp_path: Path) -> None:
    site = Site(tmp_path, "*.log")
    (tmp_path / "circle.log").symlink_to("circle.log")  # not even root can read this one
    site.write(lines(0, 1))
    site.settle()
    assert site.tail is not None
    assert "circle.log: Too many levels" in site.tail.complaints()[0]
    assert site.records() == messages(0, 1)


def test_something_unforeseen_with_one_file_stops_no_other_and_loses_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path, "*.log")
    broken = True

    def redact(text: str) -> str:
        if broken and "request 5 " in text:
            raise RuntimeError("a bug")
        return text

    site.redact = redact
    site.write(lines(0, 10), "bad.log")
    site.write(lines(100, 103), "good.log")
    site.settle()
    assert [text for text in site.records() if "10" in text] == messages(100, 103)
    broken = False
    site.clock.pass_s(120)
    site.settle()
    assert sorted(site.records()) == sorted(messages(0, 10) + messages(100, 103))


def test_a_quarter_of_a_second_is_all_a_record_waits(site: Site) -> None:
    site.start()
    site.look()
    site.write("ERROR broken\n\tat a.B.c(B.java:1)\n")
    rest_s = site.at_once()
    assert 0 < rest_s <= 0.25


def test_many_patterns_and_excluded_names(tmp_path: Path) -> None:
    site = Site(tmp_path, "*.log", "**/*.log", "a.log")
    (tmp_path / "deep/er").mkdir(parents=True)
    site.write(lines(0, 1), "a.log")
    site.write(lines(1, 2), "deep/er/b.log")
    site.write(b"\x1f\x8b", "c.log.gz")
    site.settle()
    assert sorted(site.records()) == messages(0, 2)


def test_a_file_begun_and_rotated_away_again_while_the_agent_is_down(site: Site) -> None:
    site.write(lines(0, 3))
    site.settle()
    site.kill()
    site.write(lines(3, 5))
    site.path.rename(site.folder / "app.log.1")
    site.write(lines(5, 7))
    (site.folder / "app.log.1").rename(site.folder / "app.log.2")
    site.path.rename(site.folder / "app.log.1")
    site.write(lines(7, 9))
    site.settle()
    assert sorted(site.records()) == messages(0, 9)
    site.kill()
    site.settle()
    assert sorted(site.records()) == messages(0, 9)
    assert site.gaps() == []


def test_two_copytruncates_while_the_agent_is_down(site: Site) -> None:
    site.write(lines(0, 3))
    site.settle()
    site.kill()
    for first in (3, 5):
        site.write(lines(first, first + 2))
        if (site.folder / "app.log.1").exists():
            (site.folder / "app.log.1").rename(site.folder / "app.log.2")
        shutil.copy(site.path, site.folder / "app.log.1")
        os.truncate(site.path, 0)
    site.write(lines(7, 9))
    site.settle()
    assert sorted(site.records()) == messages(0, 9)
    assert site.gaps() == []


def test_a_copy_made_by_hand_is_not_read_as_a_rotation(site: Site) -> None:
    site.write(lines(0, 5))
    site.settle()
    shutil.copy(site.path, site.folder / "app.log.bak")
    site.path.rename(site.folder / "app.log.1")
    site.write(lines(5, 7))
    site.settle()
    assert sorted(site.records()) == messages(0, 7)


def test_a_file_that_is_made_is_looked_for_at_once(site: Site) -> None:
    site.start()
    site.at_once()
    site.write(lines(0, 2))
    site.at_once()
    assert site.records() == [], "the next look is a second away"
    assert site.tail is not None
    site.tail.look_anew()
    site.at_once()
    site.path.rename(site.folder / "elsewhere")
    site.settle()
    assert site.records() == messages(0, 2)
