"""Schedules in use: who is on call, coming shifts, gaps; overrides, swaps and time off; what is told in advance.

A schedule is changed by its name. Periods asked for are bounded. Not here: paging (`services.paging`), calendars as
files (`services.shift_calendars`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from sitewarden_alerting import oncall, routing
from sitewarden_alerting.escalation import EscalationPolicy, Target
from sitewarden_alerting.model import DAY_NS
from sitewarden_alerting.oncall import Layer, Load, Override, Schedule, Shift, TimeOff
from sitewarden_alerting.oncall.local import zone_of
from sitewarden_alerting.wording import duration, moment
from sitewarden_collector.errors import Conflict, Invalid, NotFound
from sitewarden_collector.services import roster, webhooks
from sitewarden_collector.store import changes, notices, schedules, sites
from sitewarden_collector.store.base import new_id

LONGEST_NS = 400 * DAY_NS
WARN_NS = 3 * DAY_NS  # gaps are told that long before
PEOPLE_MAX, LAYERS_MAX, STEPS_MAX = 100, 20, 20


@dataclass(frozen=True, slots=True)
class OnCall:
    """Who is on call on one schedule: empty where nobody is. Then who follows, and when."""

    schedule: str
    person: str
    until_ns: int | None
    next_person: str
    next_ns: int | None


@dataclass(frozen=True, slots=True)
class Gap:
    schedule: str
    from_ns: int
    until_ns: int


def now(tx: Connection, at_ns: int) -> list[OnCall]:
    """Who is on call at a time, per schedule; the configuration's list where there is no schedule."""
    found = []
    for schedule in schedules.every(tx, since_ns=at_ns):
        coming = oncall.shifts(schedule, at_ns, at_ns + 40 * DAY_NS)
        first = coming[0] if coming and coming[0].from_ns <= at_ns else None
        later = next((shift for shift in coming if shift is not first), None)
        found.append(
            OnCall(
                schedule.name,
                "" if first is None else first.person,
                None if first is None else first.until_ns,
                "" if later is None else later.person,
                None if later is None else later.from_ns,
            )
        )
    if not found and (listed := roster.configured(tx)):
        found = [OnCall("", listed[0].name, None, "", None)]
    return found


def shifts(tx: Connection, schedule: str, from_ns: int, until_ns: int) -> tuple[Shift, ...]:
    """Who is on call in a period. Raises NotFound, Invalid."""
    _bounded(from_ns, until_ns)
    return oncall.shifts(schedules.by_name(tx, schedule), from_ns, until_ns)


def gaps(tx: Connection, from_ns: int, until_ns: int, *, schedule: str = "") -> list[Gap]:
    """When nobody is on call in a period, on one schedule or on all. Raises NotFound, Invalid."""
    _bounded(from_ns, until_ns)
    which = [schedules.by_name(tx, schedule)] if schedule else schedules.every(tx, since_ns=from_ns)
    return [Gap(one.name, *gap) for one in which for gap in oncall.gaps(one, from_ns, until_ns)]


def loads(tx: Connection, schedule: str, from_ns: int, until_ns: int) -> tuple[Load, ...]:
    """Who carries how much in a period. Raises NotFound, Invalid."""
    zone = schedules.by_name(tx, schedule).zone
    return oncall.loads(shifts(tx, schedule, from_ns, until_ns), zone)


def add(
    tx: Connection, name: str, *, zone: str, managers: Iterable[str] = (), customer_id: str = "", now_ns: int
) -> Schedule:
    """A new schedule, without layers yet. Raises Invalid, Conflict."""
    if not name.strip() or len(name) > 100:
        raise Invalid("a schedule needs a name of at most 100 characters")
    _zone(zone)
    wanted = Schedule(name.strip(), zone, managers=tuple(managers))
    made = schedules.add(tx, wanted, customer_id=customer_id, now_ns=now_ns)
    _changed(tx, made, "add_schedule", now_ns=now_ns)
    return made


