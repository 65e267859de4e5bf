"""The road up: hello, then batches in order under credits; what headquarters committed is acknowledged in the spool.

It promises: a batch is sent under its number until it is acknowledged, refused for good (then it is parked) or given up
by the spool; no more is under way than headquarters has credits for, and never so much that a fresh error would wait
long behind it. What of headquarters cannot be understood is passed over.
Not here: connecting and trying again (connection, process).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import grpc

from sitewarden_agent.link import trouble, wire
from sitewarden_agent.link.trouble import Ended, Ending, Follow
from sitewarden_agent.pacer import Pacer
from sitewarden_agent.spool import Sealed, Spool
from sitewarden_protos.v1 import common_pb2, intake_pb2

BATCH_MAX_BYTES = 256 * 1024
BATCH_MAX_OBSERVATIONS = 1_000
HEARTBEAT_MIN_S = 1.0
UNDER_WAY_MAX_BYTES = 512 * 1024
"""A fresh error waits behind what is under way on a slow line, so that is kept small. A fast line does not feel it."""


class UploadCall(Protocol):
    """The part of a gRPC stream that is used here."""

    async def write(self, request: intake_pb2.UploadRequest) -> None: ...

    def __aiter__(self) -> AsyncResponses: ...


class AsyncResponses(Protocol):
    async def __anext__(self) -> intake_pb2.UploadResponse: ...


@dataclass(slots=True)
class Pace:
    """What headquarters asked for last. Shared by both roads of a connection."""

    heartbeat_s: float = 30.0
    batch_max_bytes: int = BATCH_MAX_BYTES
    batch_max_observations: int = BATCH_MAX_OBSERVATIONS
    reconnect_min_s: float = 0.0
    reconnect_window_s: float = 0.0
    pacer: Pacer | None = None
    """This process's share of the processor. A backlog goes up no faster."""

    def take(self, pacing: common_pb2.Pacing) -> None:
        """Zero means: no wish. The agent's own bounds stay the outer ones."""
        if pacing.heartbeat_ms > 0:
            self.heartbeat_s = min(600.0, max(HEARTBEAT_MIN_S, pacing.heartbeat_ms / 1000.0))
        if pacing.max_batch_bytes > 0:
            self.batch_max_bytes = min(BATCH_MAX_BYTES, pacing.max_batch_bytes)
        if pacing.max_batch_observations > 0:
            self.batch_max_observations = min(BATCH_MAX_OBSERVATIONS, pacing.max_batch_observations)
        self.reconnect_min_s = max(0.0, pacing.reconnect_min_ms / 1000.0)
        self.reconnect_window_s = max(0.0, pacing.reconnect_window_ms / 1000.0)


@dataclass(slots=True)
class _Course:
    """Where one stream stands."""

    credits: int = 0
    sent_seq: int = 0
    """The batch that the next one follows, at headquarters as on this stream."""
    under_way: deque[tuple[int, int]] = field(default_factory=deque)
    """Number and bytes of what was sent and not answered."""
    bytes_under_way: int = 0
    told: set[str] = field(default_factory=set)
    """Schemas of which headquarters has said on this stream that it stored them: it need not be told them again."""
    telling: deque[tuple[int, set[str]]] = field(default_factory=deque)
    """The batches under way that tell any."""

    def sent(self, batch: Sealed, telling: set[str]) -> None:
        self.sent_seq = batch.seq
        self.credits -= 1
        if telling:
            self.telling.append((batch.seq, telling))
        self.under_way.append((batch.seq, batch.bytes))
        self.bytes_under_way += batch.bytes

    def answered(self, through_seq: int) -> None:
        while self.under_way and self.under_way[0][0] <= through_seq:
            self.bytes_under_way -= self.under_way.popleft()[1]
        while self.telling and self.telling[0][0] <= through_seq:
            self.told |= self.telling.popleft()[1]

    def refused(self, seq: int) -> None:
        self.telling = deque(one for one in self.telling if one[0] != seq)
        self.answered(seq)

    def may_send(self) -> bool:
        return self.credits > 0 and (not self.under_way or self.bytes_under_way < UNDER_WAY_MAX_BYTES)


