"""Whom a page can go to, in order, and by which roads: the schedule that serves a customer, else the configuration.

`remember` keeps what the configuration says of people in the database, so that every process and command knows it.
Not here: deciding that somebody is asked (`services.paging`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from sitewarden_alerting.model import Person
from sitewarden_alerting.oncall import Schedule, ranked
from sitewarden_alerting.oncall.local import instant, wall, zone_of
from sitewarden_collector.store import people, schedules, settings
from sitewarden_collector.store.people import Reachable, Road

SETTING = "desk"


@dataclass(frozen=True, slots=True)
class Line:
    """Who stands in line for one customer now: `ranked` begins with who is on call. `schedule` is None where the
    configuration's list stands in for it."""

    ranked: tuple[str, ...]
    managers: tuple[str, ...]
    schedule: Schedule | None
    known: dict[str, Reachable]

    def roads(self, name: str) -> tuple[Road, ...]:
        found = self.known.get(name)
        return () if found is None else found.roads

    def address(self, name: str, channel: str) -> str:
        """Where a channel writes to a person; empty where it needs no telling."""
        return next((road.address for road in self.roads(name) if road.channel == channel), "")

    def reachable(self) -> tuple[str, ...]:
        """Those in line whom some channel reaches."""
        return tuple(name for name in self.ranked if self.roads(name))

    def as_persons(self, first: Sequence[str] = ()) -> tuple[Person, ...]:
        """The line as `alerting.routing` reads it, `first` before everybody else."""
        names = dict.fromkeys((*first, *self.ranked, *self.managers))
        return tuple(Person(name, tuple(road.channel for road in self.roads(name))) for name in names)


def remember(tx: Connection, on_call: Sequence[Person], *, public_url: str = "") -> None:
    """Keep what the configuration says of people, and under which address the desk is reached."""
    value = {"on_call": [[one.name, list(one.channels)] for one in on_call], "public_url": public_url.rstrip("/")}
    if settings.get(tx, SETTING) != value:
        settings.put(tx, SETTING, value)


def public_url(tx: Connection) -> str:
    """The address of the desk, without a slash at its end; empty where none is configured."""
    return str(_setting(tx).get("public_url", ""))


def configured(tx: Connection) -> tuple[Person, ...]:
    """The configuration's [[on_call]] list."""
    return tuple(Person(name, tuple(channels)) for name, channels in _setting(tx).get("on_call", []))


def line(tx: Connection, customer_id: str, *, at_ns: int, fallback: Sequence[Person] = ()) -> Line:
    """Who stands in line for a customer at a time."""
    listed = tuple(fallback) or configured(tx)
    names: tuple[str, ...] = tuple(one.name for one in listed)
    managers: tuple[str, ...] = ()
    schedule = schedules.for_customer(tx, customer_id, since_ns=at_ns)
    if schedule is not None:
        names, managers = ranked(schedule, at_ns), schedule.managers
    known = {one.name: Reachable(one.name, tuple(Road(channel) for channel in one.channels)) for one in listed}
    known |= people.some(tx, {*names, *managers, *known})
    return Line(names, managers, schedule, known)


def known(tx: Connection, names: Sequence[str]) -> dict[str, Reachable]:
    """How these people are reached, as far as anything is known of them."""
    listed = {one.name: one for one in configured(tx)}
    found = {name: Reachable(name, tuple(Road(c) for c in listed[name].channels)) for name in names if name in listed}
    return found | people.some(tx, set(names))


def quiet_until(person: Reachable | None, *, now_ns: int) -> int | None:
    """When the quiet hours of a person end, if they are now; None otherwise. Pages do not ask."""
    if person is None or person.quiet_from is None or person.quiet_until is None:
        return None
    zone = zone_of(person.zone)
    today = wall(zone, now_ns).date()
    begin, end = person.quiet_from, person.quiet_until
    for day in (today - timedelta(days=1), today):
        ends = end if end > begin else end + 24 * 60
        if instant(zone, day, begin) <= now_ns < (until_ns := instant(zone, day, ends)):
            return until_ns
    return None


def _setting(tx: Connection) -> dict[str, Any]:
    return settings.get(tx, SETTING) or {}
