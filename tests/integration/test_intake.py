"""The two roads between a host and a collector, over mutual TLS: what is stored, what is said, who is sent away."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from sqlalchemy import Connection, func, select

from sitewarden_collector.app import Collector
from sitewarden_collector.config import Limits, PkiConfig, WatchLevel
from sitewarden_collector.errors import DatabaseBusy
from sitewarden_collector.grpc_api.greeting import recheck
from sitewarden_collector.services import actions as asking
from sitewarden_collector.store import actions, agents, observations, spools, tickets
from sitewarden_protos.v1 import common_pb2, control_pb2, intake_pb2
from tests import cast
from tests.cast import HOUR, SECOND
from tests.integration.host import Host, ShiftedClock, batch_of, configured, headquarters, log_line, token_for


def _said(reply: common_pb2.Refusal) -> str:
    return common_pb2.Reason.Name(reply.reason).removeprefix("REASON_")


def _messages(tx: Connection, agent_id: str) -> list[str]:
    found = []
    for epoch in tx.execute(select(spools.spools.c.epoch).where(spools.spools.c.agent_id == agent_id)).scalars():
        found += [one.what.message for one in observations.of_batches(tx, agent_id, epoch, 0, 2**60)]  # type: ignore[union-attr]
    return found


async def _agent(collector: Collector, hostname: str = "web-1", **changes: Any) -> Host:
    host = Host(collector, hostname, **changes)
    await host.enroll(await token_for(collector))
    return host


async def test_what_is_acknowledged_is_stored(tmp_path: Path, db_url: str) -> None:
    async with headquarters(configured(tmp_path, db_url)) as collector:
        host = await _agent(collector)
        async with host.upload() as road:
            welcome = (await road.hello()).welcome
            assert (welcome.last_stored_seq, welcome.credits) == (0, 8)
            ack = await road.send(1, "disk full", "disk full again")
            assert (ack.ack.through_seq, ack.ack.credits) == (1, 1)
            assert ack.server_time.unix_ns > 0
        assert await collector.db.read(_messages, host.agent_id) == ["disk full", "disk full again"]


async def test_after_a_cut_the_hello_says_where_to_go_on_and_a_repeat_is_not_stored_twice(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        async with host.upload() as road:
            await road.hello()
            await road.send(1, "first")
        async with host.upload() as road:
            assert (await road.hello()).welcome.last_stored_seq == 1
            assert (await road.send(1, "first")).ack.through_seq == 1
            assert (await road.send(2, "second")).ack.through_seq == 2
        assert await collector.db.read(_messages, host.agent_id) == ["first", "second"]


async def test_a_compressed_batch_is_taken_as_well(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        plain = batch_of(1, *(log_line(f"line {i}") for i in range(2_000)))
        packed = zstandard.ZstdCompressor().compress(plain.batch.body)
        plain.batch.body, plain.batch.compression = packed, intake_pb2.COMPRESSION_ZSTD
        async with host.upload() as road:
            await road.hello()
            await road.say(plain)
            assert (await road.hear()).ack.through_seq == 1
        assert len(await collector.db.read(_messages, host.agent_id)) == 2_000


async def test_a_batch_out_of_order_closes_the_stream_and_says_what_is_expected(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        async with host.upload() as road:
            await road.hello()
            closing = (await road.send(5, "out of the blue")).closing
        assert _said(closing) == "OUT_OF_ORDER"
        assert "follows 0" in closing.message
        assert closing.retry


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"body": b"\x0a\xff\xff", "body_bytes": 3}, "MALFORMED"),
        ({"body": b"not packed", "compression": intake_pb2.COMPRESSION_ZSTD}, "MALFORMED"),
        ({"body_bytes": 1}, "MALFORMED"),
        ({"body_bytes": 2**40}, "TOO_LARGE"),
        ({"compression": intake_pb2.COMPRESSION_UNSPECIFIED}, "MALFORMED"),
        ({"body": b"x" * 4_200_000}, "TOO_LARGE"),
    ],
)
async def test_a_batch_that_can_never_be_stored_is_refused_by_its_number_and_the_next_one_follows(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        async with host.upload() as road:
            await road.hello()
            await road.say(batch_of(1, log_line("bad"), **changes))
            refused = (await road.hear()).refused
            assert (refused.seq, _said(refused.refusal), refused.credits) == (1, reason, 1)
            assert not refused.refusal.retry
            assert (await road.send(2, "good")).ack.through_seq == 2
        assert await collector.db.read(_messages, host.agent_id) == ["good"]


@pytest.mark.parametrize("first", [b"\xff\xff\xff", b"", batch_of(1, log_line("early")).SerializeToString()])
async def test_a_stream_that_does_not_begin_with_a_hello_gets_a_clear_answer(tmp_path: Path, first: bytes) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        async with host.upload() as road:
            await road.say(first)
            assert _said((await road.hear()).closing) == "MALFORMED"
        async with host.control() as road_down:
            await road_down.say(first)
            assert _said((await road_down.hear()).closing) == "MALFORMED"


async def test_an_agent_whose_clock_is_hours_off_is_corrected_and_one_a_year_off_is_told(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        now_ns = collector.clock.now_ns()
        async with host.upload() as road:
            await road.hello(agent_time_unix_ns=now_ns - 3 * HOUR)
            await road.say(batch_of(1, log_line("late", wall_ns=now_ns - 3 * HOUR)))
            await road.hear()
        (found,) = await collector.db.read(observations.of_batches, host.agent_id, host.epoch.hex(), 1, 1)
        assert abs(found.wall_ns - now_ns) < 10 * SECOND
        async with host.upload() as road:
            reply = await road.hello(agent_time_unix_ns=now_ns - 366 * cast.DAY)
        assert _said(reply.closing) == "CLOCK_SKEW"
        assert abs(reply.server_time.unix_ns - now_ns) < 60 * SECOND
        assert reply.closing.keep_credential


async def test_a_newer_session_replaces_the_old_one_on_both_roads(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        rebooted = host.twin()
        async with host.upload() as up, host.control() as down, rebooted.upload() as newer:
            await up.hello()
            await down.hello()
            await down.hear()  # the watch levels
            assert (await newer.hello()).WhichOneof("step") == "welcome"
            assert _said((await up.hear()).closing) == "DUPLICATE_SESSION"
            assert _said((await down.hear()).closing) == "DUPLICATE_SESSION"
            assert (await newer.send(1, "still here")).ack.through_seq == 1


async def test_two_clones_that_keep_replacing_each_other_are_both_shut_out_and_it_is_noted(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        one = await _agent(collector)
        other = one.twin()
        heard = []
        for host in (one, other, one, other, one):
            async with host.upload() as road:
                heard.append(await road.hello())
        assert [reply.WhichOneof("step") for reply in heard] == ["welcome"] * 4 + ["closing"]
        assert _said(heard[-1].closing) == "QUARANTINED"
        async with other.upload() as road:
            assert _said((await road.hello()).closing) == "QUARANTINED"
        (noted,) = await collector.db.read(observations.of_batches, one.agent_id, spools.COLLECTOR_EPOCH, 1, 9)
        assert noted.what.kind == "quarantined"  # type: ignore[union-attr]
        for _ in range(200):
            if opened := await collector.db.read(tickets.listing):
                break
            await collector.clock.sleep(0.05)
        assert len(opened) == 1


async def test_a_key_that_is_used_on_another_machine_is_shut_out_with_the_one_it_belongs_to(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        thief = host.twin()
        thief.machine = "another machine"
        async with host.upload() as road, thief.upload() as stolen:
            await road.hello()
            assert _said((await stolen.hello()).closing) == "QUARANTINED"
            assert _said((await road.hear()).closing) == "QUARANTINED"
        assert (await collector.db.read(agents.by_id, host.agent_id)).state == "quarantined"


async def test_a_collector_that_stops_sends_its_agents_away_spread_over_a_window(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        async with host.upload() as road:
            await road.hello()
            stopping = asyncio.create_task(collector.stop())
            closing = (await road.hear()).closing
            assert _said(closing) == "DRAINING"
            assert closing.retry
            assert 0 < closing.retry_after_ms <= 1_000
            await stopping


async def test_a_fresh_server_certificate_comes_without_a_restart(tmp_path: Path) -> None:
    clock = ShiftedClock()
    clock.shift_ns = -80 * cast.DAY
    pki = PkiConfig(agent_certificate_days=365)
    async with headquarters(configured(tmp_path, pki=pki), clock=clock) as collector:
        host = await _agent(collector)
        ports = (collector.streams_port, collector.enrolment_port)
        clock.shift_ns = 0
        await collector.servers.refresh()
        assert (collector.servers.streams_port, collector.servers.enrolment_port) == ports
        async with host.upload() as road:
            assert (await road.hello()).WhichOneof("step") == "welcome"


async def test_a_database_that_is_busy_sends_the_agent_away_with_everything_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        async with host.upload() as road:
            await road.hello()

            async def full(*_arguments: object, **_options: object) -> None:
                raise DatabaseBusy("the database's disk is full")

            monkeypatch.setattr(collector.db, "run", full)
            closing = (await road.send(1, "kept at the site")).closing
            monkeypatch.undo()
        assert _said(closing) == "OVERLOADED"
        assert closing.retry
        assert closing.retry_after_ms == 5_000


async def test_an_agent_that_sends_too_fast_waits_alone(tmp_path: Path) -> None:
    limits = Limits(batches_per_s=20, batch_burst=2)
    async with headquarters(configured(tmp_path, limits=limits)) as collector:
        eager, calm = await _agent(collector, "web-1"), await _agent(collector, "db-1")
        async with eager.upload() as rush, calm.upload() as road:
            await rush.hello()
            await road.hello()
            for seq in range(1, 13):
                await rush.say(batch_of(seq, log_line("again")))
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            assert (await road.send(1, "calm")).ack.through_seq == 1
            calm_s = loop.time() - began_s
            acks = [(await rush.hear()).ack]
            while acks[-1].through_seq < 12:  # what was committed together is acknowledged together
                acks.append((await rush.hear()).ack)
            assert [one.through_seq for one in acks] == sorted({one.through_seq for one in acks})
            assert sum(one.credits for one in acks) == 12
            assert loop.time() - began_s > 0.4 > calm_s


async def test_heartbeats_are_answered_and_written_down(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        async with host.control() as road:
            welcome = (await road.hello()).welcome
            assert welcome.pacing.heartbeat_ms == 30_000
            assert list(welcome.endpoints) == list(collector.front.streams_endpoints)
            await road.hear()
            state = control_pb2.SpoolState(bytes=1024, held=7)
            beat = control_pb2.Heartbeat(agent_time_unix_ns=collector.clock.now_ns(), spool=state)
            await road.say(control_pb2.ControlRequest(heartbeat=beat))
            assert (await road.hear()).WhichOneof("step") == "heartbeat"
        await collector._write_heard()
        agent = await collector.db.read(agents.by_id, host.agent_id)
        assert msgspec.json.decode(agent.spool)["held"] == 7
        assert collector.clock.now_ns() - agent.last_seen_ns < 30 * SECOND


async def test_watch_levels_come_with_the_welcome(tmp_path: Path) -> None:
    levels = (WatchLevel(series="disk_used_ratio", above=0.95),)
    async with headquarters(configured(tmp_path, watch_levels=levels)) as collector:
        host = await _agent(collector)
        async with host.control() as road:
            await road.hello()
            level, *ours = (await road.hear()).watch_levels.levels
        assert ("folder_used_ratio", 0.95) in {(one.series, one.above) for one in ours}, "a rule waits for it"
        assert (level.series, level.above, level.has_above, level.has_below) == ("disk_used_ratio", 0.95, True, False)


async def test_a_notice_reaches_the_site_at_once_and_again_until_its_outcome_comes(tmp_path: Path) -> None:
    words = {"subject": "Patch 4.2", "body": "Please plan it.", "category": "patch", "reference": "REL-4.2"}
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        site_id = (await collector.db.read(agents.by_id, host.agent_id)).site_id
        async with host.control() as road:
            await road.hello()
            await road.hear()
            (sent,) = await collector.db.run(asking.send_notice, site_id, **words, now_ns=collector.clock.now_ns())
            action = (await road.hear()).action
            assert action.notice.subject == "Patch 4.2"
            assert action.expires_unix_ns > collector.clock.now_ns()
        async with host.control() as road:
            await road.hello()
            await road.hear()
            assert (await road.hear()).action.action_id == action.action_id
        (stored,) = await collector.db.read(actions.every)
        assert (stored.id, stored.state) == (sent, "sent")


async def test_many_agents_at_once_are_all_served(tmp_path: Path, db_url: str) -> None:
    async with headquarters(configured(tmp_path, db_url)) as collector:
        hosts = await asyncio.gather(*(_agent(collector, f"web-{i}") for i in range(25)))

        async def work(host: Host) -> None:
            async with host.upload() as road:
                await road.hello()
                for seq in range(1, 6):
                    assert (await road.send(seq, f"{host.hostname} {seq}")).ack.through_seq == seq

        await asyncio.gather(*(work(host) for host in hosts))
        count = await collector.db.read(
            lambda tx: tx.execute(select(func.count()).select_from(observations.observations)).scalar_one()
        )
        assert count == 125


async def test_two_collectors_on_one_postgresql_share_their_agents(tmp_path: Path, postgres_url: str) -> None:
    config = configured(tmp_path, postgres_url)
    async with headquarters(config) as here, headquarters(config) as there:
        host = await _agent(here)
        moved = host.twin()
        moved.collector, moved.epoch = there, host.epoch
        async with host.upload() as old, moved.upload() as new:
            await old.hello()
            assert (await old.send(1, "at the first")).ack.through_seq == 1
            assert (await new.hello()).welcome.last_stored_seq == 1
            assert (await new.send(2, "at the second")).ack.through_seq == 2
            assert (await old.send(2, "at the second")).ack.through_seq == 2  # a repeat, wherever it comes
            await recheck(here.front)
            assert _said((await old.hear()).closing) == "DUPLICATE_SESSION"
        assert await here.db.read(_messages, host.agent_id) == ["at the first", "at the second"]
        assert here.front.authority.root_sha256 == there.front.authority.root_sha256
