"""What arrives late or out of order changes neither what is known by now, nor whom a past trouble wakes."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from sitewarden_alerting.model import MINUTE_NS, AgentSeen, Signal, SignalKind, SignalState
from sitewarden_alerting.observations import Key, LogEvent, Observation, Place, ProbeResult, Samples, Series, What
from sitewarden_alerting.reading.severity import Severity
from sitewarden_alerting.rules import (
    LogFilter,
    ProbeFailed,
    Rate,
    Rulebook,
    SiteState,
    Threshold,
    evaluate,
    hushed,
    tick,
)
from sitewarden_alerting.rules.state import OVER_NS

SECOND = 1_000_000_000
NOON = 1_795_521_600 * SECOND
LATER = NOON + 86_400 * SECOND
WEB = Place("acme", "acme-berlin", "agent-web", "web-1")
MEMORY = (Series("memory_used_ratio", (), ""),)
RULE = Threshold(name="memory", series="memory_used_ratio", above=0.9, clear=0.8, for_s=60)
BOOK = Rulebook((RULE, ProbeFailed(name="probe", failures=2)))


def seen(what: What, at_s: float = 0, seq: int = 1) -> Observation:
    at_ns = NOON + round(at_s * SECOND)
    return Observation(WEB, Key("0a", seq, 0), at_ns, at_ns, what)


def block(*values: float, at_s: float) -> Observation:
    times_ns = tuple(NOON + round((at_s + 10 * i) * SECOND) for i in range(len(values)))
    return seen(Samples("s", MEMORY, times_ns, (values,), False), at_s)


def probe(ok: bool, at_s: float) -> Observation:
    return seen(ProbeResult("health", "http", "http://127.0.0.1/health", ok, 900, "", None), at_s)


def found(*told: Observation, now_ns: int = LATER) -> list[tuple[SignalState, int]]:
    signals = evaluate(BOOK, SiteState(), told, now_ns=now_ns).signals
    return [(one.state, (one.at_ns - NOON) // SECOND) for one in signals]


def test_an_older_sample_does_not_stretch_the_time_that_a_level_was_passed() -> None:
    assert found(block(0.95, at_s=100), block(0.95, at_s=0), block(0.95, at_s=120)) == []
    assert found(block(0.95, at_s=100), block(0.95, at_s=160)) == [(SignalState.FIRING, 160)]


def test_an_older_sample_says_nothing_about_a_level_that_goes_on() -> None:
    assert found(block(0.95, at_s=100), block(0.1, at_s=50), block(0.95, at_s=160)) == [(SignalState.FIRING, 160)]
    fired = (block(0.95, at_s=100), block(0.95, at_s=160))
    assert found(*fired, block(0.1, at_s=150)) == [(SignalState.FIRING, 160)]


def test_what_recovered_is_not_opened_again_by_samples_from_before() -> None:
    over = (block(0.95, at_s=100), block(0.95, at_s=160), block(0.5, 0.5, at_s=200))
    assert found(*over) == [(SignalState.FIRING, 160), (SignalState.RECOVERED, 200)]
    assert found(*over, block(*([0.95] * 10), at_s=0), block(*([0.95] * 10), at_s=105)) == found(*over)
    again = (block(0.95, at_s=220), block(0.95, at_s=280))
    assert found(*over, *again)[2:] == [(SignalState.FIRING, 280)]


def test_a_recovered_level_is_forgotten_after_a_while() -> None:
    told = (block(0.95, at_s=0), block(0.95, at_s=60), block(0.5, at_s=100))
    state = evaluate(BOOK, SiteState(), told, now_ns=LATER).state
    assert len(state.levels) == 1
    assert evaluate(BOOK, state, [block(0.5, at_s=200 + OVER_NS / SECOND)], now_ns=LATER).state.levels == {}
    here = [AgentSeen("acme-berlin", "acme", "agent-web", "web-1", NOON)]
    assert len(tick(BOOK, state, here, now_ns=NOON + 200 * SECOND).state.levels) == 1
    assert tick(BOOK, state, here, now_ns=NOON + 200 * SECOND + OVER_NS).state.levels == {}


def test_what_claims_to_be_from_the_future_counts_as_now() -> None:
    told = (block(*([0.95] * 30), at_s=1000), block(*([0.95] * 30), at_s=5000))
    assert found(*told, now_ns=NOON) == []
    first = evaluate(BOOK, SiteState(), told, now_ns=NOON)
    then = evaluate(BOOK, first.state, [block(0.95, at_s=9000)], now_ns=NOON + 60 * SECOND)
    assert [(one.state, one.at_ns) for one in then.signals] == [(SignalState.FIRING, NOON + 60 * SECOND)]


def test_an_older_result_of_a_probe_neither_fails_it_nor_says_that_it_is_over() -> None:
    assert found(probe(False, 100), probe(False, 50), probe(False, 110)) == [(SignalState.FIRING, 110)]
    assert found(probe(False, 100), probe(False, 110), probe(True, 90)) == [(SignalState.FIRING, 110)]
    assert found(probe(True, 100), probe(False, 10), probe(False, 20)) == []


def test_a_rate_counts_an_event_in_the_window_of_its_own_time() -> None:
    book = Rulebook((Rate(name="many", count=3, window_s=60, where=LogFilter(min_severity=Severity.WARNING)),))
    late = [seen(line(i), at_s) for i, at_s in enumerate((500, 10, 20, 30, 510))]
    assert evaluate(book, SiteState(), late, now_ns=LATER).signals == ()
    assert len(evaluate(book, SiteState(), [*late, seen(line(9), 515)], now_ns=LATER).signals) == 1


def line(offset: int) -> LogEvent:
    return LogEvent(
        source="shop",
        file="/var/log/shop.log",
        file_id="8:1",
        offset=offset,
        part="whole",
        severity=Severity.WARNING,
        component="",
        message="slow",
        template="slow",
        fingerprint="f1:a",
        count=1,
        logged_ns=0,
        truncated=False,
    )


@given(values=st.lists(st.sampled_from((0.5, 0.85, 0.95)), min_size=4, max_size=30), data=st.data())
def test_samples_that_come_once_more_after_all_others_change_nothing(values: list[float], data: st.DataObject) -> None:
    told = [block(value, at_s=30 * at) for at, value in enumerate(values)]
    once = evaluate(Rulebook((RULE,)), SiteState(), told, now_ns=LATER)
    state = once.state
    if any(level.signal is None and not level.over for level in state.levels.values()) or not state.levels:
        return  # nothing fired that could be opened again
    newest = max(level.last_ns for level in state.levels.values())
    late = data.draw(st.lists(st.sampled_from([one for one in told if one.wall_ns < newest]), max_size=9))
    again = evaluate(Rulebook((RULE,)), state, late, now_ns=LATER)
    assert (again.state, again.signals) == (state, ())


def signal(fault: str, state: SignalState, at_ns: int) -> Signal:
    return Signal(
        rule="memory",
        kind=SignalKind.LEVEL,
        site_id="acme-berlin",
        customer_id="acme",
        fault=fault,
        subject="web-1",
        state=state,
        severity=4,
        title="memory",
        reason="over",
        at_ns=at_ns,
    )


def told(signals: Sequence[Signal]) -> list[bool]:
    return [one.tell for one in hushed(signals, now_ns=LATER)]


def test_what_was_over_long_before_anybody_could_be_told_tells_nobody() -> None:
    fired, over = signal("a", SignalState.FIRING, NOON), signal("a", SignalState.RECOVERED, NOON + MINUTE_NS)
    assert told([fired, over]) == [False, True]
    assert told([fired, over, fired]) == [False, True, True], "it goes on"
    assert told([fired, signal("b", SignalState.RECOVERED, NOON)]) == [True, True], "another is over"
    just = signal("a", SignalState.FIRING, LATER - MINUTE_NS)
    assert told([just, signal("a", SignalState.RECOVERED, LATER)]) == [True, True], "it is news"
