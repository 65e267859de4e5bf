"""Who the agent is, on the disk: whole or not at all, for its user alone, the one before kept until proven."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from sitewarden_agent.clock import SystemClock
from sitewarden_agent.errors import IdentityError
from sitewarden_agent.link import identity, session
from tests.fakes.headquarters import Authority


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def test_it_comes_back_as_it_was_stored(tmp_path: Path, authority: Authority) -> None:
    stored = authority.identity("hq:7401")
    identity.store(tmp_path, stored)
    assert identity.load(tmp_path) == stored
    assert stat.S_IMODE((tmp_path / identity.FILE).stat().st_mode) == 0o600


def test_the_one_before_stays_until_the_new_one_has_worked(tmp_path: Path, authority: Authority) -> None:
    first, second = authority.identity(), authority.identity()
    identity.store(tmp_path, first)
    assert identity.load_previous(tmp_path) is None
    seen = identity.version(tmp_path)
    identity.store(tmp_path, second)
    assert identity.version(tmp_path) != seen
    assert (identity.load(tmp_path), identity.load_previous(tmp_path)) == (second, first)
    identity.confirm(tmp_path)
    assert identity.load_previous(tmp_path) is None


def test_a_write_that_was_cut_short_leaves_the_one_in_use(tmp_path: Path, authority: Authority) -> None:
    stored = authority.identity()
    identity.store(tmp_path, stored)
    (tmp_path / "identity.json.new").write_text("{half")
    assert identity.load(tmp_path) == stored
    identity.store(tmp_path, stored)


@pytest.mark.parametrize(
    ("content", "what_to_do"), [(None, "sitewarden-agent enroll"), (b"{}", "--force"), (b"\xff\x00", "--force")]
)
def test_what_is_missing_or_damaged_says_what_to_do(tmp_path: Path, content: bytes | None, what_to_do: str) -> None:
    if content is not None:
        (tmp_path / identity.FILE).write_bytes(content)
    with pytest.raises(IdentityError, match=what_to_do):
        identity.load(tmp_path)


def test_the_folder_says_whose_file_it_is(tmp_path: Path, authority: Authority) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving files away needs root")
    os.chown(tmp_path, 12_345, 12_346)
    identity.store(tmp_path, authority.identity())
    found = (tmp_path / identity.FILE).stat()
    assert (found.st_uid, found.st_gid) == (12_345, 12_346)


def test_renewal_is_due_around_two_thirds_and_not_for_all_at_once(authority: Authority) -> None:
    dues = []
    for _ in range(20):
        each = authority.identity(begins=timedelta(0), ends=timedelta(days=30))
        due = identity.renewal_due_ns(each)
        assert due == identity.renewal_due_ns(each)
        dues.append((due - each.not_before_ns) / (each.not_after_ns - each.not_before_ns))
    assert all(0.61 < due < 0.72 for due in dues)
    assert max(dues) - min(dues) > 0.01


def test_the_fingerprint_of_a_machine_is_the_same_each_time_and_for_every_user(tmp_path: Path) -> None:
    first = session.machine_fingerprint(tmp_path)
    assert first == session.machine_fingerprint(tmp_path)
    assert len(bytes.fromhex(first)) == 32


def test_the_confined_link_finds_the_same_fingerprint_as_enrolment(tmp_path: Path) -> None:
    """Otherwise headquarters takes every agent for a copy of itself and quarantines it."""
    program = (
        "import sys; from pathlib import Path; from sitewarden_agent import confine;"
        "from sitewarden_agent.config import Config; from sitewarden_agent.link import session;"
        "folder = Path(sys.argv[1]); found = confine.enter(confine.for_link(Config(state_dir=folder)));"
        "print(found.state, session.machine_fingerprint(folder))"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    state, found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split(maxsplit=1)
    if state != "confined":
        pytest.skip("this kernel has no Landlock (Linux 5.13 and newer have it)")
    assert found.strip() == session.machine_fingerprint(tmp_path)


def test_a_copy_of_a_machine_has_another_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "machine-id").write_text("c0ffee\n")
    monkeypatch.setattr(session, "_MACHINE_IDS", (tmp_path / "machine-id",))
    monkeypatch.setattr(session, "_NETWORK", tmp_path / "net")
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "eth0"), (2, "br0")])
    (tmp_path / "net" / "eth0" / "device").mkdir(parents=True)
    (tmp_path / "net" / "br0").mkdir()  # a bridge has no device: its address does not count
    found = []
    for last in ("01", "02"):
        addresses = {"eth0": f"52:54:00:00:00:{last}", "br0": "00:00:00:00:00:01"}
        monkeypatch.setattr(session, "_address", lambda _, name, known=addresses: known[name])
        found.append(session.machine_fingerprint(tmp_path))
    assert found[0] != found[1]


def test_what_may_not_be_read_is_said_and_not_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: object) -> str:
        raise PermissionError(13, "Permission denied", "/etc/machine-id")

    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(IdentityError, match="machine-id may not be read"):
        session.machine_fingerprint(tmp_path)


def test_a_machine_without_a_number_draws_one_and_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_MACHINE_IDS", ())
    monkeypatch.setattr(session, "_NETWORK", tmp_path / "none")
    other = tmp_path / "other"
    other.mkdir()
    first = session.machine_fingerprint(tmp_path)
    assert first == session.machine_fingerprint(tmp_path) != session.machine_fingerprint(other)


def test_hello_says_what_headquarters_needs(tmp_path: Path) -> None:
    hello = session.session(b"s" * 16, SystemClock(), fingerprint="f" * 64)
    assert (len(hello.session_id), len(hello.boot_id), hello.machine_fingerprint) == (16, 16, "f" * 64)
    assert hello.hostname
    assert hello.agent_version
    assert hello.agent_time_unix_ns > 0
