"""From fingerprints to faults: what grouping learned of the stream, kept in the database.

Most fingerprints were seen before and cost one look-up. One that is new is shown to grouping, which may find that it
and others are one fault; their rows are then pointed at the survivor, and the caller re-points their tickets. What
grouping knows is rebuilt from its last snapshot and the fingerprints seen since; `Memory` saves rebuilding it and is
dropped whenever the rows say otherwise (another process, a transaction that was taken back).

Corrections by engineers (`merge`, `split`) go the same way and win over what is learned.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from sitewarden_alerting import grouping
from sitewarden_alerting.grouping import Alias, Grouping
from sitewarden_alerting.model import Signal, SignalKind
from sitewarden_alerting.observations import LogEvent, Observation
from sitewarden_collector.errors import Conflict, NotFound
from sitewarden_collector.services.recall import Recall
from sitewarden_collector.store import faults, tickets
from sitewarden_collector.store.faults import Mark

SNAPSHOT_EVERY = 256  # fingerprints


@dataclass(frozen=True, slots=True)
class Member:
    """A fingerprint of a fault: since when it is known, each merge on its way to the fault, and what an engineer keeps
    it apart from."""

    fingerprint: str
    template: str
    first_ns: int
    merges: tuple[Alias, ...]
    apart_from: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A fault: one template for all that it stands for, its fingerprints, and its tickets at every site."""

    fault: str
    template: str
    severity: int
    members: tuple[Member, ...]
    tickets: tuple[tickets.Listed, ...]


@dataclass(slots=True)
class Memory:
    """Grouping as it is after the rows with this mark. Of one process; only the writer's thread touches it."""

    state: Grouping | None = None
    mark: Mark | None = None
    unsaved: int = 0
    recall: Recall = field(default_factory=Recall)  # not of grouping: what evaluation need not ask again


def resolve(
    tx: Connection, observations: Sequence[Observation], memory: Memory, *, now_ns: int
) -> tuple[list[Observation], tuple[Alias, ...]]:
    """The observations with each log event's fault in the place of its fingerprint, and the aliases that changed."""
    events = {one.what.fingerprint: one.what for one in observations if isinstance(one.what, LogEvent)}
    known = faults.of(tx, events) if events else {}
    unknown = [event for fingerprint, event in events.items() if fingerprint not in known]
    changed = _learn(tx, unknown, memory, now_ns=now_ns) if unknown else ()
    known |= {event.fingerprint: event.fingerprint for event in unknown}
    # An alias may have moved a fault that others in this batch stand for.
    moved = {alias.fingerprint: alias.fault for alias in changed}
    return [_resolved(one, known, moved) for one in observations], changed


def current(tx: Connection, signals: Sequence[Signal], observations: Sequence[Observation]) -> list[Signal]:
    """The signals with the faults of today: what the rules remembered of a record may have been merged since."""
    fresh = {one.what.fingerprint for one in observations if isinstance(one.what, LogEvent)}
    old = {signal.fault for signal in signals if signal.kind is SignalKind.LOG} - fresh
    if not old:
        return list(signals)
    known = faults.of(tx, old)
    return [replace(signal, fault=known.get(signal.fault, signal.fault)) for signal in signals]


def merge(tx: Connection, fingerprint: str, into: str, *, by: str, reason: str = "") -> tuple[Alias, ...]:
    """An engineer says that two fingerprints are one fault. Raises NotFound."""
    state = _known(tx, fingerprint, into)
    said = f"{by} said that they are one fault: {reason}" if reason else ""
    return _corrected(tx, state, grouping.merge(state, fingerprint, into, by=by, reason=said))


def split(tx: Connection, fingerprint: str, *, by: str) -> tuple[Alias, ...]:
    """An engineer says that a fingerprint is a fault of its own; it is not merged by learning again. Raises NotFound,
    and Conflict where nothing is merged."""
    state = _known(tx, fingerprint)
    try:
        return _corrected(tx, state, grouping.split(state, fingerprint, by=by))
    except ValueError as error:
        raise Conflict(str(error)) from error


def named(tx: Connection, name: str) -> str:
    """The fault that a fingerprint or a ticket's number stands for today. Raises NotFound."""
    fingerprint = fingerprint_of(tx, name)
    return faults.of(tx, [fingerprint]).get(fingerprint, fingerprint)


def fingerprint_of(tx: Connection, name: str) -> str:
    """The fingerprint that `name` is, or that the ticket of this number was opened for; of what is not in the log, the
    fault's name. Raises NotFound."""
    if re.fullmatch(r"[A-Za-z]+-\d+", name.strip()):
        return tickets.by_number(tx, name).fault
    if not faults.of(tx, [name]) and not tickets.listing(tx, fault=name, limit=1):
        raise NotFound(
            f"{name} is neither a ticket's number nor a fault that was ever seen; `sitewarden fault list` and "
            "`sitewarden ticket list` show them"
        )
    return name


