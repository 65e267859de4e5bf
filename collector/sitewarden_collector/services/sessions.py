"""Greeting an agent that connects: who it is, whether it is the only one, how far its clock is off.

A newer session replaces the old one: a reboot and a half-open connection look like that. Two sessions that keep coming
back after each other are two machines with one identity, and so is a hello from another machine than the one that
enrolled: both are quarantined, and headquarters notes it for evaluation, which opens the ticket.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from sitewarden_alerting.observations import Change
from sitewarden_collector.config import Limits
from sitewarden_collector.errors import Refused
from sitewarden_collector.services import enrolment, intake
from sitewarden_collector.store import agents, certificates, sessions, spools, welcomes
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.welcomes import Said, Standing

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
class Knock:
    """A hello that waits to be answered, and the certificate that its connection showed. `epoch`: the spool that it
    names; empty on the road down."""

    agent_id: str
    serial: str
    hello: Hello
    epoch: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Greeting:
    """The agent is welcome; its wall clock is corrected by `clock_offset_ns`."""

    clock_offset_ns: int
    last_stored: int = 0
    """How far the spool has arrived that the hello named."""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The agent is not welcome any more, nor is any other that uses its identity."""

    agent_id: str
    why: str


def greet_all(tx: Connection, knocks: Sequence[Knock], *, limits: Limits) -> list[Greeting | Quarantine | Refused]:
    """Welcome agents, or quarantine or refuse them with a reason that the wire knows; an answer for each.

    Thousands come within a minute: a few statements are made for all of these."""
    answers: dict[int, Greeting | Quarantine | Refused] = {}
    waiting = dict(enumerate(knocks))
    while waiting:  # of an agent that knocks more than once each sees what the one before did
        first = {one.agent_id: place for place, one in reversed(waiting.items())}
        together = {place: waiting.pop(place) for place in sorted(first.values())}
        answers |= _greet(tx, together, limits=limits)
    stored = spools.last_seqs(tx, {(one.agent_id, one.epoch) for one in knocks if one.epoch})
    for place, one in enumerate(knocks):
        answer = answers[place]
        if isinstance(answer, Greeting):
            answers[place] = replace(answer, last_stored=stored.get((one.agent_id, one.epoch), 0))
    return [answers[place] for place in range(len(knocks))]


def _greet(
    tx: Connection, knocks: Mapping[int, Knock], *, limits: Limits
) -> dict[int, Greeting | Quarantine | Refused]:
    """Answers for agents that are all others, by place."""
    standings = welcomes.of_agents(tx, ((one.agent_id, one.serial) for one in knocks.values()))
    answers: dict[int, Greeting | Quarantine | Refused] = {}
    new = []
    for place, one in knocks.items():
        standing = standings.get((one.agent_id, one.serial))
        answers[place] = answer = _judge(tx, one, standing, limits=limits)
        if isinstance(answer, Greeting) and standing is not None and standing.newest != one.hello.session_id:
            new.append(one)
    sessions.add_all(tx, [(one.agent_id, one.hello.session_id, one.at_ns) for one in new])
    cloned = _returned(tx, new)
    for place, one in knocks.items():
        if one.agent_id in cloned:
            name = one.hello.hostname
            why = f"two running agents on hosts like {name} keep replacing each other: a cloned machine?"
            answers[place] = quarantine(tx, agents.by_id(tx, one.agent_id), why=why, other=name, now_ns=one.at_ns)
    welcomes.greeted(
        tx,
        [
            _said(one, answer.clock_offset_ns)
            for place, one in knocks.items()
            if isinstance(answer := answers[place], Greeting)
        ],
    )
    return answers


def _judge(tx: Connection, one: Knock, standing: Standing | None, *, limits: Limits) -> Greeting | Quarantine | Refused:
    """What becomes of one, but for how often it came back."""
    why = enrolment.unwelcome(one.agent_id, standing)
    if why is not None or standing is None:
        return why or Refused("UNKNOWN_AGENT", "this agent is not known here; enrol again with a new token")
    hello = one.hello
    try:
        _check_version(hello.version)
        offset_ns = clock_offset_ns(hello.agent_time_ns, now_ns=one.at_ns, limits=limits)
    except Refused as refused:
        return refused
    if hello.machine_fingerprint != standing.machine:
        agent = agents.by_id(tx, one.agent_id)
        said = f"enrolled on {agent.hostname}, then used on another machine that calls itself {hello.hostname}"
        return quarantine(tx, agent, why=said, other=hello.hostname, now_ns=one.at_ns)
    return Greeting(offset_ns)


def _said(one: Knock, offset_ns: int) -> Said:
    hello = one.hello
    return Said(one.agent_id, hello.hostname, hello.version, " ".join(hello.capabilities), offset_ns, one.at_ns)


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


def _returned(tx: Connection, new: Sequence[Knock]) -> set[str]:
    """The agents among these whose sessions came back too often after another had replaced them, inside the window."""
    if not new:
        return set()
    since_ns = min(one.at_ns for one in new) - RETURNS_WINDOW_NS
    took = sessions.since_of(tx, [one.agent_id for one in new], since_ns=since_ns)
    cloned = set()
    for one in new:
        seen: set[str] = set()
        returns = 0
        for takeover in took.get(one.agent_id, ()):
            if takeover.at_ns >= one.at_ns - RETURNS_WINDOW_NS:
                returns += takeover.session_id in seen
                seen.add(takeover.session_id)
        if returns >= RETURNS_MAX:
            cloned.add(one.agent_id)
    return cloned


def _check_version(version: str) -> None:
    ended = _ENDED_VERSIONS.get(".".join(version.split(".")[:2]))
    if ended is not None:
        raise Refused(
            "VERSION_UNSUPPORTED", f"agents of version {version} were supported until {ended}; update this agent"
        )
