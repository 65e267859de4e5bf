"""Rules find what deserves attention, whatever the batches it came in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sitewarden_alerting.model import AgentSeen, Signal, SignalKind, SignalState, WatchLevel
from sitewarden_alerting.observations import Gap, Key, LogEvent, Observation, Place, ProbeResult, Samples, Series, What
from sitewarden_alerting.reading.severity import Severity
from sitewarden_alerting.rules import (
    Absence,
    AgentSilent,
    DataLost,
    LogFilter,
    NewFault,
    Noise,
    ProbeFailed,
    Rate,
    Rulebook,
    SiteState,
    Storm,
    Threshold,
    evaluate,
    tick,
    unheard_before_ns,
    watch_levels,
)

SECOND = 1_000_000_000
NOON = 1_795_521_600 * SECOND
LATER = NOON + 86_400 * SECOND
WEB = Place("acme", "acme-berlin", "agent-web", "web-1")


def seen(what: What, at_s: float = 0, seq: int = 1, place: Place = WEB) -> Observation:
    at_ns = NOON + round(at_s * SECOND)
    return Observation(place, Key("0a", seq, 0), at_ns, at_ns, what)


def line(
    fingerprint: str = "f1:aa", *, part: str = "whole", offset: int = 0, severity: int = Severity.ERROR
) -> LogEvent:
    return LogEvent(
        source="shop",
        file="/var/log/shop.log",
        file_id="8:1",
        offset=offset,
        part=part,  # type: ignore[arg-type]
        severity=severity,
        component="shop.db",
        message=f"message of {fingerprint}",
        template=f"template of {fingerprint}",
        fingerprint=fingerprint,
        count=1,
        logged_ns=0,
        truncated=False,
    )


def block(*values: float, name: str = "memory_used_ratio", at_s: float = 0, step_s: float = 10) -> Samples:
    times = tuple(NOON + round((at_s + i * step_s) * SECOND) for i in range(len(values)))
    return Samples("s", (Series(name, (("mount", "/data"),), ""),), times, (values,), False)


def probe(ok: bool) -> ProbeResult:
    return ProbeResult("health", "http", "http://127.0.0.1/health", ok, 900, "" if ok else "HTTP 503", None)


def found(rulebook: Rulebook, *observations: Observation) -> tuple[Signal, ...]:
    return evaluate(rulebook, SiteState(), observations, now_ns=LATER).signals


def states(signals: Sequence[Signal]) -> list[SignalState]:
    return [signal.state for signal in signals]


def test_an_error_in_the_log_is_a_signal_of_its_fault_and_a_warning_is_none() -> None:
    book = Rulebook((NewFault(name="errors"),))
    signals = found(book, seen(line("f1:aa")), seen(line("f1:bb", severity=Severity.WARNING)))
    assert [signal.fault for signal in signals] == ["f1:aa"]
    assert signals[0].title == "ERROR shop.db: template of f1:aa"
    assert signals[0].evidence[0].text == "message of f1:aa"


def test_the_whole_of_a_record_names_the_record_that_its_first_line_named() -> None:
    book = Rulebook((NewFault(name="errors"),))
    head, full = found(book, seen(line("f1:head", part="head")), seen(line("f1:full", part="full"), 0.2, 2))
    assert head.head
    assert not full.head
    assert head.evidence[0].record == full.evidence[0].record != ""
    assert (full.fault, full.moved_from) == ("f1:full", "f1:head")


def test_a_first_line_goes_to_the_fault_that_the_whole_had_before() -> None:
    book = Rulebook((NewFault(name="errors"),))
    signals = found(
        book,
        seen(line("f1:head", part="head")),
        seen(line("f1:full", part="full")),
        seen(line("f1:head", part="head", offset=900)),
    )
    assert [signal.fault for signal in signals] == ["f1:head", "f1:full", "f1:full"]


def test_a_first_line_that_turns_out_to_be_all_gets_its_own_fault_back() -> None:
    book = Rulebook((NewFault(name="errors"),))
    signals = found(
        book,
        seen(line("f1:head", part="head")),
        seen(line("f1:full", part="full")),
        seen(line("f1:head", part="head", offset=900)),
        seen(line("f1:other", offset=990)),
        seen(line("f1:head", part="head", offset=1200)),
    )
    alone = signals[3]
    assert (alone.fault, alone.moved_from, alone.alone) == ("f1:head", "f1:full", True)
    assert signals[5].fault == "f1:head", "the habit was broken, so it is not relied upon any more"


def test_a_threshold_fires_after_its_time_and_recovers_only_past_its_clear_level() -> None:
    book = Rulebook((Threshold(name="memory", series="memory_used_ratio", above=0.9, clear=0.8, for_s=20),))
    signals = found(book, seen(block(0.95, 0.95, 0.95, 0.85, 0.95, 0.7)))
    assert states(signals) == [SignalState.FIRING, SignalState.RECOVERED]
    assert signals[0].at_ns == NOON + 20 * SECOND
    assert signals[1].at_ns == NOON + 50 * SECOND
    assert signals[0].reason == "memory_used_ratio{mount=/data} on web-1 is 95 %, over 90 % for 20 s"


def test_a_spike_shorter_than_the_rules_time_is_no_signal() -> None:
    book = Rulebook((Threshold(name="memory", series="memory_used_ratio", above=0.9, for_s=20),))
    assert found(book, seen(block(0.95, 0.95, 0.5, 0.95, 0.95, 0.5))) == ()


def test_missing_values_do_not_hide_a_level() -> None:
    book = Rulebook((Threshold(name="memory", series="memory_used_ratio", above=0.9),))
    assert states(found(book, seen(block(math.nan, 0.95, math.nan)))) == [SignalState.FIRING]


def test_a_ratio_of_two_series_is_taken_by_equal_labels() -> None:
    labels, other = (("path", "/data"),), (("path", "/tmp"),)
    samples = Samples(
        "s",
        (
            Series("folder_used_bytes", labels, "bytes"),
            Series("folder_limit_bytes", other, "bytes"),
            Series("folder_limit_bytes", labels, "bytes"),
        ),
        (NOON,),
        ((96.0,), (1.0,), (100.0,)),
        False,
    )
    rule = Threshold(name="folder", series="folder_used_bytes", divide_by="folder_limit_bytes", above=0.95)
    assert "96 %" in found(Rulebook((rule,)), seen(samples))[0].reason
    assert found(Rulebook((replace(rule, above=0.97),)), seen(samples)) == ()


def test_agents_are_to_tell_at_once_what_a_rule_of_one_series_waits_for_and_when_it_is_over() -> None:
    book = Rulebook(
        (
            Threshold(name="memory", series="memory_used_ratio", above=0.95, clear=0.9),
            Threshold(name="memory-again", series="memory_used_ratio", above=0.95),
            Threshold(name="free", series="memory_available_bytes", below=1e8),
            Threshold(name="ratio", series="a", divide_by="b", above=0.5),
            NewFault(name="errors"),
        )
    )
    assert watch_levels(book) == (
        WatchLevel("memory_used_ratio", above=0.95),
        WatchLevel("memory_used_ratio", above=0.9),
        WatchLevel("memory_available_bytes", below=1e8),
    )


def test_a_probe_fires_after_enough_failures_and_recovers_with_a_success() -> None:
    book = Rulebook((ProbeFailed(name="probe", failures=2),))
    signals = found(book, *(seen(probe(ok), at) for at, ok in enumerate((False, True, False, False, False, True))))
    assert states(signals) == [SignalState.FIRING, SignalState.FIRING, SignalState.RECOVERED]
    assert [signal.repeats for signal in signals] == [False, True, False]
    assert "HTTP 503" in signals[0].reason


def test_a_rate_fires_when_its_window_is_full_and_not_by_the_same_number_over_a_longer_time() -> None:
    book = Rulebook((Rate(name="many", count=5, window_s=60, where=LogFilter(min_severity=Severity.WARNING)),))
    quick = [seen(line(severity=Severity.WARNING, offset=i), i) for i in range(5)]
    slow = [seen(line(severity=Severity.WARNING, offset=i), i * 30) for i in range(5)]
    assert len(found(book, *quick)) == 1
    assert found(book, *slow) == ()


def test_a_rate_counts_all_that_a_sample_of_a_storm_stands_for() -> None:
    book = Rulebook((Rate(name="many", count=500, window_s=60, where=LogFilter(min_severity=Severity.ERROR)),))
    sample = [seen(replace(line(offset=i), count=200), i * 10) for i in range(3)]
    signals = found(book, *sample)
    assert [signal.reason for signal in signals] == ["600 events within 60 s; 500 are too many"]
    assert [signal.count for signal in signals] == [600]


def test_a_new_fault_counts_all_that_a_sample_of_a_storm_stands_for() -> None:
    signals = found(Rulebook((NewFault(name="errors"),)), seen(replace(line(), count=9_980)))
    assert [signal.count for signal in signals] == [9_980]


def test_a_storm_is_one_signal_and_marks_what_belongs_to_it() -> None:
    book = Rulebook((NewFault(name="errors"), Storm(name="storm", events=5, faults=5, window_s=60)))
    signals = found(book, *(seen(line(f"f1:{i}", offset=i), i) for i in range(10)))
    assert [signal.kind for signal in signals].count(SignalKind.STORM) == 1
    marked = [signal.part_of for signal in signals if signal.kind is SignalKind.LOG]
    assert marked == [""] * 4 + ["storm:storm"] * 6


def test_one_fault_alone_is_no_storm_however_often_it_comes() -> None:
    book = Rulebook((NewFault(name="errors"), Storm(name="storm", events=5, faults=5)))
    signals = found(book, *(seen(line(offset=i), i / 10) for i in range(100)))
    assert {signal.kind for signal in signals} == {SignalKind.LOG}


def test_a_gap_says_what_is_missing_and_why() -> None:
    gap = Gap("shed", "samples", 120, NOON, NOON + 60 * SECOND, 0, 0, "")
    signal = found(Rulebook((DataLost(name="lost"),)), seen(gap))[0]
    assert signal.reason.startswith("120 samples(s) between 2026-11-24 12:00:00 UTC")
    assert signal.reason.endswith("the agent's spool was full")


def test_a_rule_that_fails_stops_neither_the_others_nor_the_batch() -> None:
    broken = Rate(name="broken", count=1, window_s=60, where=LogFilter(matches="("))
    done = evaluate(Rulebook((broken, NewFault(name="errors"))), SiteState(), [seen(line())], now_ns=LATER)
    assert [signal.rule for signal in done.signals] == ["errors"]
    assert [failure.rule for failure in done.failures] == ["broken"]


def agent(name: str, last_s: float) -> AgentSeen:
    return AgentSeen("acme-berlin", "acme", f"agent-{name}", name, NOON + round(last_s * SECOND))


def test_one_agent_that_falls_silent_is_told_and_told_again_only_as_a_reminder() -> None:
    book = Rulebook((AgentSilent(name="silent", after_s=60),))
    agents = [agent("web-1", 0), agent("db-1", 100)]
    first = tick(book, SiteState(), agents, now_ns=NOON + 100 * SECOND)
    again = tick(book, first.state, agents, now_ns=NOON + 110 * SECOND)
    assert [(s.subject, s.repeats) for s in first.signals] == [("agent web-1", False)]
    assert [(s.subject, s.repeats) for s in again.signals] == [("agent web-1", True)]
    back = tick(book, again.state, [agent("web-1", 119), agent("db-1", 119)], now_ns=NOON + 120 * SECOND)
    assert states(back.signals) == [SignalState.RECOVERED]


def test_a_silent_site_is_one_signal_for_all_its_agents() -> None:
    book = Rulebook((AgentSilent(name="silent", after_s=60), Absence(name="backup", within_s=10, probe="backup")))
    done = tick(book, SiteState(), [agent("web-1", 0), agent("db-1", 10)], now_ns=NOON + 100 * SECOND)
    assert [signal.fault for signal in done.signals] == ["silent:silent|site"]


def test_nobody_is_silent_before_the_collector_itself_was_up_that_long() -> None:
    book = Rulebook((AgentSilent(name="silent", after_s=60),))
    agents = [agent("web-1", -86_400)]
    started = NOON
    assert tick(book, SiteState(), agents, now_ns=NOON + 50 * SECOND, started_ns=started).signals == ()
    assert len(tick(book, SiteState(), agents, now_ns=NOON + 70 * SECOND, started_ns=started).signals) == 1


def test_sites_need_a_look_only_where_somebody_is_silent_or_something_is_expected() -> None:
    silent = Rulebook((AgentSilent(name="silent", after_s=60), AgentSilent(name="late", after_s=300)))
    now = NOON + 400 * SECOND
    assert unheard_before_ns(silent, now_ns=now, started_ns=NOON) == now - 60 * SECOND
    assert unheard_before_ns(silent, now_ns=now, started_ns=now - 60 * SECOND) == 0  # nobody is silent yet
    assert unheard_before_ns(Rulebook(), now_ns=now, started_ns=NOON) == 0
    expecting = Rulebook((*silent.rules, Absence(name="backup", within_s=10, probe="backup")))
    assert unheard_before_ns(expecting, now_ns=now, started_ns=NOON) is None


def test_what_is_awaited_and_does_not_come_is_told_and_recovers_when_it_comes() -> None:
    book = Rulebook(
        (Absence(name="backup", title="Nightly backup", within_s=100, log=LogFilter(contains="f1:backup")),)
    )
    here = [agent("web-1", 500)]
    waiting = tick(book, SiteState(), here, now_ns=NOON)
    missed = tick(book, waiting.state, here, now_ns=NOON + 101 * SECOND)
    assert [signal.fault for signal in missed.signals] == ["absent:backup"]
    came = evaluate(book, missed.state, [seen(line("f1:backup", severity=Severity.INFO), 120)], now_ns=LATER)
    assert states(came.signals) == [SignalState.RECOVERED]


BOOK = Rulebook(
    (
        NewFault(name="errors"),
        Rate(name="many", count=4, window_s=30, by="fault"),
        Storm(name="storm", events=6, faults=3, window_s=20),
        Threshold(name="memory", series="memory_used_ratio", above=0.9, clear=0.8, for_s=15),
        ProbeFailed(name="probe", failures=2),
        DataLost(name="lost"),
    )
)


@st.composite
def streams(draw: st.DrawFn) -> list[Observation]:
    """A stream of one agent in its order: lines in parts, probes, blocks."""
    stream: list[Observation] = []
    at = 0.0
    for seq in range(1, draw(st.integers(1, 30)) + 1):
        at += draw(st.sampled_from((0.1, 1.0, 10.0, 60.0)))
        match draw(st.sampled_from(("line", "record", "probe", "samples", "gap"))):
            case "line":
                part = draw(st.sampled_from(("whole", "head")))
                stream.append(
                    seen(line(draw(st.sampled_from(("f1:a", "f1:b", "f1:h"))), part=part, offset=seq), at, seq)
                )
            case "record":
                stream.append(seen(line("f1:h", part="head", offset=seq), at, seq))
                full = draw(st.sampled_from(("f1:h", "f1:x", "f1:y")))
                stream.append(seen(line(full, part="full", offset=seq), at, seq))
            case "probe":
                stream.append(seen(probe(draw(st.booleans())), at, seq))
            case "samples":
                values = draw(st.lists(st.sampled_from((0.5, 0.85, 0.95, math.nan)), min_size=1, max_size=6))
                stream.append(seen(block(*values, at_s=at), at, seq))
            case _:
                stream.append(seen(Gap("shed", "", 1, 0, 0, 0, 0, ""), at, seq))
    return stream


@settings(max_examples=150, deadline=None)
@given(stream=streams(), cuts=st.lists(st.integers(0, 60), max_size=5))
def test_signals_do_not_depend_on_how_the_stream_was_cut_into_batches(
    stream: list[Observation], cuts: list[int]
) -> None:
    whole = evaluate(BOOK, SiteState(), stream, now_ns=LATER)
    state = SiteState()
    signals: list[Signal] = []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(stream)], strict=True):
        part = evaluate(BOOK, state, stream[start:end], now_ns=LATER)
        state = part.state
        signals += part.signals
    assert tuple(signals) == whole.signals
    assert state == whole.state
    assert not whole.failures


@given(values=st.lists(st.floats(0, 1), min_size=2, max_size=24), cut=st.integers(1, 23))
def test_a_level_does_not_depend_on_where_a_block_was_closed(values: list[float], cut: int) -> None:
    cut = min(cut, len(values) - 1)
    book = Rulebook((Threshold(name="memory", series="memory_used_ratio", above=0.6, clear=0.4, for_s=20),))
    whole = found(book, seen(block(*values)))
    parted = found(book, seen(block(*values[:cut])), seen(block(*values[cut:], at_s=10 * cut)))
    assert [(s.state, s.at_ns, s.reason) for s in whole] == [(s.state, s.at_ns, s.reason) for s in parted]


def test_noise_opens_no_ticket_and_counts_only_for_rates_that_mean_it() -> None:
    book = Rulebook(
        (
            Noise(name="chatter", where=LogFilter(contains="message of f1:aa")),
            NewFault(name="errors"),
            Rate(name="many", count=2, window_s=60),
            Rate(name="chatter-storm", count=2, window_s=60, where=LogFilter(contains="f1:aa")),
        )
    )
    signals = found(book, *(seen(line("f1:aa", offset=i), i, i + 1) for i in range(3)))
    assert {signal.rule for signal in signals} == {"chatter-storm"}
    assert [signal.rule for signal in found(book, seen(line("f1:bb")))] == ["errors"]


def test_a_rule_with_a_title_names_the_fault_and_may_decide_how_bad_it_is() -> None:
    where = LogFilter(contains="message of")
    book = Rulebook(
        (NewFault(name="full", where=where, title="Disk full", severity=Severity.CRITICAL, sets_severity=True),)
    )
    (signal,) = found(book, seen(line("f1:aa", severity=Severity.INFO)))
    assert (signal.title, signal.severity) == ("Disk full: template of f1:aa", Severity.CRITICAL)
