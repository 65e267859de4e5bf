"""The torture list of logs, traps 1 to 10, 16 and 17: what rotation does to files, and what the best rival does.

The rivals' behaviour is as their trackers tell it (names and numbers of the threads), not measured here. The trap of
locks on Windows (24) is left until there is an agent for Windows.
"""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import msgspec
import pytest

from sitewarden_agent.observe import logfile
from tests.unit.agent.tail_bench import Site


def lines(first: int, last: int) -> str:
    return "".join(f"ERROR request {number} failed\n" for number in range(first, last))


def messages(first: int, last: int) -> list[str]:
    return sorted(f"request {number} failed" for number in range(first, last))


def nothing_lost(site: Site, last: int) -> None:
    assert sorted(site.records()) == messages(0, last)
    assert site.gaps() == []


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading takes many turns, so that it is always behind."""
    monkeypatch.setattr(logfile, "TURN_BYTES", 512)


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("patterns", [("app.log",), ("app.log*",)], ids=["one name", "all names"])
def test_trap_1_rename_rotation_while_behind(tmp_path: Path, patterns: tuple[str, ...]) -> None:
    """Best: filelog keeps reading the old descriptor (contrib#45788); fluent-bit drops the rest (#10414)."""
    site = Site(tmp_path, *patterns)
    for turn in range(4):
        site.write(lines(turn * 100, turn * 100 + 100))
        site.look() if turn == 0 else site.at_once()
        for old in (3, 2, 1):
            if (tmp_path / f"app.log.{old}").exists():
                (tmp_path / f"app.log.{old}").rename(tmp_path / f"app.log.{old + 1}")
        site.path.rename(tmp_path / "app.log.1")
        site.at_once()
    site.write(lines(400, 405))
    site.look(turns=20)
    nothing_lost(site, 405)


@pytest.mark.parametrize("when", ["before the rename", "after the rename", "after the new file"])
def test_trap_2_restart_during_a_rotation(site: Site, when: str) -> None:
    """Best: Filebeat resumes (fluent-bit#1330); Vector loses the rotated rest (#22954), fluent-bit reads it again."""
    site.write(lines(0, 50))
    site.settle()
    if when == "before the rename":
        site.kill()
    site.write(lines(50, 60))
    site.path.rename(site.folder / "app.log.1")
    if when == "after the rename":
        site.look()
        site.kill()
    site.write(lines(60, 70))
    if when == "after the new file":
        site.at_once()
        site.kill()
    site.settle()
    nothing_lost(site, 70)


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("patterns", [("app.log",), ("app.log*",)], ids=["one name", "all names"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_trap_3_copytruncate_while_behind(tmp_path: Path, patterns: tuple[str, ...], packed: bool) -> None:
    """Best: Scalyr finds the copy and finishes it (#687); filestream sends all twice (beats#39731)."""
    site = Site(tmp_path, *patterns)
    site.write(lines(0, 200))
    site.start()
    for _ in range(3):
        site.at_once()
    shutil.copyfile(site.path, tmp_path / "app.log.1")
    if packed:
        (tmp_path / "app.log.1.gz").write_bytes(gzip.compress((tmp_path / "app.log.1").read_bytes()))
        (tmp_path / "app.log.1").unlink()
    os.truncate(site.path, 0)
    site.write(lines(200, 210))
    site.settle()
    site.clock.pass_s(60)
    site.look(turns=20)
    nothing_lost(site, 210)


def test_trap_4_a_cut_is_seen_though_the_file_never_grows_past_the_old_place(site: Site) -> None:
    """Best: none of rsyslog (#511) and pygtail (#57) before their repairs: they stay silent until it has grown past."""
    site.write(lines(0, 100))
    site.settle()
    os.truncate(site.path, 0)
    site.write(lines(100, 101))
    site.settle()
    nothing_lost(site, 101)


@pytest.mark.parametrize("growth", [0, 1, 300], ids=["same size", "a line more", "much more"])
@pytest.mark.parametrize("down", [False, True], ids=["running", "while down"])
def test_trap_5_cut_and_written_anew_to_the_same_size_or_more_between_two_looks(
    site: Site, growth: int, down: bool
) -> None:
    """Best: nobody is wholly safe; fluent-bit loses in loops of `> file` (#9580). Ours: the bytes before the place."""
    site.write(lines(100, 200))
    site.settle()
    if down:
        site.kill()
    with site.path.open("wb") as file:
        file.write(lines(200, 300 + growth).encode())
    site.settle()
    assert sorted(site.records()) == messages(100, 300 + growth)


def test_trap_5_written_anew_with_the_same_first_kilobyte_while_the_agent_was_down(site: Site) -> None:
    """As above. The first kilobyte is a banner that every start of the program writes; the mark knows more."""
    banner = "".join(f"INFO banner line {number} of this program\n" for number in range(50))
    site.write(banner + lines(0, 20))
    site.settle()
    site.kill()
    with site.path.open("wb") as file:
        file.write((banner + lines(20, 400)).encode())
    site.settle()
    assert [text for text in sorted(site.records()) if "request" in text] == messages(0, 400)
    assert site.gaps() == []
    assert [change.kind for change in site.softly_told()] == ["log_gone"]


def test_trap_6_an_inode_is_used_again(site: Site) -> None:
    """Best: device, inode and head, which Vector only proposed (#25079); Filebeat goes by the inode (#1341)."""
    site.write(lines(0, 50))
    site.settle()
    inode = site.path.stat().st_ino
    site.kill()
    site.path.unlink()
    names = []
    for number in range(2_000):  # until the file system gives it again, as ext4 does at once
        (site.folder / f"x{number}").write_text(lines(50, 120))
        names.append(site.folder / f"x{number}")
        if names[-1].stat().st_ino == inode:
            break
    names[-1].rename(site.path)
    if site.path.stat().st_ino != inode:
        pytest.skip("this file system does not give an inode twice")
    site.settle()
    assert sorted(site.records()) == messages(0, 120)


def test_trap_7_equal_first_bytes(tmp_path: Path) -> None:
    """Best: device and inode beside the head (Vector); filelog skips one of a pair (contrib#46496)."""
    site = Site(tmp_path, "*.log")
    head = "\n" + "INFO the same line in all files\n" * 100
    for name in ("a.log", "b.log", "c.log", "d.log"):
        site.write(head if name != "c.log" else "", name)
    site.look()
    for number, name in enumerate(("a.log", "b.log", "c.log", "d.log")):
        site.write(lines(number, number + 1), name)
    site.settle()
    (tmp_path / "a.log").rename(tmp_path / "t")  # the two change places
    (tmp_path / "b.log").rename(tmp_path / "a.log")
    (tmp_path / "t").rename(tmp_path / "b.log")
    site.look()
    site.write(lines(4, 5), "a.log")
    site.kill()
    site.write(lines(5, 6), "b.log")
    site.settle()
    assert [text for text in sorted(site.records()) if "request" in text] == messages(0, 6)
    assert len(site.records()) == 300 + 6


@pytest.mark.parametrize("pattern", ["app.log", "*.log"])
def test_trap_8_a_symbolic_link_that_changes_its_target_or_leads_nowhere(tmp_path: Path, pattern: str) -> None:
    """Best: none seen; promtail does not see the switch (loki#274) and storms its log when a link dangles (#1240)."""
    site = Site(tmp_path, pattern)
    (tmp_path / "pods").mkdir()
    site.path.symlink_to(tmp_path / "pods" / "0")
    site.settle()
    assert site.tail is not None
    assert site.tail.complaints() == []
    for number in range(4):
        site.write(lines(number * 10, number * 10 + 5), f"pods/{number}")
        site.look()
        site.write(lines(number * 10 + 5, number * 10 + 10), f"pods/{number}")
        link = tmp_path / "next"
        link.symlink_to(tmp_path / "pods" / str(number + 1))
        link.rename(site.path)
    site.settle()
    nothing_lost(site, 40)
    site.kill()
    site.write(lines(40, 50), "pods/4")
    site.settle()
    assert sorted(site.records()) == messages(0, 50)


def test_trap_8_a_link_that_is_switched_while_the_agent_is_down_loses_nothing(site: Site) -> None:
    """As above. What it led to is found beside what it leads to now; more of it in test_gone."""
    (site.folder / "pods").mkdir()
    site.write(lines(0, 5), "pods/0")
    site.path.symlink_to(site.folder / "pods" / "0")
    site.settle()
    site.kill()
    site.write(lines(5, 8), "pods/0")
    site.write(lines(8, 10), "pods/1")
    site.path.unlink()
    site.path.symlink_to(site.folder / "pods" / "1")
    site.settle()
    nothing_lost(site, 10)


def test_trap_8_a_change_behind_a_link_wakes(tmp_path: Path) -> None:
    """As above: the folder that a link leads to is watched, too."""
    site = Site(tmp_path, "containers/*.log")
    (tmp_path / "pods").mkdir()
    (tmp_path / "containers").mkdir()
    (tmp_path / "pods" / "0").touch()
    (tmp_path / "containers" / "a.log").symlink_to(tmp_path / "pods" / "0")
    site.look()
    assert site.tail is not None
    assert {str(tmp_path / "pods"), str(tmp_path / "containers")} <= site.tail.folders()
    assert site.tail.concerns(str(tmp_path / "pods" / "0"))
    assert not site.tail.concerns(str(tmp_path / "pods" / "1"))


def test_trap_9_compressed_rotation_reads_the_rest_and_never_the_whole_again(tmp_path: Path) -> None:
    """Best: filelog skips the unpacked bytes that were read (contrib#46239). All four kinds: test_packed."""
    site = Site(tmp_path, "*")
    site.log = msgspec.structs.replace(site.log, exclude=())
    site.write(lines(0, 50))
    site.settle()
    site.write(lines(50, 60))
    site.path.rename(tmp_path / "app.log.1")
    site.look()
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress((tmp_path / "app.log.1").read_bytes()))
    (tmp_path / "app.log.1").unlink()
    site.write(lines(60, 70))
    site.settle()
    site.kill()
    (tmp_path / "app.log.1.gz").rename(tmp_path / "app.log.2.gz")
    site.settle()
    nothing_lost(site, 70)


def test_trap_10_a_partial_last_line_at_a_restart(site: Site) -> None:
    """Best: filelog's force_flush_period; fluent-bit's database is ahead of the part that was not sent (#11265)."""
    site.write("ERROR request 0 fai")
    site.look()
    site.kill()
    site.settle()
    assert site.records() == ["request 0 fai"], "told though it never ended"
    site.kill()
    site.write("led\nERROR request 1 failed\nERROR request 2 fai")
    site.settle()
    site.write("led\n")
    site.settle()
    nothing_lost(site, 3)


@pytest.mark.usefixtures("slow")
def test_trap_16_deleted_while_unread_and_then_let_go(site: Site) -> None:
    """Best: Filebeat keeps it open (beats#43978), and others fill the disk so (beats#2011). Ours lets go after 5 s."""
    site.write(lines(0, 300))
    site.start()
    site.at_once()
    site.path.unlink()
    site.look(turns=30)
    nothing_lost(site, 300)
    assert site.tail is not None
    assert site.tail.files() == []
    assert not [link for link in os.listdir("/proc/self/fd") if _leads_to(link, f"{site.path} (deleted)")]


def _leads_to(descriptor: str, path: str) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}") == path
    except OSError:
        return False


@pytest.mark.parametrize("down", [False, True], ids=["running", "while down"])
def test_trap_17_deleted_and_made_anew_at_once(site: Site, down: bool) -> None:
    """Best: none seen; Vector misses the new one (#15885)."""
    site.write(lines(0, 30))
    site.settle()
    for number in range(3):
        if down:
            site.kill()
        site.path.unlink()
        site.write(lines(30 + number * 10, 40 + number * 10))
        site.settle()
    assert sorted(site.records()) == messages(0, 60)
    assert site.gaps() == []
    assert len(site.softly_told()) == (3 if down else 0), "whether more was written, nobody can know"
