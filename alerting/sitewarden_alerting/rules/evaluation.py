"""Apply a rulebook to observations: `evaluate(rulebook, state, observations, now_ns=...)`.

A fold over the observations in the order they came: the result does not depend on how they were cut into batches. One
rule that fails on one observation is reported as a failure and stops neither the other rules nor the batch. Not here:
rules that fire because time goes by (`ticking`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sitewarden_alerting.identity import key
from sitewarden_alerting.model import Signal
from sitewarden_alerting.observations import Change, Gap, LogEvent, Observation, ProbeResult, Samples
from sitewarden_alerting.rules import events, levels, logs, rates, storms, ticking
from sitewarden_alerting.rules.columns import Column, Plans
from sitewarden_alerting.rules.rulebook import Absence, AnyRule, Changed, DataLost, ProbeFailed, Rulebook
from sitewarden_alerting.rules.state import Certificate, Cost, Evaluated, RuleFailure, SiteState, Working

Meter = Callable[[], float]  # seconds of whatever clock the caller wants rules to be measured by


def evaluate(
    rulebook: Rulebook,
    state: SiteState,
    observations: Iterable[Observation],
    *,
    now_ns: int,
    plans: Plans | None = None,
    meter: Meter | None = None,
) -> Evaluated:
    """Apply the rules to observations of one site, in their order.

    Times are the observations' own; what claims to be later than `now_ns` counts as now. `plans` are those of this
    rulebook, kept by a caller that comes often; with a `meter` the answer says what each rule cost.
    """
    work = Working.of(state)
    attempts = _Attempts(work, Plans(rulebook.others) if plans is None else plans, meter)
    for observation in observations:
        _observe(attempts, rulebook, observation, now_ns=now_ns)
    return Evaluated(work.settled(), tuple(work.signals), tuple(attempts.failures), attempts.costs)


@dataclass(slots=True)
class _Attempts:
    """Applies rules one by one, measures them, and notes those that fail."""

    work: Working
    plans: Plans
    meter: Meter | None
    failures: list[RuleFailure] = field(default_factory=list)
    costs: dict[str, Cost] = field(default_factory=dict)

    def __call__(
        self, apply: Callable[..., None], rule: AnyRule, observation: Observation, *arguments: object, **times: int
    ) -> None:
        began = self.meter() if self.meter is not None else 0.0
        try:
            apply(self.work, rule, observation, *arguments, **times)
        except Exception as error:  # noqa: BLE001  one rule's fault must not stop the others
            self.failures.append(RuleFailure(rule.name, observation.key, f"{type(error).__name__}: {error}"))
        if self.meter is not None:
            before = self.costs.get(rule.name, Cost())
            self.costs[rule.name] = Cost(before.calls + 1, before.seconds + self.meter() - began)


def _observe(attempt: _Attempts, rulebook: Rulebook, observation: Observation, *, now_ns: int) -> None:
    at_ns = min(observation.wall_ns, now_ns)
    match observation.what:
        case LogEvent() as event:
            _log(attempt, rulebook, observation, event, at_ns=at_ns)
        case Samples() as samples:
            for step in attempt.plans.of(samples.series).steps:
                if isinstance(step, Column):
                    attempt(levels.threshold, step.rule, observation, step, samples, now_ns=now_ns)
                else:
                    attempt(ticking.seen, step, observation, at_ns=at_ns)
            return
        case ProbeResult() as result if result.certificate_expires_ns is not None:
            _certificate(attempt.work, observation, result, result.certificate_expires_ns, at_ns=at_ns)
    for rule in rulebook.others:
        match (rule, observation.what):
            case (ProbeFailed(), ProbeResult() as result):
                attempt(events.probe, rule, observation, result, at_ns=at_ns)
            case (DataLost(), Gap() as gap):
                attempt(events.data_lost, rule, observation, gap, at_ns=at_ns)
            case (Changed(), Change() as change):
                attempt(events.changed, rule, observation, change, at_ns=at_ns)
            case (Absence(), _):
                attempt(ticking.seen, rule, observation, at_ns=at_ns)


def _certificate(work: Working, observation: Observation, result: ProbeResult, expires_ns: int, *, at_ns: int) -> None:
    name = key(observation.place.agent_id, result.probe)
    before = work.certificates.get(name)
    if before is None or at_ns >= before.seen_ns:
        work.certificates[name] = Certificate(result.target, observation.place.hostname, expires_ns, at_ns)


def _log(attempt: _Attempts, rulebook: Rulebook, observation: Observation, event: LogEvent, *, at_ns: int) -> None:
    work = attempt.work
    head = logs.settle_head(work, observation, event)
    verdict: list[Signal | None] = []
    for judge in rulebook.judges(event):
        attempt(logs.judge, judge, observation, event, head, verdict, at_ns=at_ns)
        if verdict:
            break
    found = [signal for signal in verdict if signal is not None]
    is_noise = bool(verdict) and not found
    for rate in rulebook.rates:
        if not is_noise or rate.where.is_narrow:
            attempt(rates.rate, rate, observation, event, head, at_ns=at_ns)
    for storm in rulebook.storms if found else ():
        attempt(storms.storm, storm, observation, found)
    work.signals.extend(found)