def edit(
    tx: Connection,
    name: str,
    *,
    zone: str | None = None,
    managers: Iterable[str] | None = None,
    rename: str | None = None,
    now_ns: int,
) -> Schedule:
    """Change what is given. Raises NotFound, Invalid, Conflict."""
    schedule = schedules.by_name(tx, name)
    if zone is not None:
        _zone(zone)
        schedule = replace(schedule, zone=zone)
    if managers is not None:
        schedule = replace(schedule, managers=tuple(managers))
    if rename is not None and rename != name:
        if schedules.find(tx, rename) is not None:
            raise Conflict(f"there is a schedule {rename!r} already; choose another name")
        schedule = replace(schedule, name=rename)
    schedules.save(tx, schedule)
    _changed(tx, schedule, "edit_schedule", now_ns=now_ns)
    return schedule


def serve(tx: Connection, name: str, *, customer: str, now_ns: int) -> None:
    """Let a schedule serve one customer, or (empty) everybody who has none of their own. Raises NotFound."""
    schedule = schedules.by_name(tx, name)
    schedules.serve(tx, schedule.id, sites.customer_id_of(tx, customer) if customer else "")
    _changed(tx, schedule, "serve_customer", now_ns=now_ns)


def remove(tx: Connection, name: str, *, now_ns: int) -> None:
    """Delete a schedule with its overrides. Raises NotFound."""
    schedule = schedules.by_name(tx, name)
    schedules.remove(tx, schedule.id)
    _changed(tx, schedule, "remove_schedule", now_ns=now_ns)


def set_layer(tx: Connection, name: str, layer: Layer, *, place: int | None = None, now_ns: int) -> Schedule:
    """Add a layer, or change the one of that name; `place` 0 is the lowest, None keeps it (a new one goes on top).

    Raises NotFound, Invalid.
    """
    schedule = schedules.by_name(tx, name)
    _check_layer(layer)
    names = [one.name for one in schedule.layers]
    at = names.index(layer.name) if layer.name in names else len(names)
    layers = [one for one in schedule.layers if one.name != layer.name]
    layers.insert(at if place is None else place, layer)
    if len(layers) > LAYERS_MAX:
        raise Invalid(f"a schedule has {LAYERS_MAX} layers at most; use overrides for single days")
    schedule = replace(schedule, layers=tuple(layers))
    schedules.save(tx, schedule)
    _changed(tx, schedule, "set_layer", now_ns=now_ns)
    return schedule


def drop_layer(tx: Connection, name: str, layer: str, *, now_ns: int) -> Schedule:
    """Take a layer out. Raises NotFound."""
    schedule = schedules.by_name(tx, name)
    if layer not in (one.name for one in schedule.layers):
        raise NotFound(f"{name} has no layer {layer!r}; `sitewarden oncall show {name}` lists them")
    schedule = replace(schedule, layers=tuple(one for one in schedule.layers if one.name != layer))
    schedules.save(tx, schedule)
    _changed(tx, schedule, "drop_layer", now_ns=now_ns)
    return schedule


def override(
    tx: Connection,
    schedule: str,
    person: str,
    *,
    from_ns: int,
    until_ns: int,
    instead_of: str = "",
    reason: str = "",
    source: str = "",
    by: str,
    now_ns: int,
) -> Override:
    """Put a person on call for a time, whatever the layers say. Raises NotFound, Invalid."""
    where = schedules.by_name(tx, schedule)
    if until_ns <= now_ns and not source:
        raise Invalid("that time is over; an override changes what is to come")
    _bounded(from_ns, until_ns)
    if not person.strip():
        raise Invalid("an override needs the person who is on call")
    made = Override(person.strip(), from_ns, until_ns, instead_of=instead_of, reason=reason, by=by)
    made = schedules.add_override(tx, where.id, made, source=source, now_ns=now_ns)
    _changed(tx, where, "override", now_ns=now_ns)
    return made


