"""What the handlers of one collector share, and the streams that are open in it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from sitewarden_collector.config import Config
from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api.pace import Allowance, Door, TokenBucket
from sitewarden_collector.loops import Clock
from sitewarden_collector.pki import Authority, Identity
from sitewarden_collector.services import sessions
from sitewarden_collector.services.sessions import Greeting, Knock, Quarantine
from sitewarden_collector.store.actions import Action
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.gathering import Gathered
from sitewarden_collector.telemetry import Telemetry

HELLOS_PER_S = 2.0  # of one agent: two streams a connection
HELLOS_BURST = 120.0
KNOCKING_MAX = 8
LINE_MAX_S = 15.0  # agents wait 30 s for an answer to their hello, the handshake before it included
DRAIN_MIN_S = 1.0
GREETING_PAUSE_S = 0.05  # agents that come within it are greeted together

Road = Literal["upload", "control"]


@dataclass(slots=True, eq=False)
class Stream:
    """One open stream of one agent. `closing` is set once, with the reason that the agent is told."""

    caller: Identity
    ends_ns: int  # the end of the certificate
    road: Road
    session_id: str
    machine: str  # its fingerprint, as the hello told it
    closing: asyncio.Future[Refused]
    outbox: list[Action] = field(default_factory=list)
    stored: int | None = None  # how far its spool had arrived when it was greeted; None: nobody looked
    given: frozenset[str] = frozenset()  # actions that went into the outbox
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is something in the outbox, or to stop for."""

    def wake(self, _done: object = None) -> None:
        self.news.set()

    def close(self, why: Refused) -> None:
        if not self.closing.done():
            self.closing.set_result(why)


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard since the last time somebody asked: agent id -> time, agent id -> JSON of its spool's state."""

    seen: dict[str, int]
    spools: dict[str, str]


