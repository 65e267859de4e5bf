"""The batches of one upload stream: read ahead, handed to the writer with those of all streams, acknowledged.

Two tasks serve a stream. One listens: it reads as many batches ahead as the agent has credits for and no faster than
its allowance lets it. The other speaks: what was committed together is acknowledged together. Answers keep the order of
the batches. Not here: the hello (`intake`), those of all streams together (`batches`), what a batch means (`wire`).
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api import replies, wire
from sitewarden_collector.grpc_api.batches import Batches, Read
from sitewarden_collector.grpc_api.conversation import Conversation, forget, parse
from sitewarden_collector.grpc_api.front import Front, Stream
from sitewarden_collector.services.intake import FOR_GOOD, Accepted
from sitewarden_protos.v1.intake_pb2 import BatchAck, BatchRefused, UploadRequest, UploadResponse

SMALL_BODY_BYTES = 65_536  # a larger one is decoded by itself: it must not hold up the others

_log = logging.getLogger("sitewarden.intake")


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
        credits = front.config.limits.credits
        allowance = front.allowance()
        while True:
            raw = await self._talk.read()
            if raw is None or self._is_over():
                return
            began_s = front.clock.monotonic_s()
            wait_s = allowance.take(len(raw), now_s=began_s)
            if wait_s > 0:
                await front.clock.sleep(wait_s)  # what is not read is not sent: only this agent waits
                began_s = front.clock.monotonic_s()
            read = self._read(raw, began_s)
            if read.batch.body_bytes > SMALL_BODY_BYTES:
                await asyncio.to_thread(read.decoded)
                if self._is_over():
                    return
            self._under_way += 1
            self._batches.give(read, partial(self._settled, read))
            # A large one has the stream for itself, so that nobody makes much out of credits.
            await self._settle(1 if len(raw) > SMALL_BODY_BYTES else credits)

    def _read(self, raw: bytes, began_s: float) -> Read:
        front = self._front
        self._batches.tally.bytes += len(raw)
        request = parse(UploadRequest, raw)
        if not request.HasField("batch"):
            raise Refused("MALFORMED", "after the hello only batches are expected")
        batch = request.batch
        agent_id = self._stream.caller.agent_id
        return Read(
            agent_id,
            self._epoch,
            *wire.key_of(batch),
            batch,
            len(raw),
            front.clock.now_ns(),
            front.live.offsets_ns.get(agent_id, 0),
            front.config.limits,
            began_s,
        )

    def _settled(self, read: Read, result: Accepted | Refused | Exception) -> None:
        self._under_way -= 1
        self._room.set()
        if isinstance(result, Accepted):
            self._front.live.hear(read.agent_id, now_ns=self._front.clock.now_ns())
            self._batches.tally.add(result)
            self._acknowledge(result.through_seq, read.began_s)
        elif isinstance(result, Refused) and result.reason in FOR_GOOD and self._why is None:
            self._refuse(read.seq, result)
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
