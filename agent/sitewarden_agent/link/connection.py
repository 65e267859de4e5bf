"""One connection: a channel, the Upload stream and the Control stream on it, until one of them ends.

It promises to return, never to raise, when headquarters or the network ends it, with what follows from that. Bytes that
are no message are passed over, not raised.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from sitewarden_agent.clock import Clock
from sitewarden_agent.errors import Permanent, Transient
from sitewarden_agent.link import trouble
from sitewarden_agent.link.control import Control, Offset
from sitewarden_agent.link.trouble import Ended, Ending, Follow
from sitewarden_agent.link.uplink import Pace, upload
from sitewarden_agent.spool import Spool
from sitewarden_protos.v1 import common_pb2, control_pb2, intake_pb2

log = logging.getLogger("sitewarden.link")

UPLOAD = "/sitewarden.v1.IntakeService/Upload"
CONTROL = "/sitewarden.v1.ControlService/Control"
HELLO_TIMEOUT_S = 30.0
HELLOS_MAX = 3
GOODBYE_S = 1.0


@dataclass(slots=True)
class Connection:
    """What a connection needs; `hold` makes it and lets go of it."""

    spool: Spool
    clock: Clock
    session: Callable[[], common_pb2.Session]
    wake: asyncio.Event
    pace: Pace
    offset: Offset
    draw: Callable[[], float]
    learned: Callable[[tuple[str, ...]], None]
    connected: Callable[[], None]
    """Called when headquarters welcomed the agent."""
    welcomed_ns: int | None = None
    _control: Any = None

    async def hold(self, channel: grpc.aio.Channel, *, endpoint: str) -> Ending:
        """Serve both streams on `channel` until one ends or this is cancelled; closes the channel."""
        try:
            async with asyncio.TaskGroup() as both:
                first = asyncio.Event()
                both.create_task(self._upload(channel, first))
                both.create_task(_in_time(first))
                # Control follows the first welcome: a refusal is then heard once, and in one place.
                await first.wait()
                self._control = _open(channel, CONTROL, control_pb2.ControlRequest, control_pb2.ControlResponse)
                down = Control(self.spool, self.clock, self.session(), self.pace, self.offset, self.draw, self.learned)
                both.create_task(down.serve(self._control))
            raise AssertionError("the streams ended without saying how")
        except ExceptionGroup as group:
            ending = _ending(group, endpoint)
        finally:
            await channel.close()
        if ending.reason == "NEW_EPOCH":
            ending = replace(ending, follow=Follow.RETRY)  # it did not help on this connection: patience
        if ending.reason == "DRAINING":
            # Headquarters names each agent a moment of its own; where it names none, the spread is ours.
            window_s = 0.0 if ending.retry_after_s > 0 else self.pace.reconnect_window_s
            wait_s = max(ending.retry_after_s, self.pace.reconnect_min_s)
            ending = replace(ending, retry_after_s=wait_s, window_s=window_s)
        if self.welcomed_ns is None:
            return ending
        return replace(ending, connected_s=(self.clock.monotonic_ns() - self.welcomed_ns) / 1e9)

    async def goodbye(self) -> None:
        """Before cancelling `hold`: lets headquarters tell a stop from a loss. Best effort, for a second at most."""
        if self._control is None:
            return
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                said = control_pb2.Goodbye(why="the agent stops")
                await self._control.write(control_pb2.ControlRequest(goodbye=said))
                await self._control.done_writing()
                await (
                    self._control.code()
                )  # headquarters ends the stream when it has heard; closing first could drop it

    async def _upload(self, channel: grpc.aio.Channel, first: asyncio.Event) -> None:
        def welcomed(response: intake_pb2.UploadResponse) -> None:
            if self.welcomed_ns is None:
                self.welcomed_ns = self.clock.monotonic_ns()
                self.connected()
            first.set()

        for hello in range(1, HELLOS_MAX + 1):
            call = _open(channel, UPLOAD, intake_pb2.UploadRequest, intake_pb2.UploadResponse)
            try:
                await upload(
                    call, self.spool, session=self.session(), wake=self.wake, pace=self.pace, welcomed=welcomed
                )
            except (Ended, ExceptionGroup) as error:
                ending = _ending(error, "")
                again = ending.follow is Follow.AT_ONCE or ending.reason == "OUT_OF_ORDER"
                if not again or hello == HELLOS_MAX:
                    raise
                # On the same connection: only the place in the spool is to be found again.
            finally:
                call.cancel()


async def _in_time(first: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            await first.wait()
    except TimeoutError:
        raise Ended(Ending("TIMEOUT", f"no answer to hello within {HELLO_TIMEOUT_S:.0f} s")) from None


def _open(channel: grpc.aio.Channel, path: str, request: type[Message], response: type[Message]) -> Any:
    def decode(data: bytes) -> Message:
        """What cannot be decoded becomes an empty message, which means nothing and is passed over."""
        try:
            return response.FromString(data)
        except DecodeError:
            return response()

    return channel.stream_stream(path, request_serializer=request.SerializeToString, response_deserializer=decode)()


def _ending(error: BaseException, endpoint: str) -> Ending:
    """What follows from all that was raised at once. What headquarters said counts most, then what the network did.

    Raises what no waiting cures (a damaged spool).
    """
    leaves = list(_leaves(error))
    for each in leaves:
        if isinstance(each, Ended):
            return each.ending
    for each in leaves:
        if isinstance(each, Permanent):
            raise each
    for each in leaves:
        if isinstance(each, grpc.aio.AioRpcError):
            return trouble.broken(each.code(), each.details() or "", endpoint=endpoint)
    first = leaves[0]
    if not isinstance(first, Transient):
        log.error("a fault of the agent itself; the connection is begun anew", exc_info=first)
    return Ending("AGENT", str(first) or type(first).__name__)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