def drop_override(tx: Connection, override_id: str, *, now_ns: int) -> None:
    """Take an override out, with the other half of a swap. Raises NotFound."""
    schedules.drop_override(tx, override_id)
    changes.note(tx, "oncall", override_id, what="drop_override", now_ns=now_ns)


def swap(
    tx: Connection, schedule: str, *, first_ns: int, second_ns: int, reason: str = "", by: str, now_ns: int
) -> tuple[Override, Override]:
    """Let the two people whose shifts cover these two times take each other's. Raises NotFound, Invalid."""
    where = schedules.by_name(tx, schedule)
    one, other = _shift_at(where, first_ns), _shift_at(where, second_ns)
    if one.person == other.person:
        raise Invalid(f"both shifts are {one.person}'s; a swap needs two people")
    if min(one.until_ns, other.until_ns) <= now_ns:
        raise Invalid("one of the two shifts is over; only what is to come can be swapped")
    pair = new_id()
    halves = (
        Override(other.person, one.from_ns, one.until_ns, one.person, pair, reason=reason, by=by),
        Override(one.person, other.from_ns, other.until_ns, other.person, pair, reason=reason, by=by),
    )
    made = tuple(schedules.add_override(tx, where.id, half, now_ns=now_ns) for half in halves)
    _changed(tx, where, "swap", now_ns=now_ns)
    return made[0], made[1]


def take_time_off(tx: Connection, person: str, *, from_ns: int, until_ns: int, now_ns: int) -> None:
    """A person is away: their turns go to the next of each rotation. Raises Invalid."""
    _bounded(from_ns, until_ns)
    schedules.add_time_off(tx, TimeOff(person, from_ns, until_ns))
    changes.note(tx, "oncall", "", what="time_off", now_ns=now_ns)


def set_policy(tx: Connection, schedule: str, policy: EscalationPolicy, *, now_ns: int) -> None:
    """How a schedule escalates from the next page on; what runs goes on as it began. Raises NotFound, Invalid."""
    where = schedules.by_name(tx, schedule)
    if not 1 <= len(policy.steps) <= STEPS_MAX or not 0 <= policy.repeats <= 100:
        raise Invalid(f"a policy has 1 to {STEPS_MAX} steps and repeats at most 100 times")
    if any(step.after_s < 0 or (step.whom is Target.PERSON and not step.person) for step in policy.steps):
        raise Invalid("each step needs a delay of 0 or more, and a name where it asks a person")
    if policy.repeats and policy.repeat_after_s < 60:
        raise Invalid("the steps begin again after a minute at the soonest; repeat_after_s is less")
    schedules.set_policy(tx, where.id, policy)
    _changed(tx, where, "set_policy", now_ns=now_ns)


def unreachable(tx: Connection, *, now_ns: int) -> list[tuple[str, str]]:
    """(schedule, person) of everybody who would be paged and whom no channel reaches (grafana oncall #1326)."""
    found = []
    for schedule in schedules.every(tx, since_ns=now_ns):
        policy = schedules.policy_of(tx, schedule.id)
        names = dict.fromkeys(person for layer in schedule.layers for person in layer.people)
        names |= dict.fromkeys(one.person for one in schedule.overrides)
        names |= dict.fromkeys((*schedule.managers, *(step.person for step in policy.steps if step.person)))
        known = roster.known(tx, list(names))
        found += [(schedule.name, name) for name in names if name not in known or not known[name].roads]
    return found


