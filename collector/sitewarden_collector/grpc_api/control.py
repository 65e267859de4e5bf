"""The road down: headquarters' clock, its pacing, watch levels, and actions until their outcome has come."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import uuid
from collections.abc import Collection, Iterable, Mapping

import msgspec

from sitewarden_collector.config import WatchLevel
from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api import replies, wire
from sitewarden_collector.grpc_api.asking import Asked
from sitewarden_collector.grpc_api.caller import Context, caller_of
from sitewarden_collector.grpc_api.conversation import Conversation, forget, parse
from sitewarden_collector.grpc_api.front import Front, Stream
from sitewarden_collector.grpc_api.greeting import enter
from sitewarden_collector.grpc_api.pace import Allowance, TokenBucket
from sitewarden_collector.pki import Identity
from sitewarden_collector.services import sessions, site_configs
from sitewarden_collector.services.actions import SiteNotice
from sitewarden_collector.services.site_configs import Owed
from sitewarden_collector.store import actions
from sitewarden_collector.store.actions import Action
from sitewarden_protos.v1 import common_pb2, control_pb2
from sitewarden_protos.v1.control_pb2 import ControlRequest, ControlResponse

PER_S = 30.0  # messages that one agent may say here; its heartbeats are far fewer
BURST = 100.0
BYTES_PER_S = 65_536.0
BYTES_BURST = 1_048_576.0

_log = logging.getLogger("sitewarden.control")


class Control:
    """The handler of Control. One instance serves every stream."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._owed = Asked(self._look_owed)
        # A message is the sum of its parts: the time is put before what is the same for everybody.
        self._levels = ControlResponse(watch_levels=_levels(front.config.watch_levels)).SerializeToString()

    async def control(self, _requests: object, context: Context) -> None:
        talk = Conversation(context)
        stream: Stream | None = None
        try:
            caller, ends_ns = caller_of(context)
            stream = await self._begin(talk, caller=caller, ends_ns=ends_ns)
            if stream is not None:
                await self._welcome(talk, stream)
                await self._serve(talk, stream)
        except Exception as error:  # noqa: BLE001  every fault is answered with a reason
            why = replies.as_refused(error)
            self._front.telemetry.refusals.labels("control", why.reason).inc()
            if why.reason == "INTERNAL":
                _log.exception("a control stream failed")
            await talk.say(self._reply(closing=replies.refusal(why)))
        finally:
            if stream is not None:
                self._front.live.leave(stream)

    async def dispatch(self, among: Collection[str] | None = None) -> int:
        """Hand what was asked of agents since the last time to those that are connected, or to those `among` them; how
        many actions."""
        connected = self._front.live.with_control()
        if among is not None:
            connected = {agent_id for agent_id in among if agent_id in connected}
        if not connected:
            return 0
        found = await self._front.db.read(actions.queued, connected)
        return sum(self._give(action) for action in found)

    async def _begin(self, talk: Conversation, *, caller: Identity, ends_ns: int) -> Stream | None:
        with self._front.live.knocking(caller.agent_id):
            raw = await talk.first()
        if raw is None:
            return None
        request = parse(ControlRequest, raw)
        if request.WhichOneof("step") != "hello":
            raise Refused("MALFORMED", "a stream begins with a hello")
        hello = wire.hello(request.hello.session)
        return await enter(self._front, caller, road="control", hello=hello, ends_ns=ends_ns)

    async def _welcome(self, talk: Conversation, stream: Stream) -> None:
        welcome = control_pb2.ControlWelcome(
            pacing=replies.pacing(self._front.config.limits), endpoints=self._front.streams_endpoints
        )
        time = self._reply().SerializeToString()
        await talk.say_bytes(self._reply(welcome=welcome).SerializeToString(), time + self._levels)
        agent_id = stream.caller.agent_id
        due, owed = await self._owed.of(agent_id)
        if due:
            await self._front.db.run(site_configs.bring_up, agent_id, now_ns=self._front.clock.now_ns())
            owed = await self._front.db.read(actions.open_of, agent_id)
        for action in owed:
            self._give(action)

    async def _look_owed(self, agent_ids: Collection[str]) -> Mapping[str, Owed]:
        return await self._front.db.read(site_configs.owed, agent_ids)

    async def _serve(self, talk: Conversation, stream: Stream) -> None:
        stream.closing.add_done_callback(stream.wake)
        listening = asyncio.ensure_future(self._listen(talk, stream))
        listening.add_done_callback(stream.wake)
        try:
            while True:
                await stream.news.wait()
                stream.news.clear()
                if stream.closing.done():
                    raise stream.closing.result()
                if listening.done():
                    listening.result()
                    return
                while stream.outbox and not stream.closing.done():
                    await self._send(talk, stream.outbox.pop(0))
        finally:
            stream.closing.remove_done_callback(stream.wake)
            listening.add_done_callback(forget)  # it ends by itself, with the stream

    async def _listen(self, talk: Conversation, stream: Stream) -> None:
        clock = self._front.clock
        now_s = clock.monotonic_s()
        allowance = Allowance(
            TokenBucket(PER_S, BURST, now_s=now_s), TokenBucket(BYTES_PER_S, BYTES_BURST, now_s=now_s)
        )
        while (raw := await talk.read()) is not None and not stream.closing.done():
            wait_s = allowance.take(len(raw), now_s=clock.monotonic_s())
            if wait_s > 0:
                await clock.sleep(wait_s)  # as on the road up: only this agent waits
            await self._hear(talk, stream, raw)

    async def _hear(self, talk: Conversation, stream: Stream, raw: bytes) -> None:
        request = parse(ControlRequest, raw)
        agent_id = stream.caller.agent_id
        now_ns = self._front.clock.now_ns()
        match request.WhichOneof("step"):
            case "heartbeat":
                heartbeat = request.heartbeat
                self._front.live.offsets_ns[agent_id] = sessions.clock_offset_ns(
                    heartbeat.agent_time_unix_ns, now_ns=now_ns, limits=self._front.config.limits
                )
                self._front.live.hear(agent_id, now_ns=now_ns, spool=_spool_state(heartbeat.spool))
                await talk.say(self._reply(heartbeat=control_pb2.HeartbeatReply()))
            case "goodbye":
                why = request.goodbye.why[:200]
                _log.info("an agent says goodbye: %s", why, extra={"agent_id": agent_id})
            case "hello":
                raise Refused("MALFORMED", "a stream has one hello")
            case _:  # from a newer agent
                self._front.live.hear(agent_id, now_ns=now_ns)

    async def _send(self, talk: Conversation, action: Action) -> None:
        now_ns = self._front.clock.now_ns()
        if action.expires_ns <= now_ns:
            return
        # Marked first: what is marked and never arrived is sent again at the next hello, until its outcome comes.
        await self._front.db.run(actions.mark_sent, [action.id], now_ns=now_ns)
        await talk.say(self._reply(action=_on_the_wire(action)))

    def _give(self, action: Action) -> bool:
        stream = self._front.live.control_of(action.agent_id)
        if stream is None or action.id in stream.given:
            return False
        stream.given |= {action.id}
        stream.outbox.append(action)
        stream.wake()
        return True

    def _reply(
        self,
        *,
        welcome: control_pb2.ControlWelcome | None = None,
        heartbeat: control_pb2.HeartbeatReply | None = None,
        action: control_pb2.Action | None = None,
        closing: common_pb2.Refusal | None = None,
    ) -> ControlResponse:
        return ControlResponse(
            server_time=replies.server_time(self._front.clock),
            welcome=welcome,
            heartbeat=heartbeat,
            action=action,
            closing=closing,
        )


