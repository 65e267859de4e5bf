"""A risk has a score that can be explained, is raised once, and does not flap."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sitewarden_alerting.assess import EARLY_LEVELS, Expiring, Filling, certificate, decide, full
from sitewarden_alerting.decisions import KeepRisk, LowerRisk, NotifyRisk, RaiseRisk
from sitewarden_alerting.model import Risk, RiskPolicy
from sitewarden_alerting.risk import by_time_left

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
NOON = 1_795_521_600 * SECOND
GIB = 2.0**30
POLICY = RiskPolicy()


def filling(used: list[float], *, limit: float = 100 * GIB, step_s: float = 3600, kind: str = "folder_full") -> Filling:
    times = tuple(NOON - round((len(used) - 1 - i) * step_s * SECOND) for i in range(len(used)))
    return Filling("acme-berlin", "acme", "agent-web", "web-1", kind, "/data", limit, times, used)  # type: ignore[arg-type]


def growing(days_left: float, *, per_day: float = 2 * GIB, days: int = 7) -> list[float]:
    """A week of hourly levels that end `days_left` before 100 GiB."""
    end = 100 * GIB - days_left * per_day
    return [end - per_day * (days * 24 - i) / 24 for i in range(days * 24 + 1)]


def expiring(days: float) -> Expiring:
    return Expiring("acme-berlin", "acme", "agent-web", "web-1", "health", "https://shop", NOON + round(days * DAY))


def test_a_folder_that_will_be_full_in_six_days_is_raised_with_its_date_and_factors() -> None:
    risk = full(filling(growing(6)), POLICY, now_ns=NOON)
    assert risk is not None
    assert (risk.likelihood, risk.impact, risk.score) == (4, 4, 16)
    assert risk.text.startswith("folder /data will be full at 2026-11-30 12:00 UTC (between 2026-11-30 ")
    assert [factor.name for factor in risk.factors] == ["time left", "folder full"]
    assert risk.due_ns == risk.early_ns
    assert [type(one) for one in decide(None, risk, POLICY, now_ns=NOON)] == [RaiseRisk, NotifyRisk]


def test_a_folder_that_fills_within_a_minute_says_the_second() -> None:
    used = [50 * GIB + GIB * i for i in range(20)]
    risk = full(filling(used, step_s=2), POLICY, now_ns=NOON)
    assert risk is not None
    assert risk.likelihood == 5
    assert "will be full at 2026-11-24 12:01:02 UTC" in risk.text


def test_an_interval_that_says_no_more_than_the_time_is_left_out() -> None:
    used = [80 * GIB + GIB * i for i in range(11)]
    risk = full(filling(used, step_s=1, limit=94 * GIB), POLICY, now_ns=NOON)
    assert risk is not None
    assert risk.text.startswith("folder /data will be full at 2026-11-24 12:00:04 UTC; ")


def test_a_folder_that_fills_within_a_minute_is_looked_at_early_three_times() -> None:
    assert {(one.series, one.above) for one in EARLY_LEVELS} == {("folder_used_ratio", x) for x in (0.2, 0.5, 0.8)}


def test_what_will_be_full_in_a_month_or_grows_on_an_empty_disk_is_not_worth_a_warning() -> None:
    later = full(filling(growing(25, per_day=GIB)), POLICY, now_ns=NOON)
    assert later is not None
    assert decide(None, later, POLICY, now_ns=NOON) == ()
    empty = full(filling(growing(6, per_day=12 * GIB, days=2)), POLICY, now_ns=NOON)
    assert empty is not None
    assert decide(None, empty, POLICY, now_ns=NOON) == ()


def test_what_is_full_already_is_a_risk_although_it_does_not_grow() -> None:
    risk = full(filling([99.9 * GIB] * 30), POLICY, now_ns=NOON)
    assert risk is not None
    assert risk.text.startswith("folder /data is full")


def test_the_system_disk_weighs_more() -> None:
    data = full(filling(growing(6), kind="filesystem_full"), POLICY, now_ns=NOON)
    system = full(replace(filling(growing(6), kind="filesystem_full"), subject="/"), POLICY, now_ns=NOON)
    assert data is not None
    assert system is not None
    assert (data.impact, system.impact) == (4, 5)


def test_a_certificate_is_raised_two_weeks_before_it_expires_and_worst_when_it_has() -> None:
    scores = {}
    for days in (-1, 1, 13, 25, 60):
        risk = certificate(expiring(days), POLICY, now_ns=NOON)
        scores[days] = None if risk is None else risk.score
    assert scores == {-1: 20, 1: 20, 13: 12, 25: 8, 60: None}


def test_a_risk_is_told_when_raised_and_once_more_when_it_is_near() -> None:
    risk = raised(certificate(expiring(13), POLICY, now_ns=NOON))
    told = []
    for day in range(13):
        now_ns = NOON + day * DAY
        found = certificate(expiring(13), POLICY, now_ns=now_ns)
        for decision in decide(risk, found, POLICY, now_ns=now_ns):
            risk = decision.risk
            told += [day] if isinstance(decision, NotifyRisk) else []
    assert told == [11]


def test_a_risk_is_taken_back_only_after_it_stayed_away_for_a_while() -> None:
    risk = raised(certificate(expiring(13), POLICY, now_ns=NOON))
    (kept,) = decide(risk, None, POLICY, now_ns=NOON + SECOND)
    assert isinstance(kept, KeepRisk)
    back = certificate(expiring(13), POLICY, now_ns=NOON + 300 * SECOND)
    (again,) = decide(kept.risk, back, POLICY, now_ns=NOON + 300 * SECOND)
    assert again.risk.below_since_ns is None
    (waiting,) = decide(again.risk, None, POLICY, now_ns=NOON + 301 * SECOND)
    (gone,) = decide(waiting.risk, None, POLICY, now_ns=NOON + 902 * SECOND)
    assert isinstance(gone, LowerRisk)


def raised(risk: Risk | None) -> Risk:
    assert risk is not None
    return replace(decide(None, risk, POLICY, now_ns=NOON)[0].risk, id="r1", number="RSK-1")


@given(days=st.tuples(st.floats(-10, 100), st.floats(-10, 100)))
def test_less_time_is_never_less_likely(days: tuple[float, float]) -> None:
    soon, late = sorted(round(one * DAY) for one in days)
    assert by_time_left(soon) >= by_time_left(late)
