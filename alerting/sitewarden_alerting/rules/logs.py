"""New faults in the log, and records that come in two parts.

A record's first line (HEAD) is counted at once, under the fault of the line or under the one that the whole of such a
record had before. When the whole (FULL) comes it names the same record, so that triage replaces and never adds; when
something else comes from the same file instead, the first line stood alone and keeps its own fault. An event is
counted once whatever its parts.
"""

from __future__ import annotations

from dataclasses import replace

from sitewarden_alerting.model import EVIDENCE_TEXT_CHARS, Evidence, Signal, SignalKind, SignalState
from sitewarden_alerting.observations import LogEvent, Observation
from sitewarden_alerting.rules.rulebook import Judge, NewFault, Noise
from sitewarden_alerting.rules.state import FULLS_MAX, HEADS_MAX, Head, Working
from sitewarden_alerting.wording import cut, fault_title, log_title, severity_word

HEAD_TEXT_CHARS = 500


def judge(
    work: Working,
    rule: Judge,
    observation: Observation,
    event: LogEvent,
    head: Head | None,
    verdict: list[Signal | None],
    *,
    at_ns: int,
) -> None:
    """Put the signal of an event that passes the rule's filter into `verdict`, or None when the rule calls it noise."""
    if not rule.where.takes(event):
        return
    if isinstance(rule, Noise):
        verdict.append(None)
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
    verdict.append(signal)


def signal_of(rule: NewFault, observation: Observation, event: LogEvent, *, fault: str, at_ns: int) -> Signal:
    """What a log event says, under the fault given."""
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
        severity=int(rule.severity) if rule.sets_severity else event.severity,
        title=fault_title(rule.title, event) if rule.title else log_title(event),
        reason=f"{severity_word(event.severity)} in {where}",
        at_ns=at_ns,
        count=max(1, event.count),
        evidence=(evidence,),
        head=event.part == "head",
        page=rule.page,
    )


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


def record_name(observation: Observation, event: LogEvent) -> str:
    return f"{observation.place.agent_id}/{event.file_id}@{event.offset}"


def file_name(observation: Observation, event: LogEvent) -> str:
    return f"{observation.place.agent_id}/{event.file_id}"


def remember_head(work: Working, file: str, head: Head) -> None:
    if len(work.heads) >= HEADS_MAX:
        work.heads.pop(min(work.heads, key=lambda name: work.heads[name].at_ns))
    work.heads[file] = head


def remember_full(work: Working, head: str, full: str) -> None:
    work.fulls.pop(head, None)  # the newest stands last
    while len(work.fulls) >= FULLS_MAX:
        work.fulls.pop(next(iter(work.fulls)))
    work.fulls[head] = full