def warn(tx: Connection, *, now_ns: int) -> int:
    """Tell managers of gaps in the days to come and of people whom nothing reaches, once each; how many notices."""
    told = 0
    by_schedule = {schedule.name: schedule for schedule in schedules.every(tx, since_ns=now_ns)}
    for gap in gaps(tx, now_ns, now_ns + WARN_NS):
        ends = f"until {moment(gap.until_ns)}" if gap.until_ns < now_ns + WARN_NS else "and further"
        length = duration(gap.until_ns - gap.from_ns)
        text = f"nobody is on call on {gap.schedule} from {moment(gap.from_ns)} {ends} ({length})"
        # By its end: a gap under way begins anew at each look, its end stands; one longer than the look is told daily.
        key = f"gap:{gap.schedule}:{gap.until_ns if gap.until_ns < now_ns + WARN_NS else f'day-{now_ns // DAY_NS}'}"
        how = f"Fill it:  sitewarden oncall override {gap.schedule} PERSON --from TIME --until TIME"
        told += _warn(tx, by_schedule[gap.schedule], text, how, key, now_ns=now_ns)
        data = {"schedule": gap.schedule, "from_ns": gap.from_ns, "until_ns": gap.until_ns, "text": text}
        webhooks.announce(tx, "oncall.gap", data, ref="", ours_only=True, occasion=key, now_ns=now_ns)
    for schedule, person in unreachable(tx, now_ns=now_ns):
        text = f"no channel reaches {person}, who is on {schedule}"
        how = f"Give one:  sitewarden oncall person set {person} --road CHANNEL"
        told += _warn(
            tx, by_schedule[schedule], text, how, f"roads:{schedule}:{person}:{now_ns // (7 * DAY_NS)}", now_ns=now_ns
        )
    return told


def _warn(tx: Connection, schedule: Schedule, text: str, how: str, key: str, *, now_ns: int) -> int:
    line = roster.line(tx, schedules.served(tx, schedule.id), at_ns=now_ns)
    reached = [name for name in schedule.managers if line.roads(name)] or list(line.reachable()[:1])
    told = 0
    for name in reached:
        road = line.roads(name)[0]
        before = notices.exists(tx, f"{key}:{name}"[:255])
        notices.add(
            tx,
            kind="info",
            person=name,
            channel=road.channel,
            address=road.address,
            subject=text[:200],
            body=f"{text}.\n\n{how}",
            urgency=routing.URGENCY["info"],
            not_before_ns=roster.quiet_until(line.known.get(name), now_ns=now_ns),
            dedup_key=f"{key}:{name}"[:255],
            now_ns=now_ns,
        )
        told += not before
    return told


def _shift_at(schedule: Schedule, at_ns: int) -> Shift:
    """The whole shift that covers a time."""
    around = oncall.shifts(schedule, at_ns - 62 * DAY_NS, at_ns + 62 * DAY_NS)
    found = next((shift for shift in around if shift.from_ns <= at_ns < shift.until_ns), None)
    if found is None:
        raise Invalid(f"nobody is on call on {schedule.name} at {moment(at_ns)}; there is no shift to swap")
    return found


def _check_layer(layer: Layer) -> None:
    if not layer.name.strip() or not 1 <= len(layer.people) <= PEOPLE_MAX:
        raise Invalid(f"a layer needs a name and 1 to {PEOPLE_MAX} people")
    if not 1 <= layer.every <= 1000:
        raise Invalid("a turn lasts 1 to 1000 hours, days, weeks or months")
    if any(not 0 <= day <= 6 for day in layer.weekdays):
        raise Invalid("weekdays are 0 (Monday) to 6 (Sunday)")
    if not (0 <= layer.from_minute < 24 * 60 and 0 < layer.until_minute <= 24 * 60):
        raise Invalid("the hours of a layer lie between 00:00 and 24:00")
    try:
        begins = datetime.fromisoformat(layer.start)
    except ValueError as error:
        raise Invalid(f"{layer.start!r} is no local time; write it as 2026-11-23T09:00") from error
    if begins.tzinfo is not None:
        raise Invalid("a layer starts at a local time of the schedule's zone: leave the offset out")


def _bounded(from_ns: int, until_ns: int) -> None:
    if not 0 < until_ns - from_ns <= LONGEST_NS:
        raise Invalid("the end must lie after the start, by at most 400 days")


def _zone(zone: str) -> None:
    try:
        zone_of(zone)
    except ValueError as error:
        raise Invalid(str(error)) from error


def _changed(tx: Connection, schedule: Schedule, what: str, *, now_ns: int) -> None:
    changes.note(tx, "oncall", schedule.id, what=what, now_ns=now_ns)
