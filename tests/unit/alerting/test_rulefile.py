"""A rule file is read whole, or told whole what is wrong with it; recorded observations show what rules would do."""

from __future__ import annotations

import json
import re
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_alerting import rulefile
from sitewarden_alerting.model import Signal
from sitewarden_alerting.reading.severity import Severity
from sitewarden_alerting.recorded import BadRecording, read
from sitewarden_alerting.rehearse import rehearse
from sitewarden_alerting.rulefile import Complaints, combine, parse
from sitewarden_alerting.rules import Absence, NewFault, Rate, Threshold

DEFAULT = (resources.files("sitewarden_alerting") / "packs" / "default.toml").read_text(encoding="utf-8")


def complaints(text: str) -> list[tuple[int, str]]:
    with pytest.raises(Complaints) as caught:
        parse(text, "my.toml")
    return [(complaint.line, complaint.text) for complaint in caught.value.complaints]


def test_the_shipped_pack_is_read_and_covers_the_main_job() -> None:
    kinds = {rulefile.KIND_NAMES[type(rule)] for rule in parse(DEFAULT, "default.toml").rules}
    assert {"new_fault", "probe_failed", "threshold", "agent_silent", "storm", "data_lost", "changed"} <= kinds


def test_values_are_read_with_their_units() -> None:
    (rule,) = parse(
        """
        [[rule]]
        name = "memory"
        kind = "threshold"
        series = "memory_used_ratio"
        labels = { host = "db-*" }
        above = "95 %"
        clear = 0.9
        for = "5 m"
        severity = "warning"
        """
    ).rules
    assert rule == Threshold(
        name="memory",
        series="memory_used_ratio",
        labels=(("host", "db-*"),),
        above=0.95,
        clear=0.9,
        for_s=300.0,
        severity=Severity.WARNING,
    )


def test_log_filters_belong_to_the_kinds_that_read_logs() -> None:
    text = """
    [[rule]]
    name = "a"
    kind = "new_fault"
    component = "shop.*"
    [[rule]]
    name = "b"
    kind = "rate"
    count = 5
    window = "60 s"
    matches = "deadlock|timeout"
    [[rule]]
    name = "c"
    kind = "absence"
    within = "26 h"
    contains = "backup finished"
    """
    fault, rate, absence = parse(text).rules
    assert isinstance(fault, NewFault)
    assert (fault.where.min_severity, fault.where.component) == (Severity.ERROR, "shop.*")
    assert isinstance(rate, Rate)
    assert rate.where.matches == "deadlock|timeout"
    assert isinstance(absence, Absence)
    assert absence.log is not None
    assert absence.log.contains == "backup finished"


def test_every_mistake_is_told_with_its_line_and_what_would_be_right() -> None:
    told = complaints(
        """[[rule]]
name = "a b"
kind = "threshold"
serie = "x"
above = "95 percent"
for = "5 fortnights"

[[rule]]
name = "second"
kind = "treshold"

[[rule]]
name = "third"
kind = "probe_failed"
failures = 0
severity = "eror"
page = "yes"
"""
    )
    assert [line for line, _ in told] == [1, 2, 4, 5, 6, 10, 15, 16, 17]
    texts = "\n".join(text for _, text in told)
    for hint in (
        "needs 'series'",
        "did you mean 'series'?",
        "did you mean 'threshold'?",
        "did you mean 'error'?",
        "fortnights",
    ):
        assert hint in texts


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("[[rule]\n", 1, "not TOML"),
        ('x = 1\n[[rule]]\nname = "a"\nkind = "storm"\n', 1, "unknown key 'x'"),
        ('[rule]\nname = "a"\n', 1, "two brackets"),
        ('disable = "a"\n', 1, "list of the names"),
        ('[[rule]]\nname = "a"\n', 1, "needs its kind"),
        ('[[rule]]\nname = "a"\nkind = "storm"\n[[rule]]\nname = "a"\nkind = "storm"\n', 5, "taken"),
        ('[[rule]]\nname = "a"\nkind = "threshold"\nseries = "s"\nabove = 1\nbelow = 0\n', 5, "exactly one"),
        ('[[rule]]\nname = "a"\nkind = "threshold"\nseries = "s"\nabove = 1\nclear = 2\n', 6, "must not be more"),
        ('[[rule]]\nname = "a"\nkind = "absence"\nwithin = "1 h"\n', 4, "exactly one thing"),
        ('[[rule]]\nname = "a"\nkind = "new_fault"\nmatches = "("\n', 4, "no regular expression"),
        ('[[rule]]\nname = "a"\nkind = "new_fault"\nmatches = "(a+)+"\n', 4, "repetition"),
        ('[[rule]]\nname = "a"\nkind = "data_lost"\nreasons = ["shedd"]\n', 4, "did you mean 'shed'?"),
        ('[[rule]]\nname = "a"\nkind = "agent_silent"\nafter = 60\n', 4, "a time with its unit"),
        ('[[rule]]\nname = "a"\nkind = "agent_silent"\nafter = "99999 d"\n', 4, "at most 10 years"),
        ('[[rule]]\nname = "a"\nkind = "threshold"\nseries = "s"\nabove = nan\n', 5, "can be reached"),
        (f'[[rule]]\nname = "a"\nkind = "threshold"\nseries = "s"\nabove = {"9" * 400}\n', 5, "can be reached"),
        ('[[rule]]\nname = "a"\nkind = "storm"\ntitle = """\nname = 1\n"""\nevents = -1\n', 7, "at least 1"),
    ],
)
def test_a_mistake_is_told_at_its_line(text: str, line: int, hint: str) -> None:
    told = complaints(text)
    assert told[0][0] == line
    assert hint in told[0][1]


