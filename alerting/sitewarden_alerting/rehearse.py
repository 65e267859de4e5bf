"""Try rules on recorded observations: which signals would they have given?

Time goes on between the entries in steps of a minute (longer ones over long gaps), so that rules of time speak too. An
agent that observed something is heard of until the recording says that it is silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from sitewarden_alerting.model import MINUTE_NS, AgentSeen, Signal
from sitewarden_alerting.observations import Observation
from sitewarden_alerting.recorded import Tick
from sitewarden_alerting.rules import Rulebook, RuleFailure, SiteState, evaluate, tick

TICKS_MAX = 2000  # between two entries


@dataclass(slots=True)
class _Site:
    state: SiteState = field(default_factory=SiteState)
    agents: dict[str, AgentSeen] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)


def rehearse(rulebook: Rulebook, entries: Iterable[Observation | Tick]) -> Iterator[Signal | RuleFailure]:
    """The signals, and the failures of rules, in the order in which they would come. Reminders are left out."""
    sites: dict[str, _Site] = {}
    now_ns: int | None = None
    for entry in entries:
        at_ns = entry.at_ns if isinstance(entry, Tick) else entry.wall_ns
        for moment_ns in _moments(now_ns, at_ns):
            for site in sites.values():
                yield from _wait(rulebook, site, moment_ns)
        now_ns = max(now_ns or 0, at_ns)
        if isinstance(entry, Tick):
            for site in sites.values():
                site.silent |= {entry.silent} & set(site.agents)
            continue
        place = entry.place
        here = sites.setdefault(place.site_id, _Site())
        here.agents[place.agent_id] = AgentSeen(
            place.site_id, place.customer_id, place.agent_id, place.hostname, last_seen_ns=at_ns
        )
        here.silent.discard(place.agent_id)
        evaluated = evaluate(rulebook, here.state, [entry], now_ns=now_ns)
        here.state = evaluated.state
        yield from evaluated.signals
        yield from evaluated.failures


def _wait(rulebook: Rulebook, site: _Site, now_ns: int) -> Iterator[Signal | RuleFailure]:
    for name, agent in site.agents.items():
        if name not in site.silent:
            site.agents[name] = replace(agent, last_seen_ns=now_ns)
    ticked = tick(rulebook, site.state, list(site.agents.values()), now_ns=now_ns)
    site.state = ticked.state
    yield from (signal for signal in ticked.signals if not signal.repeats)
    yield from ticked.failures


def _moments(from_ns: int | None, to_ns: int) -> Iterator[int]:
    """The minutes after `from_ns` up to and with `to_ns`; fewer over a long gap."""
    if from_ns is None or to_ns <= from_ns:
        return
    step_ns = max(MINUTE_NS, (to_ns - from_ns) // TICKS_MAX)
    yield from range(from_ns + step_ns, to_ns, step_ns)
    yield to_ns
