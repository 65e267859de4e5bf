"""What an engineer looks at first around a ticket: its agents, the hosts' health when it happened, what changed shortly
before, what else is open at the site, the risks there, and the same fault at other sites.

Everything here is read, bounded and short. Not here: the ticket itself, its evidence and history (`services.tickets`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from sitewarden_alerting.model import HOUR_NS, MINUTE_NS, Evidence, SignalKind, Ticket
from sitewarden_alerting.observations import Change, Observation
from sitewarden_collector.store import agents, observations, risks, tickets, tracks
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.tickets import Listed
from sitewarden_collector.store.tracks import Track

BEFORE_NS = 5 * MINUTE_NS  # health is looked at from that long before the fault ...
AFTER_NS = MINUTE_NS  # ... until that long after it
CHANGES_NS = HOUR_NS
HOSTS_MAX = 3
LISTED_MAX = 5
# What is called how, and by which label one of several is told from the others: the fullest is shown.
HEALTH = (
    ("cpu_used_ratio", "CPU", ""),
    ("memory_used_ratio", "memory", ""),
    ("load1", "load", ""),
    ("filesystem_used_ratio", "disk", "mountpoint"),
    ("folder_used_ratio", "folder", "folder"),
    ("cpu_iowait_ratio", "iowait", ""),
    ("swap_used_ratio", "swap", ""),
    ("cgroup_memory_used_ratio", "container", "process"),
    ("process_resident_memory_bytes", "program", "process"),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One number: the one nearest to the fault, and the highest around it. `series` says its unit."""

    name: str
    series: str
    value: float
    peak: float


@dataclass(frozen=True, slots=True)
class Health:
    """How a host was. `at_ns` is the time of the reading nearest to the fault."""

    hostname: str
    at_ns: int
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Surroundings:
    agents: tuple[Agent, ...]  # those that saw it, else all of the site
    health: tuple[Health, ...]  # when it began
    health_last: tuple[Health, ...]  # when it was last seen, where that is long after
    changes: tuple[Observation, ...]  # in the hour before it began
    also_open: tuple[Listed, ...]
    risks: tuple[risks.Listed, ...]
    elsewhere: tuple[Listed, ...]  # the same fault at other sites


def around(tx: Connection, ticket: Ticket, evidence: Sequence[Evidence]) -> Surroundings:
    """What there is to see around a ticket."""
    here = _agents(tx, ticket, evidence)
    site, _ = tickets.names(tx, ticket.site_id)
    lasts = ticket.last_ns - ticket.opened_ns > BEFORE_NS
    open_here = tickets.listing(tx, site_id=ticket.site_id, states=tickets.OPEN, limit=LISTED_MAX + 1)
    return Surroundings(
        agents=tuple(here),
        health=_health(tx, ticket.site_id, here, at_ns=ticket.opened_ns),
        health_last=_health(tx, ticket.site_id, here, at_ns=ticket.last_ns) if lasts else (),
        changes=_changes(tx, ticket),
        also_open=tuple(one for one in open_here if one.ticket.id != ticket.id)[:LISTED_MAX],
        risks=tuple(risks.listing(tx, site=site, limit=LISTED_MAX)),
        elsewhere=_elsewhere(tx, ticket),
    )


def _agents(tx: Connection, ticket: Ticket, evidence: Sequence[Evidence]) -> list[Agent]:
    every = [agent for agent in agents.of_site(tx, ticket.site_id) if agent.state != "revoked"]
    saw = {one.agent_id for one in evidence}
    return ([agent for agent in every if agent.id in saw] or every)[:HOSTS_MAX]


def _changes(tx: Connection, ticket: Ticket) -> tuple[Observation, ...]:
    since_ns = ticket.opened_ns - CHANGES_NS
    found = observations.of_site(
        tx, ticket.site_id, since_ns=since_ns, until_ns=ticket.opened_ns, kind="change", limit=LISTED_MAX
    )
    return tuple(one for one in found if isinstance(one.what, Change))


def _elsewhere(tx: Connection, ticket: Ticket) -> tuple[Listed, ...]:
    if ticket.kind is not SignalKind.LOG:
        return ()  # its fault's name is of this site alone
    found = tickets.listing(tx, fault=ticket.fault)
    return tuple(one for one in found if one.ticket.site_id != ticket.site_id and not one.ticket.merged_into)


def _health(tx: Connection, site_id: str, here: Sequence[Agent], *, at_ns: int) -> tuple[Health, ...]:
    wanted = {agent.id for agent in here}
    found: dict[str, list[tuple[int, Reading]]] = {agent.id: [] for agent in here}
    names = {name for name, _, _ in HEALTH}
    around = tracks.named(tx, site_id, names, at_ns - BEFORE_NS, until_ns=at_ns + AFTER_NS)
    for name, called, label in HEALTH:
        readings = [track for track in around if track.series.name == name]
        for agent_id, (time_ns, reading) in _read(readings, wanted, called, label, at_ns=at_ns).items():
            found[agent_id].append((time_ns, reading))
    return tuple(
        Health(agent.hostname or agent.id, found[agent.id][0][0], tuple(reading for _, reading in found[agent.id]))
        for agent in here
        if found[agent.id]
    )


def _read(
    tracks: Sequence[Track], wanted: Collection[str], called: str, label: str, *, at_ns: int
) -> dict[str, tuple[int, Reading]]:
    """Of each agent the track with the highest peak: when, and what."""
    best: dict[str, tuple[int, Reading]] = {}
    for track in tracks:
        if track.agent_id not in wanted:
            continue
        times_ns, numbers = track.times_ns, track.numbers
        nearest = min(range(len(times_ns)), key=lambda i: abs(times_ns[i] - at_ns))
        of = dict(track.series.labels).get(label, "")
        reading = Reading(f"{called} {of}".strip(), track.series.name, numbers[nearest], max(numbers))
        if track.agent_id not in best or best[track.agent_id][1].peak < reading.peak:
            best[track.agent_id] = (times_ns[nearest], reading)
    return best
