"""The database goes away under a collector: nothing is lost, what was told to wait is taken at the next try."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text

from sitewarden_collector.errors import DatabaseBusy
from sitewarden_collector.loops import SystemClock
from sitewarden_collector.store import observations, settings, wakeups
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.feed import Counting, Feed
from tests.integration.host import Host, configured, headquarters, token_for

pytestmark = pytest.mark.postgres
WAIT_S = 20.0


class Road:
    """A way to a PostgreSQL that loses the answers to commits when it is told to."""

    def __init__(self, url: str) -> None:
        where = make_url(url)
        self._socket_path = f"{where.query['host']}/.s.PGSQL.5432"
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = where.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
        self.losing = 0  # answers
        self.lost = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._socket_path)
            commits = threading.Event()
            for one, other, up in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._pump, args=(one, other, up, commits), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket, up: bool, commits: threading.Event) -> None:
        try:
            while data := one.recv(65_536):
                if up and self.losing and b"COMMIT" in data:
                    commits.set()
                if not up and commits.is_set():
                    self.losing -= 1
                    self.lost += 1
                    break  # it was committed, and nobody hears of it
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def road(postgres_url: str) -> Iterator[Road]:
    with closing(Road(postgres_url)) as made:
        yield made


def _cut_all(url: str) -> None:
    with closing(Database(url)) as db, db.engine.connect() as tx:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        tx.execute(text(f"SELECT pg_terminate_backend(pid) {others}"))


async def test_a_commit_whose_answer_was_lost_is_known_again(tmp_path: Path, road: Road) -> None:
    async with headquarters(configured(tmp_path, road.url)) as collector:
        host = Host(collector)
        await host.enroll(await token_for(collector))
        async with host.upload() as up:
            await up.hello()
            road.losing = 1
            said = await up.send(1, "the only one")
            while said.WhichOneof("step") == "ack" or not road.lost:
                # Another commit of this collector was the one whose answer was lost.
                road.losing = 1
                said = await up.send(2, "the only one")
        assert said.closing.retry
        seq = 1 if said.WhichOneof("step") != "ack" else 2
        async with host.upload() as up:
            stored = (await up.hello()).welcome.last_stored_seq
            for again in range(stored, 3):
                if again:
                    assert (await up.send(again, "the only one")).ack.through_seq >= again
        batches, rows = await collector.db.read(observations.tally, host.agent_id, host.epoch.hex())
        assert batches == rows
        assert stored in (seq, 2)


async def test_cut_connections_are_made_again(tmp_path: Path, postgres_url: str) -> None:
    async with headquarters(configured(tmp_path, postgres_url)) as collector:
        for turn in range(5):
            await asyncio.to_thread(_cut_all, postgres_url)
            async with asyncio.timeout(WAIT_S):
                while True:
                    try:
                        await collector.db.run(settings.put, f"turn{turn}", turn)
                        break
                    except DatabaseBusy:
                        await asyncio.sleep(0.05)
            assert await collector.db.read(settings.get, f"turn{turn}") == turn


def test_a_transaction_that_is_cut_is_told_as_busy_whatever_its_service_does_next(postgres_url: str) -> None:
    def cut_in_the_middle(tx: Connection) -> None:
        mine = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with closing(Database(postgres_url)) as other, other.engine.connect() as their:
            their.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
        try:
            with tx.begin_nested():
                settings.put(tx, "a", 1)
        except Exception:
            settings.put(tx, "b", 2)

    with closing(Database(postgres_url)) as db:
        db.write_now(lambda tx: tx.execute(text("CREATE TABLE settings (name text PRIMARY KEY, value text)")))
        for _ in range(3):
            with pytest.raises(DatabaseBusy):
                db.write_now(cut_in_the_middle)
            with pytest.raises(DatabaseBusy):
                db.read_now(cut_in_the_middle)
        db.write_now(settings.put, "c", 3)
        assert db.read_now(settings.get, "c") == 3


def test_a_former_primary_is_left_for_the_new_one(postgres_url: str) -> None:
    with closing(Database(postgres_url)) as db:
        db.write_now(lambda tx: tx.execute(text("CREATE TABLE settings (name text PRIMARY KEY, value text)")))
        name = make_url(postgres_url).database
        with db.engine.connect() as tx:
            tx.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
            tx.commit()
        _cut_all(postgres_url)
        with pytest.raises(DatabaseBusy):
            db.write_now(settings.put, "a", 1)
        with closing(Database(postgres_url)) as other, other.engine.connect() as tx:
            tx.execute(text("SET TRANSACTION READ WRITE"))
            tx.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = off'))
            tx.commit()
        db.write_now(settings.put, "a", 2)  # by a new connection
        assert db.read_now(settings.get, "a") == 2


async def _feed(url: str) -> tuple[Database, Feed, asyncio.Task[None]]:
    db = Database(url)
    feed = Feed(db, SystemClock())
    following = asyncio.ensure_future(feed.follow())
    await feed.settled()
    return db, feed, following


async def _until(done: object) -> None:
    async with asyncio.timeout(WAIT_S):
        while not done():  # type: ignore[operator]  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_one_of_several_leads_and_another_one_when_it_is_gone(postgres_url: str) -> None:
    three = [await _feed(postgres_url) for _ in range(3)]
    try:
        assert [feed.leads for _, feed, _ in three] == [True, False, False]
        three[0][2].cancel()
        await _until(lambda: three[1][1].leads or three[2][1].leads)
        assert [three[1][1].leads, three[2][1].leads].count(True) == 1
        await asyncio.to_thread(_cut_all, postgres_url)
        await _until(lambda: [feed.leads for _, feed, _ in three[1:]].count(True) == 1)
    finally:
        for db, _, following in three:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            db.close()


async def test_what_is_told_is_heard_by_everybody_also_after_the_connection_was_cut(postgres_url: str) -> None:
    one, two = [await _feed(postgres_url) for _ in range(2)]
    try:
        for turn in range(2):
            for _, feed, _ in (one, two):
                feed.take_asked()
                feed.asked.clear()
            await one[0].run(wakeups.tell, wakeups.ACTIONS, f"agent-{turn}")
            for _, feed, _ in (one, two):
                await asyncio.wait_for(feed.asked.wait(), WAIT_S)
                assert feed.take_asked() == {f"agent-{turn}"}
                feed.asked.clear()
            await asyncio.to_thread(_cut_all, postgres_url)
            for _, feed, _ in (one, two):
                await asyncio.wait_for(feed.asked.wait(), WAIT_S)  # the connection stands again
                assert feed.take_asked() is None  # and what was told meanwhile was told to nobody
    finally:
        for db, _, following in (one, two):
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            db.close()


async def test_arrivals_elsewhere_wake_the_one_that_leads_and_nobody_else(postgres_url: str) -> None:
    one, two = [await _feed(postgres_url) for _ in range(2)]
    done: list[str] = []

    def step_of(name: str) -> Counting:
        async def step() -> int:
            done.append(name)
            return 0

        return step

    steps = [feed.passed_on("evaluation", step_of(name)) for name, (_, feed, _) in (("a", one), ("b", two))]
    try:
        for _, feed, _ in (one, two):
            feed.arrived.clear()
        two[1].arrived.set()
        two[1].arrived.clear()
        await steps[1]()
        await asyncio.wait_for(one[1].arrived.wait(), WAIT_S)
        await steps[0]()
        assert done == ["a"]
        assert not two[1].arrived.is_set()
    finally:
        for db, _, following in (one, two):
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            db.close()