def test_a_later_pack_replaces_rules_by_name_and_takes_others_out() -> None:
    first = parse('[[rule]]\nname = "a"\nkind = "storm"\n[[rule]]\nname = "b"\nkind = "storm"\n')
    second = parse('disable = ["b"]\n[[rule]]\nname = "a"\nkind = "storm"\nevents = 7\n')
    assert [(rule.name, getattr(rule, "events", 0)) for rule in combine([first, second]).rules] == [("a", 7)]


@given(text=st.text(alphabet='[]rule="\n kindthresold.5m#{}', max_size=200))
def test_any_text_is_a_pack_or_a_list_of_complaints(text: str) -> None:
    told = []
    try:
        parse(text)
    except Complaints as error:
        told = [complaint.line for complaint in error.complaints] or [0]
    assert all(line >= 1 for line in told)


def rehearsed(*entries: dict[str, object]) -> list[Signal]:
    lines = [json.dumps({"site": "acme-berlin"} | entry) for entry in entries]
    found = rehearse(combine([parse(DEFAULT)]), read(["# a recording", "", *lines]))
    return [one for one in found if isinstance(one, Signal)]


def test_recorded_observations_show_the_signals_that_rules_would_give() -> None:
    found = rehearsed(
        {"at": "2026-11-24T03:10:00Z", "kind": "log", "message": "cannot write order 17", "component": "shop"},
        {"at": "2026-11-24T03:10:01Z", "kind": "probe", "probe": "health", "ok": False},
        {"at": "2026-11-24T03:10:05Z", "kind": "samples", "name": "filesystem_used_ratio", "values": [0.96] * 8},
        {"at": "2026-11-24T03:12:00+00:00", "kind": "probe", "probe": "health", "ok": True},
        {"at": "2026-11-24T03:20:00Z", "kind": "silent"},
        {"at": "2026-11-24T03:30:00Z", "kind": "tick"},
    )
    assert [(one.rule, one.state.value) for one in found] == [
        ("error-in-log", "firing"),
        ("probe-failed", "firing"),
        ("disk-nearly-full", "firing"),
        ("probe-failed", "recovered"),
        ("agent-silent", "firing"),
    ]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("{", "rec:1:"),
        ("[]", "no JSON object"),
        ('{"kind": "tick"}', "'at' is missing"),
        ('{"at": "2026-11-24T03:10:00", "kind": "tick"}', "needs its zone"),
        ('{"at": 1, "kind": "smell"}', "unknown kind 'smell'"),
        ('{"at": 99999999999999999999, "kind": "tick"}', "not in nanoseconds"),
        ("[" * 100_000, "nested too deeply"),
        ('{"at": 1, "kind": "log", "message": "x", "severity": "bad"}', "unknown severity 'bad'"),
        ('{"at": 1, "kind": "samples", "name": "x", "values": []}', "list of numbers"),
        ('{"at": 1, "kind": "probe", "ok": true}', "'probe' is missing"),
    ],
)
def test_a_line_that_is_no_observation_is_told_with_its_number(line: str, hint: str) -> None:
    with pytest.raises(BadRecording) as caught:
        list(read([line], "rec"))
    assert hint in str(caught.value)
    assert str(caught.value).startswith("rec:1:")


def test_a_rule_that_says_a_text_takes_it_whatever_its_severity_and_decides_about_severity_if_it_names_one() -> None:
    first, second = parse(
        """
        [[rule]]
        name = "a"
        kind = "new_fault"
        contains_any = ["disk full", "no space"]
        severity = "critical"
        [[rule]]
        name = "b"
        kind = "new_fault"
        contains = "deadlock"
        """
    ).rules
    assert isinstance(first, NewFault)
    assert isinstance(second, NewFault)
    assert (first.where.min_severity, first.where.needles) == (Severity.DEBUG, ("disk full", "no space"))
    assert (first.sets_severity, second.sets_severity) == (True, False)


def test_a_rule_has_words_of_its_own_in_each_language_and_english_where_one_misses() -> None:
    (rule,) = parse(
        """
        [[rule]]
        name = "a"
        kind = "noise"
        contains = "x"
        title = "Chatter"
        impact = "None."
        steps = ["Read it.", "Forget it."]
        [rule.zh]
        title = "闲聊"
        """
    ).rules
    assert rule.guide("zh").title == "闲聊"
    assert rule.guide("zh").steps == rule.guide("en").steps == ("Read it.", "Forget it.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "noise"\n', "noise needs to say which events it means"),
        ('kind = "noise"\ncontains = "x"\nsteps = "one"\n', "it must be a list of texts"),
        ('kind = "noise"\ncontains = "x"\n[rule.zh]\ntitel = "y"\n', "did you mean 'title'?"),
    ],
)
def test_words_that_are_wrong_are_told(text: str, said: str) -> None:
    with pytest.raises(Complaints, match=re.escape(said)):
        parse(f'[[rule]]\nname = "a"\n{text}')


def test_narrow_rules_go_first_those_of_later_files_before_earlier_and_general_files_last() -> None:
    def rule(name: str, text: str) -> str:
        return f'[[rule]]\nname = "{name}"\nkind = "new_fault"\n{text}\n'

    shipped = parse(rule("any", 'min_severity = "error"') + rule("shipped", 'contains = "x"'), "shipped")
    general = parse("general = true\n" + rule("general", 'contains = "x"'), "general")
    own = parse(rule("own", 'contains = "x"'), "own")
    book = combine([shipped, own, general])
    assert [one.name for one in book.rules if isinstance(one, NewFault)][:3] == ["own", "shipped", "general"]
    assert [one.pack for one in book.rules] == ["own", "shipped", "general", "shipped"]
