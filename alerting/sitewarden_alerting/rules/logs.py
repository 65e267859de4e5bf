"""Rules over log events: new faults, rates, storms; and records that come in two parts.

A record's first line (HEAD) is counted at once, under the fault of the line or under the one that the whole of such a
record had before. When the whole (FULL) comes it names the same record, so that triage replaces and never adds; when
something else comes from the same file instead, the first line stood alone and keeps its own fault. An event is
counted once whatever its parts.
"""

from __future__ import annotations

from dataclasses import replace

from sitewarden_alerting.identity import first_of, key
from sitewarden_alerting.model import EVIDENCE_TEXT_CHARS, SECOND_NS, Evidence, Signal, SignalKind, SignalState
from sitewarden_alerting.observations import LogEvent, Observation
from sitewarden_alerting.rules.rulebook import NewFault, Rate, Storm
from sitewarden_alerting.rules.state import FULLS_MAX, HEADS_MAX, Head, StormState, Window, Working
from sitewarden_alerting.wording import cut, log_title, severity_word

BUCKETS = 60
STORM_FAULTS_MAX = 500
HEAD_TEXT_CHARS = 500


def record_name(observation: Observation, event: LogEvent) -> str:
    return f"{observation.place.agent_id}/{event.file_id}@{event.offset}"


def file_name(observation: Observation, event: LogEvent) -> str:
    return f"{observation.place.agent_id}/{event.file_id}"


def settle_head(work: Working, observation: Observation, event: LogEvent) -> Head | None:
    """Take the open first line of this event's file off the books: return it when this event completes it; else say
    that it stood alone."""
    head = work.heads.pop(file_name(observation, event), None)
    if head is None:
        return None
    if head.offset == event.offset:
        return head if event.part == "full" else None
    if head.home != head.own:
        work.fulls.pop(head.own, None)  # it need not go on as it did before
    work.signals.append(head.alone)
    return None


def signal_of(rule: NewFault, observation: Observation, event: LogEvent, *, fault: str, at_ns: int) -> Signal:
    evidence = Evidence(
        agent_id=observation.place.agent_id,
        epoch=observation.key.epoch,
        seq=observation.key.seq,
        index=observation.key.index,
        at_ns=at_ns,
        hostname=observation.place.hostname,
        text=cut(event.message, EVIDENCE_TEXT_CHARS),
        record="" if event.part == "whole" else record_name(observation, event),
    )
    where = f"{event.file} on {observation.place.hostname}" if observation.place.hostname else event.file
    return Signal(
        rule=rule.name,
        kind=SignalKind.LOG,
        site_id=observation.place.site_id,
        customer_id=observation.place.customer_id,
        fault=fault,
        subject=event.component or event.source,
        state=SignalState.FIRING,
        severity=event.severity,
        title=log_title(event),
        reason=f"{severity_word(event.severity)} in {where}",
        at_ns=at_ns,
        count=max(1, event.count),
        evidence=(evidence,),
        head=event.part == "head",
        page=rule.page,
    )


def new_fault(
    work: Working,
    rule: NewFault,
    observation: Observation,
    event: LogEvent,
    head: Head | None,
    found: list[Signal],
    *,
    at_ns: int,
) -> None:
    """Put the signal of an event that passes the rule's filter into `found`."""
    if not rule.where.takes(event):
        return
    own = event.fingerprint
    home = work.fulls.get(own, own) if event.part == "head" else own
    signal = signal_of(rule, observation, event, fault=home, at_ns=at_ns)
    if event.part == "head":
        reason = f"{signal.reason}; its first line is all of it"
        short = tuple(replace(one, text=cut(one.text, HEAD_TEXT_CHARS)) for one in signal.evidence)
        alone = replace(signal, fault=own, head=False, alone=True, moved_from=home, reason=reason, evidence=short)
        remember_head(work, file_name(observation, event), Head(event.offset, own, home, at_ns, alone))
    elif event.part == "full" and head is not None:
        if head.own != own:
            remember_full(work, head.own, own)
        signal = replace(signal, moved_from=head.home)
    found.append(signal)


def remember_head(work: Working, file: str, head: Head) -> None:
    if len(work.heads) >= HEADS_MAX:
        work.heads.pop(min(work.heads, key=lambda name: work.heads[name].at_ns))
    work.heads[file] = head


def remember_full(work: Working, head: str, full: str) -> None:
    work.fulls.pop(head, None)  # the newest stands last
    while len(work.fulls) >= FULLS_MAX:
        work.fulls.pop(next(iter(work.fulls)))
    work.fulls[head] = full


