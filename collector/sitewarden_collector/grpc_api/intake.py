"""The road up: hello, then batches in order; each is acknowledged after its commit (`course`)."""

from __future__ import annotations

import logging

from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api import replies, wire
from sitewarden_collector.grpc_api.batches import Batches
from sitewarden_collector.grpc_api.caller import Context, caller_of
from sitewarden_collector.grpc_api.conversation import Conversation, parse
from sitewarden_collector.grpc_api.course import Course
from sitewarden_collector.grpc_api.front import Front, Stream
from sitewarden_collector.grpc_api.greeting import enter
from sitewarden_collector.pki import Identity
from sitewarden_collector.services import sessions
from sitewarden_protos.v1.common_pb2 import Refusal
from sitewarden_protos.v1.intake_pb2 import UploadRequest, UploadResponse, UploadWelcome

_log = logging.getLogger("sitewarden.intake")


class Intake:
    """The handler of Upload. One instance serves every stream."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._batches = Batches(front)

    async def upload(self, _requests: object, context: Context) -> None:
        talk = Conversation(context)
        stream: Stream | None = None
        try:
            caller, ends_ns = caller_of(context)
            stream, epoch = await self._begin(talk, caller=caller, ends_ns=ends_ns)
            if stream is not None:
                await Course(self._front, self._batches, talk, stream, epoch).serve()
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
        with self._front.live.knocking(caller.agent_id):
            raw = await talk.first()
        if raw is None:
            return None, ""
        request = parse(UploadRequest, raw)
        if request.WhichOneof("step") != "hello":
            raise Refused("MALFORMED", "a stream begins with a hello")
        epoch = wire.epoch(request.hello)
        hello = wire.hello(request.hello.session)
        stream = await enter(self._front, caller, road="upload", hello=hello, ends_ns=ends_ns, epoch=epoch)
        try:
            # What was under way since it was greeted is known again by its number.
            stored = stream.stored
            if stored is None:
                stored = await self._front.db.read(sessions.last_stored, caller.agent_id, epoch)
            limits = self._front.config.limits
            welcome = UploadWelcome(last_stored_seq=stored, credits=limits.credits, pacing=replies.pacing(limits))
            await talk.say(self._reply(welcome=welcome))
        except BaseException:
            self._front.live.leave(stream)
            raise
        return stream, epoch

    def _reply(self, *, welcome: UploadWelcome | None = None, closing: Refusal | None = None) -> UploadResponse:
        time = replies.server_time(self._front.clock)
        return UploadResponse(server_time=time, welcome=welcome, closing=closing)
