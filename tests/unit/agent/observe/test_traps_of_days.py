"""Traps of rotation that no list named: days of torture found them (`tests/torture/day`)."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from pathlib import Path

import msgspec
import pytest

from sitewarden_agent.observe import samefile
from tests.unit.agent.observe.test_traps_of_rotation import lines, nothing_lost
from tests.unit.agent.tail_bench import HandClock, Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_trap_5_a_file_that_was_read_whole_and_is_written_anew_is_no_loss(site: Site) -> None:
    """A false alarm is a fault, too: the size of what is there now says nothing of what was there before."""
    site.write(lines(0, 30))
    site.settle()
    with site.path.open("wb") as file:
        file.write(lines(30, 90).encode())
    site.settle()
    nothing_lost(site, 90)


@pytest.mark.parametrize("kind", [".gz", ""], ids=["packed", "plain"])
def test_trap_9_a_file_that_had_a_rotated_name_is_found_under_the_next_one(tmp_path: Path, kind: str) -> None:
    """As above. Where the patterns name rotated files as well, app.log.1 becomes app.log.2.gz."""
    site = Site(tmp_path, "app.log*")
    site.log = msgspec.structs.replace(site.log, exclude=("*.2",))
    site.write(lines(0, 50), "app.log.1")
    site.settle()
    site.kill()
    site.write(lines(50, 60), "app.log.1")
    data = (tmp_path / "app.log.1").read_bytes()
    (tmp_path / "app.log.1").unlink()
    (tmp_path / f"app.log.2{kind}").write_bytes(gzip.compress(data) if kind else data)
    site.settle()
    nothing_lost(site, 60)


@pytest.mark.parametrize("down", [False, True], ids=["running", "while down"])
def test_trap_3_an_empty_file_that_was_written_copied_and_cut_between_two_looks(site: Site, down: bool) -> None:
    """As above. Its own bytes say nothing of it; the copy beside it does, and those that were there before do not."""
    site.write(lines(100, 105), "app.log.3")
    site.path.touch()
    site.settle()
    if down:
        site.kill()
    for number in (0, 10):
        site.write(lines(number, number + 10))
        if number:
            (site.folder / "app.log.1").rename(site.folder / "app.log.2")
        shutil.copyfile(site.path, site.folder / "app.log.1")
        os.truncate(site.path, 0)
    with (site.folder / "app.log.3").open("a") as late:
        late.write("" if down else "ERROR of before\n")
    site.settle()
    site.write(lines(20, 25))
    site.settle()
    nothing_lost(site, 25)
    site.kill()
    site.settle()
    nothing_lost(site, 25)


def test_trap_3_copies_get_their_next_names_while_they_are_looked_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As above. Between finding a copy and opening it, rotation renames it and makes the next."""
    real = samefile.rotations_after
    site.path.touch()
    site.settle()
    site.kill()
    for number in (0, 10):
        site.write(lines(number, number + 10))
        if number:
            (site.folder / "app.log.1").rename(site.folder / "app.log.2")
        shutil.copyfile(site.path, site.folder / "app.log.1")
        os.truncate(site.path, 0)

    def late(path: str, *, changed_ns: int) -> list[samefile.Found]:
        found = real(path, changed_ns=changed_ns)
        if found and not (site.folder / "app.log.3").exists():
            (site.folder / "app.log.2").rename(site.folder / "app.log.3")
            (site.folder / "app.log.1").rename(site.folder / "app.log.2")
            (site.folder / "app.log.1").write_text(lines(20, 30))
        return found

    monkeypatch.setattr("sitewarden_agent.observe.follow.rotations_after", late)
    site.settle()
    nothing_lost(site, 30)


def test_trap_2_two_restarts_with_a_rotation_in_each(site: Site) -> None:
    """As above. A file that was found under its rotated name is still the one before those that came after it."""
    site.write(lines(0, 10))
    site.settle()
    site.path.rename(site.folder / "app.log.1")
    site.settle()
    for number in (10, 20):
        site.kill()
        site.settle()
        site.kill()
        site.write(lines(number, number + 10))
        (site.folder / "app.log.1").rename(site.folder / f"app.log.{number}")
        site.path.rename(site.folder / "app.log.1")
        site.settle()
    nothing_lost(site, 30)


def test_trap_2_a_file_is_made_where_none_was_and_rotated_away_before_anybody_looked(site: Site) -> None:
    """As above. It follows no file of ours; one that was read to its end and got another name is nothing new."""
    site.clock = RealClock()
    site.write(lines(0, 10))
    site.settle()
    site.path.rename(site.folder / "app.log.1")
    site.look()
    site.clock.pass_s(3_700)  # its writer has long let go of it
    site.settle()
    assert site.tail is not None
    assert not site.tail.files()
    (site.folder / "app.log.1").rename(site.folder / "app.log.2")
    site.write(lines(10, 20))
    site.path.rename(site.folder / "app.log.1")
    site.write(lines(20, 30))
    os.utime(site.folder / "app.log.2")
    site.settle()
    nothing_lost(site, 30)


class RealClock(HandClock):
    """Whose wall clock is that of the files."""

    def wall_ns(self) -> int:
        return time.time_ns()
