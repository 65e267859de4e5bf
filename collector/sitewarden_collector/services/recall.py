"""What evaluation remembers between two steps, so that it need not ask again: all of it can be lost at any time.

Of one process; only the writer's thread touches it. Not here: what grouping learned (`services.faults`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from sitewarden_alerting.rules import Cost, Plans, Rulebook
from sitewarden_collector.services.quiet import Looks
from sitewarden_collector.store.evaluations import States
from sitewarden_collector.store.waiting import Schemas

LANES_MIN, LANES_MAX = 16, 256
LOOK_S = 0.02  # at the blocks of all lanes of one step, about
REST, REST_MAX_S = 4.0, 0.02
PACE_S = 0.001  # an observation, until it was measured
PACE_WEIGHT = 0.3  # of the newest measurement
SERVED_MAX = 20_000
SUSPECT_S = 0.001  # a call: rules that never took so long are not looked at
BOOKS_MAX = 64


@dataclass(frozen=True, slots=True)
class Books:
    """The rules in force: the `whole` book, and what is left of it where some are not."""

    whole: Rulebook
    by_site: Mapping[str, Rulebook] = field(default_factory=dict)

    def of(self, site_id: str) -> Rulebook:
        return self.by_site.get(site_id, self.whole)


@dataclass(slots=True)
class Recall:
    schemas: Schemas = field(default_factory=Schemas)
    states: States = field(default_factory=States)
    lanes: int = LANES_MAX  # that are looked at in one step
    loud: bool = False  # whether the last step had anything for a rule to judge
    pace_s: float = PACE_S  # what an observation that a rule must judge costs, about
    served: dict[str, int] = field(default_factory=dict)  # sites, by when they had their last turn
    failed: set[str] = field(default_factory=set)  # rules, since they were last weighed
    at_end: bool = False  # the last step saw everything that waited when it began
    _turn: int = 0
    _costs: dict[tuple[str, str], Cost] = field(default_factory=dict)  # of rules at sites
    _costs_since_ns: int = 0
    _slow: set[tuple[str, str]] = field(default_factory=set)
    _looks: dict[int, tuple[Rulebook, Looks]] = field(default_factory=dict)
    _books: tuple[Rulebook, frozenset[tuple[str, str]], Books] | None = None

    def looks(self, rulebook: Rulebook) -> Looks:
        """How blocks are looked at for this rulebook."""
        found = self._looks.get(id(rulebook))
        if found is None or found[0] is not rulebook:
            if len(self._looks) >= BOOKS_MAX:
                self._looks.clear()
            found = self._looks[id(rulebook)] = rulebook, Looks(Plans(rulebook.others))
        return found[1]

    def books(self, rulebook: Rulebook, out: frozenset[tuple[str, str]]) -> Books:
        """The rulebook without the rules that are `out` of force at a site, or everywhere where the site is empty."""
        before = self._books
        if before is not None and before[0] is rulebook and before[1] == out:
            return before[2]
        whole = _without(rulebook, {name for name, site_id in out if not site_id})
        places = {site_id for _, site_id in out if site_id}
        by_site = {place: _without(whole, {name for name, site_id in out if site_id == place}) for place in places}
        made = Books(whole, by_site)
        self._books = rulebook, out, made
        return made

    def looked(self, seconds: float) -> None:
        """So long it took to look at the lanes of a step: the next one takes fewer, or more again."""
        if seconds > LOOK_S:
            self.lanes = max(LANES_MIN, self.lanes // 2)
        elif seconds < LOOK_S / 2:
            self.lanes = min(LANES_MAX, self.lanes * 2)

    def rest_s(self, seconds: float) -> float:
        """How long to rest after a step that took so long: where nothing mattered to a rule, what comes meanwhile
        shares the next one, most of whose cost is fixed."""
        return 0.0 if self.loud else min(REST * seconds, REST_MAX_S)

    def took(self, site_ids: Iterable[str], seconds: float, observations: int) -> None:
        """So long it took to judge some observations of these sites, whose turn it was."""
        self._turn += 1
        if len(self.served) > SERVED_MAX:
            self.served.clear()
        self.served |= dict.fromkeys(site_ids, self._turn)
        if seconds > 0 and observations:
            self.pace_s += PACE_WEIGHT * (seconds / observations - self.pace_s)

    def count(self, site_id: str, costs: Mapping[str, Cost]) -> None:
        """What rules cost at a site."""
        for rule, cost in costs.items():
            before = self._costs.get((site_id, rule))
            if before is not None:
                cost = Cost(before.calls + cost.calls, before.seconds + cost.seconds)
            self._costs[site_id, rule] = cost
            if cost.seconds > cost.calls * SUSPECT_S:
                self._slow.add((site_id, rule))

    def slow(self, limit_s: float, calls: int) -> dict[str, dict[str, float]]:
        """The rules that took more than so many seconds a call at some sites, with what they took there."""
        found: dict[str, dict[str, float]] = {}
        for site_id, rule in self._slow:
            cost = self._costs[site_id, rule]
            if cost.calls >= calls and cost.seconds > cost.calls * limit_s:
                found.setdefault(rule, {})[site_id] = cost.seconds / cost.calls
        return found

    def forgive(self, rule: str, site_ids: Iterable[str]) -> None:
        """Forget what a rule cost at some sites: should it come back, it begins anew."""
        for site_id in site_ids:
            self._costs.pop((site_id, rule), None)
            self._slow.discard((site_id, rule))

    def weighed(self, *, now_ns: int, keep_ns: int) -> None:
        """What failed and what was slow was looked at; costs are kept for a while."""
        self.failed.clear()
        if not self._costs_since_ns:
            self._costs_since_ns = now_ns
        elif now_ns - self._costs_since_ns > keep_ns:
            self._costs.clear()
            self._slow.clear()
            self._costs_since_ns = now_ns


def _without(rulebook: Rulebook, names: Collection[str]) -> Rulebook:
    return Rulebook(tuple(rule for rule in rulebook.rules if rule.name not in names)) if names else rulebook
