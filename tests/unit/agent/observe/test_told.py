"""What the tail does with the paths that were told: only those files are asked, and nothing stays unread."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from sitewarden_agent.observe.logfile import LogFile
from sitewarden_agent.observe.watch import Watch
from tests.unit.agent.tail_bench import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path, "*.log")
    for number in range(5):
        site.write("INFO begins\n", name=f"{number}.log")
    site.settle()
    assert site.tail is not None
    site.tail.is_told = True
    while site.tail.turn() == 0:
        pass
    return site


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are asked for news."""
    names: list[str] = []
    real = LogFile.has_news

    def has_news(file: LogFile) -> bool:
        names.append(Path(file.path).name)
        return real(file)

    monkeypatch.setattr(LogFile, "has_news", has_news)
    return names


def test_only_the_file_that_changed_is_asked(site: Site, asked: list[str]) -> None:
    site.write("ERROR one\n", name="3.log")
    told(site, "3.log")
    assert (set(asked), site.records()[-1]) == ({"3.log"}, "one")


def test_another_name_of_a_file_leads_to_a_look_at_all(site: Site, asked: list[str], tmp_path: Path) -> None:
    site.write("ERROR one\n", name="3.log")
    told(site, "elsewhere/target")
    assert (len(set(asked)), site.records()[-1]) == (5, "one")


def test_what_was_told_while_the_spool_was_full_is_read_when_there_is_room(site: Site) -> None:
    site.store.full = True
    site.write("ERROR one\n", name="1.log")
    told(site, "1.log")
    site.write("ERROR two\n", name="2.log")
    told(site, "2.log")
    site.store.full = False
    told(site)
    assert site.records()[-2:] == ["one", "two"]


def test_a_writer_that_still_holds_the_renamed_file_is_heard_although_its_path_is_told_no_more(site: Site) -> None:
    with (site.folder / "1.log").open("a") as writer:
        os.rename(site.folder / "1.log", site.folder / "1.log.1")
        assert site.tail is not None
        site.tail.look_anew()
        told(site, "1.log")
        writer.write("ERROR late\n")
    told(site, "2.log")
    assert site.records()[-1] == "late"


@pytest.mark.parametrize("seed", range(10))
def test_nothing_stays_unread_whatever_happens_in_what_order(seed: int, tmp_path: Path) -> None:
    draw, written = random.Random(seed), 0
    site = Site(tmp_path, "*.log")
    for number in range(4):
        site.write("", name=f"{number}.log")
    site.start()
    assert site.tail is not None
    site.tail.is_told = True
    told(site)
    changed: set[str] = set()
    for _ in range(100):
        name = f"{draw.randrange(4)}.log"
        what = draw.random()
        if what < 0.6:
            more = draw.choice((1, 1, 3, 1, 1, 1, 4_000))
            site.write("".join(f"ERROR number {written + one}\n" for one in range(more)), name=name)
            written += more
            changed.add(name)
        elif what < 0.65:
            site.store.full = not site.store.full
        elif what < 0.7:
            (tmp_path / name).rename(tmp_path / f"{name}.{written}")
            site.write("", name=name)
            changed.add(name)
            site.tail.look_anew()
        else:
            site.tail.turn(frozenset(str(tmp_path / each) for each in changed))
            changed.clear()
        site.clock.pass_s(draw.choice((0, 0, 0.01, 0.3)))
    site.store.full = False
    told(site, *changed)
    site.clock.pass_s(3)  # records close, the renamed files end
    told(site)
    assert sorted(site.records(), key=lambda text: int(text.split()[-1])) == [
        f"number {number}" for number in range(written)
    ]


def test_the_watch_tells_which_paths_once_and_nothing_for_sure_before_its_first_look(tmp_path: Path) -> None:
    watch = Watch(lambda path: path.endswith(".log"))
    try:
        watch.folders({str(tmp_path)})
        assert watch.told() is None, "what was written before is told by nobody"
        (tmp_path / "a.log").write_text("one\n")
        (tmp_path / "b.txt").write_text("one\n")
        watch.heard()
        assert watch.told() == frozenset({str(tmp_path / "a.log")})
        assert watch.told() == frozenset()
    finally:
        watch.close()


def told(site: Site, *names: str) -> None:
    """Turns until nothing is due: the first of them with what was told."""
    assert site.tail is not None
    rest_s = site.tail.turn(frozenset(str(site.folder / name) for name in names))
    while rest_s == 0:
        rest_s = site.tail.turn(frozenset())
