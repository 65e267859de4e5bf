"""Try rules on recorded observations: which signals would they have given?

Time goes on between the entries in steps of a minute (longer ones over long gaps), so that rules of time speak too. An
agent counts as heard of whenever it observed something.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from sitewarden_alerting.model import MINUTE_NS, AgentSeen, Signal
from sitewarden_alerting.observations import Observation
from sitewarden_alerting.recorded import Tick
from sitewarden_alerting.rules import Rulebook, RuleFailure, SiteState, evaluate, tick

TICKS_MAX = 2000  # between two entries


def rehearse(rulebook: Rulebook, entries: Iterable[Observation | Tick]) -> Iterator[Signal | RuleFailure]:
    """The signals, and the failures of rules, in the order in which they would come. Reminders are left out."""
    states: dict[str, SiteState] = defaultdict(SiteState)
    agents: dict[str, dict[str, AgentSeen]] = defaultdict(dict)
    now_ns = None
    for entry in entries:
        at_ns = entry.wall_ns if isinstance(entry, Observation) else entry.at_ns
        for moment_ns in _moments(now_ns, at_ns):
            for site_id, here in agents.items():
                ticked = tick(rulebook, states[site_id], list(here.values()), now_ns=moment_ns)
                states[site_id] = ticked.state
                yield from (signal for signal in ticked.signals if not signal.repeats)
                yield from ticked.failures
        now_ns = max(now_ns or 0, at_ns)
        if isinstance(entry, Observation):
            place = entry.place
            seen = AgentSeen(place.site_id, place.customer_id, place.agent_id, place.hostname, at_ns)
            agents[place.site_id][place.agent_id] = seen
            evaluated = evaluate(rulebook, states[place.site_id], [entry], now_ns=now_ns)
            states[place.site_id] = evaluated.state
            yield from evaluated.signals
            yield from evaluated.failures


def _moments(from_ns: int | None, to_ns: int) -> Iterator[int]:
    """The minutes after `from_ns` up to and with `to_ns`; fewer over a long gap."""
    if from_ns is None or to_ns <= from_ns:
        return
    step_ns = max(MINUTE_NS, (to_ns - from_ns) // TICKS_MAX)
    yield from range(from_ns + step_ns, to_ns, step_ns)
    yield to_ns
