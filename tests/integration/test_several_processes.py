"""`sitewarden serve --processes N`: several processes on the same ports, started again when they die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from tests.torture.trio import three_in_a_row

WAIT_S = 60.0


@dataclass
class Serving:
    process: subprocess.Popen[str]
    http_port: int
    client: httpx.Client
    errors: list[str] = field(default_factory=list)

    @property
    def children(self) -> list[int]:
        return sorted(child.pid for child in psutil.Process(self.process.pid).children())

    def health(self, number: int = 0) -> int:
        """The answer on the shared port, or on that of one process; 0: none."""
        try:
            return self.client.get(f"http://127.0.0.1:{self.http_port + number}/healthz").status_code
        except httpx.HTTPError:
            return 0

    def leading(self) -> list[int]:
        """The numbers of the processes that say that they lead."""
        return [number for number in (1, 2) if "sitewarden_leads 1.0" in self._numbers(number)]

    def _numbers(self, number: int) -> str:
        try:
            return self.client.get(f"http://127.0.0.1:{self.http_port + number}/metrics").text
        except httpx.HTTPError:
            return ""


@contextmanager
def _serving(folder: Path, url: str, *words: str) -> Iterator[Serving]:
    port = three_in_a_row()
    config = folder / "collector.toml"
    config.write_text(
        f'data_dir = "data"\n[database]\nurl = "{url}"\n[listen]\nstreams = "127.0.0.1:0"\n'
        f'enrolment = "127.0.0.1:0"\nhttp = "127.0.0.1:{port}"\n'
    )
    argv = [sys.executable, "-m", "sitewarden_collector", "serve", "--config", str(config), *words]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # Every connection anew, as the kernel chooses by connection.
    client = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0))
    serving = Serving(process, port, client)
    assert process.stderr is not None
    stderr = process.stderr
    reading = threading.Thread(target=lambda: serving.errors.extend(stderr), daemon=True)
    reading.start()
    try:
        yield serving
    finally:
        with_all = [process.pid, *(serving.children if process.poll() is None else ())]
        process.terminate()
        try:
            process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            for pid in with_all:
                os.kill(pid, signal.SIGKILL)
        reading.join(WAIT_S)
        client.close()


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.2)


@pytest.mark.postgres
@pytest.mark.timeout(300)
def test_both_serve_one_leads_and_what_dies_comes_back(tmp_path: Path, postgres_url: str) -> None:
    with _serving(tmp_path, postgres_url, "--processes", "2") as serving:
        _until(lambda: serving.health(1) == serving.health(2) == 200)
        assert serving.health() == 200
        before = serving.children
        assert len(before) == 2
        _until(lambda: len(serving.leading()) == 1)
        [leading] = serving.leading()

        [leader] = [pid for pid in before if _listens(pid, serving.http_port + leading)]
        os.kill(leader, signal.SIGKILL)
        _until(lambda: not _runs(leader))
        _until(lambda: serving.health(leading) == 200)
        _until(lambda: len(serving.leading()) == 1)  # the other, or the one that came back: whoever asked first
        after = serving.children
        assert (len(after), leader in after) == (2, False)

        serving.process.send_signal(signal.SIGTERM)
        assert serving.process.wait(WAIT_S) == 0
        assert not [pid for pid in after if psutil.pid_exists(pid)]
    told = [json.loads(line) for line in serving.errors]
    assert any(f"process {leading} ended by signal 9" in line["message"] for line in told)
    assert {line.get("number") for line in told if line["message"] == "the collector is ready"} == {1, 2}


@pytest.mark.postgres
@pytest.mark.timeout(300)
def test_processes_without_their_parent_end_by_themselves(tmp_path: Path, postgres_url: str) -> None:
    with _serving(tmp_path, postgres_url, "--processes", "2") as serving:
        _until(lambda: serving.health(1) == serving.health(2) == 200)
        children = serving.children
        serving.process.kill()
        serving.process.wait(WAIT_S)
        _until(lambda: not [pid for pid in children if _runs(pid)])


def test_several_on_sqlite_are_refused_with_the_way_out(tmp_path: Path) -> None:
    with _serving(tmp_path, "", "--processes", "2") as serving:
        assert serving.process.wait(WAIT_S) == 2
    assert "sitewarden db move" in "".join(serving.errors)


@pytest.mark.postgres
def test_what_a_person_has_to_mend_ends_all_with_its_code(tmp_path: Path, postgres_url: str) -> None:
    data = tmp_path / "data"
    with _serving(tmp_path, postgres_url, "--processes", "2") as serving:
        _until(lambda: serving.health(1) == serving.health(2) == 200)
    (data / "secret.key").write_bytes(b"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    with _serving(tmp_path, postgres_url, "--processes", "2") as serving:
        assert serving.process.wait(WAIT_S) == 3
    assert "secret key" in "".join(serving.errors)


def _listens(pid: int, port: int) -> bool:
    return any(
        one.laddr.port == port for one in psutil.Process(pid).net_connections(kind="tcp") if one.status == "LISTEN"
    )


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
