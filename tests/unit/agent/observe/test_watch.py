"""The watch: told of every change in a folder by one descriptor, without a thread, and honest about what it misses."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sitewarden_agent.observe.watch import Watch


@pytest.fixture
def heard() -> Iterator[Watch]:
    watch = Watch(lambda path: path.endswith(".log"))
    yield watch
    watch.close()


def test_an_append_is_told_and_a_new_name_is_told_as_such(heard: Watch, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("old\n")
    heard.folders({str(tmp_path)})
    assert heard.heard() is None
    with (tmp_path / "a.log").open("a") as file:
        file.write("new\n")
    assert heard.heard() is False, "the same names as before"
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    assert heard.heard() is True
    (tmp_path / "b.log").touch()
    assert heard.heard() is True
    assert heard.heard() is None


def test_what_changes_beside_our_logs_wakes_nobody(heard: Watch, tmp_path: Path) -> None:
    heard.folders({str(tmp_path)})
    (tmp_path / "other.db").write_text("not ours")
    assert heard.heard() is None


def test_a_folder_that_is_made_is_told_whatever_its_name(heard: Watch, tmp_path: Path) -> None:
    heard.folders({str(tmp_path)})
    (tmp_path / "new").mkdir()
    assert heard.heard() is True


def test_reading_a_log_wakes_nobody(heard: Watch, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("old\n")
    heard.folders({str(tmp_path)})
    (tmp_path / "a.log").read_text()
    assert heard.heard() is None


def test_a_folder_that_is_replaced_under_its_name_is_watched_anew(heard: Watch, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    heard.folders({str(folder)})
    folder.rename(tmp_path / "gone")
    folder.mkdir()
    heard.folders({str(folder)})
    heard.heard()
    (folder / "a.log").touch()
    assert heard.heard() is True
    folder.rename(tmp_path / "gone too")
    heard.folders(set())
    assert heard.heard() is None
    assert heard.complaints() == []


def test_a_folder_that_is_deleted_is_told_and_forgotten(heard: Watch, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    heard.folders({str(folder)})
    folder.rmdir()
    assert heard.heard() is True
    folder.mkdir()
    heard.folders({str(folder)})
    (folder / "a.log").touch()
    assert heard.heard() is True


def test_two_names_of_one_folder_are_both_heard(heard: Watch, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    watch = Watch(lambda path: "/link/" in path)
    watch.folders({str(tmp_path / "real"), str(tmp_path / "link")})
    watch.folders({str(tmp_path / "link")})
    (tmp_path / "real" / "a.log").touch()
    assert watch.heard() is True
    watch.close()


async def test_waiting_ends_with_the_change_and_needs_no_thread(heard: Watch, tmp_path: Path) -> None:
    heard.folders({str(tmp_path)})
    threads = threading.active_count()
    waiting = asyncio.create_task(heard.change(60))
    await asyncio.sleep(0)
    (tmp_path / "other.db").touch()
    await asyncio.sleep(0)
    (tmp_path / "a.log").touch()
    assert await waiting is True
    assert threading.active_count() == threads
    assert await heard.change(0.01) is None


class Refusing:
    """The C library of a host that has used up a limit."""

    def __init__(self, *, number: int, at: str) -> None:
        self._real, self._number, self._at = ctypes.CDLL(None, use_errno=True), number, at

    def __getattr__(self, name: str) -> object:
        if name != self._at:
            return getattr(self._real, name)

        def refused(*_: object) -> int:
            ctypes.set_errno(self._number)
            return -1

        return refused


@pytest.mark.parametrize(
    ("number", "at", "advice"),
    [
        (errno.EMFILE, "inotify_init1", "raise fs.inotify.max_user_instances"),
        (errno.ENOSPC, "inotify_add_watch", "raise fs.inotify.max_user_watches"),
    ],
)
async def test_a_limit_is_a_complaint_with_advice_and_the_tail_looks_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, at: str, advice: str
) -> None:
    refusing = Refusing(number=number, at=at)
    monkeypatch.setattr("sitewarden_agent.observe.watch.ctypes.CDLL", lambda *_, **__: refusing)
    watch = Watch(lambda path: True)
    assert watch.hears_all
    watch.folders({str(tmp_path)})
    assert not watch.hears_all
    (complaint,) = watch.complaints()
    assert complaint.startswith(f"{tmp_path} cannot be watched (")
    assert advice in complaint
    assert await watch.change(0.01) is None
    watch.close()


def test_over_a_network_file_system_it_does_not_trust_to_being_told(
    heard: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heard, "_is_told_nothing", lambda folder: True)
    heard.folders({str(tmp_path)})
    assert not heard.hears_all
    assert heard.complaints() == []
    heard.folders(set())
    assert heard.hears_all


async def test_a_cancellation_that_comes_with_a_change_is_not_lost(
    heard: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy product must not keep the process from ending when it is told to."""
    told: list[Callable[[], None]] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "add_reader", lambda descriptor, callback: told.append(callback))
    monkeypatch.setattr(loop, "remove_reader", lambda descriptor: None)
    waiting = asyncio.create_task(heard.change(5))
    await asyncio.sleep(0)
    told[0]()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
