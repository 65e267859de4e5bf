"""What is not kept here any more comes back as charts from the store that it was sent to; or it is said why not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from sitewarden_collector.app import Collector
from sitewarden_collector.channels import remote_store
from sitewarden_collector.cli import main
from sitewarden_collector.config import Config, Export, RemoteWrite, Retention
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.services import charts, remote_read, retention
from sitewarden_collector.services.remote_write import Exporter
from sitewarden_collector.store import export_cursors
from sitewarden_collector.store.base import new_id, tables
from sitewarden_collector.store.engine import Database
from tests import cast, remote_stores
from tests.cast import HOUR, MINUTE, SECOND
from tests.desk import bearer, make_app, make_context, signed_in
from tests.fakes.web import WebService
from tests.integration.host import configured, headquarters
from tests.integration.test_remote_write import drained, here, hour_ago, remote
from tests.remote_stores import Store
from tests.unit.collector.test_compaction import Host, minutes

DISK = cast.DISK.name
SHORT = Retention(samples_days=1 / 1440, rollups_days=1 / 1440)
EMPTY = b'{"status":"success","data":{"resultType":"matrix","result":[]}}'
WAIT_S = 60.0


@pytest.fixture(params=remote_stores.KINDS)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if remote_stores.missing(request.param):
        pytest.skip(f"needs: {request.param} (Debian: {request.param})")
    with Store(request.param) as found:
        yield found


@pytest.fixture
def host(db: Database) -> Host:
    db.write_now(export_cursors.switch, active=True, now_ns=time.time_ns())
    return Host(db)


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Host]:
    """A host on SQLite alone, for what no database makes different."""
    with closing(Database(f"sqlite:///{tmp_path / 'quick.db'}")) as db:
        tables().create_all(db.engine)
        yield Host(db)


def reading(url: str, **changes: Any) -> Config:
    """A configuration that reads back, and keeps nothing for longer than a minute."""
    return Config(retention=SHORT, export=Export(remote_write=remote("", read_url=url, **changes)))


@asynccontextmanager
async def api(host: Host, config: Config) -> AsyncIterator[httpx.AsyncClient]:
    """The HTTP side over the host's database."""
    app = make_app(make_context(host.db, config=config, now_ns=time.time_ns))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=30) as client:
        yield client


async def asked(client: httpx.AsyncClient, host: Host, begin_ns: int) -> httpx.Response:
    """An hour of the disk's use, by the API."""
    times = {"since": _iso(begin_ns), "until": _iso(begin_ns + HOUR)}
    headers = bearer(host.db, now_ns=time.time_ns())
    answer = await client.get(
        f"/api/v1/sites/{cast.ACME_BERLIN}/series", params={"series": DISK, **times}, headers=headers
    )
    assert answer.status_code == 200, answer.text
    return answer


