"""Two collectors on one PostgreSQL: what must happen once happens once, and both consoles hear of it."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Connection, event

from sitewarden_alerting.escalation import EscalationPolicy, Step, Target
from sitewarden_alerting.model import Policy
from sitewarden_alerting.oncall import Layer, Schedule
from sitewarden_alerting.rules import Rulebook
from sitewarden_collector import pki
from sitewarden_collector.app import Collector
from sitewarden_collector.config import Channel, Retention, Webhooks
from sitewarden_collector.services import actions, audit, clock_watch, evaluation, retention, webhooks
from sitewarden_collector.services.desk import routine
from sitewarden_collector.store import agents, changes, lock, notices, people, schedules, tickets
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.people import Reachable, Road
from tests.cast import ACME_BERLIN, ADA, BOB, NOON, settle_site
from tests.desk import bearer
from tests.fakes.web import Request, WebService
from tests.integration.host import Host, configured, headquarters, token_for

pytestmark = pytest.mark.postgres

Pair = tuple[Collector, Collector]
WAIT_S = 30.0
QUIET_S = 3.0  # several rounds of every loop


@pytest.fixture
def web() -> Iterator[WebService]:
    with WebService() as service:
        yield service


@pytest.fixture
async def pair(tmp_path: Path, postgres_url: str, web: WebService) -> AsyncIterator[Pair]:
    """Two collectors with one database and one secret key; what Ada and Bob are told goes to `web`."""
    roads = {name: Channel(url=f"webhook+{web.origin}/{name}") for name in (ADA, BOB)}
    key = Fernet.generate_key()
    configs = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / pki.SECRET_FILE).write_bytes(key)
        configs.append(configured(folder, postgres_url, channels=roads, webhooks=Webhooks(allow_private=True)))
    async with headquarters(configs[0]) as one, headquarters(configs[1]) as two:
        yield one, two


async def _until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not done():  # noqa: ASYNC110  what is waited for happens in other threads and processes
            await asyncio.sleep(0.05)


def _at(web: WebService, path: str) -> list[Request]:
    return [one for one in web.requests if one.path == path]


async def _fault(collector: Collector, text: str, hostname: str = "web-1") -> None:
    """A host that tells one of the collectors of an error."""
    host = Host(collector, hostname)
    await host.enroll(await token_for(collector))
    async with host.upload() as road:
        await road.hello()
        await road.send(1, text)


async def test_what_one_changes_is_live_at_both(pair: Pair) -> None:
    one, two = pair
    async with one.context.live.subscribe() as here, two.context.live.subscribe() as there:
        for turn, writer in enumerate((one, two, one)):
            await writer.db.run(changes.note, "ticket", f"t{turn}", what="comment", now_ns=writer.clock.now_ns())
        for watcher in (here, there):
            heard: list[str] = []
            while len(heard) < 3:
                taken = await asyncio.wait_for(watcher.take(timeout_s=WAIT_S), WAIT_S)
                assert taken, "nothing was heard"
                heard += [change.ref for change in taken if change is not None and change.topic == "ticket"]
            assert sorted(heard) == ["t0", "t1", "t2"]


async def test_what_one_is_asked_reaches_an_agent_at_the_other_at_once(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    host = Host(two)
    await host.enroll(await token_for(two))
    async with host.control() as road:
        assert (await road.hello()).WhichOneof("step") == "welcome"
        assert (await road.hear()).WhichOneof("step") == "watch_levels"
        [agent] = await one.db.read(agents.of_site, (await one.db.read(agents.by_id, host.agent_id)).site_id)
        # Nobody may come upon it by looking.
        monkeypatch.setattr(two.feed, "take_asked", lambda take=two.feed.take_asked: take() or set())
        for turn in range(3):
            words = {"subject": f"window {turn}", "body": "", "category": "maintenance", "reference": ""}
            now_ns = one.clock.now_ns()
            asked = await one.db.run(actions.send_notice, agent.site_id, **words, now_ns=now_ns)
            heard = await asyncio.wait_for(road.hear(), WAIT_S)
            assert [str(uuid.UUID(bytes=heard.action.action_id))] == asked


async def test_a_fault_is_one_ticket_and_each_step_of_its_escalation_one_page(pair: Pair, web: WebService) -> None:
    one, two = pair
    layer = Layer("primary", (ADA,), "2026-11-23T09:00")
    schedule = await one.db.run(schedules.add, Schedule("support", "UTC", (layer,), managers=(BOB,)), now_ns=1)
    steps = (Step(0.0, Target.ON_CALL), Step(2.0, Target.MANAGER))
    await one.db.run(schedules.set_policy, schedule.id, EscalationPolicy(steps=steps, repeats=0))
    for name in (ADA, BOB):
        await two.db.run(people.save, Reachable(name, (Road(name),)))
    await _fault(two, "payment failed: connection refused")
    await _until(lambda: bool(_at(web, f"/{BOB}")))
    await asyncio.sleep(QUIET_S)
    assert [len(_at(web, f"/{name}")) for name in (ADA, BOB)] == [1, 1]
    [found] = await one.db.read(tickets.listing)
    history = Counter(line.what for line in await one.db.read(tickets.history_of, found.ticket.id))
    assert (history["open_ticket"], history["page"], history["escalate"]) == (1, 2, 1)
    assert {notice.state for notice in await one.db.read(notices.listing)} == {"sent"}


async def test_many_faults_at_both_are_each_told_once(pair: Pair, web: WebService) -> None:
    one, two = pair
    await one.db.run(people.save, Reachable(ADA, (Road(ADA),)))
    layer = Layer("primary", (ADA,), "2026-11-23T09:00")
    await one.db.run(schedules.add, Schedule("support", "UTC", (layer,)), now_ns=1)
    words = ("payment refused", "disk is full", "login answers 503", "queue stands still")
    await asyncio.gather(*(_fault(pair[turn % 2], text, f"web-{turn}") for turn, text in enumerate(words)))
    await _until(lambda: bool(_at(web, f"/{ADA}")))
    await asyncio.sleep(QUIET_S)
    told = [json.loads(request.body)["id"] for request in _at(web, f"/{ADA}")]
    assert len(told) == len(set(told))
    assert {notice.state for notice in await two.db.read(notices.listing)} == {"sent"}
    keys = [found.ticket.fault for found in await one.db.read(tickets.listing, states=tickets.OPEN)]
    assert len(keys) == len(set(keys))


async def test_a_message_of_a_webhook_is_delivered_once(pair: Pair, web: WebService) -> None:
    one, _two = pair
    now_ns = one.clock.now_ns()
    secret = one.context.secret
    await one.db.run(webhooks.subscribe, secret, url=f"{web.origin}/hook", events=["*"], by=ADA, now_ns=now_ns)
    writers = [pair[turn % 2] for turn in range(20)]
    await asyncio.gather(
        *(
            writer.db.run(webhooks.announce, "test.done", {"turn": turn}, ref=f"t{turn}", now_ns=now_ns)
            for turn, writer in enumerate(writers)
        )
    )
    await _until(lambda: len(_at(web, "/hook")) >= len(writers))
    await asyncio.sleep(QUIET_S)
    ids = Counter(request.headers.get("webhook-id", "") for request in _at(web, "/hook"))
    assert len(ids) == len(writers)
    assert set(ids.values()) == {1}


async def test_the_audit_chain_is_whole_though_both_write_into_it(pair: Pair) -> None:
    before = await pair[0].db.read(audit.verify)
    await asyncio.gather(
        *(
            pair[turn % 2].db.run(audit.note, ADA, "read_ticket", f"INC-{turn}", now_ns=pair[0].clock.now_ns())
            for turn in range(60)
        )
    )
    after = await pair[1].db.read(audit.verify)
    assert (after.faults, after.rows - before.rows) == ((), 60)


async def test_a_request_under_one_key_has_its_effect_once_wherever_it_is_sent(pair: Pair) -> None:
    one, two = pair
    now_ns = one.clock.now_ns()
    await one.db.run(settle_site)
    headers = await asyncio.to_thread(bearer, one.db, "engineer", now_ns=now_ns)
    headers |= {"Idempotency-Key": "order-1"}
    body = {"site": ACME_BERLIN, "title": "Orders hang"}
    async with httpx.AsyncClient(headers=headers) as client:
        answers = await asyncio.gather(
            *(
                client.post(f"http://127.0.0.1:{pair[turn % 2].http_port}/api/v1/tickets", json=body)
                for turn in range(8)
            )
        )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["number"] for answer in answers}) == 1
    assert len(await two.db.read(tickets.listing)) == 1


ALONE: dict[str, tuple[str, Callable[[Connection, int], object]]] = {
    "evaluation": ("evaluation", lambda tx, now_ns: evaluation.step(tx, Rulebook(), Policy(), now_ns=now_ns)),
    "tick": ("evaluation", lambda tx, now_ns: evaluation.tick(tx, Rulebook(), Policy(), now_ns=now_ns)),
    "clocks": ("clocks", lambda tx, now_ns: clock_watch.watch(tx, now_ns=now_ns)),
    "desk": ("desk", lambda tx, now_ns: routine.step(tx, now_ns=now_ns)),
    "retention": ("retention", lambda tx, now_ns: retention.step(tx, Retention(), now_ns=now_ns)),
}


@pytest.mark.parametrize("work", ALONE)
def test_what_only_one_may_do_is_left_alone_while_another_does_it(postgres_url: str, work: str) -> None:
    task, step = ALONE[work]
    asked: list[str] = []
    with (
        closing(Database(postgres_url)) as db,
        db.engine.connect() as first,
        db.engine.connect() as second,
        first.begin(),
        second.begin(),
    ):
        assert lock.alone(first, task)
        event.listen(second, "before_cursor_execute", lambda *call: asked.append(call[2]))
        assert step(second, NOON) == 0
    assert len(asked) == 1, asked
