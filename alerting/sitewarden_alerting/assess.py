"""From forecasts to risk warnings: `full`, `certificate` make a risk of facts, `decide` says what to do about it.

A risk is raised at one score and taken back only after it stayed below a lower one for some time, so that it does not
flap; it is told when it is raised, and once more when it becomes nearly certain. Not here: reading series, storing,
telling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sitewarden_alerting.decisions import KeepRisk, LowerRisk, NotifyRisk, RaiseRisk, RiskDecision
from sitewarden_alerting.forecast import Reach, Trend, fit, foresee
from sitewarden_alerting.identity import key
from sitewarden_alerting.model import DAY_NS, MINUTE_NS, SECOND_NS, Risk, RiskPolicy, RiskState, WatchLevel
from sitewarden_alerting.risk import impact, likelihood_of_expiry, likelihood_of_full
from sitewarden_alerting.wording import duration, exact_moment, moment, size

STANDING_TRUST = 1.5
EARLY_LEVELS = tuple(WatchLevel("folder_used_ratio", above=share) for share in (0.2, 0.5, 0.8))
"""A folder with a limit of its own is often small enough to fill within the minute that samples wait for. Crossing one
of these brings its samples at once: three looks on the way up, the first while most of the room is left. Disks get
none: they are too large to fill in a minute."""


@dataclass(frozen=True, slots=True)
class Filling:
    """A folder or disk with a limit, and how much of it was used: bytes at times, oldest first."""

    site_id: str
    customer_id: str
    agent_id: str
    hostname: str
    kind: Literal["folder_full", "filesystem_full"]
    subject: str  # its path
    limit: float
    times_ns: Sequence[int]
    used: Sequence[float]


@dataclass(frozen=True, slots=True)
class Expiring:
    """A certificate that a probe saw."""

    site_id: str
    customer_id: str
    agent_id: str
    hostname: str
    probe: str
    target: str
    expires_ns: int


def filling_subject(filling: Filling) -> str:
    return key(filling.kind, filling.agent_id, filling.subject)


def expiring_subject(expiring: Expiring) -> str:
    return key("certificate", expiring.agent_id, expiring.probe)


def full(filling: Filling, policy: RiskPolicy, *, now_ns: int, standing: bool = False) -> Risk | None:
    """The risk that a folder or disk fills up; None when its data foretell nothing within the horizon.

    A risk that stands in the register already (`standing`) may look somewhat further than one that is to be raised.
    """
    if filling.limit <= 0 or not len(filling.times_ns):
        return None
    trust = policy.trust_spans * (STANDING_TRUST if standing else 1.0)
    foreseen = _foresee(filling, policy, trust)
    if foreseen is None or foreseen[1].at_ns - now_ns > policy.horizon_s * SECOND_NS:
        return None
    trend, reach = foreseen
    ratio = trend.level / filling.limit
    likelihood, why = likelihood_of_full(
        reach.at_ns, may_stop=reach.late_ns is None, level_ratio=ratio, level_guard=policy.level_guard, now_ns=now_ns
    )
    weight, cost = impact(filling.kind, filling.subject)
    what = f"{'folder' if filling.kind == 'folder_full' else 'disk'} {filling.subject}"
    near = reach.at_ns - now_ns < 60 * MINUTE_NS
    said = exact_moment if near else moment
    if reach.at_ns <= trend.at_ns:
        text = f"{what} is {'full' if ratio >= 0.995 else 'nearly full'}"
    else:
        text = f"{what} will be full at {said(reach.at_ns)}{_interval(reach, said)}"
    host = f" on {filling.hostname}" if filling.hostname else ""
    pace = f"{size(trend.slope * 60)} a minute" if near else f"{size(trend.slope * 86_400)} a day"
    grows = pace if trend.slope > 0 else "not growing now"
    return Risk(
        site_id=filling.site_id,
        customer_id=filling.customer_id,
        subject=filling_subject(filling),
        kind=filling.kind,
        title=f"{what}{host} fills up",
        text=f"{text}; {size(trend.level)} of {size(filling.limit)} used, {grows}, seen over {duration(trend.span_ns)}",
        likelihood=likelihood,
        impact=weight,
        factors=(*why, *cost),
        response=f"free space in {filling.subject} or raise its limit before {said(reach.early_ns)}",
        due_ns=max(now_ns, reach.early_ns),
        expected_ns=reach.at_ns,
        early_ns=reach.early_ns,
        late_ns=reach.late_ns,
        assessed_ns=now_ns,
    )


def _interval(reach: Reach, said: Callable[[int], str]) -> str:
    """When at the earliest and at the latest, in brackets; nothing where that says no more than the time itself."""
    late = said(reach.late_ns) if reach.late_ns is not None else "never, if the growth stops"
    if reach.late_ns is not None:
        sharp = reach.at_ns - reach.early_ns < SECOND_NS and reach.late_ns - reach.at_ns < SECOND_NS
        if sharp or said(reach.early_ns) == said(reach.at_ns) == late:
            return ""
    return f" (between {said(reach.early_ns)} and {late})"


def _foresee(filling: Filling, policy: RiskPolicy, trust_spans: float) -> tuple[Trend, Reach] | None:
    last_ns, last = filling.times_ns[-1], filling.used[-1]
    if last >= policy.full_ratio * filling.limit:  # it need not grow any more
        trend = fit(filling.times_ns, filling.used) or Trend(last_ns, last, 0.0, 0.0, 0.0, 0, 1)
        return replace(trend, level=last), Reach(last_ns, last_ns, last_ns)
    return foresee(filling.times_ns, filling.used, filling.limit, trust_spans=trust_spans)


def certificate(expiring: Expiring, policy: RiskPolicy, *, now_ns: int) -> Risk | None:
    """The risk that a certificate expires; None when that is beyond the horizon."""
    left_ns = expiring.expires_ns - now_ns
    if left_ns > policy.horizon_s * SECOND_NS:
        return None
    likelihood, why = likelihood_of_expiry(expiring.expires_ns, now_ns=now_ns)
    weight, cost = impact("certificate", expiring.probe)
    when, expires = "expires" if left_ns > 0 else "expired", moment(expiring.expires_ns)
    days = (
        f"in {left_ns // DAY_NS} days" if left_ns >= DAY_NS else f"in {duration(left_ns)}" if left_ns > 0 else "already"
    )
    due_ns = expiring.expires_ns - round(policy.certificate_due_s * SECOND_NS)
    return Risk(
        site_id=expiring.site_id,
        customer_id=expiring.customer_id,
        subject=expiring_subject(expiring),
        kind="certificate",
        title=f"certificate of {expiring.target} {when}",
        text=f"the certificate of {expiring.target} (probe {expiring.probe}) {when} at {expires}, {days}",
        likelihood=likelihood,
        impact=weight,
        factors=(*why, *cost),
        response=f"renew the certificate of {expiring.target} before {expires}",
        due_ns=max(now_ns, due_ns),
        expected_ns=expiring.expires_ns,
        early_ns=expiring.expires_ns,
        late_ns=expiring.expires_ns,
        assessed_ns=now_ns,
    )


def decide(before: Risk | None, found: Risk | None, policy: RiskPolicy, *, now_ns: int) -> tuple[RiskDecision, ...]:
    """What to do about one subject: `before` is its risk in the register, `found` what the facts say now, if any."""
    active = before is not None and before.state is RiskState.ACTIVE
    if not active or before is None:
        if found is None or found.score < policy.raise_at:
            return ()
        risk = replace(found, raised_ns=now_ns, told_likelihood=found.likelihood)
        reason = (
            f"likelihood {risk.likelihood} x impact {risk.impact} = {risk.score}, {policy.raise_at} is worth a warning"
        )
        return (RaiseRisk(risk, now_ns, reason), NotifyRisk(risk, now_ns, risk.text, "raised"))
    if found is not None and found.score >= policy.lower_below:
        return _kept(before, found, policy, now_ns=now_ns)
    since_ns = before.below_since_ns if before.below_since_ns is not None else now_ns
    if now_ns - since_ns < policy.lower_after_s * SECOND_NS:
        return (
            KeepRisk(replace(before, below_since_ns=since_ns, assessed_ns=now_ns), now_ns, "not so likely any more"),
        )
    reason = "nothing points to it any more" if found is None else f"its score is down to {found.score}"
    lowered = replace(before, state=RiskState.LOWERED, below_since_ns=since_ns, assessed_ns=now_ns)
    return (LowerRisk(lowered, now_ns, f"{reason}, for {duration(now_ns - since_ns)}"),)


def _kept(before: Risk, found: Risk, policy: RiskPolicy, *, now_ns: int) -> tuple[RiskDecision, ...]:
    worse = found.likelihood >= policy.tell_again_likelihood > before.told_likelihood
    risk = replace(
        found,
        id=before.id,
        number=before.number,
        raised_ns=before.raised_ns,
        told_likelihood=found.likelihood if worse else before.told_likelihood,
    )
    kept = KeepRisk(risk, now_ns, f"likelihood {risk.likelihood} x impact {risk.impact} = {risk.score}")
    if not worse:
        return (kept,)
    return (kept, NotifyRisk(risk, now_ns, f"it is near: {risk.text}", f"likelihood-{risk.likelihood}"))