class LiveStreams:
    """The open streams by agent, and what was heard on them. Used from one event loop only."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._open: dict[str, dict[Road, Stream]] = {}
        self._telemetry = telemetry
        self._seen: dict[str, int] = {}
        self._spools: dict[str, str] = {}
        self._hellos: dict[str, TokenBucket] = {}
        self.offsets_ns: dict[str, int] = {}  # agent id -> what to add to its clock, as last measured
        self._knocking: dict[str, int] = {}  # agent id -> streams without a hello
        self.in_line = 0  # agents that wait at the door
        self.greeting = 0  # agents that wait for an answer to their hello

    @contextmanager
    def knocking(self, agent_id: str) -> Iterator[None]:
        """While a stream waits for its hello: an agent has a few such at a time. Raises Refused (RATE_LIMITED)."""
        count = self._knocking.get(agent_id, 0)
        if count >= KNOCKING_MAX:
            raise Refused("RATE_LIMITED", "this agent opens many streams and says hello on none; come back in a while")
        self._knocking[agent_id] = count + 1
        try:
            yield
        finally:
            self._knocking[agent_id] -= 1
            if not self._knocking[agent_id]:
                del self._knocking[agent_id]

    def may_greet(self, agent_id: str, *, now_s: float) -> bool:
        """Each hello is a write and is counted against clones: nobody may keep the database busy with them."""
        bucket = self._hellos.setdefault(agent_id, TokenBucket(HELLOS_PER_S, HELLOS_BURST, now_s=now_s))
        return bucket.admit(now_s=now_s)

    def join(self, stream: Stream) -> None:
        """Take a stream in. Streams of another session, or the same road's of this one, have to go."""
        mine = self._open.setdefault(stream.caller.agent_id, {})
        for other in list(mine.values()):
            if other.session_id != stream.session_id or other.road == stream.road:
                other.close(Refused("DUPLICATE_SESSION", "a newer session of this agent took over"))
        mine[stream.road] = stream
        self._telemetry.streams.labels(stream.road).inc()

    def leave(self, stream: Stream) -> None:
        """Let go of a stream that was joined."""
        self._telemetry.streams.labels(stream.road).dec()
        mine = self._open.get(stream.caller.agent_id, {})
        if mine.get(stream.road) is stream:
            del mine[stream.road]
        if not mine:
            self._open.pop(stream.caller.agent_id, None)
            self.offsets_ns.pop(stream.caller.agent_id, None)

    def all(self) -> list[Stream]:
        return [stream for mine in self._open.values() for stream in mine.values()]

    def beside(self, agent_id: str, *, serial: str, session_id: str, machine: str) -> bool:
        """Whether this very session, with this certificate and on this machine, is open here by one of its roads."""
        for stream in self._open.get(agent_id, {}).values():
            if (stream.session_id, stream.machine, stream.caller.serial) == (session_id, machine, serial):
                return not stream.closing.done()
        return False

    def counts(self) -> dict[str, int]:
        """How many are open, by road."""
        counted: dict[str, int] = {}
        for mine in self._open.values():
            for road in mine:
                counted[road] = counted.get(road, 0) + 1
        return counted

    def control_of(self, agent_id: str) -> Stream | None:
        return self._open.get(agent_id, {}).get("control")

    def with_control(self) -> Collection[str]:
        """The agents that can be told something now."""
        return {agent_id for agent_id, mine in self._open.items() if "control" in mine}

    def close_agent(self, agent_id: str, why: Refused) -> None:
        for stream in self._open.get(agent_id, {}).values():
            stream.close(why)

    def drain(self, window_s: float, *, per_s: float) -> None:
        """Send every agent away, each to come back at a moment of its own: evenly, over as long as it takes to let them
        in at `per_s`, and inside the window."""
        count = len(self._open)
        window_s = min(window_s, max(DRAIN_MIN_S, count / per_s))
        for place, mine in enumerate(self._open.values(), start=1):
            for stream in mine.values():
                stream.close(come_back(window_s * place / count))

    def hear(self, agent_id: str, *, now_ns: int, spool: str | None = None) -> None:
        self._seen[agent_id] = now_ns
        if spool is not None:
            self._spools[agent_id] = spool

    def take_heard(self) -> Heard:
        heard = Heard(self._seen, self._spools)
        self._seen, self._spools = {}, {}
        return heard


@dataclass(slots=True)
class Front:
    """The collector as its gRPC side sees it."""

    config: Config
    db: Database
    clock: Clock
    authority: Authority
    telemetry: Telemetry
    live: LiveStreams
    arrived: asyncio.Event  # set after each stored batch: evaluation has something to do
    streams_endpoints: tuple[str, ...] = ()
    enrolment_endpoints: tuple[str, ...] = ()
    draining: bool = False
    door: Door = field(init=False)
    greetings: Gathered[Knock, Greeting | Quarantine | Refused] = field(init=False)

    def __post_init__(self) -> None:
        limits = self.config.limits
        self.door = Door(limits.connects_per_s, line_max_s=LINE_MAX_S, now_s=self.clock.monotonic_s())
        self.greetings = Gathered(self.db, partial(sessions.greet_all, limits=limits), pause_s=GREETING_PAUSE_S)

    def allowance(self) -> Allowance:
        """What one stream of batches may say."""
        limits, now_s = self.config.limits, self.clock.monotonic_s()
        messages = TokenBucket(limits.batches_per_s, limits.batch_burst, now_s=now_s)
        return Allowance(messages, TokenBucket(limits.bytes_per_s, limits.bytes_burst, now_s=now_s))


def come_back(pause_s: float) -> Refused:
    """What agents are told by a collector that stops."""
    return Refused("DRAINING", "this collector stops; come back", retry_after_s=pause_s)


def come_back_some_time(window_s: float) -> Refused:
    """The same for one that came while the others were sent away."""
    return come_back(random.uniform(0.0, window_s))  # noqa: S311  it only has to be spread, not secret
