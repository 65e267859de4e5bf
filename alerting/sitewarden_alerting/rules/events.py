"""Rules over single events that are no log: probes, gaps, changes.

A probe fires after enough failures in a row and recovers after enough successes; each further failure is evidence. A
result that is older than the newest of its probe is left out. A gap or a change fires and has no recovery.
"""

from __future__ import annotations

from dataclasses import replace

from sitewarden_alerting.identity import key
from sitewarden_alerting.model import Evidence, Signal, SignalKind, SignalState
from sitewarden_alerting.observations import Change, Gap, Observation, ProbeResult
from sitewarden_alerting.rules.rulebook import Changed, DataLost, ProbeFailed
from sitewarden_alerting.rules.state import Streak, Working
from sitewarden_alerting.wording import exact_moment

GAP_WORDS = {
    "shed": "the agent's spool was full",
    "expired": "it was older than the spool keeps",
    "refused": "headquarters refused it for good; it is parked at the site",
    "restored": "headquarters came back from a backup older than what the agent keeps",
    "file_lost": "a log file went away or was cut before it was read",
    "redaction": "its redaction failed",
    "spool_lost": "the spool was damaged and begun anew",
}


def probe(work: Working, rule: ProbeFailed, observation: Observation, result: ProbeResult, *, at_ns: int) -> None:
    if not rule.is_of(result.probe, result.kind):
        return
    name = key(rule.name, observation.place.agent_id, result.probe)
    before = work.probes.get(name, Streak(0, 0, 0))
    if at_ns < before.last_ns:
        return  # late: what came after it is known
    if result.ok:
        streak = Streak(0, before.successes + 1, at_ns, before.signal)
        if before.signal is not None and streak.successes >= rule.successes:
            said = f"probe {result.probe} ({result.target}) succeeds again"
            work.signals.append(
                replace(before.signal, state=SignalState.RECOVERED, count=0, evidence=(), reason=said, at_ns=at_ns)
            )
            streak = replace(streak, signal=None)
        work.probes[name] = streak
        return
    streak = Streak(before.failures + 1, 0, at_ns, before.signal)
    if streak.signal is not None or streak.failures >= rule.failures:
        signal = _failed(rule, observation, result, streak, at_ns)
        work.signals.append(replace(signal, repeats=before.signal is not None))
        streak = replace(streak, signal=signal)
    work.probes[name] = streak


def _failed(rule: ProbeFailed, observation: Observation, result: ProbeResult, streak: Streak, at_ns: int) -> Signal:
    said = f"{result.kind} probe {result.probe} of {result.target} failed: {result.detail or 'no detail given'}"
    return _signal(
        observation,
        rule=rule.name,
        kind=SignalKind.PROBE,
        fault=f"probe:{key(rule.name, observation.place.agent_id, result.probe)}",
        subject=result.probe,
        severity=int(rule.severity_of(result.level)),
        title=f"{rule.title or 'Probe fails'}: {result.probe} ({result.target})",
        reason=said if streak.failures == 1 else f"{said} ({streak.failures} times in a row)",
        text=said,
        at_ns=at_ns,
        page=rule.page,
    )


def data_lost(work: Working, rule: DataLost, observation: Observation, gap: Gap, *, at_ns: int) -> None:
    if rule.reasons and gap.reason not in rule.reasons:
        return
    what = f"{gap.count if gap.count >= 0 else 'an unknown number of'} {gap.kind or 'observation'}(s)"
    span = f" between {exact_moment(gap.from_ns)} and {exact_moment(gap.to_ns)}" if gap.from_ns and gap.to_ns else ""
    said = f"{what}{span} are missing: {GAP_WORDS.get(gap.reason, gap.reason)}{'; ' + gap.detail if gap.detail else ''}"
    host = observation.place.hostname or observation.place.agent_id
    work.signals.append(
        _signal(
            observation,
            rule=rule.name,
            kind=SignalKind.GAP,
            fault=f"gap:{key(rule.name, observation.place.agent_id, gap.reason)}",
            subject=host,
            severity=int(rule.severity),
            title=f"{rule.title or 'Data lost'} on {host}: {GAP_WORDS.get(gap.reason, gap.reason)}",
            reason=said,
            text=said,
            at_ns=at_ns,
            page=rule.page,
        )
    )


def changed(work: Working, rule: Changed, observation: Observation, change: Change, *, at_ns: int) -> None:
    if change.kind != rule.change:
        return
    host = observation.place.hostname or observation.place.agent_id
    course = " -> ".join(part for part in (change.before, change.after) if part)
    said = (
        f"{change.kind} on {host}"
        + (f", {change.subject}" if change.subject else "")
        + (f": {course}" if course else "")
    )
    work.signals.append(
        _signal(
            observation,
            rule=rule.name,
            kind=SignalKind.CHANGE,
            fault=f"change:{key(rule.name, observation.place.agent_id, change.subject)}",
            subject=host,
            severity=int(rule.severity),
            title=f"{rule.title or change.kind} on {host}",
            reason=said,
            text=said,
            at_ns=at_ns,
            page=rule.page,
        )
    )


def _signal(
    observation: Observation,
    *,
    rule: str,
    kind: SignalKind,
    fault: str,
    subject: str,
    severity: int,
    title: str,
    reason: str,
    text: str,
    at_ns: int,
    page: bool,
) -> Signal:
    return Signal(
        rule=rule,
        kind=kind,
        site_id=observation.place.site_id,
        customer_id=observation.place.customer_id,
        fault=fault,
        subject=subject,
        state=SignalState.FIRING,
        severity=severity,
        title=title,
        reason=reason,
        at_ns=at_ns,
        evidence=(
            Evidence(
                agent_id=observation.place.agent_id,
                epoch=observation.key.epoch,
                seq=observation.key.seq,
                index=observation.key.index,
                at_ns=at_ns,
                hostname=observation.place.hostname,
                text=text,
            ),
        ),
        page=page,
    )
