"""`sitewarden serve` as a process: it comes up by itself, is alone on its database, and ends when it is told to."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sitewarden_collector.app import Collector
from sitewarden_collector.config import Channel, Person, Rules
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.store import tickets
from tests import cast
from tests.integration.host import Host, configured, headquarters, token_for

CONFIG = """
data_dir = "data"
[listen]
streams = "127.0.0.1:0"
enrolment = "127.0.0.1:0"
http = "127.0.0.1:0"
"""


def _serve(config: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "sitewarden_collector", "serve", "--config", str(config)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "collector.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def serving(config: Path) -> Iterator[subprocess.Popen[str]]:
    process = _serve(config)
    assert process.stdout is not None
    for line in process.stdout:
        if "next:" in line:
            break
    yield process
    process.kill()
    process.communicate()


def test_it_comes_up_on_nothing_and_ends_on_sigterm(serving: subprocess.Popen[str], config: Path) -> None:
    data = config.parent / "data"
    assert (data / "collector.db").is_file()
    assert (data / "secret.key").stat().st_mode & 0o077 == 0
    assert list(data.glob("offline/root-ca-*.key"))
    serving.send_signal(signal.SIGTERM)
    _out, err = serving.communicate(timeout=30)
    assert serving.returncode == 0
    logged = [json.loads(line) for line in err.splitlines()]
    assert [line["message"] for line in logged] == ["the collector is ready", "the collector has stopped"]


def test_a_second_one_on_the_same_database_is_told_who_is_the_first(
    serving: subprocess.Popen[str], config: Path
) -> None:
    second = _serve(config)
    _out, err = second.communicate(timeout=30)
    assert second.returncode == 3
    assert f"process {serving.pid}" in err
    assert "Traceback" not in err


def test_a_truncated_database_is_told_with_what_to_do(config: Path) -> None:
    data = config.parent / "data"
    data.mkdir()
    (data / "collector.db").write_bytes(b"SQLite format 3\0" + bytes(60))
    process = _serve(config)
    _out, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "sitewarden restore" in err
    assert "Traceback" not in err


def test_a_port_that_is_taken_is_told_by_its_key(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        config.write_text(CONFIG.replace('streams = "127.0.0.1:0"', f'streams = "{address}"'))
        process = _serve(config)
        _out, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert f"listen.streams: cannot listen on {address}" in err.splitlines()[-1]


async def _get(collector: Collector, path: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(f"http://127.0.0.1:{collector.http_port}{path}")


async def test_its_health_its_numbers_and_its_root_are_there_over_http(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = Host(collector)
        await host.enroll(await token_for(collector))
        async with host.upload() as road:
            await road.hello()
            await road.send(1, "disk full")
        assert (await _get(collector, "/healthz")).json()["status"] == "ok"
        numbers = (await _get(collector, "/metrics")).text
        assert 'sitewarden_intake_batches_total{result="stored"} 1.0' in numbers
        assert 'sitewarden_certificates_issued_total{kind="first"} 1.0' in numbers
        assert (await _get(collector, "/ca.pem")).text.startswith("-----BEGIN CERTIFICATE-----")


async def test_what_arrives_becomes_a_ticket_by_itself(tmp_path: Path, db_url: str) -> None:
    told = configured(
        tmp_path,
        db_url,
        on_call=(Person(name=cast.ADA, channels=("pager",)),),
        channels={"pager": Channel(url="log://")},
    )
    async with headquarters(told) as collector:
        host = Host(collector)
        await host.enroll(await token_for(collector))
        async with host.upload() as road:
            await road.hello()
            await road.send(1, "payment failed: connection refused")
            for _ in range(200):
                found = await collector.db.read(tickets.listing)
                if found:
                    break
                await collector.clock.sleep(0.05)
        assert len(found) == 1


async def test_rules_that_cannot_be_used_stop_the_start_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "disk.toml").write_text('[[rule]]\nnme = "x"\n')
    with pytest.raises(ConfigError, match=r"disk\.toml:\d+: "):
        async with headquarters(configured(tmp_path, rules=Rules(dirs=("mine",)))):
            pass
    with pytest.raises(ConfigError, match="no shipped pack 'defalt'"):
        async with headquarters(configured(tmp_path, rules=Rules(packs=("defalt",)))):
            pass
