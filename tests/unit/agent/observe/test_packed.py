"""Archives of rotation: the rest of a file is read in them, from the byte of its text that was read last."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sitewarden_agent.model import GapReason
from sitewarden_agent.observe.packed import Packed, Torn
from tests.unit.agent.tail_bench import Site

KINDS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}
TEXT = "".join(f"ERROR request {number} failed\n" for number in range(3_000)).encode()


def messages(first: int, last: int) -> list[str]:
    return [f"request {number} failed" for number in range(first, last)]


@contextlib.contextmanager
def packed(path: Path):  # type: ignore[no-untyped-def]
    descriptor = os.open(path, os.O_RDONLY)
    with contextlib.closing(Packed(descriptor)) as opened:
        yield opened
    os.close(descriptor)


@pytest.mark.parametrize("ending", KINDS)
def test_the_text_is_read_from_any_place(tmp_path: Path, ending: str) -> None:
    (tmp_path / "a").write_bytes(KINDS[ending](TEXT))
    for start in (0, 1, 40_000, len(TEXT)):
        with packed(tmp_path / "a") as file:
            file.skip(start)
            assert file.read(len(TEXT) + 1) == TEXT[start:]
            assert file.read(10) == b""


@pytest.mark.parametrize("ending", KINDS)
def test_archives_that_were_put_together_are_one_text(tmp_path: Path, ending: str) -> None:
    pack = KINDS[ending]
    (tmp_path / "a").write_bytes(pack(TEXT[:1_000]) + pack(b"") + pack(TEXT[1_000:]))
    with packed(tmp_path / "a") as file:
        assert file.read(len(TEXT) + 1) == TEXT


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz"])
def test_an_archive_that_ends_early_gives_what_is_whole_and_says_so(tmp_path: Path, ending: str) -> None:
    whole = KINDS[ending](os.urandom(1_000_000) + TEXT)
    (tmp_path / "a").write_bytes(whole[:-100])
    with packed(tmp_path / "a") as file:
        assert file.read(10)
        with pytest.raises(Torn):
            file.skip(1_000_000 + len(TEXT))


@pytest.mark.parametrize("ending", KINDS)
def test_an_archive_that_holds_less_than_was_read_is_refused(tmp_path: Path, ending: str) -> None:
    (tmp_path / "a").write_bytes(KINDS[ending](TEXT[:100]))
    with packed(tmp_path / "a") as file, pytest.raises(Torn):
        file.skip(101)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(KINDS)), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=5))
def test_whatever_is_wrong_with_an_archive_is_an_os_error(ending: str, damage: list[tuple[int, int]]) -> None:
    data = bytearray(KINDS[ending](TEXT))
    for at, value in damage:
        data[at % len(data)] = value
    descriptor = os.memfd_create("archive")
    os.write(descriptor, data)
    with contextlib.closing(Packed(descriptor)) as file, contextlib.suppress(OSError):
        while file.read(1_000):
            pass
    os.close(descriptor)


@pytest.mark.parametrize("ending", KINDS)
def test_a_small_archive_of_a_huge_text_takes_little_memory(tmp_path: Path, ending: str) -> None:
    (tmp_path / "a").write_bytes(KINDS[ending](b"\0" * 60_000_000))
    program = (
        "import os, resource, sys\n"
        "from sitewarden_agent.observe.packed import Packed\n"
        "file = Packed(os.open(sys.argv[1], os.O_RDONLY))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "file.skip(40_000_000)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "a"], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 16 * 1024, "kilobytes"


def test_an_archive_that_wants_too_much_memory_is_refused(tmp_path: Path) -> None:
    dictionary = {"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 256 * 1016 * 1024}
    (tmp_path / "a").write_bytes(lzma.compress(TEXT, filters=[dictionary]))
    with packed(tmp_path / "a") as file, pytest.raises(OSError, match="damaged: Memory usage limit"):
        file.read(10)


@pytest.mark.parametrize("patterns", [("app.log",), ("app.log*",)], ids=["one name", "all names"])
@pytest.mark.parametrize("ending", KINDS)
def test_rotated_and_packed_while_the_agent_is_down(tmp_path: Path, ending: str, patterns: tuple[str, ...]) -> None:
    site = Site(tmp_path, *patterns)
    site.log = msgspec.structs.replace(site.log, exclude=())
    lines = TEXT.splitlines(keepends=True)
    site.write(b"".join(lines[:100]))
    site.settle()
    site.kill()
    site.write(b"".join(lines[100:2_000]))
    (tmp_path / f"app.log.1{ending}").write_bytes(KINDS[ending](site.path.read_bytes()))
    site.path.unlink()
    site.write(b"".join(lines[2_000:]))
    site.settle()
    assert sorted(site.records()) == sorted(messages(0, 3_000))
    assert site.gaps() == []


@pytest.mark.parametrize("ending", KINDS)
def test_an_old_archive_that_lies_there_is_never_read_whole_again(tmp_path: Path, ending: str) -> None:
    site = Site(tmp_path, "*")
    site.log = msgspec.structs.replace(site.log, exclude=())
    (tmp_path / f"app.log.2{ending}").write_bytes(KINDS[ending](TEXT))
    site.write("ERROR new\n")
    site.settle()
    os.utime(tmp_path / f"app.log.2{ending}")
    site.settle()
    assert site.records() == ["new"]


def test_an_archive_that_ends_early_is_read_as_far_as_it_goes_and_the_loss_is_told(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.write(TEXT[:300])
    site.settle()
    site.kill()
    site.write(TEXT[300:])
    whole = gzip.compress(site.path.read_bytes())
    (tmp_path / "app.log.1.gz").write_bytes(whole[: len(whole) // 2])
    site.path.unlink()
    site.settle()
    assert 100 < len(site.records()) < 3_000
    assert site.records()[:-1] == messages(0, len(site.records()) - 1), "of the last line only a part was there"
    (gap,) = site.gaps()
    assert gap.reason is GapReason.FILE_LOST
    assert "the archive ends early; read up to byte" in gap.detail


@pytest.mark.parametrize("ending", KINDS)
def test_killed_while_the_rest_is_read_in_an_archive(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sitewarden_agent.observe.logfile.TURN_BYTES", 4_096)
    site = Site(tmp_path)
    site.write(TEXT[:3_000])
    site.settle()
    site.kill()
    site.write(TEXT[3_000:])
    (tmp_path / f"app.log.1{ending}").write_bytes(KINDS[ending](site.path.read_bytes()))
    site.path.unlink()
    for _ in range(8):
        site.start()
        site.at_once()
        site.at_once()
        site.kill()
    site.settle()
    assert site.records() == messages(0, 3_000)
    assert site.gaps() == []
