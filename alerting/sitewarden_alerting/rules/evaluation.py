"""Apply a rulebook to observations: `evaluate(rulebook, state, observations, now_ns=...)`.

A fold over the observations in the order they came: the result does not depend on how they were cut into batches. One
rule that fails on one observation is reported as a failure and stops neither the other rules nor the batch. Not here:
rules that fire because time goes by (`ticking`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sitewarden_alerting.identity import key
from sitewarden_alerting.model import Signal
from sitewarden_alerting.observations import Change, Gap, LogEvent, Observation, ProbeResult, Samples
from sitewarden_alerting.rules import events, levels, logs, rates, storms, ticking
from sitewarden_alerting.rules.rulebook import (
    Absence,
    AnyRule,
    Changed,
    DataLost,
    ProbeFailed,
    Rulebook,
    Threshold,
)
from sitewarden_alerting.rules.state import Certificate, Evaluated, RuleFailure, SiteState, Working


def evaluate(rulebook: Rulebook, state: SiteState, observations: Iterable[Observation], *, now_ns: int) -> Evaluated:
    """Apply the rules to observations of one site, in their order.

    Times are the observations' own; what claims to be later than `now_ns` counts as now.
    """
    work = Working.of(state)
    failures: list[RuleFailure] = []
    for observation in observations:
        _observe(work, rulebook, observation, failures, now_ns=now_ns)
    return Evaluated(work.settled(), tuple(work.signals), tuple(failures))


@dataclass(slots=True)
class _Attempts:
    """Applies rules one by one and notes those that fail."""

    work: Working
    observation: Observation
    failures: list[RuleFailure]

    def __call__(self, apply: Callable[..., None], rule: AnyRule, *arguments: object, **times: int) -> None:
        try:
            apply(self.work, rule, self.observation, *arguments, **times)
        except Exception as error:  # noqa: BLE001  one rule's fault must not stop the others
            self.failures.append(RuleFailure(rule.name, self.observation.key, f"{type(error).__name__}: {error}"))


def _observe(
    work: Working, rulebook: Rulebook, observation: Observation, failures: list[RuleFailure], *, now_ns: int
) -> None:
    at_ns = min(observation.wall_ns, now_ns)
    attempt = _Attempts(work, observation, failures)
    match observation.what:
        case LogEvent() as event:
            _log(attempt, rulebook, event, at_ns=at_ns)
        case ProbeResult() as result if result.certificate_expires_ns is not None:
            work.certificates[key(observation.place.agent_id, result.probe)] = Certificate(
                result.target, observation.place.hostname, result.certificate_expires_ns, at_ns
            )
    for rule in rulebook.others:
        match (rule, observation.what):
            case (Threshold(), Samples() as samples):
                attempt(levels.threshold, rule, samples, now_ns=now_ns)
            case (ProbeFailed(), ProbeResult() as result):
                attempt(events.probe, rule, result, at_ns=at_ns)
            case (DataLost(), Gap() as gap):
                attempt(events.data_lost, rule, gap, at_ns=at_ns)
            case (Changed(), Change() as change):
                attempt(events.changed, rule, change, at_ns=at_ns)
            case (Absence(), _):
                attempt(ticking.seen, rule, at_ns=at_ns)


def _log(attempt: _Attempts, rulebook: Rulebook, event: LogEvent, *, at_ns: int) -> None:
    work = attempt.work
    head = logs.settle_head(work, attempt.observation, event)
    verdict: list[Signal | None] = []
    for judge in rulebook.judges(event):
        attempt(logs.judge, judge, event, head, verdict, at_ns=at_ns)
        if verdict:
            break
    found = [signal for signal in verdict if signal is not None]
    is_noise = bool(verdict) and not found
    for rate in rulebook.rates:
        if not is_noise or rate.where.is_narrow:
            attempt(rates.rate, rate, event, head, at_ns=at_ns)
    for storm in rulebook.storms if found else ():
        attempt(storms.storm, storm, found)
    work.signals.extend(found)
