"""What a host is, and which versions of the product's components and of the system's packages it has."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from sitewarden_agent.config import Component, parse
from sitewarden_agent.errors import ConfigError
from sitewarden_agent.observe.changes import Snapshots, of_packages
from sitewarden_agent.observe.inventory import gathered, virtualisation
from sitewarden_agent.observe.procfs import Kernel
from sitewarden_agent.observe.versions import Packages, version_of
from sitewarden_alerting.reading.redact import Redactor

REDACT: Callable[[str], str] = Redactor(b"k" * 32, ("globex",)).redact


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
