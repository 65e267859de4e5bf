"""Files that are gone after a restart: lost lines are told, and that all was read is not told as a loss."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from pathlib import Path

import pytest

from sitewarden_agent.model import FileMark, GapReason
from sitewarden_agent.observe import logfile
from sitewarden_agent.observe.gone import UNKNOWN
from sitewarden_agent.observe.samefile import FileKey, file_id, signature_of
from tests.unit.agent.tail_bench import Site


def lines(first: int, last: int) -> str:
    return "".join(f"ERROR request {number} failed\n" for number in range(first, last))


def messages(first: int, last: int) -> list[str]:
    return sorted(f"request {number} failed" for number in range(first, last))


def nothing_told(site: Site) -> bool:
    return not site.gaps() and not site.softly_told()


def the_gap(site: Site) -> str:
    (gap,) = site.gaps()
    assert gap.reason is GapReason.FILE_LOST
    assert gap.count == -1
    assert not site.softly_told()
    return gap.detail


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


# All was read.


@pytest.mark.parametrize("anew", [False, True], ids=["gone", "made anew"])
def test_deleted_while_down_and_all_had_been_read_is_a_change_and_no_gap(site: Site, anew: bool) -> None:
    site.write(lines(0, 5))
    site.settle()
    size = site.path.stat().st_size
    site.kill()
    site.path.unlink()
    if anew:
        site.write(lines(5, 8))
    site.settle()
    assert sorted(site.records()) == messages(0, 8 if anew else 5)
    assert site.gaps() == []
    (change,) = site.softly_told()
    assert (change.kind, change.subject) == ("log_gone", str(site.path))
    assert change.before == f"read to its end, byte {size}"
    site.kill()
    site.settle()
    assert len(site.softly_told()) == 1, "told once"


def test_deleted_and_read_to_its_end_before_a_kill_is_nothing_to_tell(site: Site) -> None:
    """An agent that ran on would have let go of it without a word."""
    site.write(lines(0, 5))
    site.settle()
    site.write(lines(5, 6))
    site.path.unlink()
    site.look(turns=3)
    site.kill()
    site.settle()
    assert sorted(site.records()) == messages(0, 6)
    assert nothing_told(site)


def test_moved_away_and_read_to_its_end_before_a_kill_is_nothing_to_tell(site: Site, tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    site.write(lines(0, 5))
    site.settle()
    site.path.rename(tmp_path / "away" / "app.log")
    site.write(lines(5, 7))
    site.look(turns=3)
    site.kill()
    site.settle()
    assert sorted(site.records()) == messages(0, 7)
    assert nothing_told(site)


def test_a_file_whose_writer_went_on_after_it_was_deleted_is_told_softly_after_a_kill(site: Site) -> None:
    site.write(lines(0, 3))
    site.settle()
    site.write(lines(3, 5))
    with site.path.open("ab") as held:
        site.path.unlink()
        site.look(turns=2)
        held.write(lines(5, 7).encode())
        held.flush()
        site.look()
        site.kill()
        held.write(lines(7, 9).encode())
    site.settle()
    assert sorted(site.records()) == messages(0, 7)
    assert [change.kind for change in site.softly_told()] == ["log_gone"]


def test_an_unfinished_last_line_that_was_told_is_not_unread(site: Site) -> None:
    site.write("ERROR request 0 failed and")
    site.settle()
    site.kill()
    site.path.unlink()
    site.settle()
    assert site.records() == ["request 0 failed and"]
    assert site.gaps() == []
    assert len(site.softly_told()) == 1


# Something was not.


def test_what_was_seen_and_not_read_before_a_kill_is_a_gap_with_its_bytes(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfile, "TURN_BYTES", 64)
    site.write(lines(0, 100))
    site.start()
    site.at_once()
    size = site.path.stat().st_size
    (mark,) = [mark for mark in site.store.marks("app") if mark.path]
    assert mark.unread == size - mark.offset
    site.kill()
    site.path.unlink()
    site.settle()
    assert f"read up to byte {mark.offset}, and {mark.unread} bytes more had been seen" in the_gap(site)


def test_a_file_of_which_nothing_was_read_yet_is_a_gap(site: Site) -> None:
    site.write(lines(0, 3))
    site.start()
    assert site.tail is not None
    (follower,) = site.tail._followers
    follower.discover()
    follower._gathered.save(at_once=True)
    site.kill()
    site.path.unlink()
    site.settle()
    assert "read up to byte 0" in the_gap(site)


def test_lines_of_an_open_record_that_were_not_told_are_a_gap(site: Site) -> None:
    site.write("INFO fine\n")
    site.settle()
    site.write("ERROR broken\n\tat a.B.c(B.java:1)\n")
    site.at_once()
    assert site.parts()[-1] == ("head", "broken")
    site.kill()
    site.path.unlink()
    site.settle()
    assert "bytes more had been seen" in the_gap(site)


def test_an_archive_that_was_read_in_part_and_went_away_is_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path)
    site.write(lines(0, 50))
    site.settle()
    site.kill()
    site.write(lines(50, 2_000))
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(site.path.read_bytes()))
    site.path.unlink()
    monkeypatch.setattr(logfile, "TURN_BYTES", 512)
    site.start()
    site.at_once()
    assert [mark.unread for mark in site.store.marks("app") if mark.path] == [UNKNOWN]
    site.kill()
    (tmp_path / "app.log.1.gz").unlink()
    site.settle()
    assert "and more had been seen" in the_gap(site)


def test_rotated_further_than_is_kept_while_down_is_a_gap(site: Site) -> None:
    site.write(lines(0, 5))
    site.settle()
    site.kill()
    site.write(lines(5, 10))
    site.path.unlink()  # as the last of three rotations does
    site.write(lines(10, 15), "app.log.1")
    site.write(lines(15, 20))
    site.settle()
    assert "rotation went on past it" in the_gap(site)


@pytest.mark.parametrize("how", ["deleted", "cut"])
def test_a_log_that_is_written_on_after_nobody_looked_for_long_is_a_gap(site: Site, how: str) -> None:
    site.write(lines(0, 50))
    site.settle()
    site.kill()
    site.write(lines(50, 60))
    if how == "deleted":
        site.path.unlink()
    else:
        os.truncate(site.path, 0)
    site.write(lines(60, 62))
    site.clock.pass_s(3_600)
    site.settle()
    assert site.records()[-2:] == ["request 60 failed", "request 61 failed"]
    assert "nobody looked for long" in the_gap(site)


def test_an_old_rotated_file_that_was_pruned_during_a_long_stop_is_no_gap(tmp_path: Path) -> None:
    """The name of the last of three is taken by the one before it, which is known."""
    site = Site(tmp_path, "app.log*")
    for number, name in enumerate(("app.log.2", "app.log.1", "app.log")):
        site.write(lines(number * 5, number * 5 + 5), name)
        os.utime(tmp_path / name, ns=(0, time.time_ns() - (3 - number) * 10**9))
    site.settle()
    site.kill()
    (tmp_path / "app.log.1").rename(tmp_path / "app.log.2")
    (tmp_path / "app.log").rename(tmp_path / "app.log.1")
    site.write(lines(15, 20))
    site.clock.pass_s(3_600)
    site.settle()
    assert sorted(site.records()) == messages(0, 20)
    assert site.gaps() == []
    assert [change.subject for change in site.softly_told()] == [str(tmp_path / "app.log.2")]


# Behind a link.


@pytest.fixture
def linked(site: Site) -> Site:
    (site.folder / "pods").mkdir()
    site.write(lines(0, 5), "pods/0.log")
    site.path.symlink_to(site.folder / "pods" / "0.log")
    site.settle()
    return site


def lead(site: Site, target: str) -> None:
    site.path.unlink()
    site.path.symlink_to(site.folder / target)


@pytest.mark.parametrize("down", [False, True], ids=["running", "while down"])
def test_a_link_that_is_switched_is_read_to_its_end_where_it_led(linked: Site, down: bool) -> None:
    site = linked
    if down:
        site.kill()
        site.write(lines(5, 8), "pods/0.log")
    site.write(lines(8 if down else 5, 12), "pods/1.log")
    lead(site, "pods/1.log")
    site.settle()
    for _ in range(2):  # the old target waits for its writer for an hour: killed meanwhile it is found again
        site.kill()
        site.settle()
    assert sorted(site.records()) == messages(0, 12)
    assert nothing_told(site)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_what_a_link_leads_to_is_rotated_while_down(linked: Site, packed: bool) -> None:
    site = linked
    site.kill()
    site.write(lines(5, 8), "pods/0.log")
    old = (site.folder / "pods" / "0.log").rename(site.folder / "pods" / "0.log.20261125-101500")
    if packed:
        Path(f"{old}.gz").write_bytes(gzip.compress(old.read_bytes()))
        old.unlink()
    site.write(lines(8, 12), "pods/0.log")
    site.settle()
    assert sorted(site.records()) == messages(0, 12)
    assert nothing_told(site)


def test_copytruncate_behind_a_link_while_down(linked: Site) -> None:
    site = linked
    site.kill()
    site.write(lines(5, 8), "pods/0.log")
    shutil.copyfile(site.folder / "pods" / "0.log", site.folder / "pods" / "0.log.1")
    os.truncate(site.folder / "pods" / "0.log", 0)
    site.write(lines(8, 12), "pods/0.log")
    site.settle()
    assert sorted(site.records()) == messages(0, 12)
    assert nothing_told(site)


def test_a_link_that_leads_to_another_folder_now_is_told_softly(linked: Site) -> None:
    """Where the old target lies is not kept: a place to read at comes from the configuration and its links alone."""
    site = linked
    site.kill()
    (site.folder / "next").mkdir()
    site.write(lines(5, 8), "next/0.log")
    lead(site, "next/0.log")
    site.settle()
    assert sorted(site.records()) == messages(0, 8)
    assert site.gaps() == []
    assert [change.subject for change in site.softly_told()] == [str(site.path)]


@pytest.mark.parametrize("name", ["salaries.txt", "7.log"])
def test_a_forged_mark_opens_nothing_else_beside_what_a_link_leads_to(linked: Site, name: str) -> None:
    """Of another name; or of which the mark does not know how it begins, as who forged it could not read it."""
    site = linked
    secret = site.folder / "pods" / name
    secret.write_text("ERROR the boss earns too much\n")
    with secret.open("rb") as file:
        signature = signature_of(file.fileno()) if name == "salaries.txt" else None
    key = FileKey.of(secret.stat())
    forged = FileMark("app", str(site.path), file_id(key, 1), 0)
    if signature is not None:
        forged = FileMark(
            "app", str(site.path), file_id(key, 1), 0, signature=signature.text, signature_bytes=signature.size
        )
    site.stop()
    site.store.append([], marks=[forged])
    site.settle()
    assert sorted(site.records()) == messages(0, 5)