def _iso(at_ns: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_ns // SECOND))


async def test_an_hour_that_is_gone_here_is_read_back(host: Host, store: Store) -> None:
    begin_ns = hour_ago(2)
    host.sends(*minutes(60, start_ns=begin_ns))
    exporter = Exporter(host.db, remote(store.write_url, labels={"region": "eu"}), now_ns=time.time_ns)
    await drained(exporter)
    await exporter.stop()
    store.samples(DISK, until_ns=time.time_ns())  # VictoriaMetrics shows what it wrote down
    before = here(host)
    while host.db.write_now(retention.step, SHORT, now_ns=time.time_ns()):
        pass
    assert here(host) == []
    async with api(host, reading(store.origin, labels={"region": "eu"})) as client:
        answer = await asked(client, host, begin_ns)
        (track,) = answer.json()
        assert (track["hostname"], track["labels"], track["unit"]) == ("web-1", {"mount": "/data"}, "ratio")
        assert {round(number, 6) for number in track["numbers"]} == {number for _, number in before}
        # Each stands within a step (4 s) of where it was.
        for at_s, number in before:
            near = [n for at, n in zip(track["times"], track["numbers"], strict=True) if abs(at / 1000 - at_s) <= 4]
            assert number in {round(one, 6) for one in near}
        assert "Sitewarden-Note" not in answer.headers
        # What is kept here again is joined to it.
        host.sends(cast.samples(0.111, 0.222, start_ns=begin_ns + HOUR - MINUTE, told=False))
        (track,) = (await asked(client, host, begin_ns)).json()
        assert {0.111, 0.222} < {round(number, 6) for number in track["numbers"]}
        store.stop()
        answer = await asked(client, host, begin_ns)
        assert [track["numbers"] for track in answer.json()] == [[0.111, 0.222]]
        assert "could not be read from the remote store" in answer.headers["Sitewarden-Note"]


async def test_only_what_the_sites_own_agents_told_is_shown(host: Host) -> None:
    host.sends(*minutes(1, start_ns=hour_ago()))
    values = [[hour_ago(5) // SECOND + 60, "0.5"]]
    foreign = {"metric": {"agent": "another", "mount": "/data"}, "values": values}
    unknown = {"metric": {"agent": host.agent.id, "mount": "/never"}, "values": values}
    mine = {"metric": {"agent": host.agent.id, "mount": "/data", "host": "was-called-so"}, "values": values}
    with WebService() as web:
        web.answer = json.dumps({"status": "success", "data": {"result": [foreign, unknown, mine]}}).encode()
        span = {"since_ns": hour_ago(5), "until_ns": hour_ago(5) + HOUR, "now_ns": time.time_ns()}
        found = await remote_read.older(host.db, reading(web.origin), host.agent.site_id, {DISK}, **span)
        assert [(track.agent_id, track.series, track.numbers) for track in found.tracks] == [
            (host.agent.id, cast.DISK, (0.5,))
        ]
        assert await remote_read.older(host.db, reading(web.origin), new_id(), {DISK}, **span) == remote_read.Older()


@pytest.mark.parametrize(
    ("manner", "status", "answer", "said"),
    [
        ("answer", 401, b"who?", "answered 401: check user, password and bearer"),
        ("answer", 404, b"", "answered 404: check export.remote_write.read_url"),
        ("answer", 302, b"", "answered 302: it has moved"),
        ("answer", 503, b"", "answered 503: this may pass"),
        ("answer", 200, b"<html>", "does not answer as Prometheus does"),
        (
            "answer",
            200,
            b'{"status":"success","data":{"result":[{"metric":{},"values":[[1e400,"x"]]}]}}',
            "Prometheus does",
        ),
        (
            "answer",
            200,
            b'{"status":"success","data":{"result":[{"metric":{},"values":[[1,"x"]]}]}}',
            "Prometheus does",
        ),
        ("answer", 200, EMPTY + b" " * 2_000_000, "answered with more than 1000000 bytes"),
        ("garbage", 200, b"", "gave no answer"),
        ("cut", 200, b"", "gave no answer"),
        ("silence", 200, b"", "gave no answer within"),
        ("drip", 200, b"", "gave no answer within"),
    ],
)
async def test_what_is_here_is_shown_when_the_store_cannot_be_read(
    quick: Host, monkeypatch: pytest.MonkeyPatch, manner: Any, status: int, answer: bytes, said: str
) -> None:
    monkeypatch.setattr(remote_store, "READ_DEADLINE_S", 0.5)
    monkeypatch.setattr(remote_store, "ANSWER_MAX_BYTES", 1_000_000)
    quick.sends(*minutes(1, start_ns=hour_ago(2)))
    with WebService() as web:
        web.manner, web.status, web.answer = manner, status, answer
        async with api(quick, reading(web.origin)) as client:
            found = await asked(client, quick, hour_ago(2))
            assert said in found.headers["Sitewarden-Note"]
            assert remote_stores.PASSWORD not in found.headers["Sitewarden-Note"]
            assert len(found.json()[0]["numbers"]) == 6
            headers = signed_in(quick.db, now_ns=time.time_ns())
            where = f"/sites/{cast.ACME_BERLIN}/chart"
            query = {"what": f"{charts.OWN}{DISK}", "span": "6h"}
            page = (await client.get(where, params=query, headers=headers)).json()
            assert said in page["note"]
            assert page["series"][0]["points"]
            page = (await client.get(where, params={**query, "lang": "zh"}, headers=headers)).json()
            assert page["note"].startswith("这里不再保存的部分未能从远程存储读取：")
            assert web.origin in page["note"]


async def test_nothing_is_asked_while_all_of_it_is_kept_here(quick: Host) -> None:
    quick.sends(*minutes(1, start_ns=hour_ago()))
    with WebService() as web:
        kept = msgspec.structs.replace(reading(web.origin), retention=Retention())
        async with api(quick, kept) as client:
            assert "Sitewarden-Note" not in (await asked(client, quick, hour_ago())).headers
        assert web.requests == []


async def test_a_running_collector_sends_and_tells_how_it_stands(
    tmp_path: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = remote(store.write_url, password="pw-that-is-wrong-77")
    config = configured(tmp_path, export=Export(remote_write=wrong))
    async with headquarters(config) as collector:
        host = Host(collector.db)
        host.sends(*minutes(2, start_ns=hour_ago()))
        await _until(collector, lambda told: "401" in told.error)
    right = msgspec.structs.replace(config, export=Export(remote_write=remote(store.write_url)))
    async with headquarters(right) as collector, httpx.AsyncClient() as client:
        await _until(collector, lambda told: told.sent == 24 and told.waiting_spools == 0)
        shown = (await client.get(f"http://127.0.0.1:{collector.http_port}/metrics")).text
        assert 'sitewarden_export_samples{result="sent"} 24.0' in shown
        assert "sitewarden_export_lag_seconds" in shown
        health = (await client.get(f"http://127.0.0.1:{collector.http_port}/healthz")).json()
        assert not [one for one in health["attention"] if "remote store" in one]
        assert remote_stores.PASSWORD not in shown + json.dumps(health)
    (tmp_path / "collector.toml").write_text(f'data_dir = "{tmp_path}"\n')
    assert main(["export", "status", "--json", "--config", str(tmp_path / "collector.toml")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["active"], told["sent"], told["refused"], told["error"]) == (True, 24, 0, "")
    assert main(["export", "status", "--config", str(tmp_path / "collector.toml")]) == 0
    assert "24 samples" in capsys.readouterr().out


async def _until(collector: Collector, done: Any) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            found = await collector.db.read(export_cursors.standing, now_ns=time.time_ns())
            if found is not None and done(found):
                return
            await asyncio.sleep(0.1)


def test_a_configuration_that_cannot_be_used_is_refused() -> None:
    cases = [
        ({"url": "ftp://x"}, "is no web address"),
        ({"url": "http://user:secret-78@x/write"}, "holds a user"),
        ({"url": "http://x/w", "user": "a", "bearer": "b"}, "not both"),
        ({"url": "http://x/w", "labels": {"a-b": "c"}}, "no label's name"),
        ({"url": "http://x/w", "timeout_s": 0}, "more than 0"),
        ({"url": "http://x/w", "ca_file": "/nowhere.pem"}, "name a PEM file"),
    ]
    for said, expected in cases:
        with pytest.raises(ConfigError, match=expected) as refused:
            remote_store.RemoteStore(RemoteWrite(**said))  # type: ignore[arg-type]
        assert "secret-78" not in str(refused.value)
