"""What the shipped rules make of each kind of probe, and of what a probe says of itself."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest

from sitewarden_alerting.model import Signal, SignalState
from sitewarden_alerting.observations import Key, Observation, Place, ProbeResult, Samples, Series, What
from sitewarden_alerting.reading.severity import Severity
from sitewarden_alerting.recorded import read
from sitewarden_alerting.rehearse import rehearse
from sitewarden_alerting.rulefile import combine, parse
from sitewarden_alerting.rules import ProbeFailed, SiteState, evaluate

SECOND = 1_000_000_000
NOON = 1_764_000_000 * SECOND
PLACE = Place("site-1", "customer-1", "agent-1", "berlin-1")
DEFAULT = (resources.files("sitewarden_alerting") / "packs" / "default.toml").read_text(encoding="utf-8")
BOOK = combine([parse(DEFAULT, "default.toml")])


def signals(*whats: What) -> list[Signal]:
    state = SiteState()
    found: list[Signal] = []
    for seq, what in enumerate(whats, 1):
        at_ns = NOON + seq * SECOND
        seen = [Observation(PLACE, Key("0a", seq, 0), at_ns, at_ns, what)]
        evaluated = evaluate(BOOK, state, seen, now_ns=at_ns)
        state = evaluated.state
        found += evaluated.signals
    return found


def result(kind: str, *, ok: bool = False, level: str = "", **more: Any) -> ProbeResult:
    known = {"probe": "nightly", "target": "x", "latency_us": 1, "detail": "d", "certificate_expires_ns": None, **more}
    return ProbeResult(kind=kind, ok=ok, level=level, **known)


@pytest.mark.parametrize(
    ("kind", "rule", "severity"),
    [
        ("http", "probe-failed", Severity.CRITICAL),
        ("tcp", "probe-failed", Severity.CRITICAL),
        ("process", "probe-failed", Severity.CRITICAL),
        ("unit", "service-failed", Severity.CRITICAL),
        ("file", "file-too-old", Severity.ERROR),
        ("sql", "database-down", Severity.CRITICAL),
        ("command", "check-failed", Severity.CRITICAL),
        ("prometheus", "metrics-unreadable", Severity.ERROR),
        ("kind-of-a-newer-agent", "probe-failed", Severity.CRITICAL),
    ],
)
def test_each_kind_of_probe_has_one_rule_that_fires_and_recovers(kind: str, rule: str, severity: Severity) -> None:
    fired, recovered = signals(result(kind), result(kind, ok=True))
    assert (fired.rule, fired.severity, fired.state) == (rule, severity, SignalState.FIRING)
    assert (recovered.rule, recovered.state) == (rule, SignalState.RECOVERED)
    assert fired.title.endswith(": nightly (x)")


def test_a_check_says_itself_how_bad_it_is_in_one_ticket() -> None:
    found = signals(*(result("command", level=level) for level in ("warning", "critical", "unknown", "")))
    assert [signal.severity for signal in found] == [
        *(Severity.WARNING, Severity.CRITICAL, Severity.ERROR, Severity.CRITICAL)
    ]
    assert len({signal.fault for signal in found}) == 1


def test_a_level_never_makes_worse_than_the_rule_says() -> None:
    mild = ProbeFailed(name="x", severity=Severity.INFO)
    assert {mild.severity_of(level) for level in ("", "warning", "critical", "unknown")} == {Severity.INFO}


def test_a_certificate_that_is_about_to_end_opens_a_ticket_and_a_renewal_closes_it() -> None:
    series = (Series("certificate_left_days", (("probe", "front-page"),), "days"),)
    days = (9, 2.9, 2.8, 89)
    blocks = [Samples("s", series, (NOON + at * SECOND,), ((left,),), False) for at, left in enumerate(days)]
    fired, *_, recovered = signals(*blocks)
    assert (fired.rule, fired.state, recovered.state) == (
        "certificate-expires",
        SignalState.FIRING,
        SignalState.RECOVERED,
    )
    assert "front-page" in fired.title


def test_a_rule_file_can_name_kinds_of_probes_and_recordings_their_levels() -> None:
    text = '[[rule]]\nname = "disk"\nkind = "probe_failed"\nprobe = "disk*"\nprobe_kinds = ["command"]\n'
    book = combine([parse(text + 'warning_severity = "info"\nseverity = "error"\n', "own.toml")])
    recorded = (
        '{"at": "2026-11-24T03:10:00Z", "kind": "probe", "probe": "disk /", "ok": false, "probe_kind": "file"}\n'
        '{"at": "2026-11-24T03:10:01Z", "kind": "probe", "probe": "disk /", "ok": false, "probe_kind": "command",'
        ' "level": "warning"}\n'
    )
    (signal,) = rehearse(book, read(recorded.splitlines()))
    assert isinstance(signal, Signal)
    assert (signal.rule, signal.severity) == ("disk", Severity.INFO)
