"""Alerts of other monitoring in use: placed at a site, compared with what is known of them, and taken through triage.

An alert that fires opens one ticket, whoever repeats it and however often; one that is over lets its ticket recover and
resolve itself. Payloads are taken in parts, each of one site and in a transaction of its own: a crash in between loses
nothing, because the sender repeats what was not answered, and what was taken already is no news. Once `STORM_AT` alerts
of one source fire at a site, those that begin are counted in one ticket of the storm. Not here: reading payloads
(`alerting.foreign`), deciding (`alerting.triage`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from sitewarden_alerting import foreign, triage
from sitewarden_alerting.foreign import Alert, Known, News
from sitewarden_alerting.foreign.alerts import fault, storm_fault
from sitewarden_alerting.model import Policy, Signal
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.store import foreign_alerts, lock, silences, sites, tickets

PART = 500  # alerts in one transaction
STORM_AT = 50
STORM_BELOW = 10


@dataclass(frozen=True, slots=True)
class Part:
    """Alerts of one source at one site, each identity once, in the order in which they came."""

    source: str
    site_id: str
    customer_id: str
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """The parts of a payload, and the sites that alerts name and nobody knows."""

    parts: tuple[Part, ...]
    unplaced: int
    unknown_sites: tuple[str, ...]


@dataclass(slots=True)
class Taken:
    """What became of alerts."""

    began: int = 0
    went_on: int = 0
    ended: int = 0
    told_before: int = 0
    opened: int = 0

    def add(self, other: Taken) -> None:
        self.began += other.began
        self.went_on += other.went_on
        self.ended += other.ended
        self.told_before += other.told_before
        self.opened += other.opened


def place(tx: Connection, alerts: Sequence[Alert], *, default_site: str = "", site_label: str = "site") -> Placed:
    """Sort alerts by the site that their label names, or `default_site`; in parts that one transaction can take."""
    by_name: dict[str, list[Alert]] = defaultdict(list)
    for alert in alerts:
        by_name[alert.labels.get(site_label, "")].append(alert)
    there = sites.named(tx, {*by_name, default_site} - {""})
    by_site: dict[tuple[str, str], list[Alert]] = defaultdict(list)
    unplaced, unknown = 0, []
    for name, here in by_name.items():
        site = there.get(name) or there.get(default_site)
        if name and name not in there:
            unknown.append(name)
        if site is None:
            unplaced += len(here)
        else:
            by_site[site.id, site.customer_id] += here
    parts = [part for (site_id, customer_id), here in by_site.items() for part in _parts(site_id, customer_id, here)]
    return Placed(tuple(parts), unplaced, tuple(unknown[:10]))


def take(tx: Connection, part: Part, policy: Policy, *, now_ns: int) -> Taken:
    """Let alerts have their effect at their site."""
    lock.in_turn(tx, "alerts in")
    known = foreign_alerts.known(tx, part.site_id, {fault(alert) for alert in part.alerts})
    news = [(alert, foreign.follow(alert, known.get(fault(alert)))) for alert in part.alerts]
    newest = {
        fault(a): Known(a.episode, a.firing) for a, what in news if what is not News.NOTHING or _unheard(a, known)
    }
    foreign_alerts.remember(tx, part.site_id, part.customer_id, part.source, newest, now_ns=now_ns)
    signals = list(_signals(tx, part, news, now_ns=now_ns))
    taken = Taken(**{_FIELDS[what]: sum(one is what for _, one in news) for what in News})
    if signals:
        about = {signal.fault for signal in signals} | {storm_fault(part.source)}
        there = tickets.concerned(tx, part.site_id, about)
        decided = triage.decide(signals, there, silences.active(tx, now_ns=now_ns), policy, now_ns=now_ns)
        taken.opened = ticketing.apply(tx, decided, policy, now_ns=now_ns)
    return taken


_FIELDS = {News.BEGINS: "began", News.GOES_ON: "went_on", News.ENDS: "ended", News.NOTHING: "told_before"}


def _signals(tx: Connection, part: Part, news: Sequence[tuple[Alert, News]], *, now_ns: int) -> Iterator[Signal]:
    left = foreign_alerts.firing(tx, part.site_id, part.source)
    begin = [alert for alert, what in news if what is News.BEGINS]
    # The first of a storm have tickets of their own: nobody knew yet what comes.
    stormy = begin[max(0, STORM_AT - (left - len(begin))) :]
    go_on = [alert for alert, what in news if what is News.GOES_ON]

    def storm(severity: int, *, over: bool = False) -> Signal:
        return foreign.storm(
            part.source,
            firing=left,
            severity=severity,
            site_id=part.site_id,
            customer_id=part.customer_id,
            now_ns=now_ns,
            over=over,
            repeats=not stormy,
        )

    if stormy or (go_on and left > STORM_AT):
        yield storm(max(alert.severity for alert in stormy or go_on))
    in_storm = {id(alert) for alert in stormy} | {id(alert) for alert in go_on if left > STORM_AT}
    for alert, what in news:
        made = foreign.signal(
            alert,
            what,
            site_id=part.site_id,
            customer_id=part.customer_id,
            now_ns=now_ns,
            in_storm=id(alert) in in_storm,
        )
        if made is not None:
            yield made
    if left < STORM_BELOW and any(what is News.ENDS for _, what in news):
        yield storm(0, over=True)


def _parts(site_id: str, customer_id: str, alerts: Sequence[Alert]) -> Iterator[Part]:
    """An alert that comes twice in one payload, as over and as begun anew, is taken in two parts, in order."""
    waiting: list[Alert] = []
    seen: set[str] = set()
    for alert in sorted(alerts, key=lambda one: one.episode):
        if alert.identity in seen or len(waiting) >= PART:
            yield Part(waiting[0].source, site_id, customer_id, tuple(waiting))
            waiting, seen = [], set()
        waiting.append(alert)
        seen.add(alert.identity)
    if waiting:
        yield Part(waiting[0].source, site_id, customer_id, tuple(waiting))


def _unheard(alert: Alert, known: dict[str, Known]) -> bool:
    """Over before it was heard of: remembered, so that its beginning, should it come late, opens nothing."""
    return fault(alert) not in known
