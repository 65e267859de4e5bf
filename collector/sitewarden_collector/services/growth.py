"""Which sites grow most: one figure of a day beside the newest values, over all sites.

Takes one summary a host and day, never a block of samples. Not here: forecasts of one disk (`assessment`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from sitewarden_alerting.observations import Series
from sitewarden_collector.errors import Invalid
from sitewarden_collector.store import agents, listings, sample_days, samples
from sitewarden_collector.store.listings import Narrowed

DAY_NS = 86_400 * 1_000_000_000
DAYS_MAX = 730
COUNT_MAX = 1_000
EVERYTHING = Narrowed()


@dataclass(frozen=True, slots=True)
class Growth:
    """By how much a series of an agent grew from the end of a day until its newest value. `share`: of what it was."""

    site: str
    hostname: str
    series: Series
    before: float
    now: float

    @property
    def by(self) -> float:
        return self.now - self.before

    @property
    def share(self) -> float | None:
        return self.by / abs(self.before) if self.before else None


def top(
    tx: Connection, name: str, *, days: int, count: int, now_ns: int, narrowed: Narrowed = EVERYTHING
) -> list[Growth]:
    """The series called `name` that grew most within `days`, the most first, of the sites that may be seen.

    Raises Invalid outside of the bounds. A series without samples on that day, or silent for a day, is left out.
    """
    if not 1 <= days <= DAYS_MAX or not 1 <= count <= COUNT_MAX:
        raise Invalid(f"ask for 1 to {DAYS_MAX} days and 1 to {COUNT_MAX} series")
    day = now_ns // DAY_NS - days
    before = {(one.agent_id, one.series): one.number for one in sample_days.of_day(tx, name, day, sample_days.LAST)}
    if not before:
        return []
    fresh = samples.last_of(tx, name, since_ns=now_ns - DAY_NS)
    names = listings.site_names(tx, narrowed=narrowed)
    grown = [one for one in fresh if (one.agent_id, one.series) in before and one.site_id in names]
    grown.sort(key=lambda one: before[one.agent_id, one.series] - one.number)
    hosts = agents.hostnames(tx, {one.agent_id for one in grown[:count]})
    return [
        Growth(names[one.site_id], hosts[one.agent_id], one.series, before[one.agent_id, one.series], one.number)
        for one in grown[:count]
    ]
