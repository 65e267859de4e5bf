"""What the pages of on call show, each in one reading: schedules with their shifts and gaps of a period, one's own
coming shifts, people and their channels. Not here: drawing."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from sitewarden_alerting import oncall as rota
from sitewarden_alerting.escalation import EscalationPolicy
from sitewarden_alerting.model import DAY_NS
from sitewarden_alerting.oncall import Load, Schedule, Shift
from sitewarden_collector.errors import NotFound
from sitewarden_collector.services import oncall, roster
from sitewarden_collector.services.access import Role
from sitewarden_collector.services.oncall import Gap, OnCall
from sitewarden_collector.store import accounts, people, schedules, site_names
from sitewarden_collector.store.people import Reachable

MINE_NS = 60 * DAY_NS
GAPS_NS = 14 * DAY_NS
LOAD_NS = 84 * DAY_NS
PAST_NS = 7 * DAY_NS


@dataclass(frozen=True, slots=True)
class Period:
    """A schedule with its shifts and gaps in a period; `serves` is the one customer that it is for, if any."""

    schedule: Schedule
    serves: str
    shifts: tuple[Shift, ...]
    gaps: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Overview:
    now: list[OnCall]
    periods: list[Period]
    gaps: list[Gap]
    unreachable: list[tuple[str, str]]
    mine: list[tuple[str, Shift]]
    names: list[str]  # whom one can put on call


@dataclass(frozen=True, slots=True)
class One:
    """Everything about one schedule."""

    period: Period
    policy: EscalationPolicy
    loads: tuple[Load, ...]
    customers: list[str]


@dataclass(frozen=True, slots=True)
class People:
    """How everybody is reached; `kept` are the names that have a row, `staff` whom one may add."""

    people: list[Reachable]
    kept: frozenset[str]
    staff: list[str]
    unreachable: list[tuple[str, str]]


def overview(tx: Connection, me: str, *, from_ns: int, until_ns: int, now_ns: int) -> Overview:
    """All schedules in a period; gaps and shifts of `me` from now on."""
    customers = site_names.customer_names(tx)
    periods: list[Period] = []
    mine: list[tuple[str, Shift]] = []
    names: dict[str, None] = {one.name: None for one in people.every(tx)}
    for schedule in schedules.every(tx, since_ns=min(from_ns, now_ns)):
        periods.append(_period(tx, schedule, customers, from_ns, until_ns))
        names |= dict.fromkeys(person for layer in schedule.layers for person in layer.people)
        ahead = rota.shifts(schedule, now_ns, now_ns + MINE_NS)
        mine += [(schedule.name, one) for one in ahead if one.person == me]
    return Overview(
        oncall.now(tx, now_ns),
        periods,
        oncall.gaps(tx, now_ns, now_ns + GAPS_NS),
        oncall.unreachable(tx, now_ns=now_ns),
        sorted(mine, key=lambda one: one[1].from_ns),
        sorted(names),
    )


def by_id(tx: Connection, schedule_id: str, *, since_ns: int | None = None) -> Schedule:
    """The schedule with this id. Raises NotFound."""
    found = next((one for one in schedules.every(tx, since_ns=since_ns) if one.id == schedule_id), None)
    if found is None:
        raise NotFound("there is no such schedule any more; the calendar shows those that there are")
    return found


def one(tx: Connection, schedule_id: str, *, from_ns: int, until_ns: int, now_ns: int) -> One:
    """One schedule. Raises NotFound."""
    found = by_id(tx, schedule_id, since_ns=now_ns - PAST_NS)
    customers = site_names.customer_names(tx)
    return One(
        _period(tx, found, customers, from_ns, until_ns),
        schedules.policy_of(tx, found.id),
        oncall.loads(tx, found.name, now_ns, now_ns + LOAD_NS),
        sorted(customers.values()),
    )


def everybody(tx: Connection, *, now_ns: int) -> People:
    """Everybody whom a page may go to."""
    kept = {one.name for one in people.every(tx)}
    found = roster.known(tx, [*kept, *(one.name for one in roster.configured(tx))])
    unreachable = oncall.unreachable(tx, now_ns=now_ns)
    staff = {one.name for one in accounts.every(tx) if one.role != Role.CUSTOMER and one.disabled_ns is None}
    return People(
        sorted(found.values(), key=lambda person: person.name.casefold()),
        frozenset(kept),
        sorted(staff | {name for _, name in unreachable}),
        unreachable,
    )


def _period(tx: Connection, schedule: Schedule, customers: dict[str, str], from_ns: int, until_ns: int) -> Period:
    return Period(
        schedule,
        customers.get(schedules.served(tx, schedule.id), ""),
        rota.shifts(schedule, from_ns, until_ns),
        rota.gaps(schedule, from_ns, until_ns),
    )
