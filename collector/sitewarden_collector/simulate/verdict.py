"""What came of a simulation: figures, and what had to hold, from what agents heard and what the database holds.

Not here: running it (`crowd`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from sitewarden_collector.simulate.agent import SimulatedAgent
from sitewarden_collector.simulate.crowd import Course
from sitewarden_collector.simulate.load import FAULTS
from sitewarden_collector.simulate.scenario import Kind, Scenario
from sitewarden_collector.store import observations, tickets

BACK_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Held:
    """One thing that had to hold."""

    what: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    held: tuple[Held, ...]
    figures: dict[str, float]
    turned_away: dict[str, int]

    @property
    def ok(self) -> bool:
        return all(one.ok for one in self.held)


def judge(tx: Connection, plan: Scenario, course: Course) -> Verdict:
    """The verdict; reads what the collector stored of every agent."""
    agents = course.agents
    welcome = [agent for agent in agents if agent.part.welcome]
    others = [agent for agent in agents if not agent.part.welcome]
    turned_away: Counter[str] = Counter()
    for agent in agents:
        turned_away.update(agent.counts.turned_away)
    held = [_connected(welcome), _answered(course), _exactly_once(tx, agents), _let_in(welcome)]
    if others:
        kept_out = [agent for agent in others if not agent.counts.connected and agent.counts.turned_away]
        held.append(_of("clocks that are far off are kept out, with a reason", len(kept_out), len(others)))
    if course.dropped_s is not None:
        held.append(_back(welcome, course.dropped_s))
    if plan.kind is Kind.RENEWAL:
        held.append(_of("everybody has a fresh certificate", course.renewed, len(agents)))
    if plan.kind is Kind.BAD_VERSION:
        held.append(_garbage(agents))
    if plan.kind is Kind.CRASH_LOOP:
        held.append(_grouped(tx, agents))
    return Verdict(tuple(held), _figures(plan, course), dict(turned_away))


def _connected(welcome: Sequence[SimulatedAgent]) -> Held:
    return _of("everybody who may is connected", sum(agent.counts.connected > 0 for agent in welcome), len(welcome))


def _let_in(welcome: Sequence[SimulatedAgent]) -> Held:
    refused = sum(sum(agent.counts.turned_away.values()) for agent in welcome)
    return Held("nobody who may come in was turned away", refused == 0, f"{refused} times")


def _answered(course: Course) -> Held:
    open_ = sum(not agent.settled for agent in course.agents)
    return Held("every batch was answered and evaluated", course.finished, f"{open_} agents still wait for an answer")


def _exactly_once(tx: Connection, agents: Sequence[SimulatedAgent]) -> Held:
    wrong = []
    for agent in agents:
        batches, rows = observations.tally(tx, agent.identity.agent_id, agent.epoch.hex())
        stored = agent.counts.stored - agent.counts.garbage_before(agent.counts.stored)
        if (batches, rows) != (stored, stored * (1 + agent.part.logs)):
            wrong.append(f"{agent.part.hostname} has {batches} batches of {stored} with {rows} rows")
    detail = f"{sum(agent.counts.stored for agent in agents)} acknowledged" if not wrong else "; ".join(wrong[:5])
    return Held("what was acknowledged is stored, once", not wrong, detail)


def _back(welcome: Sequence[SimulatedAgent], dropped_s: float) -> Held:
    took = [min((at for at in agent.counts.connected_s if at > dropped_s), default=None) for agent in welcome]
    late = [at for at in took if at is None or at - dropped_s > BACK_WITHIN_S]
    longest = max((at - dropped_s for at in took if at is not None), default=0.0)
    return Held(
        f"everybody is back within {BACK_WITHIN_S:.0f} s",
        not late,
        f"{len(late)} are not; the last took {longest:.1f} s",
    )


def _garbage(agents: Sequence[SimulatedAgent]) -> Held:
    bad = [agent for agent in agents if agent.part.garbles]
    sent = sum(agent.counts.sent // 3 for agent in bad)
    refused = sum(agent.counts.refused for agent in bad)
    innocent = sum(agent.counts.refused for agent in agents if not agent.part.garbles)
    ok = refused >= sent and not innocent
    return Held(
        "garbage is refused for good, and nothing else", ok, f"{refused} refused, {innocent} of them not garbage"
    )


def _grouped(tx: Connection, agents: Sequence[SimulatedAgent]) -> Held:
    """However often the loops wrote, each site has a ticket for each of their faults, or one for the storm."""
    looping = {agent.identity.site_id for agent in agents if agent.part.logs and agent.counts.stored}
    opened = Counter(ticket.site_id for ticket in tickets.of_faults(tx, FAULTS) if ticket.site_id in looping)
    wrong = [site for site in looping if not 1 <= opened[site] <= len(FAULTS)]
    detail = f"{sum(opened.values())} tickets at {len(looping)} sites, {len(wrong)} sites with none or too many"
    return Held("each crash loop is one ticket a fault", not wrong, detail)


def _of(what: str, count: int, wanted: int) -> Held:
    return Held(what, count == wanted, f"{count} of {wanted}")


def _figures(plan: Scenario, course: Course) -> dict[str, float]:
    acks = sorted(second for agent in course.agents for second in agent.counts.ack_s)
    beats = sorted(second for agent in course.agents for second in agent.counts.heartbeat_s)
    stored = sum(agent.counts.stored for agent in course.agents)
    seconds = max(1e-9, course.ended_s - course.began_s)
    return {
        "agents": len(course.agents),
        "seconds": round(seconds, 1),
        "batches": stored,
        "samples": stored * plan.series * plan.ticks,
        "batches_per_s": round(stored / seconds, 1),
        "ack_p50_ms": _at(acks, 0.5),
        "ack_p99_ms": _at(acks, 0.99),
        "heartbeat_p50_ms": _at(beats, 0.5),
        "heartbeat_p99_ms": _at(beats, 0.99),
        "connections_lost": sum(agent.counts.lost for agent in course.agents),
    }


def _at(ordered: Sequence[float], share: float) -> float:
    if not ordered:
        return 0.0
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 2)