def show(tx: Connection, name: str) -> Shown:
    """The fault that a fingerprint or a ticket's number stands for, with everything that led to it. Raises NotFound."""
    fault = named(tx, name)
    behind = faults.members(tx, fault)
    if not behind:
        raise NotFound(f"{fault} is no fault of a log: `sitewarden ticket show` says what there is to know of it")
    state, _ = _load(tx)
    return Shown(
        fault=fault,
        template=grouping.template_of(state, fault) or behind[0][0].template,
        severity=behind[0][0].severity,
        members=tuple(
            Member(
                seen.fingerprint,
                seen.template,
                first_ns,
                grouping.explain(state, seen.fingerprint) or _remembered(seen),
                _apart_from(state, seen.fingerprint),
            )
            for seen, first_ns in behind
        ),
        tickets=tuple(tickets.listing(tx, fault=fault)),
    )


def _apart_from(state: Grouping, fingerprint: str) -> tuple[str, ...]:
    pairs = (pair for pair in state.apart if fingerprint in pair)
    return tuple(sorted(one for pair in pairs for one in pair if one != fingerprint))


def _remembered(seen: faults.Seen) -> tuple[Alias, ...]:
    """Why a fingerprint that grouping has forgotten meanwhile stands for its fault."""
    return (Alias(seen.fingerprint, seen.fault, seen.reason, seen.by),) if seen.reason else ()


def learned(tx: Connection) -> Grouping:
    """What grouping knows by now, corrections by engineers included: a copy to look at."""
    return _load(tx)[0]


def _resolved(observation: Observation, known: dict[str, str], moved: dict[str, str]) -> Observation:
    if not isinstance(observation.what, LogEvent):
        return observation
    fault = known[observation.what.fingerprint]
    while fault in moved and moved[fault] != fault:
        fault = moved[fault]
    if fault == observation.what.fingerprint:
        return observation
    return replace(observation, what=replace(observation.what, fingerprint=fault))


def _learn(tx: Connection, events: Sequence[LogEvent], memory: Memory, *, now_ns: int) -> tuple[Alias, ...]:
    """Take in fingerprints that were never seen before; what that changed for them and for others."""
    if memory.state is None or memory.mark != faults.mark(tx):
        memory.state, memory.unsaved = _load(tx)
    memory.mark = None  # should anything fail from here on, the rows are read again
    new: dict[str, faults.Seen] = {}
    changed: list[Alias] = []
    for event in events:
        found = grouping.observe(memory.state, event.fingerprint, event.template, severity=event.severity)
        new[event.fingerprint] = faults.Seen(event.fingerprint, event.fingerprint, event.template, event.severity)
        changed += found.aliases
    for alias in changed:
        if alias.fingerprint in new:
            seen = new[alias.fingerprint]
            new[alias.fingerprint] = replace(seen, fault=alias.fault, reason=alias.reason, by=alias.by)
    faults.add(tx, new.values(), now_ns=now_ns)
    _point(tx, [alias for alias in changed if alias.fingerprint not in new])
    memory.unsaved += len(new)
    if memory.unsaved >= SNAPSHOT_EVERY:
        faults.save_snapshot(tx, grouping.to_data(memory.state))
        memory.unsaved = 0
    memory.mark = faults.mark(tx)
    return tuple(changed)


def _load(tx: Connection) -> tuple[Grouping, int]:
    """What grouping knows by now, and how many fingerprints of it are in no snapshot."""
    last_id, data = faults.snapshot(tx)
    state = grouping.from_data(data) if data else Grouping()
    later = faults.since(tx, last_id)
    for one in later:
        grouping.observe(state, one.fingerprint, one.template, severity=one.severity)
    return state, len(later)


def _known(tx: Connection, *fingerprints: str) -> Grouping:
    there = faults.of(tx, fingerprints)
    for fingerprint in fingerprints:
        if fingerprint not in there:
            raise NotFound(
                f"no record with fingerprint {fingerprint} was ever seen; `sitewarden ticket show` names them"
            )
    return _load(tx)[0]


def _corrected(tx: Connection, state: Grouping, aliases: tuple[Alias, ...]) -> tuple[Alias, ...]:
    _point(tx, aliases)
    faults.save_snapshot(tx, grouping.to_data(state))  # a correction is in no row of the stream
    return aliases


def _point(tx: Connection, aliases: Sequence[Alias]) -> None:
    for alias in aliases:
        apart = alias.fingerprint == alias.fault
        reason, by = ("", "") if apart else (alias.reason, alias.by)
        faults.point(tx, alias.fingerprint, fault=alias.fault, reason=reason, by=by)
