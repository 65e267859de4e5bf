"""One simulated agent: it connects by mutual TLS, keeps both roads open, sends its batches in order and comes back.

It keeps the protocol as a real agent does: batches under credits, a heartbeat, the pauses that it is asked for, full
jitter between tries, and after a lost connection it goes on behind what the collector stored. Not here: whose turn
it is (`crowd`), what is sent (`load`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc

from sitewarden_collector.simulate.identity import OPTIONS, Identity
from sitewarden_collector.simulate.load import Load
from sitewarden_collector.simulate.scenario import Part, Scenario
from sitewarden_protos.v1 import common_pb2, control_pb2, intake_pb2

BACKOFF_BASE_S = 1.0
BACKOFF_CAP_S = 45.0
HEALTHY_S = 60.0
VERSION = "0.1.0"

Stream: TypeAlias = "grpc.aio.StreamStreamCall[bytes, bytes]"


class Away(Exception):
    """The connection is lost or was ended; after `wait_s` it is tried again."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s


@dataclass(slots=True)
class Counts:
    """What became of what one agent did. `stored`: batches that the collector says are committed."""

    connected: int = 0
    connected_s: list[float] = field(default_factory=list)
    """Monotonic seconds of each welcome."""
    whole_s: float = 0.0
    """When both roads were open last, the road down having followed the road up."""
    sent: int = 0
    stored: int = 0
    refused: int = 0
    """Batches refused for good."""
    resent: int = 0
    ack_s: list[float] = field(default_factory=list)
    heartbeat_s: list[float] = field(default_factory=list)
    turned_away: dict[str, int] = field(default_factory=dict)
    """By reason: how often a stream was refused, or ended by the collector."""
    lost: int = 0
    """Connections that broke."""
    garbage: set[int] = field(default_factory=set)
    """Numbers of the batches that were refused for good."""

    def forget(self) -> None:
        """Count times and troubles anew; what was sent and stored stays."""
        self.ack_s, self.heartbeat_s, self.turned_away, self.lost = [], [], {}, 0

    def garbage_before(self, seq: int) -> int:
        """How many up to that number were refused for good."""
        return sum(number <= seq for number in self.garbage)


