"""The batches of one upload stream: read ahead, decoded, handed to the writer with those of all streams, acknowledged.

Two tasks serve a stream. One listens: it reads as many batches ahead as the agent has credits for and no faster than
its allowance lets it. The other speaks: what was committed together is acknowledged together. Answers keep the order of
the batches. Not here: the hello (`intake`), what a batch means (`wire`, `services.intake`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api import replies, wire
from sitewarden_collector.grpc_api.conversation import Conversation, forget, parse
from sitewarden_collector.grpc_api.front import Front, Stream
from sitewarden_collector.services import intake
from sitewarden_collector.services.intake import FOR_GOOD, Accepted, Decoded, Sent
from sitewarden_collector.store.gathering import Gathered
from sitewarden_collector.store.samples import RawBlock, Told
from sitewarden_collector.telemetry import Telemetry
from sitewarden_protos.v1.intake_pb2 import Batch, BatchAck, BatchRefused, UploadRequest, UploadResponse

SMALL_BODY_BYTES = 65_536  # decoded on the event loop; a larger one must not hold up the others

_log = logging.getLogger("sitewarden.intake")


class Tally:
    """What was taken in, counted for all streams; handed to telemetry once a group: each count takes a lock."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self.bytes = self.stored = self.repeated = self.observations = self.sample_bytes = 0

    def add(self, decoded: Decoded) -> None:
        self.stored += 1
        self.observations += len(decoded.arrived)
        for item in decoded.arrived:
            if isinstance(item.what, RawBlock):
                self.sample_bytes += len(item.what.block)

    def hand_over(self) -> None:
        to = self._telemetry
        to.batch_bytes.inc(self.bytes)
        to.observations.inc(self.observations)
        to.sample_bytes.inc(self.sample_bytes)
        to.batches.labels("stored").inc(self.stored)
        to.batches.labels("repeat").inc(self.repeated)
        self.bytes = self.stored = self.repeated = self.observations = self.sample_bytes = 0


class Batches:
    """The batches of all streams on their way to the writer."""

    def __init__(self, front: Front) -> None:
        self.tally = Tally(front.telemetry)
        together = partial(intake.accept_all, told=Told())
        self._gathered: Gathered[Sent, Accepted | Refused] = Gathered(front.db, together, after=self.tally.hand_over)

    def give(self, sent: Sent, settle: Callable[[Accepted | Refused | Exception], None]) -> None:
        self._gathered.give(sent.agent_id + sent.batch.epoch, sent, settle)


