"""The beginning of every stream: the hello is checked, written down, and the stream joins the open ones.

Agents are let in at a pace (`pace.Door`). The second road of a session goes in with the first: nothing new is to be
written down, and it is looked at again each minute like all others.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api.front import Front, Road, Stream, come_back_some_time
from sitewarden_collector.pki import Identity
from sitewarden_collector.services import sessions
from sitewarden_collector.services.sessions import Greeting, Hello, Knock, Quarantine

WRITES_WAITING_MAX = 2_000  # each hello is one more: those that come now are served sooner a little later

_log = logging.getLogger("sitewarden.sessions")


async def enter(front: Front, caller: Identity, *, road: Road, hello: Hello, ends_ns: int, epoch: str = "") -> Stream:
    """A new open stream; the caller lets go of it with `front.live.leave`. `epoch`: the spool that the hello names.
    Raises Refused."""
    limits = front.config.limits
    if front.draining:
        raise come_back_some_time(limits.drain_window_s)
    now_ns = front.clock.now_ns()
    if ends_ns <= now_ns:
        raise expired()
    if not front.live.may_greet(caller.agent_id, now_s=front.clock.monotonic_s()):
        raise Refused("RATE_LIMITED", "this agent connects again and again; come back in a while")
    session, machine = hello.session_id, hello.machine_fingerprint
    if front.live.beside(caller.agent_id, serial=caller.serial, session_id=session, machine=machine):
        answer = Greeting(sessions.clock_offset_ns(hello.agent_time_ns, now_ns=now_ns, limits=limits))
        stored = None
    else:
        answer = await _greet(front, caller, road=road, hello=hello, epoch=epoch)
        stored = answer.last_stored
    closing: asyncio.Future[Refused] = asyncio.get_running_loop().create_future()
    stream = Stream(caller, ends_ns, road, session, machine, closing, stored=stored)
    front.live.join(stream)
    front.live.hear(caller.agent_id, now_ns=front.clock.now_ns())
    front.live.offsets_ns[caller.agent_id] = answer.clock_offset_ns
    return stream


async def _greet(front: Front, caller: Identity, *, road: Road, hello: Hello, epoch: str) -> Greeting:
    """Let a session in when it is its turn, and write it down. Raises Refused."""
    asked_ns = front.clock.now_ns()
    await _in_turn(front)
    now_ns = front.clock.now_ns()
    # The clock was told when it asked: waiting in line makes it no slower.
    hello = replace(hello, agent_time_ns=hello.agent_time_ns + now_ns - asked_ns)
    answer = await _answered(front, Knock(caller.agent_id, caller.serial, hello, epoch, now_ns))
    if isinstance(answer, Quarantine):
        _log.warning("agent %s is quarantined: %s", caller.agent_id, answer.why, extra={"agent_id": caller.agent_id})
        why = Refused("QUARANTINED", f"this identity was seen in two places ({answer.why}); enrol each host anew")
        front.live.close_agent(caller.agent_id, why)
        front.arrived.set()
        raise why
    extra = {"agent_id": caller.agent_id, "road": road, "session": hello.session_id}
    _log.info("agent on %s is connected", hello.hostname, extra=extra)
    return answer


async def _answered(front: Front, knock: Knock) -> Greeting | Quarantine:
    """What the database says to it, together with those that come at the same time. Raises Refused."""
    answer: asyncio.Future[Greeting | Quarantine | Exception] = asyncio.get_running_loop().create_future()

    def settle(result: Greeting | Quarantine | Exception) -> None:
        if not answer.done():  # nobody listens any more
            answer.set_result(result)

    front.live.greeting += 1
    try:
        front.greetings.give(knock.agent_id, knock, settle)
        result = await answer
    finally:
        front.live.greeting -= 1
    if isinstance(result, Exception):
        raise result
    return result


async def _in_turn(front: Front) -> None:
    """Return when the next one may come in. Raises Refused, with a moment to come back at, when too many wait."""
    busy = front.db.waiting + front.live.greeting > WRITES_WAITING_MAX
    turn = front.door.knock(now_s=front.clock.monotonic_s(), closed=busy)
    how = "later" if turn.away else "in line" if turn.wait_s > 0 else "at once"
    front.telemetry.connects.labels(how).inc()
    if turn.away:
        raise Refused("OVERLOADED", "many agents come at once; this one's turn is later", retry_after_s=turn.wait_s)
    if turn.wait_s <= 0:
        return
    front.live.in_line += 1
    try:
        await front.clock.sleep(turn.wait_s)
    finally:
        front.live.in_line -= 1
    if front.draining:
        raise come_back_some_time(front.config.limits.drain_window_s)


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
