"""Samples reach real stores by remote write, every one of them, and come back as charts."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Connection

from sitewarden_collector.channels.remote_store import Answer
from sitewarden_collector.config import RemoteWrite
from sitewarden_collector.errors import ChannelUnavailable, DatabaseBusy
from sitewarden_collector.services import health, intake, remote_write, sentences
from sitewarden_collector.services.remote_write import Exporter
from sitewarden_collector.store import export_cursors, privacy, sample_hours, tracks
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.export_cursors import Standing
from tests import cast, remote_stores
from tests.cast import DAY, HOUR, MINUTE, SECOND
from tests.fakes.web import Manner, WebService
from tests.remote_stores import PASSWORD, USER, Store
from tests.unit.collector.test_compaction import Host, minutes

DISK = cast.DISK.name
DIGITS = 6  # VictoriaMetrics keeps decimals, of about twelve digits


@pytest.fixture(scope="module", params=remote_stores.KINDS)
def shared(request: pytest.FixtureRequest) -> Iterator[Store]:
    """One store of each kind for all tests that leave it as it is: their agents are their own."""
    if remote_stores.missing(request.param):
        pytest.skip(f"needs: {request.param} (Debian: {request.param})")
    with Store(request.param) as found:
        yield found


@pytest.fixture
def store(shared: Store) -> Iterator[Store]:
    """A store of this test alone: it may be ended."""
    with Store(shared.kind) as found:
        yield found


@pytest.fixture
def hosts(db: Database) -> tuple[Host, Host]:
    """A host of acme and one of globex."""
    db.write_now(export_cursors.switch, active=True, now_ns=time.time_ns())
    return Host(db), Host(db, site=cast.GLOBEX_OSAKA)


def remote(url: str, **changes: object) -> RemoteWrite:
    said = {"url": url, "user": USER, "password": PASSWORD, "samples_per_request": 100, "timeout_s": 5.0}
    return RemoteWrite(**{**said, **changes})  # type: ignore[arg-type]


def hour_ago(count: int = 1) -> int:
    """The beginning of an hour that is over."""
    return time.time_ns() // HOUR * HOUR - count * HOUR


async def drained(exporter: Exporter) -> None:
    while await exporter.step():
        pass


def standing(db: Database) -> Standing:
    found = db.read_now(export_cursors.standing, now_ns=time.time_ns())
    assert found is not None
    return found


def here(host: Host) -> list[tuple[float, float]]:
    """What a host's samples are, as a store tells them."""
    found = host.db.read_now(tracks.series, host.agent.site_id, DISK, 0)
    pairs = [pair for track in found for pair in zip(track.times_ns, track.numbers, strict=True)]
    return sorted((at_ns // 1_000_000 / 1000, round(number, DIGITS)) for at_ns, number in pairs)


def there(host: Host, store: Store) -> list[tuple[float, float]]:
    """What the store has of them: each once, whatever was sent twice."""
    found = store.samples(f'{DISK}{{agent="{host.agent.id}"}}', until_ns=time.time_ns())
    assert len(found) <= 1
    return sorted({(round(at, 3), round(number, DIGITS)) for _, samples in found for at, number in samples})


async def test_every_sample_of_two_agents_arrives_under_its_names(
    db: Database, hosts: tuple[Host, Host], shared: Store
) -> None:
    for host in hosts:
        host.sends(*minutes(20, start_ns=hour_ago()))
    exporter = Exporter(db, remote(shared.write_url, labels={"region": "eu"}), now_ns=time.time_ns)
    await drained(exporter)
    await exporter.stop()
    for host in hosts:
        assert there(host, shared) == here(host)
        assert len(here(host)) == 120
    ((labels, _),) = shared.samples(f'{DISK}{{agent="{hosts[0].agent.id}"}}', until_ns=time.time_ns())
    expected = {"customer": cast.ACME, "site": cast.ACME_BERLIN, "host": "web-1", "agent": hosts[0].agent.id}
    assert labels == {"__name__": DISK, "mount": "/data", "region": "eu", **expected}
    told = standing(db)
    assert (told.sent, told.refused, told.lost, told.waiting_spools) == (2 * 2 * 120, 0, 0, 0)


async def test_what_comes_while_a_store_is_down_is_sent_when_it_is_back(
    db: Database, hosts: tuple[Host, Host], store: Store
) -> None:
    exporter = Exporter(db, remote(store.write_url), now_ns=time.time_ns)
    begin_ns = hour_ago(2)
    for host in hosts:
        host.sends(*minutes(10, start_ns=begin_ns))
    await drained(exporter)
    store.kill()
    for host in hosts:
        host.sends(*minutes(70, start_ns=begin_ns)[10:])
    with pytest.raises(ChannelUnavailable, match="gave no answer"):
        await drained(exporter)
    assert "gave no answer" in standing(db).error
    # Meanwhile an hour takes the place of its minutes.
    for host in hosts:
        host.compacts(now_ns=begin_ns + HOUR + 20 * MINUTE)
    assert standing(db).owed_hours == 2
    store.start()
    await drained(exporter)
    await exporter.stop()
    for host in hosts:
        assert there(host, store) == here(host)
        assert len(here(host)) == 420
    told = standing(db)
    assert (told.sent, told.refused, told.lost, told.owed_hours, told.error) == (2 * 2 * 420, 0, 0, 0, "")


async def test_what_was_sent_before_a_crash_may_be_sent_again(
    db: Database, hosts: tuple[Host, Host], shared: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for host in hosts:
        host.sends(*minutes(10, start_ns=hour_ago()))

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    exporter = Exporter(db, remote(shared.write_url), now_ns=time.time_ns)
    with monkeypatch.context() as patch:
        patch.setattr(db, "run_alone", killed)
        with pytest.raises(KeyboardInterrupt):
            await exporter.step()
    await exporter.stop()
    for host in hosts:
        host.sends(*minutes(20, start_ns=hour_ago())[10:])
    again = Exporter(db, remote(shared.write_url), now_ns=time.time_ns)
    await drained(again)
    await again.stop()
    for host in hosts:
        assert there(host, shared) == here(host)
        assert len(here(host)) == 120
    assert standing(db).waiting_spools == 0


@pytest.mark.parametrize("nth", [0, 1, 2, 4])
async def test_killed_at_any_commit_nothing_is_lost(
    db: Database, hosts: tuple[Host, Host], shared: Store, nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_write, "BLOCKS_PER_ROUND", 20)
    for host in hosts:
        host.sends(*minutes(40, start_ns=hour_ago()))
    left = nth

    def commit(tx: Connection) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise RuntimeError("killed")
        tx.commit()

    with closing(Database(db.url, commit=commit)) as dying:
        exporter = Exporter(dying, remote(shared.write_url), now_ns=time.time_ns)
        with pytest.raises((RuntimeError, DatabaseBusy)):
            await drained(exporter)
    again = Exporter(db, remote(shared.write_url), now_ns=lambda: time.time_ns() + MINUTE * 5)  # after its lease
    await drained(again)
    await again.stop()
    for host in hosts:
        assert there(host, shared) == here(host)
    assert standing(db).waiting_spools == 0


async def test_a_wrong_password_loses_nothing_and_is_not_written_down(
    db: Database, hosts: tuple[Host, Host], shared: Store, caplog: pytest.LogCaptureFixture
) -> None:
    hosts[0].sends(*minutes(3, start_ns=hour_ago()))
    wrong = Exporter(db, remote(shared.write_url, password="not-this-one-76"), now_ns=time.time_ns)
    with pytest.raises(ChannelUnavailable, match=r"answered 401.*check user, password and bearer"):
        await wrong.step()
    await wrong.stop()
    told = standing(db)
    assert "check user, password and bearer" in told.error
    assert "not-this-one-76" not in caplog.text + told.error + repr(wrong._config)
    right = Exporter(db, remote(shared.write_url), now_ns=time.time_ns)
    await drained(right)
    await right.stop()
    assert there(hosts[0], shared) == here(hosts[0])
    assert standing(db).error == ""


@pytest.mark.parametrize("path", ["/api/v1/nowhere", "/"])
async def test_nothing_is_given_up_at_a_wrong_address(
    db: Database, hosts: tuple[Host, Host], shared: Store, path: str
) -> None:
    hosts[0].sends(*minutes(1, start_ns=hour_ago()))
    elsewhere = Exporter(db, remote(f"{shared.origin}{path}"), now_ns=time.time_ns)
    with pytest.raises(ChannelUnavailable, match=r"answered (302|40[045]) .*export.remote_write.url"):
        await elsewhere.step()
    await elsewhere.stop()
    told = standing(db)
    assert (told.sent, told.refused, told.waiting_spools) == (0, 0, 1)


@pytest.mark.parametrize("manner", ["cut", "garbage", "silence", "drip"])
async def test_a_store_that_does_not_answer_is_tried_again(
    db: Database, hosts: tuple[Host, Host], manner: Manner
) -> None:
    hosts[0].sends(*minutes(1, start_ns=hour_ago()))
    with WebService() as web:
        exporter = Exporter(db, remote(f"{web.origin}/write", timeout_s=0.5), now_ns=time.time_ns)
        web.manner = manner
        with pytest.raises(ChannelUnavailable, match="gave no answer"):
            await exporter.step()
        web.manner = "answer"
        await drained(exporter)
        await exporter.stop()
    told = standing(db)
    assert (told.sent, told.refused, told.waiting_spools) == (12, 0, 0)
    assert web.requests[-1].headers["Content-Encoding"] == "snappy"


async def test_a_store_that_asks_for_time_gets_it(db: Database, hosts: tuple[Host, Host], monkeypatch: Any) -> None:
    hosts[0].sends(*minutes(1, start_ns=hour_ago()))
    clock = cast.FakeClock(time.time_ns())
    exporter = Exporter(db, remote("http://127.0.0.1:9/write"), now_ns=clock.now_ns)
    answers = [Answer(429, "slowly", retry_after_s=30.0), Answer(204, "")]

    async def push(_body: bytes) -> Answer:
        return answers.pop(0)

    monkeypatch.setattr(exporter._store, "push", push)
    with pytest.raises(ChannelUnavailable, match="this may pass"):
        await exporter.step()
    clock.now += 29 * SECOND
    await exporter.step()
    assert standing(db).sent == 0
    clock.now += 2 * SECOND
    await exporter.step()
    assert (answers, standing(db).sent) == ([], 12)
    await exporter.stop()


async def test_what_is_refused_for_good_is_counted_and_said(db: Database, hosts: tuple[Host, Host]) -> None:
    for host in hosts:
        host.sends(*minutes(1, start_ns=hour_ago()))
    with WebService() as web:
        web.status, web.answer = 400, b"out of order sample"
        exporter = Exporter(db, remote(f"{web.origin}/write"), now_ns=time.time_ns)
        await drained(exporter)
        await exporter.stop()
    told = standing(db)
    assert (told.sent, told.refused, told.waiting_spools, told.why) == (0, 24, 0, "out of order sample")
    facts = db.read_now(health.examine, now_ns=time.time_ns())
    (said,) = [one for one in health.judge(facts).attention if "remote store" in one]
    assert "24 it refused for good (out of order sample)" in said
    assert "远程存储" in sentences.said(said, "zh")


async def test_a_sample_that_is_too_old_for_the_store_stops_no_other(db: Database, hosts: tuple[Host, Host]) -> None:
    if remote_stores.missing("prometheus"):
        pytest.skip("needs: prometheus (Debian: prometheus)")
    late, fresh = minutes(2, start_ns=hour_ago(3)), minutes(2, start_ns=hour_ago())
    with Store("prometheus", late_window="10m") as store:
        exporter = Exporter(db, remote(store.write_url), now_ns=time.time_ns)
        hosts[0].sends(*fresh)
        await drained(exporter)
        hosts[0].sends(*late)
        hosts[1].sends(*minutes(3, start_ns=hour_ago()))
        await drained(exporter)
        await exporter.stop()
        told = standing(db)
        assert (told.sent, told.refused, told.waiting_spools) == (24 + 36, 24, 0)
        assert "old" in told.why or "order" in told.why
        assert there(hosts[1], store) == here(hosts[1])


async def test_what_retention_took_before_it_was_sent_is_counted_as_lost(
    db: Database, hosts: tuple[Host, Host]
) -> None:
    begin_ns = hour_ago(2)
    hosts[0].sends(*minutes(60, start_ns=begin_ns))
    hosts[0].compacts(now_ns=begin_ns + 2 * HOUR)
    assert standing(db).owed_hours == 1
    db.write_now(sample_hours.forget_old, before_ns=begin_ns + DAY, limit=10)
    with WebService() as web:
        exporter = Exporter(db, remote(f"{web.origin}/write"), now_ns=time.time_ns)
        await drained(exporter)
        await exporter.stop()
    told = standing(db)
    assert (told.sent, told.lost, told.owed_hours) == (0, 720, 0)


async def test_one_sends_at_a_time_and_another_takes_over(db: Database, hosts: tuple[Host, Host]) -> None:
    with WebService() as web:
        clock = cast.FakeClock(time.time_ns())
        one, two = (Exporter(db, remote(f"{web.origin}/write"), now_ns=clock.now_ns) for _ in range(2))
        begin_ns = hour_ago()
        for number, exporter in enumerate((one, two, two, one)):
            hosts[0].sends(*minutes(number + 1, start_ns=begin_ns)[number:])
            await exporter.step()
            # The second waits while the first may still be sending, and takes over when that one is gone.
            assert standing(db).sent == (12, 12, 36, 36)[number]
            clock.now += 5 * MINUTE if number == 1 else 0
        await two.stop()
        await one.step()
        assert standing(db).sent == 48
        await one.stop()


async def test_what_is_joined_while_it_waits_goes_before_what_came_later(
    db: Database, hosts: tuple[Host, Host], store: Store
) -> None:
    begin_ns = hour_ago(2)
    for host in hosts:
        host.sends(*minutes(70, start_ns=begin_ns))
    exporter = Exporter(db, remote(store.write_url), now_ns=time.time_ns)
    exporter._plan = db.read_now(remote_write.plan, now_ns=time.time_ns())
    for host in hosts:
        host.compacts(now_ns=begin_ns + HOUR + 20 * MINUTE)
    await drained(exporter)
    await exporter.stop()
    for host in hosts:
        assert there(host, store) == here(host)
    told = standing(db)
    assert (told.sent, told.refused, told.owed_hours, told.waiting_spools) == (2 * 2 * 420, 0, 0, 0)


async def test_agents_keep_step_so_that_a_store_refuses_none_for_being_older_than_another(
    db: Database, hosts: tuple[Host, Host], store: Store
) -> None:
    for host in hosts:
        host.sends(*minutes(130, start_ns=hour_ago(3)))
    exporter = Exporter(db, remote(store.write_url), now_ns=time.time_ns)
    await drained(exporter)
    await exporter.stop()
    for host in hosts:
        assert there(host, store) == here(host)
    assert standing(db).refused == 0


async def test_a_host_that_began_anew_sends_what_is_older_first(
    db: Database, hosts: tuple[Host, Host], store: Store
) -> None:
    older, newer = minutes(30, start_ns=hour_ago()), minutes(60, start_ns=hour_ago())[30:]
    hosts[0].sends(*older)
    for seq, block in enumerate(newer, start=1):
        batch = cast.batch(seq, block, epoch="0b" * 16)
        db.write_now(intake.accept, hosts[0].agent.id, batch=batch, now_ns=cast.NOON + 1)
    exporter = Exporter(db, remote(store.write_url), now_ns=time.time_ns)
    await drained(exporter)
    await exporter.stop()
    assert there(hosts[0], store) == here(hosts[0])
    assert (len(here(hosts[0])), standing(db).refused) == (360, 0)


async def test_an_agent_that_is_erased_while_its_samples_are_sent_stays_erased(
    db: Database, hosts: tuple[Host, Host]
) -> None:
    hosts[0].sends(*minutes(1, start_ns=hour_ago()))
    plan = db.read_now(remote_write.plan, now_ns=time.time_ns())
    load = db.read_now(remote_write.gather, [], list(plan.spools))
    db.write_now(privacy.erase, hosts[0].agent.customer_id, [])
    db.write_now(remote_write.settle, load, remote_write.Tally(sent=12), complete_ns=0, now_ns=time.time_ns())
    assert hosts[0].counts(export_cursors.cursors) == 0


async def test_what_is_no_sample_is_not_sent(db: Database, hosts: tuple[Host, Host], shared: Store) -> None:
    numbers = (1.0, math.nan, math.inf, -2.5, 0.0, math.nan)
    hosts[0].sends(cast.samples(*numbers, start_ns=hour_ago()))
    exporter = Exporter(db, remote(shared.write_url), now_ns=time.time_ns)
    await drained(exporter)
    await exporter.stop()
    sent = [number for _, number in there(hosts[0], shared)]
    assert sent == [1.0, math.inf, -2.5, 0.0]
    assert standing(db).sent == 4 + 6