def _levels(levels: Iterable[WatchLevel]) -> control_pb2.WatchLevels:
    return control_pb2.WatchLevels(
        levels=[
            control_pb2.WatchLevel(
                series=level.series,
                above=level.above or 0.0,
                below=level.below or 0.0,
                has_above=level.above is not None,
                has_below=level.below is not None,
            )
            for level in levels
        ]
    )


def _on_the_wire(action: Action) -> control_pb2.Action:
    message = control_pb2.Action(action_id=uuid.UUID(action.id).bytes, expires_unix_ns=action.expires_ns)
    if action.kind == "notice":
        notice = msgspec.json.decode(action.payload, type=SiteNotice)
        message.notice.CopyFrom(control_pb2.SiteNotice(**msgspec.structs.asdict(notice)))
    elif action.kind == site_configs.KIND:
        wanted = msgspec.json.decode(action.payload, type=site_configs.Payload)
        sha256 = hashlib.sha256(wanted.document.encode()).digest()
        message.config.CopyFrom(control_pb2.SiteConfig(version=wanted.version, document=wanted.document, sha256=sha256))
    return message


def _spool_state(state: control_pb2.SpoolState) -> str:
    return (
        f'{{"bytes": {state.bytes}, "bytes_max": {state.bytes_max}, "held": {state.held}, "shed": {state.shed}, '
        f'"parked": {state.parked}, "oldest_unix_ns": {state.oldest_unix_ns}}}'
    )
