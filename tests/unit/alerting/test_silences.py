"""A silence holds back what its patterns match, for its time and no longer."""

from __future__ import annotations

from dataclasses import replace

from sitewarden_alerting.model import Signal, SignalKind, SignalState, Silence
from sitewarden_alerting.silences import silencing

NOON = 1_795_521_600_000_000_000
HOUR = 3_600_000_000_000
SIGNAL = Signal(
    rule="disk-nearly-full",
    kind=SignalKind.LEVEL,
    site_id="acme-berlin",
    customer_id="acme",
    fault="level:disk-nearly-full|agent-web",
    subject="web-1",
    state=SignalState.FIRING,
    severity=4,
    title="Disk nearly full",
    reason="",
    at_ns=NOON,
)
SILENCE = Silence("s1", NOON, NOON + HOUR, "maintenance", "ada")


def test_a_silence_without_patterns_holds_everything_back_within_its_time() -> None:
    assert silencing([SILENCE], SIGNAL, now_ns=NOON) == SILENCE
    assert silencing([SILENCE], SIGNAL, now_ns=NOON - 1) is None
    assert silencing([SILENCE], SIGNAL, now_ns=NOON + HOUR) is None


def test_every_pattern_must_match() -> None:
    site = replace(SILENCE, site="acme-*")
    assert silencing([site], SIGNAL, now_ns=NOON) == site
    assert silencing([replace(site, rule="cpu")], SIGNAL, now_ns=NOON) is None
    assert silencing([replace(site, rule="disk-*", fault="level:*")], SIGNAL, now_ns=NOON) is not None


def test_of_several_the_one_that_lasts_longest_is_named() -> None:
    longer = replace(SILENCE, id="s2", until_ns=NOON + 2 * HOUR)
    assert silencing([SILENCE, longer], SIGNAL, now_ns=NOON) == longer
