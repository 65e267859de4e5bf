"""What a host is and what changed there: told once, redacted, and also what changed while the agent was down."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_agent.clock import SystemClock
from sitewarden_agent.config import Changes as WantedChanges
from sitewarden_agent.config import Component, Config, Inventory, WatchedFiles, parse
from sitewarden_agent.errors import ConfigError
from sitewarden_agent.model import Change, FileMark, Observation
from sitewarden_agent.model import Inventory as Told
from sitewarden_agent.observe.changes import (
    DIFF_MAX_CHARS,
    FileWatch,
    Snapshots,
    difference,
    matches,
    of_packages,
)
from sitewarden_agent.observe.inventory import gathered, virtualisation
from sitewarden_agent.observe.jobs import site
from sitewarden_agent.observe.jobs.job import Ground
from sitewarden_agent.observe.procfs import Kernel
from sitewarden_agent.observe.versions import Packages, version_of
from sitewarden_agent.spool import Spool, SpoolFull, SpoolLimits
from sitewarden_alerting.reading.redact import Redactor

KEY = b"k" * 32
REDACT: Callable[[str], str] = Redactor(KEY, ("globex",)).redact


# The inventory.


def test_a_host_says_what_it_is_without_its_addresses() -> None:
    told = gathered(Kernel(), redact=REDACT, agent_version="1.0")
    assert (told.architecture, told.cpus, told.agent_version) == (os.uname().machine, os.cpu_count(), "1.0")
    assert told.memory_bytes > 0
    assert told.kernel.startswith("Linux")
    assert all(card.addresses == () for card in told.cards)


def test_addresses_are_told_where_the_site_allows_it_and_then_as_pseudonyms() -> None:
    told = gathered(Kernel(), redact=REDACT, agent_version="1.0", addresses=True)
    for card in told.cards:
        assert all(re.fullmatch(r"<ip:[0-9a-f]{16}>", address) for address in card.addresses)


def test_the_customers_own_words_are_taken_out_of_the_inventory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "globex-db-1")
    assert gathered(Kernel(), redact=REDACT, agent_version="1").hostname.startswith("<literal:")


@pytest.mark.parametrize(
    ("vendor", "product", "name"),
    [("QEMU", "Standard PC", "KVM"), ("VMware, Inc.", "VMware7,1", "VMware"), ("Dell Inc.", "PowerEdge R640", "")],
)
def test_a_virtual_machine_is_known_by_its_maker(tmp_path: Path, vendor: str, product: str, name: str) -> None:
    (tmp_path / "sys/class/dmi/id").mkdir(parents=True)
    (tmp_path / "sys/class/dmi/id/sys_vendor").write_text(vendor)
    (tmp_path / "sys/class/dmi/id/product_name").write_text(product)
    assert virtualisation(Kernel(str(tmp_path)), b"flags\t: fpu\n") == name


# Versions.


def version(wanted: Component, packages: Packages | None = None) -> tuple[str, str]:
    found = asyncio.run(version_of(wanted, packages or Packages("/nowhere"), REDACT))
    return found.version, found.trouble


def test_a_version_is_found_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("product = shop\nbuild=77\nrelease 4.2.1-rc3 of May\n")
    assert version(Component(name="shop", version_file=str(tmp_path / "VERSION"))) == ("4.2.1-rc3", "")
    by_group = Component(name="shop", version_file=str(tmp_path / "VERSION"), version_pattern=r"build=(\d+)")
    assert version(by_group) == ("77", "")


def test_four_numbers_are_a_version_and_no_address(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("10.2.3.4\n")
    assert version(Component(name="shop", version_file=str(tmp_path / "VERSION"))) == ("10.2.3.4", "")


def test_a_version_that_cannot_be_had_says_why(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("none here")
    assert "No such file" in version(Component(name="shop", version_file="/nowhere/VERSION"))[1]
    assert "version_pattern" in version(Component(name="shop", version_file=str(tmp_path / "VERSION")))[1]


def test_a_version_is_what_a_command_prints_wherever_it_prints_it() -> None:
    assert version(Component(name="sh", version_command=("/bin/sh", "-c", "echo shop 1.2.3"))) == ("1.2.3", "")
    assert version(Component(name="sh", version_command=("/bin/sh", "-c", "echo jdk 17.0.9 >&2"))) == ("17.0.9", "")
    assert "ended with 3" in version(Component(name="sh", version_command=("/bin/sh", "-c", "exit 3")))[1]
    slow = Component(name="sh", version_command=("/bin/sleep", "30"), timeout_s=0.2)
    assert "no answer within 0.2 s" in version(slow)[1]


DPKG = """Package: shop-server
Status: install ok installed
Architecture: amd64
Version: 1:4.2.1-3

