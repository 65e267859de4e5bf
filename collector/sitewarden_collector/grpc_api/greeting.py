"""The beginning of every stream: the hello is checked, written down, and the stream joins the open ones."""

from __future__ import annotations

import asyncio
import logging

from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api.front import Front, Road, Stream
from sitewarden_collector.pki import Identity
from sitewarden_collector.services import sessions
from sitewarden_collector.services.sessions import Hello, Quarantine

_log = logging.getLogger("sitewarden.sessions")


async def enter(front: Front, caller: Identity, *, road: Road, hello: Hello, ends_ns: int) -> Stream:
    """A new open stream; the caller lets go of it with `front.live.leave`. Raises Refused."""
    if front.draining:
        raise Refused("DRAINING", "this collector stops; come back", retry_after_s=front.config.limits.drain_window_s)
    now_ns = front.clock.now_ns()
    if ends_ns <= now_ns:
        raise expired()
    if not front.live.may_greet(caller.agent_id, now_s=front.clock.monotonic_s()):
        raise Refused("RATE_LIMITED", "this agent connects again and again; come back in a while")
    limits = front.config.limits
    answer = await front.db.run(
        sessions.greet, caller.agent_id, serial=caller.serial, hello=hello, limits=limits, now_ns=now_ns
    )
    if isinstance(answer, Quarantine):
        _log.warning("agent %s is quarantined: %s", caller.agent_id, answer.why, extra={"agent_id": caller.agent_id})
        why = Refused("QUARANTINED", f"this identity was seen in two places ({answer.why}); enrol each host anew")
        front.live.close_agent(caller.agent_id, why)
        front.arrived.set()
        raise why
    stream = Stream(caller, ends_ns, road, hello.session_id, asyncio.get_running_loop().create_future())
    front.live.join(stream)
    front.live.hear(caller.agent_id, now_ns=now_ns)
    front.live.offsets_ns[caller.agent_id] = answer.clock_offset_ns
    extra = {"agent_id": caller.agent_id, "road": road, "session": hello.session_id}
    _log.info("agent on %s is connected", hello.hostname, extra=extra)
    return stream


async def recheck(front: Front) -> None:
    """Close the streams of agents that may not stay: revoked, quarantined, replaced elsewhere, certificate ended."""
    streams = front.live.all()
    callers = sorted({(stream.caller.agent_id, stream.caller.serial, stream.session_id) for stream in streams})
    refused = await front.db.read(sessions.unwelcome, callers)
    now_ns = front.clock.now_ns()
    for stream in streams:
        why = refused.get((stream.caller.agent_id, stream.session_id))
        if why is not None:
            stream.close(why)
        elif stream.ends_ns <= now_ns:
            stream.close(expired())


def expired() -> Refused:
    return Refused("CERTIFICATE_EXPIRED", "this certificate has expired; renew it with `sitewarden-agent renew`")
