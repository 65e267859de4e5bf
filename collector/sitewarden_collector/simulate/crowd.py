"""All agents of a simulation: enrolled as real ones are, let run for their time, then asked to finish.

The crowd needs the collector's database for tokens and for the verdict, so it runs where `sitewarden token create`
does; everything else goes over the network. Not here: one agent (`agent`), what must have come of it (`verdict`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc

from sitewarden_collector.pki import Authority
from sitewarden_collector.services import enrolment
from sitewarden_collector.simulate import identity, scenario
from sitewarden_collector.simulate.agent import VERSION, SimulatedAgent
from sitewarden_collector.simulate.identity import OPTIONS, Identity, NotEnrolled, TooMany
from sitewarden_collector.simulate.load import Load
from sitewarden_collector.simulate.scenario import Part, Scenario
from sitewarden_collector.store import spools
from sitewarden_collector.store.engine import Database
from sitewarden_protos.v1 import common_pb2

CUSTOMER = "simulated"
ENROL_AT_ONCE = 8
ENROL_TRIES = 60
FINISH_S = 30.0
TOKENS_AT_ONCE = 200

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Road:
    """How to reach the collector."""

    streams: str
    enrolment: str
    root_pem: bytes


@dataclass(frozen=True, slots=True)
class Course:
    """A simulation that has ended. Times are monotonic seconds."""

    agents: tuple[SimulatedAgent, ...]
    began_s: float
    dropped_s: float | None
    ended_s: float
    finished: bool
    """Whether everything that was under way was answered, and evaluated, in time."""
    renewed: int


async def simulate(plan: Scenario, db: Database, authority: Authority, road: Road, *, say: Say) -> Course:
    """Enrol everybody, run for the scenario's time, finish. Raises NotEnrolled when a collector takes nobody."""
    load = Load(plan.series, plan.ticks, seed=plan.seed)
    roles = scenario.parts(plan)
    say(f"enrolling {len(roles)} agents of {plan.sites} sites")
    identities = await _enrol_all(roles, db, authority, road, say=say)
    agents = tuple(
        SimulatedAgent(part, plan, load, one, address=road.streams, root_pem=road.root_pem)
        for part, one in zip(roles, identities, strict=True)
    )
    began_s = time.monotonic()
    running = [asyncio.ensure_future(agent.run()) for agent in agents]
    telling = asyncio.ensure_future(_tell(agents, plan, began_s, say))
    try:
        dropped_s, renewed = await _happen(agents, plan, road, began_s)
        finished = await _finish(agents) and await _evaluated(db)
        return Course(agents, began_s, dropped_s, time.monotonic(), finished, renewed)
    finally:
        telling.cancel()
        for one in running:
            one.cancel()
        await asyncio.gather(*running, telling, return_exceptions=True)


async def _enrol_all(
    roles: Sequence[Part], db: Database, authority: Authority, road: Road, *, say: Say
) -> list[Identity]:
    tokens: list[str] = []
    for at in range(0, len(roles), TOKENS_AT_ONCE):
        for part in roles[at : at + TOKENS_AT_ONCE]:
            made = await db.run(
                enrolment.create_token,
                authority,
                site_name=part.site,
                customer_name=CUSTOMER,
                endpoints=(road.enrolment,),
                lifetime_s=3_600,
                now_ns=time.time_ns(),
            )
            tokens.append(made.text)
    found: list[Identity | None] = [None] * len(roles)
    waiting = list(range(len(roles)))
    credentials = grpc.ssl_channel_credentials(root_certificates=road.root_pem)
    async with grpc.aio.secure_channel(f"dns:///{road.enrolment}", credentials, options=OPTIONS) as channel:

        async def work() -> None:
            while waiting:
                number = waiting.pop()
                found[number] = await _enrol(channel, tokens[number], roles[number])
                done = sum(one is not None for one in found)
                if done % 500 == 0:
                    say(f"enrolled {done} of {len(roles)}")

        await asyncio.gather(*(work() for _ in range(ENROL_AT_ONCE)))
    return [one for one in found if one is not None]


async def _enrol(channel: grpc.aio.Channel, token: str, part: Part) -> Identity:
    hello = common_pb2.Session(
        session_id=bytes(16),
        boot_id=bytes(16),
        machine_fingerprint=part.machine,
        agent_version=VERSION,
        hostname=part.hostname,
        agent_time_unix_ns=time.time_ns(),
    )
    for left in reversed(range(ENROL_TRIES)):
        try:
            return await identity.enrol(channel, token, hello)
        except TooMany:
            if not left:
                raise
            await asyncio.sleep(1.0)
    raise AssertionError  # the last try returns or raises


async def _happen(
    agents: Sequence[SimulatedAgent], plan: Scenario, road: Road, began_s: float
) -> tuple[float | None, int]:
    """Wait until the scenario's time is over, and let happen what it has in between."""
    dropped_s: float | None = None
    renewed = 0
    dropping = [agent for agent in agents if agent.part.drops_after_s is not None]
    renewing = [agent for agent in agents if agent.part.renews_after_s is not None]
    if dropping or renewing:
        await asyncio.sleep(plan.seconds / 2)
    if dropping:
        dropped_s = time.monotonic()
        for agent in dropping:
            agent.drop()
    if renewing:
        renewed = await _renew_all(renewing, road)
    await asyncio.sleep(max(0.0, began_s + plan.seconds - time.monotonic()))
    return dropped_s, renewed


async def _renew_all(agents: Sequence[SimulatedAgent], road: Road) -> int:
    """Everybody renews at once and comes back with the fresh certificate; how many did."""
    credentials = grpc.ssl_channel_credentials(root_certificates=road.root_pem)
    async with grpc.aio.secure_channel(f"dns:///{road.enrolment}", credentials, options=OPTIONS) as channel:

        async def renew(agent: SimulatedAgent) -> bool:
            for _ in range(ENROL_TRIES):
                try:
                    agent.identity = await identity.renew(channel, agent.identity, agent.session())
                except TooMany:
                    await asyncio.sleep(1.0)
                except NotEnrolled:
                    return False
                else:
                    agent.drop()
                    return True
            return False

        return sum(await asyncio.gather(*(renew(agent) for agent in agents)))


async def _finish(agents: Sequence[SimulatedAgent]) -> bool:
    """No further batches; wait until what is under way is answered."""
    for agent in agents:
        agent.sending.clear()
    until_s = time.monotonic() + FINISH_S
    while time.monotonic() < until_s:
        if all(agent.settled for agent in agents):
            return True
        await asyncio.sleep(0.1)
    return False


async def _evaluated(db: Database) -> bool:
    """Wait until rules have seen what is stored."""
    until_s = time.monotonic() + FINISH_S
    while time.monotonic() < until_s:
        waiting, _ = await db.read(spools.lag)
        if not waiting:
            return True
        await asyncio.sleep(0.2)
    return False


async def _tell(agents: Sequence[SimulatedAgent], plan: Scenario, began_s: float, say: Say) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(5.0)
            stored = sum(agent.counts.stored for agent in agents)
            here = sum(agent.counts.connected > 0 for agent in agents)
            say(f"{time.monotonic() - began_s:.0f} of {plan.seconds:.0f} s: {here} connected, {stored} batches stored")
