"""What a host is and what changed there: told once, redacted, and also what changed while the agent was down."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_agent.clock import SystemClock
from sitewarden_agent.config import Changes as WantedChanges
from sitewarden_agent.config import Component, Config, Inventory, WatchedFiles
from sitewarden_agent.model import Change, FileMark, Observation
from sitewarden_agent.model import Inventory as Told
from sitewarden_agent.observe.changes import (
    DIFF_MAX_CHARS,
    FileWatch,
    Snapshots,
    difference,
    matches,
)
from sitewarden_agent.observe.jobs import site
from sitewarden_agent.observe.jobs.job import Ground
from sitewarden_agent.spool import Spool, SpoolFull, SpoolLimits
from sitewarden_alerting.reading.redact import Redactor

KEY = b"k" * 32
REDACT: Callable[[str], str] = Redactor(KEY, ("globex",)).redact


# Files.


def watch(folder: Path, *, diff: bool = True) -> FileWatch:
    wanted = WatchedFiles(paths=(str(folder / "*.conf"),), diff=diff)
    return FileWatch(wanted, Snapshots(folder / "state"), key=KEY, redact=REDACT, marks=())


def look(watching: FileWatch) -> list[Change]:
    found = watching.look()
    watching.taken(found)
    return found.changes


def test_a_changed_file_is_told_with_its_changed_lines(tmp_path: Path) -> None:
    file = tmp_path / "shop.conf"
    file.write_text("".join(f"line{n} = {n}\n" for n in range(20)))
    watching = watch(tmp_path)
    assert look(watching) == [], "the first look is told to nobody"
    file.write_text(file.read_text().replace("line9 = 9", "line9 = 99"))
    (change,) = look(watching)
    assert (change.kind, change.subject) == ("config", str(file))
    assert re.fullmatch("hash [0-9a-f]{8}", change.before)
    assert change.before != change.after
    assert change.detail.splitlines()[0] == "@@ -8,5 +8,5 @@"
    assert "-line9 = 9\n+line9 = 99" in change.detail
    assert look(watching) == []


def test_secrets_never_stand_in_a_difference_nor_in_what_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "shop.conf"
    file.write_text("password = hunter2-old\nurl = http://bob:s3cr3t@db/\nmail = ann@example.com\n")
    watching = watch(tmp_path)
    look(watching)
    file.write_text("password = hunter2-new\nurl = http://bob:0ther@db/\nmail = eve@example.com\n")
    (change,) = look(watching)
    assert change.detail.count("<secret:") >= 2
    kept = "".join(path.read_text() for path in (tmp_path / "state").iterdir())
    for secret in ("hunter2", "s3cr3t", "0ther", "ann@", "eve@"):
        assert secret not in change.detail + kept
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "state").iterdir())


def test_the_hash_of_a_file_says_nothing_without_the_sites_key(tmp_path: Path) -> None:
    (tmp_path / "pin.conf").write_text("1234")
    marks = [
        FileWatch(
            WatchedFiles(paths=(str(tmp_path / "*.conf"),)), Snapshots(tmp_path / key), key=key.encode() * 32,
            redact=REDACT, marks=(),
        ).look().marks[0].signature
        for key in ("a", "b")
    ]  # fmt: skip
    assert marks[0] != marks[1]


def test_only_that_it_changed_is_told_of_what_is_large_or_no_text_or_wanted_so(tmp_path: Path) -> None:
    (tmp_path / "blob.conf").write_bytes(b"\0\1\2")
    (tmp_path / "large.conf").write_bytes(b"a = 1\n" * 100_000)
    watching, silent = watch(tmp_path), watch(tmp_path, diff=False)
    look(watching), look(silent)
    (tmp_path / "blob.conf").write_bytes(b"\0\1\3")
    (tmp_path / "large.conf").write_bytes(b"a = 2\n" * 100_000)
    assert [change.detail for change in look(watching)] == ["", ""]
    (tmp_path / "small.conf").write_text("a")
    look(silent)
    (tmp_path / "small.conf").write_text("bb")
    assert [change.detail for change in look(silent)] == [""]


def test_a_file_that_is_gone_is_told_when_it_stays_away_and_again_when_it_is_back(tmp_path: Path) -> None:
    file = tmp_path / "shop.conf"
    file.write_text("a = 1\n")
    watching = watch(tmp_path)
    look(watching)
    file.unlink()
    assert look(watching) == [], "it may be just being replaced"
    (gone,) = look(watching)
    assert (gone.after, gone.detail) == ("gone", "@@ -1 +0,0 @@\n-a = 1")
    assert look(watching) == []
    file.write_text("a = 2\n")
    (back,) = look(watching)
    assert (back.before, back.detail) == ("", "@@ -0,0 +1 @@\n+a = 2")


def test_what_is_kept_is_bounded_and_what_is_watched_no_more_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sitewarden_agent.observe.changes.KEPT_MAX_BYTES", 3_000)
    for name in "abcdef":
        (tmp_path / f"{name}.conf").write_text(f"{name} = 1\n" * 200)
    watching = watch(tmp_path)
    look(watching)
    kept = list((tmp_path / "state").iterdir())
    assert sum(path.stat().st_size for path in kept) <= 3_000
    for name in "abcdef":
        (tmp_path / f"{name}.conf").write_text(f"{name} = 2\n" * 200)
    changes = look(watching)
    assert len(changes) == 6
    assert 1 <= len([change for change in changes if change.detail]) < 6
    Snapshots(tmp_path / "state").forget_all_but(())
    assert list((tmp_path / "state").iterdir()) == []


def test_a_file_that_may_not_be_read_is_a_complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop.conf").write_text("a")

    def refused(*_: object) -> tuple[str, str]:
        raise PermissionError(13, "Permission denied")

    watching = watch(tmp_path)
    monkeypatch.setattr(watching, "_read", refused)
    assert "let the agent's user read it" in watching.look().complaints[0]


lines = st.lists(st.sampled_from(["a", "b", "c = 1", "", "@@ -1 +1 @@"]), max_size=30).map("\n".join)


@given(lines, lines)
def test_a_difference_is_bounded_and_names_only_lines_of_either(before: str, after: str) -> None:
    told = difference(before, after)
    assert len(told) <= DIFF_MAX_CHARS + 100
    known = {*before.splitlines(), *after.splitlines()}
    assert all(line[1:] in known for line in told.splitlines() if not line.startswith("@@ -"))
    assert bool(told) == (before.splitlines() != after.splitlines())


def test_a_file_that_became_another_one_is_told_in_one_line() -> None:
    before, after = ("\n".join(f"{word}{n}" for n in range(5_000)) for word in "xy")
    assert difference(before, after) == "@@ from line 1 on: 5000 lines became 5000 @@"


def test_a_file_belongs_to_the_section_whose_pattern_leads_to_it() -> None:
    assert matches("/etc/shop/a.conf", "/etc/shop/*.conf")
    assert not matches("/etc/shop/deep/a.conf", "/etc/shop/*.conf")
    assert matches("/etc/shop/deep/er/a.conf", "/etc/shop/**/*.conf")
    assert matches("/etc/shop/a.conf", "/etc/shop/**/*.conf")
    assert not matches("/etc/shop", "/etc/shop/**/*.conf")


# The job: into the spool, once.


class Agent:
    """An observing process's site job, as often as it is started, over one state folder."""

    def __init__(self, folder: Path, **settings: object) -> None:
        folder.mkdir(exist_ok=True)
        self.config = Config(state_dir=folder, **settings)  # type: ignore[arg-type]
        self.spool = Spool.open(folder / "spool.db", clock=SystemClock(), limits=SpoolLimits())

    def runs(self, *, until: Callable[[], bool]) -> None:
        async def running() -> None:
            self.ground = Ground(self.config, self.spool, SystemClock(), REDACT)
            job = site.Site(self.ground)
            task = asyncio.create_task(job.run())
            async with asyncio.timeout(20):
                while not until():
                    assert not task.done(), task.exception()
                    await asyncio.sleep(0.02)
            task.cancel()

        asyncio.run(running())

    def marks(self) -> set[str]:
        return {mark.path for mark in self.spool.marks()}

    def told(self) -> list[object]:
        found: list[object] = []
        while (sealed := self.spool.seal(1_000_000, 1_000)) is not None:
            found += [each.what for each in sealed.observations]
        return found


