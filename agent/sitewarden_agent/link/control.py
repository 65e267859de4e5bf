"""The road down: heartbeats up, and from headquarters its clock, pacing, watch levels and actions.

It promises: an action is done once, whatever is repeated; its outcome is in the spool before anything else happens;
what this agent does not know is refused, not guessed; what cannot be understood is passed over. Silence of headquarters
for three heartbeats ends the connection, so a half-open link does not last.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sitewarden_agent.clock import Clock
from sitewarden_agent.link import trouble, wire
from sitewarden_agent.link.trouble import Ended, Ending
from sitewarden_agent.link.uplink import Pace, write_or_wait
from sitewarden_agent.model import Outcome, OutcomeState
from sitewarden_agent.spool import Spool, SpoolFull
from sitewarden_protos.v1 import common_pb2, control_pb2

SILENCE_HEARTBEATS = 3
SILENCE_MIN_S = 15.0
JITTER = 0.1
OFFSET_NOTED_NS = 50_000_000
"""A measured offset is noted again when it moved by this much."""
OFFSET_NOTED_EVERY_NS = 600 * 1_000_000_000


class ControlCall(Protocol):
    """The part of a gRPC stream that is used here."""

    async def write(self, request: control_pb2.ControlRequest) -> None: ...

    def __aiter__(self) -> AsyncResponses: ...


class AsyncResponses(Protocol):
    async def __anext__(self) -> control_pb2.ControlResponse: ...


@dataclass(slots=True)
class Offset:
    """How far headquarters' clock is ahead of this host's, measured as the middle of a question and its answer."""

    offset_ns: int = 0
    round_trip_ns: int = 0
    noted_ns: int | None = None
    noted_offset_ns: int = 0

    def measure(self, server_ns: int, *, asked_ns: int, heard_ns: int, wall_ns: int) -> None:
        """`asked_ns` and `heard_ns` by the monotonic clock, `wall_ns` at the time of hearing."""
        self.round_trip_ns = max(0, heard_ns - asked_ns)
        self.offset_ns = server_ns + self.round_trip_ns // 2 - wall_ns

    def worth_noting(self, now_ns: int) -> bool:
        """True when it was never noted, moved, or the note is old. Counts as noted then."""
        if (
            self.noted_ns is not None
            and abs(self.offset_ns - self.noted_offset_ns) < OFFSET_NOTED_NS
            and now_ns - self.noted_ns < OFFSET_NOTED_EVERY_NS
        ):
            return False
        self.noted_ns, self.noted_offset_ns = now_ns, self.offset_ns
        return True


@dataclass(slots=True)
class Control:
    """What serving a Control stream needs."""

    spool: Spool
    clock: Clock
    session: common_pb2.Session
    pace: Pace
    offset: Offset
    draw: Callable[[], float]
    """A random number in [0, 1)."""
    learned: Callable[[tuple[str, ...]], None]
    """Called with the addresses of this vendor's collectors."""
    asked_ns: int = 0
    heard_ns: int = 0

    async def serve(self, call: ControlCall) -> None:
        """Serve one Control stream until it ends. Always raises: Ended, or the error of the call."""
        self.asked_ns = self.heard_ns = self.clock.monotonic_ns()
        await call.write(control_pb2.ControlRequest(hello=control_pb2.ControlHello(session=self.session)))
        async with asyncio.TaskGroup() as both:
            both.create_task(self._beat(call))
            both.create_task(self._hear(call.__aiter__()))

    async def _beat(self, call: ControlCall) -> None:
        while True:
            await self.clock.sleep(self.pace.heartbeat_s * (1.0 + JITTER * (2.0 * self.draw() - 1.0)))
            silent_s = (self.clock.monotonic_ns() - self.heard_ns) / 1e9
            if silent_s > max(SILENCE_MIN_S, SILENCE_HEARTBEATS * self.pace.heartbeat_s):
                raise Ended(Ending("SILENT", f"headquarters has not answered for {silent_s:.0f} s"))
            state = await asyncio.to_thread(self.spool.state)
            self.asked_ns = self.clock.monotonic_ns()
            beat = control_pb2.Heartbeat(agent_time_unix_ns=self.clock.wall_ns(), spool=wire.spool_state(state))
            await write_or_wait(call.write(control_pb2.ControlRequest(heartbeat=beat)))

    async def _hear(self, responses: AsyncResponses) -> None:
        while True:
            try:
                response = await responses.__anext__()
            except StopAsyncIteration:
                raise Ended(Ending("CLOSED", "headquarters ended the stream without a word")) from None
            self.heard_ns = self.clock.monotonic_ns()
            await self._take(response)

    async def _take(self, response: control_pb2.ControlResponse) -> None:
        match response.WhichOneof("step"):
            case "welcome":
                await self._measure(response)
                self.pace.take(response.welcome.pacing)
                if response.welcome.endpoints:
                    self.learned(tuple(response.welcome.endpoints))
            case "heartbeat":
                await self._measure(response)
            case "action":
                # Without room there is no outcome, so headquarters asks again at the next hello.
                with contextlib.suppress(SpoolFull):
                    await asyncio.to_thread(self._act, response.action)
            case "watch_levels":
                await asyncio.to_thread(self.spool.set_watch_levels, wire.watch_levels(response.watch_levels))
            case "pacing":
                self.pace.take(response.pacing)
            case "closing":
                if response.server_time.unix_ns:
                    await self._measure(response)
                raise Ended(trouble.refused(response.closing))

    async def _measure(self, response: control_pb2.ControlResponse) -> None:
        if response.server_time.unix_ns <= 0:
            return
        self.offset.measure(
            response.server_time.unix_ns,
            asked_ns=self.asked_ns,
            heard_ns=self.heard_ns,
            wall_ns=self.clock.wall_ns(),
        )
        if self.offset.worth_noting(self.heard_ns):
            note = {"offset_ns": self.offset.offset_ns, "round_trip_ns": self.offset.round_trip_ns}
            await asyncio.to_thread(self.spool.note, "clock", note)

    def _act(self, action: control_pb2.Action) -> None:
        if len(action.action_id) != 16:
            return  # without an id no outcome can be told
        action_id = str(uuid.UUID(bytes=action.action_id))
        now_ns = self.clock.wall_ns() + self.offset.offset_ns  # it expires by headquarters' clock
        if 0 < action.expires_unix_ns < now_ns:
            self.spool.finish_action(Outcome(action_id, OutcomeState.EXPIRED, "it expired before it came here"))
        elif action.WhichOneof("kind") == "notice":
            notice = wire.site_notice(action, received_ns=self.clock.wall_ns())
            shown = Outcome(action_id, OutcomeState.DONE, "shown in `sitewarden-agent notices`")
            self.spool.add_notice(notice, outcome=shown)
        elif action.WhichOneof("kind") == "config":
            try:
                self.spool.offer_config(wire.config_offer(action))
            except ValueError as error:
                self.spool.finish_action(Outcome(action_id, OutcomeState.REFUSED, str(error)))
        else:
            detail = "this version of the agent does not know this kind of action; update the agent"
            self.spool.finish_action(Outcome(action_id, OutcomeState.REFUSED, detail))
