"""The link against a headquarters on loopback, over real gRPC and mutual TLS: nothing lost, nothing out of order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sitewarden_agent.clock import SystemClock
from sitewarden_agent.link import identity, process, wire
from sitewarden_agent.model import (
    Gap,
    GapReason,
    LogEvent,
    Observation,
    Outcome,
    OutcomeState,
    RecordPart,
    What,
)
from sitewarden_agent.spool import Spool, WatchLevel
from sitewarden_protos.v1 import common_pb2, control_pb2, intake_pb2
from tests.fakes.headquarters import Authority, Headquarters, notice, refusal


@dataclass(frozen=True)
class LinkSettings:
    endpoints: tuple[str, ...] = ()
    proxy: str | None = None
    backoff_base_s: float = 0.02
    backoff_cap_s: float = 0.05


@dataclass(frozen=True)
class DeadmanSettings:
    url: str | None = None
    after_s: float = 300.0


@dataclass(frozen=True)
class LimitsSettings:
    cpu_share: float = 64.0


@dataclass(frozen=True)
class Settings:
    state_dir: Path
    link: LinkSettings = LinkSettings()
    deadman: DeadmanSettings = DeadmanSettings()
    limits: LimitsSettings = LimitsSettings()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def headquarters(authority: Authority) -> AsyncIterator[Headquarters]:
    running = await Headquarters(authority).start()
    yield running
    await running.stop()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Observe's end."""
    opened = Spool.open(tmp_path / "spool.db", clock=SystemClock())
    yield opened
    opened.close()


