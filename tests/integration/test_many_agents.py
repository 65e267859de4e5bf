"""Many agents at one collector: all get in at its pace, all are sent away spread, and a bad one harms no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from sitewarden_collector.app import Collector
from sitewarden_collector.config import Limits
from sitewarden_collector.services import enrolment
from sitewarden_protos.v1 import common_pb2
from tests.integration.host import Host, batch_of, configured, headquarters, log_line, token_for

pytestmark = pytest.mark.timeout(240)


async def _agents(collector: Collector, count: int) -> list[Host]:
    hosts = [Host(collector, f"web-{number}") for number in range(count)]
    for host in hosts:
        await host.enroll(await token_for(collector))
    return hosts


@asynccontextmanager
async def _roads(hosts: list[Host]) -> AsyncIterator[list[Any]]:
    async with AsyncExitStack() as open_:
        yield [await open_.enter_async_context(host.upload()) for host in hosts]


def _let_in(collector: Collector) -> dict[str, float]:
    [family] = collector.telemetry.connects.collect()
    return {one.labels["how"]: one.value for one in family.samples if one.name.endswith("_total")}


async def test_those_that_come_at_once_are_let_in_one_after_the_other_and_none_is_refused(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path, limits=Limits(connects_per_s=1.0))) as collector:
        hosts = await _agents(collector, 8)
        async with _roads(hosts) as roads:
            welcomes = await asyncio.gather(*(road.hello() for road in roads))
        assert [one.WhichOneof("step") for one in welcomes] == ["welcome"] * 8
        let_in = _let_in(collector)
        assert sum(let_in.values()) == 8
        assert let_in["in line"] >= 1
        assert "later" not in let_in
        assert collector.front.live.in_line == 0


async def test_those_for_whom_the_line_is_too_long_get_a_moment_each_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sitewarden_collector.grpc_api.front.LINE_MAX_S", 0.2)
    async with headquarters(configured(tmp_path, limits=Limits(connects_per_s=0.1))) as collector:
        hosts = await _agents(collector, 5)
        async with _roads(hosts) as roads:
            answers = await asyncio.gather(*(road.hello() for road in roads))
        away = [one.closing for one in answers if one.WhichOneof("step") == "closing"]
        assert len(away) >= 3
        assert {one.reason for one in away} == {common_pb2.REASON_OVERLOADED}
        assert all(one.retry and one.keep_credential for one in away)
        assert len({one.retry_after_ms // 500 for one in away}) == len(away)


async def test_both_roads_of_a_session_go_in_together_and_a_revoked_agent_by_none(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        [host] = await _agents(collector, 1)
        async with host.upload() as up, host.control() as down:
            assert (await up.hello()).WhichOneof("step") == "welcome"
            assert (await down.hello()).WhichOneof("step") == "welcome"
            assert _let_in(collector) == {"at once": 1.0}
            await collector.db.run(enrolment.revoke, host.agent_id, why="lost", now_ns=collector.clock.now_ns())
            await collector._recheck()
            assert (await up.hear()).closing.reason == common_pb2.REASON_REVOKED
        async with host.control() as again:
            assert (await again.hello()).closing.reason == common_pb2.REASON_REVOKED


async def test_a_collector_that_stops_gives_every_agent_a_moment_of_its_own(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path, limits=Limits(connects_per_s=2.0))) as collector:
        hosts = await _agents(collector, 6)
        async with _roads(hosts) as roads:
            await asyncio.gather(*(road.hello() for road in roads))
            stopping = asyncio.create_task(collector.stop())
            named = sorted([(await road.hear()).closing.retry_after_ms for road in roads])
            await stopping
    assert named == [500, 1_000, 1_500, 2_000, 2_500, 3_000]


async def test_an_agent_that_floods_waits_and_the_others_do_not(tmp_path: Path) -> None:
    limits = Limits(batches_per_s=2.0, batch_burst=20)
    async with headquarters(configured(tmp_path, limits=limits)) as collector:
        flooder, *good = await _agents(collector, 5)
        heard = 0

        async def flood(road: Any) -> None:
            nonlocal heard
            for seq in range(1, 1_000):
                await road.say(batch_of(seq, log_line("flood")))

        async def count(road: Any) -> None:
            nonlocal heard
            while True:
                heard = (await road.hear()).ack.through_seq

        async with flooder.upload() as bad, _roads(good) as roads:
            await bad.hello()
            flooding = [asyncio.create_task(flood(bad)), asyncio.create_task(count(bad))]
            await asyncio.gather(*(road.hello() for road in roads))
            began_s = collector.clock.monotonic_s()
            for seq in range(1, 11):
                answers = await asyncio.gather(*(road.send(seq, "fine") for road in roads))
                assert [one.ack.through_seq for one in answers] == [seq] * 4
            passed_s = collector.clock.monotonic_s() - began_s
            for task in flooding:
                task.cancel()
            await asyncio.gather(*flooding, return_exceptions=True)
        assert heard <= 20 + 2.0 * (passed_s + 10)  # its burst, and what it may send in the time


async def test_an_agent_that_reads_no_answer_and_one_that_opens_a_hundred_streams_keep_nobody_out(
    tmp_path: Path,
) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        deaf, greedy, good = await _agents(collector, 3)
        async with AsyncExitStack() as open_:
            road = await open_.enter_async_context(deaf.upload())
            await road.hello()
            for seq in range(1, 9):
                await road.say(batch_of(seq, log_line("unheard")))
            streams = [await open_.enter_async_context(greedy.control()) for _ in range(100)]
            hearing = [asyncio.ensure_future(stream.hear()) for stream in streams]  # without a hello
            async with good.upload() as up:
                assert (await up.hello()).WhichOneof("step") == "welcome"
                for seq in range(1, 6):
                    assert (await up.send(seq, "fine")).ack.through_seq == seq
                refused = [await one for one in islice(asyncio.as_completed(hearing), 80)]
                assert {one.closing.reason for one in refused} == {common_pb2.REASON_RATE_LIMITED}
                assert collector.front.live.counts() == {"upload": 2}  # the deaf one is still there, the greedy is not
            for one in hearing:
                one.cancel()
            await asyncio.gather(*hearing, return_exceptions=True)
