"""What evaluation remembers between two steps, so that it need not ask again: all of it can be lost at any time.

Of one process; only the writer's thread touches it. Not here: what grouping learned (`services.faults`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sitewarden_alerting.rules import Cost, Plans, Rulebook
from sitewarden_collector.services.quiet import Looks
from sitewarden_collector.store.evaluations import States
from sitewarden_collector.store.waiting import Schemas

LANES_MIN, LANES_MAX = 16, 256
LOOK_S = 0.02  # at the blocks of all lanes of one step, about
PACE_S = 0.001  # an observation, until it was measured
PACE_WEIGHT = 0.3  # of the newest measurement
SERVED_MAX = 20_000


@dataclass(slots=True)
class Recall:
    schemas: Schemas = field(default_factory=Schemas)
    states: States = field(default_factory=States)
    lanes: int = LANES_MAX  # that are looked at in one step
    pace_s: float = PACE_S  # what an observation that a rule must judge costs, about
    served: dict[str, int] = field(default_factory=dict)  # sites, by when they had their last turn
    costs: dict[tuple[str, str], Cost] = field(default_factory=dict)  # of rules at sites, in the time that is looked at
    costs_since_ns: int = 0
    _turn: int = 0
    _looks: Looks | None = None
    _book: Rulebook | None = None

    def looks(self, rulebook: Rulebook) -> Looks:
        """How blocks are looked at for this rulebook."""
        if self._looks is None or self._book is not rulebook:
            self._looks, self._book = Looks(Plans(rulebook.others)), rulebook
        return self._looks

    def looked(self, seconds: float) -> None:
        """So long it took to look at the lanes of a step: the next one takes fewer, or more again."""
        if seconds > LOOK_S:
            self.lanes = max(LANES_MIN, self.lanes // 2)
        elif seconds < LOOK_S / 2:
            self.lanes = min(LANES_MAX, self.lanes * 2)

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
            before = self.costs.get((site_id, rule), Cost())
            self.costs[site_id, rule] = Cost(before.calls + cost.calls, before.seconds + cost.seconds)