class SimulatedAgent:
    """Life: made with its identity, `run` once until it is cancelled. `counts` may be read at any time."""

    def __init__(
        self, part: Part, scenario: Scenario, load: Load, identity: Identity, *, address: str, root_pem: bytes
    ) -> None:
        self.part = part
        self.identity = identity
        self.counts = Counts()
        self._scenario = scenario
        self._load = load
        self._address = address
        self._root_pem = root_pem
        self._chance = random.Random(part.seed)  # noqa: S311 - jitter, no secret
        self._session_id = os.urandom(16)
        self._welcomed_s: float | None = None
        self.epoch = os.urandom(16)
        self._seq = 0
        self._drop = asyncio.Event()
        self.here = False
        """Whether both roads are open now."""
        self.sending = asyncio.Event()
        """Cleared when no further batch is to be made: what is under way is still waited for."""
        self.sending.set()
        self.beating = True

    @property
    def settled(self) -> bool:
        """Whether every batch that was made is answered, or nobody wants to hear it."""
        return not self.part.welcome or max(self.counts.stored, *(self.counts.garbage or {0})) >= self._seq

    def drop(self) -> None:
        """Lose the connection now."""
        self._drop.set()

    async def run(self) -> None:
        await asyncio.sleep(self.part.connect_after_s)
        due_s = time.monotonic() + self.part.first_batch_after_s
        failures = 0
        while True:
            self._welcomed_s = None
            try:
                due_s = await self._connected(due_s)
            except Away as away:
                self.counts.turned_away[away.reason] = self.counts.turned_away.get(away.reason, 0) + 1
                wait_s = away.wait_s
            except (grpc.RpcError, OSError):
                self.counts.lost += 1
                wait_s = None
            healthy = self._welcomed_s is not None and time.monotonic() - self._welcomed_s >= HEALTHY_S
            failures = 0 if healthy else failures
            cap_s = 0.0 if healthy else min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0 ** min(failures, 10))
            failures += 1
            await asyncio.sleep(self._chance.uniform(0, cap_s) if wait_s is None else wait_s)

    async def _connected(self, due_s: float) -> float:
        """One connection. Returns when the next batch is due; raises Away, or the error of the call."""
        self._drop.clear()
        channel = grpc.aio.secure_channel(
            f"dns:///{self._address}", self.identity.credentials(self._root_pem), options=OPTIONS
        )
        async with channel:
            first = asyncio.Event()
            roads = [
                asyncio.ensure_future(self._send(channel, first, due_s)),
                asyncio.ensure_future(self._beat(channel, first)),
                asyncio.ensure_future(self._drop.wait()),
            ]
            try:
                await asyncio.wait(roads, return_when=asyncio.FIRST_COMPLETED)
                if self._drop.is_set():
                    raise OSError("the connection was cut")
                for road in roads:
                    if road.done():
                        road.result()
            finally:
                self.here = False
                for road in roads:
                    road.cancel()
                for road in roads:
                    with contextlib.suppress(asyncio.CancelledError, Exception):
                        await road
        return time.monotonic()

    async def _send(self, channel: grpc.aio.Channel, first: asyncio.Event, due_s: float) -> None:
        call: Stream = channel.stream_stream("/sitewarden.v1.IntakeService/Upload")()
        hello = intake_pb2.UploadHello(
            session=self.session(), epoch=self.epoch, last_sealed_seq=self._seq, oldest_kept_seq=0
        )
        await call.write(intake_pb2.UploadRequest(hello=hello).SerializeToString())
        welcome = await self._hear(call)
        self.counts.connected += 1
        self._welcomed_s = time.monotonic()
        self.counts.connected_s.append(self._welcomed_s)
        first.set()
        stored = max(welcome.welcome.last_stored_seq, *(self.counts.garbage or {0}))
        self.counts.stored = max(self.counts.stored, welcome.welcome.last_stored_seq)
        previous, told = stored, False
        while True:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            if not self.sending.is_set() and stored >= self._seq:
                await self.sending.wait()
                await asyncio.sleep(self._chance.uniform(0, self._scenario.batch_every_s))
            due_s = max(due_s + self._scenario.batch_every_s, time.monotonic())
            again = stored < self._seq
            seq = stored + 1
            self._seq = max(self._seq, seq)
            self.counts.resent += again
            request = self._load.batch(
                seq, previous, told=told, logs=self.part.logs, now_ns=time.time_ns() + self._off_ns
            )
            if self.part.garbles and seq % 3 == 0:
                request.batch.body = b"\xff" * 64
            began_s = time.monotonic()
            await call.write(request.SerializeToString())
            self.counts.sent += 1
            answer = await self._hear(call)
            if answer.WhichOneof("step") == "refused":
                self.counts.refused += 1
                self.counts.garbage.add(seq)
            else:
                self.counts.ack_s.append(time.monotonic() - began_s)
                self.counts.stored = answer.ack.through_seq
                told = True
            stored = previous = seq

    async def _hear(self, call: Stream) -> intake_pb2.UploadResponse:
        raw = await call.read()
        if not isinstance(raw, bytes):  # the end of the stream
            raise Away("ended")
        answer = intake_pb2.UploadResponse.FromString(raw)
        if answer.WhichOneof("step") == "closing":
            raise self._away(answer.closing)
        return answer

    async def _beat(self, channel: grpc.aio.Channel, first: asyncio.Event) -> None:
        await first.wait()  # a refusal is then heard once, and in one place
        call: Stream = channel.stream_stream("/sitewarden.v1.ControlService/Control")()
        await call.write(
            control_pb2.ControlRequest(hello=control_pb2.ControlHello(session=self.session())).SerializeToString()
        )
        asked_s: list[float] = []

        async def listen() -> None:
            while isinstance(raw := await call.read(), bytes):
                answer = control_pb2.ControlResponse.FromString(raw)
                step = answer.WhichOneof("step")
                if step == "closing":
                    raise self._away(answer.closing)
                if step == "welcome":
                    self.here, self.counts.whole_s = True, time.monotonic()
                if step == "heartbeat" and asked_s:
                    self.counts.heartbeat_s.append(time.monotonic() - asked_s.pop(0))
            raise Away("ended")

        async def ask() -> None:
            await asyncio.sleep(self._chance.uniform(0, self._scenario.heartbeat_s))
            while True:
                if not self.beating:
                    await asyncio.sleep(self._scenario.heartbeat_s)
                    continue
                beat = control_pb2.Heartbeat(agent_time_unix_ns=time.time_ns() + self._off_ns)
                asked_s.append(time.monotonic())
                await call.write(control_pb2.ControlRequest(heartbeat=beat).SerializeToString())
                await asyncio.sleep(self._scenario.heartbeat_s)

        both = [asyncio.ensure_future(listen()), asyncio.ensure_future(ask())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for one in both:
                if one.done():
                    one.result()
        finally:
            for one in both:
                one.cancel()
            for one in both:
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await one

    @property
    def _off_ns(self) -> int:
        return int(self.part.clock_off_s * 1e9)

    def session(self) -> common_pb2.Session:
        return common_pb2.Session(
            session_id=self._session_id,
            boot_id=bytes(16),
            machine_fingerprint=self.part.machine,
            agent_version=VERSION,
            hostname=self.part.hostname,
            agent_time_unix_ns=time.time_ns() + self._off_ns,
        )

    def _away(self, refusal: common_pb2.Refusal) -> Away:
        reason = common_pb2.Reason.Name(refusal.reason).removeprefix("REASON_")
        wait_s = refusal.retry_after_ms / 1000
        return Away(reason, wait_s or None)