Package: old-thing
Status: deinstall ok config-files
Version: 0.9
"""
APK = "C:Q1abc=\nP:shop-server\nV:4.2.1-r3\nA:x86_64\n\nP:musl\nV:1.2.4-r1\n"
# A header as rpm 4.18 wrote it for shop-server-4.2.1-3.noarch.
RPM = (
    "c-mEzOKa6Y6vyZGVXIV8T51&+T@<+m6Ecq^GYBfQN(CQXR8Vl?OfqwC@V>ZdOBKI`pTm_acOv4(tzSS;Xtinu5kYF5d-E4H;bij5|C}>"
    "(hBG0A)Cn0`C4^k`HbF@3i64)9%e_sK>Z%bky6wk9-bTPX;A7wq;2H3)9}jz*1%Cq1fj|3k%-b387sStlzd~OCe}`TN|3JQT;C<*4{0n"
    "@c;;|X<W$;PVr@?cWujg&lzn+5r2z(m+8eB)dw}`)u_-*hV`0s)Z{J(*7@K3O<xQ6{6bKr4s3p`Qr^y6y28uoAc6?E+1^t)>Q+F9^>_&"
    "32j&|4MPYS5p9$I%ZjtA3~*MgBL?Pk{Ha-+NX3$R(_I7Q75@fLFjx@U;Oik+RwC1*Pq8+CC8>3n}4b%io0DAK!bn*{&M#`qedZt5f!DR"
    "=C3Eq*Zh_wn(R|`&skf6u~e>z{9eih5cUpzx34tj{Gq%w+d5V>b84*Tb4GzQnc(1-L~Z-fj0QETr_OC{`cFee$eXbp>w&SH|=WQx?*dQ"
    "@GuHRKz$KO7!AkjNo5!frk=#oNN|(Q2Mv<-iY{q9EP6ztkRZ3F(4C+vZWyz%?gB})<I2*ED(yrnwRNeExUouFr&X?u){IGKlvCVtDOjH"
    "5si8tsk;GcWs>;Q99tp;ba8`TwG^JLiEEUuko<^yP4A1f?=F)0sL_!(oR<g)QVd7M?L7!GXi-Uu~85{mA2ItQ`U9<ZyraE`ePmO+D*t@"
    "5-%Zv}C#!)9@M+J8Y<1!N3m_%j5#Z*hGh!v4ec*<<*eC0CLIZwDRNaRVJr;PC|&SPd1p|s9aDziv%oA4}ARGHi+=#f8Xb@2Wha=OW#"
)


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("var/lib/dpkg/status", DPKG, {"shop-server": "1:4.2.1-3"}),
        ("lib/apk/db/installed", APK, {"shop-server": "4.2.1-r3", "musl": "1.2.4-r1"}),
    ],
)
def test_the_systems_packages_are_read_and_again_when_they_changed(
    tmp_path: Path, path: str, text: str, expected: dict[str, str]
) -> None:
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(text)
    packages = Packages(str(tmp_path))
    assert packages.read() == expected
    (tmp_path / path).write_text(text.replace("4.2.1", "4.3.0"))
    assert "4.3.0" in packages.read()["shop-server"]


def test_rpms_database_is_read_as_it_lies_there(tmp_path: Path) -> None:
    (tmp_path / "var/lib/rpm").mkdir(parents=True)
    with sqlite3.connect(tmp_path / "var/lib/rpm/rpmdb.sqlite") as made:
        made.execute("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
        made.execute("INSERT INTO Packages (blob) VALUES (?)", (zlib.decompress(base64.b85decode(RPM)),))
    made.close()
    assert Packages(str(tmp_path)).read() == {"shop-server": "4.2.1-3"}
    wanted = Component(name="shop", package="shop-server")
    assert version(wanted, Packages(str(tmp_path))) == ("4.2.1-3", "")


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + b"\0" * 200])
def test_a_damaged_list_of_packages_is_a_complaint(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "var/lib/rpm").mkdir(parents=True)
    (tmp_path / "var/lib/rpm/rpmdb.sqlite").write_bytes(content)
    packages = Packages(str(tmp_path))
    assert packages.read() == {}
    assert "cannot be read as a list of packages" in packages.complaint


def test_packages_that_came_went_and_rose_are_one_change(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "watched")
    first = of_packages({"a": "1", "b": "1", "c": "1"}, snapshots, known=None, redact=REDACT)
    assert first.changes == []
    known = first.marks[0].signature
    assert of_packages({"a": "1", "b": "1", "c": "1"}, snapshots, known=known, redact=REDACT).marks == []
    (change,) = of_packages({"a": "1", "b": "2", "d": "1"}, snapshots, known=known, redact=REDACT).changes
    assert change.after == "1 installed, 1 upgraded, 1 removed"
    assert change.detail == "+ d 1\n- c 1\n  b 1 -> 2"


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('name = "a"', "needs one of"),
        ('name = "a"\nversion_file = "VERSION"', "absolute"),
        ('name = "a"\nversion_command = ["product"]', "absolute"),
        ('name = "a"\npackage = "p"\nversion_pattern = "("', "not a regular expression"),
    ],
)
def test_a_component_that_cannot_be_looked_at_is_refused_with_what_to_do(section: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(f"[[components]]\n{section}\n", Path("agent.toml"))


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
