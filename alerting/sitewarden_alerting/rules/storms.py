"""Storms: so many faults at once that a ticket each would bury the desk. One signal stands for what is new in it."""

from __future__ import annotations

from dataclasses import replace

from sitewarden_alerting.model import SECOND_NS, Signal, SignalKind, SignalState
from sitewarden_alerting.observations import Observation
from sitewarden_alerting.rules import windows
from sitewarden_alerting.rules.rulebook import Storm
from sitewarden_alerting.rules.state import StormState, Working

FAULTS_MAX = 500


def storm(work: Working, rule: Storm, _observation: Observation, found: list[Signal]) -> None:
    """Count a new-fault signal towards a storm; mark it as part of the storm while there is one."""
    signal = found[0]
    before = work.storms.get(rule.name, StormState())
    window_ns = round(rule.window_s * SECOND_NS)
    last_ns = max(before.last_ns, signal.at_ns)
    buckets = before.buckets
    if not signal.moved_from:
        buckets = windows.add(buckets, window_ns, at_ns=signal.at_ns, count=signal.count)
    faults = _lately(before.faults, signal, window_ns, last_ns=last_ns)
    number = windows.total(buckets, window_ns, at_ns=last_ns)
    over = number >= rule.events and len(faults) >= rule.faults
    firing = over or (before.firing and last_ns - before.over_ns < window_ns)
    fault = f"storm:{rule.name}"
    if firing and not before.firing:
        work.signals.append(
            Signal(
                rule=rule.name,
                kind=SignalKind.STORM,
                site_id=signal.site_id,
                customer_id=signal.customer_id,
                fault=fault,
                subject="log",
                state=SignalState.FIRING,
                severity=int(rule.severity),
                title=f"{rule.title or 'Storm of faults'}: {len(faults)} faults within {rule.window_s:g} s",
                reason=f"{number} events of {len(faults)} faults within {rule.window_s:g} s; "
                "faults that are new while it lasts are counted here and open no ticket of their own",
                at_ns=signal.at_ns,
                count=0,
                page=rule.page,
            )
        )
    elif before.firing and not firing:
        work.signals.append(storm_over(rule, signal.site_id, signal.customer_id, at_ns=last_ns))
    work.storms[rule.name] = StormState(buckets, faults, last_ns, last_ns if over else before.over_ns, firing)
    if firing:
        found[0] = replace(signal, part_of=fault)


def _lately(faults: dict[str, int], signal: Signal, window_ns: int, *, last_ns: int) -> dict[str, int]:
    """The faults of the window that ends at `last_ns`, each with its last bucket; a copy where it changes."""
    slot, newest = windows.bucket(signal.at_ns, window_ns), windows.bucket(last_ns, window_ns)
    if faults.get(signal.fault, -1) >= slot:
        return faults
    lately = {
        fault: seen for fault, seen in faults.items() if seen > newest - windows.BUCKETS and fault != signal.fault
    }
    if slot > newest - windows.BUCKETS:
        lately[signal.fault] = slot
    while len(lately) > FAULTS_MAX:
        lately.pop(next(iter(lately)))
    return lately


def storm_over(rule: Storm, site_id: str, customer_id: str, *, at_ns: int) -> Signal:
    """The storm has passed."""
    return Signal(
        rule=rule.name,
        kind=SignalKind.STORM,
        site_id=site_id,
        customer_id=customer_id,
        fault=f"storm:{rule.name}",
        subject="log",
        state=SignalState.RECOVERED,
        severity=int(rule.severity),
        title=rule.title or "Storm of faults",
        reason=f"fewer than {rule.events} events or {rule.faults} faults within {rule.window_s:g} s",
        at_ns=at_ns,
        count=0,
        page=rule.page,
    )