class Course:
    """Life: made after the hello, `serve` once."""

    def __init__(self, front: Front, batches: Batches, talk: Conversation, stream: Stream, epoch: str) -> None:
        self._front = front
        self._batches = batches
        self._talk = talk
        self._stream = stream
        self._epoch = epoch
        self._under_way = 0
        self._answers: list[BatchAck | BatchRefused] = []
        self._began_s: list[float] = []
        """When the batches were read that are to be acknowledged."""
        self._why: Exception | None = None
        """Why the stream has to end."""
        self._over = False
        self._news = asyncio.Event()  # for the task that speaks
        self._room = asyncio.Event()  # for the task that listens

    async def serve(self) -> None:
        """Returns when the agent has ended the stream and everything is answered; raises what the stream ends with."""
        closing = self._stream.closing
        closing.add_done_callback(self._wake)
        listening = asyncio.ensure_future(self._listen())
        listening.add_done_callback(self._wake)
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                await self._answer()
                if self._why is not None:
                    raise self._why
                if self._under_way:
                    continue  # what was taken in is answered before anything else is said
                if closing.done():
                    raise closing.result()
                if listening.done():
                    listening.result()
                    return
        finally:
            self._over = True
            self._room.set()  # the task that listens ends by itself, at its next look
            listening.add_done_callback(forget)

    async def _answer(self) -> None:
        while self._answers:
            answers, self._answers = self._answers, []
            began_s, self._began_s = self._began_s, []
            time = replies.server_time(self._front.clock)
            for one in answers:
                if isinstance(one, BatchAck):
                    await self._talk.say(UploadResponse(server_time=time, ack=one))
                else:
                    await self._talk.say(UploadResponse(server_time=time, refused=one))
            now_s = self._front.clock.monotonic_s()
            for at_s in began_s:
                self._front.telemetry.ack_seconds.observe(now_s - at_s)

    async def _listen(self) -> None:
        front = self._front
        limits = front.config.limits
        allowance = front.allowance()
        while True:
            raw = await self._talk.read()
            if raw is None or self._is_over():
                return
            wait_s = allowance.take(len(raw), now_s=front.clock.monotonic_s())
            if wait_s > 0:
                await front.clock.sleep(wait_s)  # what is not read is not sent: only this agent waits
            await self._take(raw)
            # A large one has the stream for itself, so that nobody makes much out of credits.
            await self._settle(1 if len(raw) > SMALL_BODY_BYTES else limits.credits)

    async def _take(self, raw: bytes) -> None:
        front = self._front
        began_s = front.clock.monotonic_s()
        self._batches.tally.bytes += len(raw)
        request = parse(UploadRequest, raw)
        if request.WhichOneof("step") != "batch":
            raise Refused("MALFORMED", "after the hello only batches are expected")
        batch = request.batch
        now_ns = front.clock.now_ns()
        try:
            decoded = await self._decode(batch, len(raw), now_ns=now_ns)
        except Refused as why:
            if why.reason not in FOR_GOOD:
                raise
            await self._settle(1)
            if not self._is_over():
                await self._pass_over(batch, why)
            return
        if not self._is_over():
            self._under_way += 1
            sent = Sent(self._stream.caller.agent_id, decoded, now_ns)
            self._batches.give(sent, partial(self._settled, decoded, began_s))

    async def _decode(self, batch: Batch, size: int, *, now_ns: int) -> Decoded:
        limits = self._front.config.limits
        if size > limits.max_batch_bytes:
            raise Refused("TOO_LARGE", f"a batch of {size} bytes; {limits.max_batch_bytes} are allowed, split it")
        offset_ns = self._front.live.offsets_ns.get(self._stream.caller.agent_id, 0)
        decode = partial(
            wire.decode, batch, epoch=self._epoch, limits=limits, received_ns=now_ns, clock_offset_ns=offset_ns
        )
        if batch.body_bytes <= SMALL_BODY_BYTES:
            return decode()
        return await asyncio.to_thread(decode)

    async def _pass_over(self, batch: Batch, why: Refused) -> None:
        seq, previous_seq = wire.key_of(batch)
        await self._front.db.run(
            intake.pass_over,
            self._stream.caller.agent_id,
            epoch=self._epoch,
            seq=seq,
            previous_seq=previous_seq,
            now_ns=self._front.clock.now_ns(),
        )
        self._refuse(seq, why)

    def _settled(self, decoded: Decoded, began_s: float, result: Accepted | Refused | Exception) -> None:
        self._under_way -= 1
        self._room.set()
        if isinstance(result, Accepted):
            self._front.live.hear(self._stream.caller.agent_id, now_ns=self._front.clock.now_ns())
            if result.repeat:
                self._batches.tally.repeated += 1
            else:
                self._batches.tally.add(decoded)
            self._acknowledge(result.through_seq, began_s)
        elif isinstance(result, Refused) and result.reason in FOR_GOOD and self._why is None:
            self._refuse(decoded.seq, result)
        else:
            self._why = self._why or result
        self._wake()

    def _acknowledge(self, through_seq: int, began_s: float) -> None:
        if self._answers and isinstance(newest := self._answers[-1], BatchAck):
            newest.through_seq = max(newest.through_seq, through_seq)
            newest.credits += 1
        else:
            self._answers.append(BatchAck(through_seq=through_seq, credits=1))
        self._began_s.append(began_s)
        self._front.arrived.set()

    def _refuse(self, seq: int, why: Refused) -> None:
        agent_id = self._stream.caller.agent_id
        _log.warning("batch %s of agent %s is refused for good: %s", seq, agent_id, why, extra={"reason": why.reason})
        self._front.telemetry.batches.labels("refused").inc()
        self._front.telemetry.refusals.labels("upload", why.reason).inc()
        self._front.arrived.set()
        self._answers.append(BatchRefused(seq=seq, refusal=replies.refusal(why), credits=1))
        self._wake()

    async def _settle(self, below: int) -> None:
        """Wait until fewer than so many batches are under way."""
        while self._under_way >= below and not self._is_over():
            self._room.clear()
            await self._room.wait()

    def _is_over(self) -> bool:
        return self._over or self._why is not None or self._stream.closing.done()

    def _wake(self, _done: object = None) -> None:
        self._news.set()