def test_what_changed_while_the_agent_was_down_is_told_once_at_its_next_start(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("4.2.0")
    (tmp_path / "shop.conf").write_text("workers = 4\n")
    agent = Agent(
        tmp_path / "state",
        inventory=Inventory(enabled=False),
        components=(Component(name="shop", version_file=str(tmp_path / "VERSION")),),
        watch_files=(WatchedFiles(paths=(str(tmp_path / "*.conf"),)),),
    )
    both = {"shop", str(tmp_path / "shop.conf")}
    agent.runs(until=lambda: agent.marks() >= both)
    assert agent.told() == []
    (tmp_path / "VERSION").write_text("4.3.0")
    (tmp_path / "shop.conf").write_text("workers = 8\n")
    told: list[object] = []
    agent.runs(until=lambda: len(told.extend(agent.told()) or told) >= 2)  # type: ignore[func-returns-value]
    changes = {change.kind: change for change in told if isinstance(change, Change)}
    assert changes["version"] == Change("version", "shop", "4.2.0", "4.3.0")
    assert "+workers = 8" in changes["config"].detail
    agent.runs(until=lambda: "site" in agent.ground.complaints)
    assert agent.told() == []


def test_the_inventory_goes_at_start_with_the_components_versions(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("4.2.0")
    agent = Agent(
        tmp_path / "state",
        components=(Component(name="shop", version_file=str(tmp_path / "VERSION")),),
        changes=WantedChanges(packages=True),
    )
    told: list[object] = []
    agent.runs(until=lambda: bool(told.extend(agent.told()) or told))  # type: ignore[func-returns-value]
    (inventory,) = told
    assert isinstance(inventory, Told)
    assert [(each.name, each.version, each.source) for each in inventory.components] == [("shop", "4.2.0", "file")]


def test_the_inventory_goes_again_when_it_changed_and_once_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "INVENTORY_EVERY_S", 0.01)
    monkeypatch.setattr(site, "REST_MIN_S", 0.01)
    name, looks = "web-1", 0

    def hostname() -> str:
        nonlocal looks
        looks += 1
        return name

    monkeypatch.setattr("socket.gethostname", hostname)
    agent = Agent(tmp_path / "state")
    told: list[object] = []

    def looked(times: int) -> Callable[[], bool]:
        before = looks
        return lambda: looks >= before + times

    def hosts() -> list[str]:
        told.extend(agent.told())
        return [each.hostname for each in told if isinstance(each, Told)]

    async def until(true: Callable[[], bool]) -> None:
        while True:
            if true():
                return
            await asyncio.sleep(0.01)

    async def running() -> None:
        nonlocal name
        task = asyncio.create_task(site.Site(Ground(agent.config, agent.spool, SystemClock(), REDACT)).run())
        async with asyncio.timeout(20):
            await until(looked(5))
            assert hosts() == ["web-1"]
            name = "web-2"
            await until(lambda: len(hosts()) > 1)
            await until(looked(5))
            assert hosts() == ["web-1", "web-2"]
            monkeypatch.setattr(site, "INVENTORY_AGAIN_S", 0.05)
            await until(lambda: len(hosts()) >= 4)
        task.cancel()

    asyncio.run(running())
    assert set(hosts()[2:]) == {"web-2"}


def test_a_change_that_finds_no_room_is_told_when_there_is_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "REST_MIN_S", 0.01)
    (tmp_path / "shop.conf").write_text("workers = 4\n")
    agent = Agent(
        tmp_path / "state",
        inventory=Inventory(enabled=False),
        watch_files=(WatchedFiles(paths=(str(tmp_path / "*.conf"),), interval_s=1),),
    )
    agent.runs(until=lambda: bool(agent.marks()))
    (tmp_path / "shop.conf").write_text("workers = 8\n")
    append, full = agent.spool.append, [SpoolFull("the spool is full"), SpoolFull("the spool is full")]

    def first_without_room(observations: Sequence[Observation], *, marks: Sequence[FileMark] = ()) -> None:
        if full:
            raise full.pop()
        append(observations, marks=marks)

    monkeypatch.setattr(agent.spool, "append", first_without_room)
    told: list[object] = []
    agent.runs(until=lambda: bool(told.extend(agent.told()) or told))  # type: ignore[func-returns-value]
    (change,) = told
    assert isinstance(change, Change)
    assert change.detail.endswith("-workers = 4\n+workers = 8")
    assert full == []