async def upload(
    call: UploadCall,
    spool: Spool,
    *,
    session: common_pb2.Session,
    wake: asyncio.Event,
    pace: Pace,
    welcomed: Callable[[intake_pb2.UploadResponse], None],
) -> None:
    """Serve one Upload stream until it ends. Always raises: Ended with what follows, or the error of the call.

    `wake` is set when there may be something new in the spool; `welcomed` is called once, when headquarters answered.
    """
    state = await asyncio.to_thread(spool.state)
    await call.write(
        intake_pb2.UploadRequest(
            hello=intake_pb2.UploadHello(
                session=session,
                epoch=bytes.fromhex(state.epoch),
                last_sealed_seq=state.last_sealed_seq,
                oldest_kept_seq=state.oldest_kept_seq,
            )
        )
    )
    responses = call.__aiter__()
    course = _Course()
    welcome = await _welcome(responses)
    welcomed(welcome)
    pace.take(welcome.welcome.pacing)
    resume = await asyncio.to_thread(spool.seek, welcome.welcome.last_stored_seq)
    if resume.new_epoch:
        raise Ended(
            Ending("NEW_EPOCH", "this spool is a copy or was restored: it goes on under a new number", Follow.AT_ONCE)
        )
    course.sent_seq = resume.after_seq
    course.credits = welcome.welcome.credits
    async with asyncio.TaskGroup() as both:
        both.create_task(_send(call, spool, course, wake=wake, pace=pace))
        both.create_task(_hear(responses, spool, course, wake=wake))


async def _welcome(responses: AsyncResponses) -> intake_pb2.UploadResponse:
    while True:
        response = await _next(responses)
        match response.WhichOneof("step"):
            case "welcome":
                return response
            case "closing":
                raise Ended(trouble.refused(response.closing))


async def _send(call: UploadCall, spool: Spool, course: _Course, *, wake: asyncio.Event, pace: Pace) -> None:
    while True:
        wake.clear()
        while course.may_send():
            batch = await asyncio.to_thread(_next_batch, spool, course.sent_seq, pace)
            if batch is None:
                break
            known = set(course.told)
            try:
                message = await asyncio.to_thread(
                    wire.batch, batch.seq, course.sent_seq, batch.observations, told=known
                )
            except (ValueError, OverflowError) as error:
                # Never sent, so headquarters does not wait for it: the next one follows the last that was sent.
                await asyncio.to_thread(spool.park, batch.seq, f"this agent cannot put it on the wire: {error}")
                continue
            course.sent(batch, known - course.told)
            await write_or_wait(call.write(intake_pb2.UploadRequest(batch=message)))
            if pace.pacer is not None:
                await asyncio.sleep(pace.pacer.owed_s(now_s=time.monotonic(), used_s=time.process_time()))
        await wake.wait()


async def write_or_wait(write: Awaitable[None]) -> None:
    """Write; when the stream has ended, wait for ever: the side that hears learns why, and ends us both."""
    try:
        await write
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        await asyncio.Event().wait()


def _next_batch(spool: Spool, after_seq: int, pace: Pace) -> Sealed | None:
    return spool.after(after_seq) or spool.seal(pace.batch_max_bytes, pace.batch_max_observations)


async def _hear(responses: AsyncResponses, spool: Spool, course: _Course, *, wake: asyncio.Event) -> None:
    while True:
        response = await _next(responses)
        match response.WhichOneof("step"):
            case "ack":
                # Only what was sent here can be acknowledged here, whatever headquarters says.
                through = min(response.ack.through_seq, course.sent_seq)
                await asyncio.to_thread(spool.acknowledge, through)
                course.answered(through)
                course.credits += response.ack.credits
            case "refused":
                await _refused(response.refused, spool, course)
            case "closing":
                raise Ended(trouble.refused(response.closing))
        wake.set()


async def _refused(refused: intake_pb2.BatchRefused, spool: Spool, course: _Course) -> None:
    if not any(seq == refused.seq for seq, _ in course.under_way):
        return
    # Batches are answered in order, so those before this one are committed.
    await asyncio.to_thread(spool.acknowledge, refused.seq - 1)
    reason = wire.reason_name(refused.refusal.reason)
    too_large = refused.refusal.reason == common_pb2.REASON_TOO_LARGE
    if not (too_large and await asyncio.to_thread(spool.split, refused.seq)):
        await asyncio.to_thread(spool.park, refused.seq, f"{reason}: {wire.said(refused.refusal.message)}")
    course.refused(refused.seq)
    course.credits += refused.credits


async def _next(responses: AsyncResponses) -> intake_pb2.UploadResponse:
    try:
        return await responses.__anext__()
    except StopAsyncIteration:
        raise Ended(Ending("CLOSED", "headquarters ended the stream without a word")) from None
