"""Greeting an agent that connects: who it is, whether it is the only one, how far its clock is off.

A newer session replaces the old one: a reboot and a half-open connection look like that. Two sessions that keep coming
back after each other are two machines with one identity, and so is a hello from another machine than the one that
enrolled: both are quarantined, and headquarters notes it for evaluation, which opens the ticket.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from sitewarden_alerting.observations import Change
from sitewarden_collector.config import Limits
from sitewarden_collector.errors import Refused
from sitewarden_collector.services import enrolment, intake
from sitewarden_collector.store import agents, certificates, sessions, spools, welcomes
from sitewarden_collector.store.agents import Agent

RETURNS_MAX = 3
RETURNS_WINDOW_NS = 600 * 1_000_000_000
OFFSET_NOISE_NS = 1_000_000_000  # a smaller offset is the way through the network, not the clock

# Every released version with the date of its end: 24 months after the release that followed it. None has ended yet.
_ENDED_VERSIONS: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Hello:
    """What an agent says of itself at the beginning of a stream."""

    session_id: str
    machine_fingerprint: str
    version: str
    hostname: str
    agent_time_ns: int
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Greeting:
    """The agent is welcome; its wall clock is corrected by `clock_offset_ns`."""

    agent: Agent
    clock_offset_ns: int


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The agent is not welcome any more, nor is any other that uses its identity."""

    agent_id: str
    why: str


def greet(
    tx: Connection, agent_id: str, *, serial: str, hello: Hello, limits: Limits, now_ns: int
) -> Greeting | Quarantine:
    """Welcome an agent, or quarantine it; raises Refused with the reason that the wire knows."""
    agent, standing = enrolment.welcomed(tx, agent_id, serial=serial)
    _check_version(hello.version)
    offset_ns = clock_offset_ns(hello.agent_time_ns, now_ns=now_ns, limits=limits)
    if hello.machine_fingerprint != agent.machine_fingerprint:
        why = f"enrolled on {agent.hostname}, then used on another machine that calls itself {hello.hostname}"
        return quarantine(tx, agent, why=why, other=hello.hostname, now_ns=now_ns)
    if standing.newest != hello.session_id:
        sessions.add(tx, agent_id, hello.session_id, now_ns=now_ns)
        if _returns(tx, agent_id, now_ns=now_ns) >= RETURNS_MAX:
            why = f"two running agents on hosts like {hello.hostname} keep replacing each other: a cloned machine?"
            return quarantine(tx, agent, why=why, other=hello.hostname, now_ns=now_ns)
    welcomes.greeted(
        tx,
        agent_id,
        hostname=hello.hostname,
        version=hello.version,
        capabilities=" ".join(hello.capabilities),
        clock_offset_ns=offset_ns,
        now_ns=now_ns,
    )
    return Greeting(agent, offset_ns)


def quarantine(tx: Connection, agent: Agent, *, why: str, other: str, now_ns: int) -> Quarantine:
    """Shut out everybody who uses this identity, and note it for evaluation."""
    if agents.set_state(tx, agent.id, "quarantined", why=why):
        certificates.revoke_of_agent(tx, agent.id, why=why, now_ns=now_ns)
        change = Change(kind="quarantined", subject=agent.hostname, before=agent.machine_fingerprint, after=why)
        intake.note(tx, agent.id, change, now_ns=now_ns)
    return Quarantine(agent.id, why)


def last_stored(tx: Connection, agent_id: str, epoch: str) -> int:
    """How far the spool `epoch` of this agent has arrived."""
    return spools.last_seq(tx, agent_id, epoch)


def clock_offset_ns(agent_time_ns: int, *, now_ns: int, limits: Limits) -> int:
    """What must be added to the agent's clock; raises Refused (CLOCK_SKEW) when it is too far off to be corrected."""
    offset_ns = now_ns - agent_time_ns
    if abs(offset_ns) > limits.clock_skew_max_s * 1_000_000_000:
        raise Refused(
            "CLOCK_SKEW",
            f"this host's clock is {abs(offset_ns) / 86_400e9:.1f} days {'behind' if offset_ns > 0 else 'ahead'}; set "
            "it right (for example with chrony or timedatectl), everything is kept until then",
        )
    return 0 if abs(offset_ns) <= OFFSET_NOISE_NS else offset_ns


def unwelcome(tx: Connection, callers: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str], Refused]:
    """Of connected agents (id, serial of the certificate, session) those that may not stay, by id and session.

    That a newer session took over is known here when it did so at another collector.
    """
    callers = list(callers)
    standings = welcomes.of_agents(tx, ((agent_id, serial) for agent_id, serial, _ in callers))
    refused = {}
    for agent_id, serial, session_id in callers:
        standing = standings.get((agent_id, serial))
        why = enrolment.unwelcome(agent_id, standing)
        if why is None and standing is not None and standing.newest != session_id:
            why = Refused("DUPLICATE_SESSION", "a newer session of this agent took over")
        if why is not None:
            refused[agent_id, session_id] = why
    return refused


def _returns(tx: Connection, agent_id: str, *, now_ns: int) -> int:
    """How often a session came back after another had replaced it, inside the window."""
    seen: set[str] = set()
    returns = 0
    for takeover in sessions.since(tx, agent_id, since_ns=now_ns - RETURNS_WINDOW_NS):
        returns += takeover.session_id in seen
        seen.add(takeover.session_id)
    return returns


def _check_version(version: str) -> None:
    ended = _ENDED_VERSIONS.get(".".join(version.split(".")[:2]))
    if ended is not None:
        raise Refused(
            "VERSION_UNSUPPORTED", f"agents of version {version} were supported until {ended}; update this agent"
        )
