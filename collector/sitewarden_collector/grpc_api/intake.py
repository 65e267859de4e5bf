"""The road up: hello, then batches in order; each is acknowledged after its commit."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api import replies, wire
from sitewarden_collector.grpc_api.caller import Context, caller_of
from sitewarden_collector.grpc_api.conversation import Conversation, parse
from sitewarden_collector.grpc_api.front import Front, Stream
from sitewarden_collector.grpc_api.greeting import enter
from sitewarden_collector.grpc_api.pace import TokenBucket
from sitewarden_collector.pki import Identity
from sitewarden_collector.services import intake, sessions
from sitewarden_collector.services.intake import Decoded
from sitewarden_collector.store.samples import RawBlock
from sitewarden_protos.v1.intake_pb2 import (
    Batch,
    BatchAck,
    BatchRefused,
    UploadRequest,
    UploadResponse,
    UploadWelcome,
)

SMALL_BODY_BYTES = 65_536  # decoded on the event loop; a larger one must not hold up the others
_FOR_GOOD = ("MALFORMED", "TOO_LARGE")

_log = logging.getLogger("sitewarden.intake")


class Intake:
    """The handler of Upload. One instance serves every stream."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def upload(self, _requests: object, context: Context) -> None:
        talk = Conversation(context)
        stream: Stream | None = None
        try:
            caller, ends_ns = caller_of(context)
            stream, epoch = await self._begin(talk, caller=caller, ends_ns=ends_ns)
            if stream is not None:
                await self._serve(talk, stream, epoch)
        except Exception as error:  # noqa: BLE001  every fault is answered with a reason
            why = replies.as_refused(error)
            self._front.telemetry.refusals.labels("upload", why.reason).inc()
            if why.reason == "INTERNAL":
                _log.exception("an upload failed")
            await talk.say(self._reply(closing=replies.refusal(why)))
        finally:
            if stream is not None:
                self._front.live.leave(stream)

    async def _begin(self, talk: Conversation, *, caller: Identity, ends_ns: int) -> tuple[Stream | None, str]:
        raw = await talk.first()
        if raw is None:
            return None, ""
        request = parse(UploadRequest, raw)
        if request.WhichOneof("step") != "hello":
            raise Refused("MALFORMED", "a stream begins with a hello")
        epoch = wire.epoch(request.hello)
        hello = wire.hello(request.hello.session)
        stream = await enter(self._front, caller, road="upload", hello=hello, ends_ns=ends_ns)
        try:
            stored = await self._front.db.read(sessions.last_stored, caller.agent_id, epoch)
            limits = self._front.config.limits
            welcome = UploadWelcome(last_stored_seq=stored, credits=limits.credits, pacing=replies.pacing(limits))
            await talk.say(self._reply(welcome=welcome))
        except BaseException:
            self._front.live.leave(stream)
            raise
        return stream, epoch

    async def _serve(self, talk: Conversation, stream: Stream, epoch: str) -> None:
        limits = self._front.config.limits
        bucket = TokenBucket(limits.batches_per_s, limits.batch_burst, now_s=self._front.clock.monotonic_s())
        while True:
            raw = await talk.next(stream.closing)
            if raw is None:
                return
            if stream.closing.done():
                raise stream.closing.result()
            wait_s = bucket.take(now_s=self._front.clock.monotonic_s())
            if wait_s > 0:
                await self._front.clock.sleep(wait_s)  # what is not read is not sent: only this agent waits
            await self._take(talk, stream, epoch=epoch, raw=raw)

    async def _take(self, talk: Conversation, stream: Stream, *, epoch: str, raw: bytes) -> None:
        began_s = self._front.clock.monotonic_s()
        self._front.telemetry.batch_bytes.inc(len(raw))
        request = parse(UploadRequest, raw)
        if request.WhichOneof("step") != "batch":
            raise Refused("MALFORMED", "after the hello only batches are expected")
        batch = request.batch
        agent_id = stream.caller.agent_id
        now_ns = self._front.clock.now_ns()
        try:
            decoded = await self._decode(batch, len(raw), stream=stream, epoch=epoch, now_ns=now_ns)
            accepted = await self._front.db.run(intake.accept, agent_id, batch=decoded, now_ns=now_ns)
        except Refused as why:
            if why.reason not in _FOR_GOOD:
                raise
            await self._refuse(talk, agent_id, epoch=epoch, batch=batch, why=why)
            return
        self._front.live.hear(agent_id, now_ns=now_ns)
        self._count(decoded, repeat=accepted.repeat)
        self._front.arrived.set()
        await talk.say(self._reply(ack=BatchAck(through_seq=accepted.through_seq, credits=1)))
        self._front.telemetry.ack_seconds.observe(self._front.clock.monotonic_s() - began_s)

    async def _decode(self, batch: Batch, size: int, *, stream: Stream, epoch: str, now_ns: int) -> Decoded:
        limits = self._front.config.limits
        if size > limits.max_batch_bytes:
            raise Refused("TOO_LARGE", f"a batch of {size} bytes; {limits.max_batch_bytes} are allowed, split it")
        offset_ns = self._front.live.offsets_ns.get(stream.caller.agent_id, 0)
        decode = partial(wire.decode, batch, epoch=epoch, limits=limits, received_ns=now_ns, clock_offset_ns=offset_ns)
        if batch.body_bytes <= SMALL_BODY_BYTES:
            return decode()
        return await asyncio.to_thread(decode)

    async def _refuse(self, talk: Conversation, agent_id: str, *, epoch: str, batch: Batch, why: Refused) -> None:
        seq, previous_seq = wire.key_of(batch)
        _log.warning("batch %s of agent %s is refused for good: %s", seq, agent_id, why, extra={"reason": why.reason})
        await self._front.db.run(
            intake.pass_over,
            agent_id,
            epoch=epoch,
            seq=seq,
            previous_seq=previous_seq,
            now_ns=self._front.clock.now_ns(),
        )
        self._front.telemetry.batches.labels("refused").inc()
        self._front.telemetry.refusals.labels("upload", why.reason).inc()
        self._front.arrived.set()
        await talk.say(self._reply(refused=BatchRefused(seq=seq, refusal=replies.refusal(why), credits=1)))

    def _count(self, decoded: Decoded, *, repeat: bool) -> None:
        self._front.telemetry.batches.labels("repeat" if repeat else "stored").inc()
        if not repeat:
            self._front.telemetry.observations.inc(len(decoded.arrived))
            blocks = (len(item.what.block) for item in decoded.arrived if isinstance(item.what, RawBlock))
            self._front.telemetry.sample_bytes.inc(sum(blocks))

    def _reply(
        self,
        *,
        welcome: UploadWelcome | None = None,
        ack: BatchAck | None = None,
        refused: BatchRefused | None = None,
        closing: object = None,
    ) -> UploadResponse:
        time = replies.server_time(self._front.clock)
        return UploadResponse(server_time=time, welcome=welcome, ack=ack, refused=refused, closing=closing)  # type: ignore[arg-type]
