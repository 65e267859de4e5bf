"""From fingerprints to faults: what grouping learned of the stream, kept in the database.

Most fingerprints were seen before and cost one look-up. One that is new is shown to grouping, which may find that it
and others are one fault; their rows are then pointed at the survivor, and the caller re-points their tickets. What
grouping knows is rebuilt from its last snapshot and the fingerprints seen since; `Memory` saves rebuilding it and is
dropped whenever the rows say otherwise (another process, a transaction that was taken back).

Corrections by engineers (`merge`, `split`) go the same way and win over what is learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from sitewarden_alerting import grouping
from sitewarden_alerting.grouping import Alias, Grouping
from sitewarden_alerting.model import Signal, SignalKind
from sitewarden_alerting.observations import LogEvent, Observation
from sitewarden_collector.errors import Conflict, NotFound
from sitewarden_collector.store import faults
from sitewarden_collector.store.faults import Mark

SNAPSHOT_EVERY = 256  # fingerprints


@dataclass(slots=True)
class Memory:
    """Grouping as it is after the rows with this mark. Of one process; only the writer's thread touches it."""

    state: Grouping | None = None
    mark: Mark | None = None
    unsaved: int = 0


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


def merge(tx: Connection, fingerprint: str, into: str, *, by: str) -> tuple[Alias, ...]:
    """An engineer says that two fingerprints are one fault. Raises NotFound."""
    state = _known(tx, fingerprint, into)
    return _corrected(tx, state, grouping.merge(state, fingerprint, into, by=by))


def split(tx: Connection, fingerprint: str, *, by: str) -> tuple[Alias, ...]:
    """An engineer says that a fingerprint is a fault of its own; it is not merged by learning again. Raises NotFound,
    and Conflict where nothing is merged."""
    state = _known(tx, fingerprint)
    try:
        return _corrected(tx, state, grouping.split(state, fingerprint, by=by))
    except ValueError as error:
        raise Conflict(str(error)) from error


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