@asynccontextmanager
async def linked(state_dir: Path, **settings: Any) -> AsyncIterator[asyncio.Task[None]]:
    """A running link with its own end of the spool."""
    own = Spool.open(state_dir / "spool.db", clock=SystemClock())
    stop = asyncio.Event()
    task = asyncio.create_task(process.run(Settings(state_dir, LinkSettings(**settings)), own, SystemClock(), stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)
        own.close()


def enrol(state_dir: Path, authority: Authority, *endpoints: str) -> None:
    identity.store(state_dir, authority.identity(*endpoints))


def log(number: int, *, size: int = 20) -> LogEvent:
    text = f"line {number} ".ljust(size, "x")
    return LogEvent("app", "/var/log/app.log", "1:2:3", number, RecordPart.WHOLE, 4, "db", text, text, "f1:0")


def append(spool: Spool, *whats: What) -> None:
    clock = SystemClock()
    spool.append([Observation(what, clock.wall_ns(), clock.boot_id(), clock.monotonic_ns()) for what in whats])


def came(headquarters: Headquarters) -> list[What]:
    return [each.what for body in headquarters.bodies() for each in wire.from_body(body)]


def logs(headquarters: Headquarters) -> list[What]:
    return [what for what in came(headquarters) if isinstance(what, LogEvent)]


async def test_what_is_appended_arrives_and_is_acknowledged(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    enrol(tmp_path, authority, headquarters.endpoint)
    append(spool, *map(log, range(5)))
    async with linked(tmp_path):
        await headquarters.until(lambda: len(logs(headquarters)) == 5)
        append(spool, log(5))
        await headquarters.until(lambda: len(logs(headquarters)) == 6 and spool.unacked() == ())
    assert logs(headquarters) == list(map(log, range(6)))
    assert spool.state().held == 0
    assert spool.notes()["link"]["state"] == "stopped"
    assert headquarters.goodbyes == ["the agent stops"]


async def test_a_line_reaches_headquarters_at_once(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    enrol(tmp_path, authority, headquarters.endpoint)
    loop, waits = asyncio.get_running_loop(), []
    async with linked(tmp_path):
        await headquarters.until(lambda: bool(headquarters.hellos))
        for number in range(20):
            before = loop.time()
            append(spool, log(number))
            await headquarters.until(lambda number=number: len(logs(headquarters)) == number + 1)  # type: ignore[misc]
            waits.append(loop.time() - before)
    assert sorted(waits)[10] < 0.15, waits  # far less on a quiet machine; the bell, not the look, carries it


async def test_batches_wait_for_credits(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    headquarters.credits = 2
    headquarters.answer = lambda batch: intake_pb2.UploadResponse()  # neither stored nor acknowledged
    enrol(tmp_path, authority, headquarters.endpoint)
    async with linked(tmp_path):
        for number in range(5):
            append(spool, log(number))
            await asyncio.sleep(0.05)
        await headquarters.until(lambda: len(headquarters.batches) == 2)
        await asyncio.sleep(0.2)
        assert len(headquarters.batches) == 2


async def test_a_refused_batch_is_parked_and_the_next_one_follows_it(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    def no(batch: intake_pb2.Batch) -> intake_pb2.UploadResponse | None:
        if batch.seq != 1:
            return None
        never = refusal("MALFORMED", retry=False, message="not UTF-8")
        return intake_pb2.UploadResponse(refused=intake_pb2.BatchRefused(seq=1, refusal=never, credits=1))

    headquarters.answer = no
    enrol(tmp_path, authority, headquarters.endpoint)
    append(spool, log(1))
    async with linked(tmp_path):
        await headquarters.until(lambda: bool(came(headquarters)))
        append(spool, log(2))
        await headquarters.until(lambda: bool(logs(headquarters)))
    [gap, *rest] = came(headquarters)
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.first_seq, gap.detail) == (GapReason.REFUSED, 1, "MALFORMED: not UTF-8")
    assert rest == [log(2)]
    assert spool.state().parked == 1


async def test_a_batch_that_is_too_large_is_cut_until_it_fits(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    def no(batch: intake_pb2.Batch) -> intake_pb2.UploadResponse | None:
        if batch.body_bytes <= 3_000:
            return None
        large = refusal("TOO_LARGE", retry=False)
        return intake_pb2.UploadResponse(refused=intake_pb2.BatchRefused(seq=batch.seq, refusal=large, credits=1))

    headquarters.answer = no
    enrol(tmp_path, authority, headquarters.endpoint)
    append(spool, *(log(number, size=500) for number in range(8)))
    async with linked(tmp_path):
        await headquarters.until(lambda: len(logs(headquarters)) == 8)
    assert logs(headquarters) == [log(number, size=500) for number in range(8)]
    assert spool.state().parked == 0


async def test_nothing_is_lost_or_doubled_when_the_connection_is_cut_again_and_again(
    authority: Authority, spool: Spool, tmp_path: Path
) -> None:
    """Batches are stored, and the connection dies before or after the acknowledgement."""
    headquarters = await Headquarters(authority, credits=3).start()
    port, cuts = headquarters.port, 0
    enrol(tmp_path, authority, headquarters.endpoint)
    async with linked(tmp_path):
        for number in range(60):
            append(spool, log(number))
            if number % 10 == 9:
                await headquarters.until(lambda: bool(headquarters.batches))
                await headquarters.stop()
                headquarters.batches.clear()
                await headquarters.start(port=port)
                cuts += 1
        await headquarters.until(lambda: len(logs(headquarters)) >= 60)
    assert cuts == 6
    assert logs(headquarters) == list(map(log, range(60)))
    await headquarters.stop()


async def test_headquarters_that_was_restored_gets_its_lost_day_again(
    authority: Authority, spool: Spool, tmp_path: Path
) -> None:
    headquarters = await Headquarters(authority).start()
    enrol(tmp_path, authority, headquarters.endpoint)
    async with linked(tmp_path):
        for number in range(6):
            append(spool, log(number))
            await headquarters.until(lambda number=number: len(logs(headquarters)) == number + 1)  # type: ignore[misc]
        await headquarters.stop()
        headquarters.forget(after_seq=2)
        assert len(logs(headquarters)) == 2
        await headquarters.start(port=headquarters.port)
        await headquarters.until(lambda: len(logs(headquarters)) == 6)
    assert logs(headquarters) == list(map(log, range(6)))
    await headquarters.stop()


async def test_a_copied_spool_goes_on_under_a_new_epoch(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    enrol(tmp_path, authority, headquarters.endpoint)
    headquarters.stored[spool.epoch] = {9: b""}
    append(spool, log(1))
    async with linked(tmp_path):
        await headquarters.until(lambda: len(headquarters.stored) == 2)
    [old, new] = headquarters.stored
    assert spool.epoch == new != old
    assert log(1) in [each.what for body in headquarters.bodies(new) for each in wire.from_body(body)]


async def test_a_new_enrolment_does_not_send_the_former_agents_day_again(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOOK_FOR_IDENTITY_S", 0.02)
    enrol(tmp_path, authority, headquarters.endpoint)
    append(spool, log(1))
    async with linked(tmp_path):
        await headquarters.until(lambda: len(logs(headquarters)) == 1 and spool.unacked() == ())
        other = authority.identity(headquarters.endpoint)
        identity.store(tmp_path, msgspec.structs.replace(other, agent_id="agent-2"))
        await headquarters.until(lambda: len(headquarters.hellos) == 2)
        append(spool, log(2))
        await headquarters.until(lambda: len(headquarters.stored) == 2)
    new = headquarters.hellos[1].epoch.hex()
    assert [each.what for body in headquarters.bodies(new) for each in wire.from_body(body)] == [log(2)]


async def test_a_headquarters_that_always_knows_more_is_not_hammered(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Headquarters, "last", lambda self, epoch: 1_000)
    enrol(tmp_path, authority, headquarters.endpoint)
    async with linked(tmp_path, backoff_base_s=5.0, backoff_cap_s=5.0):
        await headquarters.until(lambda: spool.notes().get("link", {}).get("reason") == "NEW_EPOCH")
        await asyncio.sleep(0.1)
        assert len(headquarters.hellos) <= 6


async def test_a_place_that_headquarters_does_not_share_is_sought_again(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    once = iter([intake_pb2.UploadResponse(closing=refusal("OUT_OF_ORDER"))])
    headquarters.answer = lambda batch: next(once, None)
    enrol(tmp_path, authority, headquarters.endpoint)
    append(spool, log(1))
    async with linked(tmp_path):
        await headquarters.until(lambda: len(logs(headquarters)) == 1)
    assert len(headquarters.hellos) == 2


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("REVOKED", "enroll --force"),
        ("UNKNOWN_AGENT", "enroll --force"),
        ("QUARANTINED", "two machines"),
        ("CLOCK_SKEW", "timedatectl"),
        ("DUPLICATE_SESSION", "second agent"),
        ("VERSION_UNSUPPORTED", "Update the agent"),
    ],
)
async def test_what_a_person_has_to_do_is_said_and_the_key_stays(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority, reason: str, advice: str
) -> None:
    headquarters.at_hello = lambda hello: refusal(reason, retry=False)
    enrol(tmp_path, authority, headquarters.endpoint)
    async with linked(tmp_path):
        await headquarters.until(lambda: spool.notes().get("link", {}).get("reason") == reason)
        assert advice in spool.notes()["link"]["advice"]
        await asyncio.sleep(0.2)
    [hello] = headquarters.hellos  # not again and again
    assert hello.session.machine_fingerprint
    assert identity.load(tmp_path).agent_id == "agent-1"


async def test_the_note_of_a_refusal_says_what_to_do(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    headquarters.at_hello = lambda hello: refusal("REVOKED", retry=False, message="revoked by ada")
    enrol(tmp_path, authority, headquarters.endpoint)
    async with linked(tmp_path):
        await headquarters.until(lambda: spool.notes().get("link", {}).get("reason") == "REVOKED")
        note = spool.notes()["link"]
    assert note["last_error"] == "revoked by ada"
    assert "enroll --force" in note["advice"]
    assert note["retry_at_ns"] > SystemClock().wall_ns() + 1_000 * 10**9


async def test_a_collector_that_stops_is_left_for_the_other_one(
    authority: Authority, spool: Spool, tmp_path: Path
) -> None:
    first, second = [await Headquarters(authority).start() for _ in range(2)]
    first.at_hello = lambda hello: refusal("DRAINING")
    enrol(tmp_path, authority, first.endpoint, second.endpoint)
    append(spool, log(1))
    async with linked(tmp_path):
        await second.until(lambda: len(logs(second)) == 1)
    for each in (first, second):
        await each.stop()


async def test_headquarters_that_is_not_there_is_tried_again_until_it_is(
    authority: Authority, spool: Spool, tmp_path: Path
) -> None:
    headquarters = await Headquarters(authority).start()
    await headquarters.stop()
    enrol(tmp_path, authority, headquarters.endpoint)
    append(spool, log(1))
    async with linked(tmp_path):
        await headquarters.until(lambda: spool.notes().get("link", {}).get("reason") == "NOT_LISTENING")
        await headquarters.start(port=headquarters.port)
        await headquarters.until(lambda: len(logs(headquarters)) == 1)


async def test_a_collector_of_another_vendor_gets_nothing(spool: Spool, tmp_path: Path, authority: Authority) -> None:
    stranger = await Headquarters(Authority("stranger")).start()
    enrol(tmp_path, authority, stranger.endpoint)
    append(spool, log(1))
    async with linked(tmp_path):
        await stranger.until(lambda: spool.notes().get("link", {}).get("reason") == "WRONG_CA")
    assert stranger.hellos == []
    await stranger.stop()


async def test_an_agent_that_is_not_enrolled_waits_and_goes_on_when_it_is(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOOK_FOR_IDENTITY_S", 0.02)
    append(spool, log(1))
    async with linked(tmp_path):
        await headquarters.until(lambda: spool.notes().get("link", {}).get("state") == "not enrolled")
        assert "sitewarden-agent enroll" in spool.notes()["link"]["advice"]
        enrol(tmp_path, authority, headquarters.endpoint)
        await headquarters.until(lambda: len(logs(headquarters)) == 1)


async def test_a_new_certificate_is_taken_up_without_a_restart(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOOK_FOR_IDENTITY_S", 0.02)
    enrol(tmp_path, authority, headquarters.endpoint)
    async with linked(tmp_path):
        await headquarters.until(lambda: len(headquarters.hellos) == 1)
        enrol(tmp_path, authority, headquarters.endpoint)
        assert (tmp_path / identity.PREVIOUS).exists()
        await headquarters.until(lambda: len(headquarters.hellos) == 2)
        await headquarters.until(lambda: not (tmp_path / identity.PREVIOUS).exists())
    one, two = headquarters.hellos
    assert one.session.session_id == two.session.session_id


async def test_a_new_certificate_that_does_not_work_gives_way_to_the_one_before(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    enrol(tmp_path, authority, headquarters.endpoint)
    strange = Authority("strange").identity(headquarters.endpoint)
    identity.store(tmp_path, msgspec.structs.replace(strange, root_pem=authority.root_pem))
    append(spool, log(1))
    async with linked(tmp_path):
        await headquarters.until(lambda: len(logs(headquarters)) == 1)
    assert (tmp_path / identity.PREVIOUS).exists()


async def test_a_renewal_that_is_due_is_noted_for_the_supervisor(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    from datetime import timedelta

    due = authority.identity(headquarters.endpoint, begins=timedelta(days=-29), ends=timedelta(days=1))
    identity.store(tmp_path, due)
    async with linked(tmp_path):
        await headquarters.until(lambda: spool.notes().get("renew_due", {}).get("due") is True)
    assert spool.notes()["renew_due"]["serial"] == due.serial


async def test_notices_come_down_once_and_their_outcome_goes_up(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    enrol(tmp_path, authority, headquarters.endpoint)
    action = notice("Patch 1.2", action_id=uuid.UUID(int=7))
    async with linked(tmp_path):
        await headquarters.until(lambda: bool(headquarters.controls))
        headquarters.say(action)
        headquarters.say(action)
        await headquarters.until(lambda: len(came(headquarters)) == 2)
    assert [each.subject for each in spool.notices()] == ["Patch 1.2"]
    shown = Outcome(str(uuid.UUID(int=7)), OutcomeState.DONE, "shown in `sitewarden-agent notices`")
    assert came(headquarters) == [shown, shown]


async def test_an_action_that_is_late_or_unknown_is_not_done(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    enrol(tmp_path, authority, headquarters.endpoint)
    unknown = control_pb2.ControlResponse(action=control_pb2.Action(action_id=uuid.UUID(int=2).bytes))
    async with linked(tmp_path):
        await headquarters.until(lambda: bool(headquarters.controls))
        headquarters.say(notice("too late", expires_ns=1, action_id=uuid.UUID(int=1)))
        headquarters.say(unknown)
        headquarters.say(control_pb2.ControlResponse(action=control_pb2.Action(action_id=b"short")))
        await headquarters.until(lambda: len(came(headquarters)) == 2)
    states = {what.action_id[-1]: what.state for what in came(headquarters) if isinstance(what, Outcome)}
    assert states == {"1": OutcomeState.EXPIRED, "2": OutcomeState.REFUSED}
    assert spool.notices() == ()


async def test_watch_levels_and_the_clock_reach_the_spool(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    enrol(tmp_path, authority, headquarters.endpoint)
    headquarters.clock_ns = lambda: SystemClock().wall_ns() + 90 * 10**9
    level = control_pb2.WatchLevel(series="load1", above=8.0, has_above=True)
    async with linked(tmp_path):
        await headquarters.until(lambda: bool(headquarters.controls))
        headquarters.say(control_pb2.ControlResponse(watch_levels=control_pb2.WatchLevels(levels=[level])))
        await headquarters.until(lambda: spool.watch_levels() == (WatchLevel("load1", above=8.0),))
        await headquarters.until(lambda: "clock" in spool.notes())
    assert abs(spool.notes()["clock"]["offset_ns"] - 90 * 10**9) < 2 * 10**9


async def test_heartbeats_carry_the_state_of_the_spool(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sitewarden_agent.link.uplink.HEARTBEAT_MIN_S", 0.05)
    headquarters.heartbeat_ms = 60
    enrol(tmp_path, authority, headquarters.endpoint)
    async with linked(tmp_path):
        await headquarters.until(lambda: len(headquarters.heartbeats) >= 3)
    assert headquarters.heartbeats[0].spool.bytes_max == 512 * 1024 * 1024


async def test_silence_of_headquarters_ends_a_half_open_connection(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sitewarden_agent.link.control.SILENCE_MIN_S", 0.2)
    monkeypatch.setattr("sitewarden_agent.link.uplink.HEARTBEAT_MIN_S", 0.05)
    headquarters.heartbeat_ms, headquarters.answer_heartbeats = 50, False
    enrol(tmp_path, authority, headquarters.endpoint)
    async with linked(tmp_path):
        await headquarters.until(lambda: len(headquarters.hellos) >= 2)


async def test_bytes_that_are_no_message_are_passed_over(spool: Spool, tmp_path: Path, authority: Authority) -> None:
    """A headquarters that answers garbage between good messages."""
    import grpc

    async def upload(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            step = intake_pb2.UploadRequest.FromString(request)
            yield os.urandom(40) + b"\xff"
            if step.WhichOneof("step") == "hello":
                yield intake_pb2.UploadResponse(welcome=intake_pb2.UploadWelcome(credits=2)).SerializeToString()
            else:
                seqs.append(step.batch.seq)
                yield intake_pb2.UploadResponse(
                    ack=intake_pb2.BatchAck(through_seq=step.batch.seq + 1_000, credits=1)
                ).SerializeToString()

    async def control(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for _ in requests:
            yield b"\xff\xff\xff"
            yield control_pb2.ControlResponse(pacing=common_pb2.Pacing(heartbeat_ms=-5)).SerializeToString()

    seqs: list[int] = []
    server = grpc.aio.server()
    for service, method, handler in (
        ("sitewarden.v1.IntakeService", "Upload", upload),
        ("sitewarden.v1.ControlService", "Control", control),
    ):
        raw: Any = grpc.stream_stream_rpc_method_handler(handler)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: raw}),))
    key, chain = authority.server()
    port = server.add_secure_port(
        "127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)], authority.root_pem.encode(), True)
    )
    await server.start()
    enrol(tmp_path, authority, f"127.0.0.1:{port}")
    async with linked(tmp_path):
        for number in range(3):
            append(spool, log(number))
            async with asyncio.timeout(10):
                while len(seqs) <= number:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
    assert seqs == [1, 2, 3]
    await server.stop(0)


async def test_a_proxy_of_the_environment_is_not_taken(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    enrol(tmp_path, authority, headquarters.endpoint)
    append(spool, log(1))
    async with linked(tmp_path):
        await headquarters.until(lambda: len(logs(headquarters)) == 1)


async def test_a_proxy_of_the_configuration_is(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    asked: list[bytes] = []

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        there, back = await asyncio.open_connection("127.0.0.1", headquarters.port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(pump(reader, back), pump(there, writer))

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65_536):
                target.write(data)
                await target.drain()
        target.close()

    proxy = await asyncio.start_server(tunnel, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    enrol(tmp_path, authority, headquarters.endpoint)
    append(spool, log(1))
    async with linked(tmp_path, proxy=address):
        await headquarters.until(lambda: len(logs(headquarters)) == 1)
    assert asked == [f"CONNECT {headquarters.endpoint} HTTP/1.1".encode()]
    proxy.close()


# A headquarters that fell into the wrong hands.


async def test_no_refusal_silences_an_agent_for_good(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    enrol(tmp_path, authority, headquarters.endpoint)
    never = common_pb2.Refusal(
        reason=common_pb2.REASON_OVERLOADED, retry=True, retry_after_ms=2**63 - 1, message="\x1b[2Jgo\naway" * 9_999
    )
    headquarters.at_hello = lambda hello: never
    async with linked(tmp_path) as link:
        await headquarters.until(lambda: spool.notes().get("link", {}).get("state") == "waiting")
        assert not link.done()
        note = spool.notes()["link"]
    assert note["retry_at_ns"] - SystemClock().wall_ns() < 5 * 3_600 * 10**9
    assert len(note["last_error"]) <= 1_000
    assert note["last_error"].isprintable()


async def test_a_moment_that_headquarters_names_is_kept_without_a_further_spread(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    enrol(tmp_path, authority, headquarters.endpoint)
    wide = common_pb2.Pacing(reconnect_window_ms=600_000)
    async with linked(tmp_path):
        await headquarters.until(lambda: bool(headquarters.controls))
        headquarters.say(control_pb2.ControlResponse(pacing=wide))
        headquarters.say(control_pb2.ControlResponse(closing=refusal("DRAINING", after_ms=50)))
        await headquarters.until(lambda: len(headquarters.hellos) >= 2)


async def test_an_agent_that_was_led_astray_comes_back(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    enrol(tmp_path, authority, headquarters.endpoint)
    astray = control_pb2.ControlWelcome(endpoints=["127.0.0.1:1", "unix:/run/some.sock", "x" * 9_999, "\0:1"])
    async with linked(tmp_path):
        await headquarters.until(lambda: bool(headquarters.controls))
        headquarters.say(control_pb2.ControlResponse(welcome=astray))
        headquarters.say(control_pb2.ControlResponse(closing=refusal("DRAINING")))
        await headquarters.until(lambda: len(headquarters.hellos) >= 2)


async def test_a_notice_can_neither_repaint_a_screen_nor_fill_the_disk(
    headquarters: Headquarters, spool: Spool, tmp_path: Path, authority: Authority
) -> None:
    enrol(tmp_path, authority, headquarters.endpoint)
    bad = notice("\x1b]0;owned\x07Patch\n1.2\u202e")
    bad.action.notice.body = "first\n\x9b2Jsecond" + "x" * 3_000_000
    async with linked(tmp_path):
        await headquarters.until(lambda: bool(headquarters.controls))
        headquarters.say(bad)
        await headquarters.until(lambda: bool(spool.notices()))
    (kept,) = spool.notices()
    assert kept.subject == "\ufffd]0;owned\ufffdPatch 1.2\ufffd"
    assert kept.body.startswith("first\n\ufffd2Jsecondx")
    assert len(kept.body) <= 16_000