def add_to_buckets(
    buckets: tuple[tuple[int, int], ...], window_ns: int, *, at_ns: int, count: int
) -> tuple[tuple[int, int], ...]:
    """`buckets` with `count` more at `at_ns`, and without what fell out of the window that ends at the newest."""
    slot = at_ns // max(1, window_ns // BUCKETS)
    if buckets and buckets[-1][0] == slot:  # as good as always
        return (*buckets[:-1], (slot, buckets[-1][1] + count))
    counted = dict(buckets)
    counted[slot] = counted.get(slot, 0) + count
    oldest = max(counted) - BUCKETS
    return tuple(sorted((s, n) for s, n in counted.items() if s > oldest))


def total(buckets: tuple[tuple[int, int], ...], window_ns: int, *, at_ns: int) -> int:
    """What the buckets hold of the window that ends at `at_ns`."""
    oldest = at_ns // max(1, window_ns // BUCKETS) - BUCKETS
    return sum(n for slot, n in buckets if slot > oldest)


def rate(
    work: Working, rule: Rate, observation: Observation, event: LogEvent, head: Head | None, *, at_ns: int
) -> None:
    """Count an event for a rate rule, once whatever its parts; signal while the window holds enough."""
    if head is not None or not rule.where.takes(event):
        return
    subject = {"site": "", "agent": observation.place.agent_id, "fault": event.fingerprint}[rule.by]
    name = key(rule.name, subject)
    window_ns = round(rule.window_s * SECOND_NS)
    before = work.windows.get(name, Window((), 0))
    last_ns = max(before.last_ns, at_ns)
    buckets = add_to_buckets(before.buckets, window_ns, at_ns=at_ns, count=max(1, event.count))
    number = total(buckets, window_ns, at_ns=last_ns)
    if number < rule.count:
        work.windows[name] = Window(buckets, last_ns)
        return
    what = {"site": "the site", "agent": observation.place.hostname, "fault": log_title(event)}[rule.by]
    shown = signal_of(NewFault(name=rule.name), observation, event, fault=f"rate:{name}", at_ns=at_ns)
    signal = replace(
        shown,
        kind=SignalKind.LEVEL,
        subject=what,
        severity=int(rule.severity),
        title=cut(f"{rule.title or 'Too many log events'}: {what}", 160),
        reason=f"{number} events within {rule.window_s:g} s; {rule.count} are too many",
        count=number if before.signal is None else max(1, event.count),
        head=False,
        page=rule.page,
        repeats=before.signal is not None,
        evidence=tuple(replace(one, record="") for one in shown.evidence),
    )
    work.windows[name] = Window(buckets, last_ns, signal)
    work.signals.append(signal)


def rate_over(work: Working, rule: Rate, *, now_ns: int) -> None:
    """Say of every window of the rule that holds too little by now that it recovered, and forget the empty ones."""
    window_ns = round(rule.window_s * SECOND_NS)
    for name, window in list(work.windows.items()):
        number = (
            total(window.buckets, window_ns, at_ns=max(now_ns, window.last_ns)) if first_of(name) == rule.name else 1
        )
        if window.signal is not None and number < rule.count and first_of(name) == rule.name:
            reason = f"{number} events within {rule.window_s:g} s; {rule.count} are too many"
            over = replace(
                window.signal, state=SignalState.RECOVERED, count=0, evidence=(), reason=reason, at_ns=now_ns
            )
            work.signals.append(over)
            work.windows[name] = replace(window, signal=None)
        if number == 0:
            del work.windows[name]


def storm(work: Working, rule: Storm, _observation: Observation, found: list[Signal]) -> None:
    """Count a new-fault signal towards a storm; mark it as part of the storm while there is one."""
    signal = found[0]
    before = work.storms.get(rule.name, StormState())
    window_ns = round(rule.window_s * SECOND_NS)
    last_ns = max(before.last_ns, signal.at_ns)
    buckets = before.buckets
    if not signal.moved_from:
        buckets = add_to_buckets(buckets, window_ns, at_ns=signal.at_ns, count=signal.count)
    faults = _lately(before.faults, signal, window_ns, last_ns=last_ns)
    number = total(buckets, window_ns, at_ns=last_ns)
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
    width = max(1, window_ns // BUCKETS)
    slot, newest = signal.at_ns // width, last_ns // width
    if faults.get(signal.fault, -1) >= slot:
        return faults
    lately = {fault: seen for fault, seen in faults.items() if seen > newest - BUCKETS and fault != signal.fault}
    if slot > newest - BUCKETS:
        lately[signal.fault] = slot
    while len(lately) > STORM_FAULTS_MAX:
        lately.pop(next(iter(lately)))
    return lately


def storm_over(rule: Storm, site_id: str, customer_id: str, *, at_ns: int) -> Signal:
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
