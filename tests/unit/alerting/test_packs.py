"""The shipped packs, tried on recorded output of their programs: every failure opens its ticket, no noise opens one.

The recordings go the whole way of a site: bytes, records, severity, redaction, fingerprint, rules.
"""

from __future__ import annotations

import re
import tomllib
from datetime import UTC
from functools import cache
from pathlib import Path

import pytest

from sitewarden_alerting.model import Signal
from sitewarden_alerting.observations import LogEvent
from sitewarden_alerting.reading import header, prefilter, telling
from sitewarden_alerting.reading.severity import Severity
from sitewarden_alerting.rules import NewFault, Noise, Rate, Rulebook
from tests.recordings import NOW_NS, PROGRAMS, faults, judge, observed, records, shipped, signals

FOLDERS = sorted(path for path in PROGRAMS.iterdir() if path.is_dir())
LOGS = [path for folder in FOLDERS for path in sorted(folder.glob("*.log"))]
NAMES = [f"{path.parent.name}/{path.stem}" for path in LOGS]
GENERAL = ("error-in-log", "many-warnings", "log-storm")


@cache
def book() -> Rulebook:
    return shipped()


@cache
def found(path: Path) -> tuple[Signal, ...]:
    return tuple(signals(book(), path))


@cache
def judged(path: Path) -> frozenset[str]:
    """The rules that decided about an event of the file, those that count included."""
    deciding = {judge(book(), one.what) for one in observed(path) if isinstance(one.what, LogEvent)}
    return frozenset(deciding | {signal.rule for signal in found(path)})


@pytest.mark.parametrize("path", LOGS, ids=NAMES)
def test_each_failure_opens_the_tickets_of_its_rule_and_noise_opens_none(path: Path) -> None:
    expected = tomllib.loads((path.parent / "expected.toml").read_text(encoding="utf-8"))
    assert faults(list(found(path))) == expected.get(path.stem, {})
    if path.stem == "noise":
        assert not found(path)


@pytest.mark.parametrize("folder", FOLDERS, ids=[folder.name for folder in FOLDERS])
def test_failures_of_two_kinds_never_share_a_fault(folder: Path) -> None:
    rules: dict[str, set[str]] = {}
    for path in folder.glob("*.log"):
        for signal in found(path):
            rules.setdefault(signal.fault, set()).add(signal.rule)
    assert not {fault: names for fault, names in rules.items() if len(names) > 1}


def test_at_least_twenty_programs_have_a_pack_and_recordings_of_failures_and_of_noise() -> None:
    assert len({rule.pack for rule in book().rules} - {"default", "any-program"}) >= 24
    for folder in FOLDERS:
        assert {path.stem for path in folder.glob("*.log")} >= {"failed", "noise"}, folder.name


def test_every_rule_of_every_pack_is_hit_by_a_recording() -> None:
    hit = {name for path in LOGS for name in judged(path)}
    packs = [rule for rule in book().rules if rule.pack != "default"]
    assert not [rule.name for rule in packs if rule.name not in hit]


def test_every_rule_says_what_it_means_and_what_to_do_in_both_languages() -> None:
    for rule in book().rules:
        if rule.pack == "default":
            continue
        english, chinese = rule.guide(), rule.zh
        assert english.title
        assert chinese.title, rule.name
        if not isinstance(rule, Noise):
            assert english.impact, rule.name
            assert english.steps, rule.name
            assert chinese.impact, rule.name
            assert len(chinese.steps) == len(english.steps), rule.name


def test_a_pack_costs_a_search_of_text_where_its_program_is_not() -> None:
    for rule in book().rules:
        if rule.pack != "default":
            assert isinstance(rule, NewFault | Noise | Rate), rule.name
            assert rule.where.needles or rule.where.file, f"{rule.name} needs contains, contains_any or file"
    (elsewhere,) = [one.what for one in observed(PROGRAMS / "redis" / "failed.log")][:1]
    assert isinstance(elsewhere, LogEvent)
    assert {rule.pack for rule in book().judges(elsewhere) if rule.where.needles} <= {"redis", "default"}


def test_a_pack_that_is_switched_off_leaves_its_failures_to_the_general_rule() -> None:
    path = PROGRAMS / "nginx" / "failed.log"
    without = faults(signals(shipped(without="nginx"), path))
    assert not [name for name in without if name.startswith("nginx")]
    assert without["error-in-log"] > 0


def test_the_title_tells_the_fault_in_words_and_keeps_what_the_program_said() -> None:
    (signal,) = [one for one in found(PROGRAMS / "postgresql" / "failed.log") if one.rule == "postgresql-deadlock"]
    assert signal.title == "PostgreSQL ended a transaction: deadlock: deadlock detected"


@pytest.mark.parametrize("text", [text for texts in telling.TEXTS.values() for text in texts])
def test_texts_that_tell_of_a_failure_hold_nothing_that_a_shape_or_an_escape_changes(text: str) -> None:
    assert not any(sign.isdigit() for sign in text.replace("EXT4", ""))
    assert not set(text) & set('"\\')


KNOWN_ROOTS = {"bin", "build", "dev", "etc", "lib", "nowhere", "secret", "share", "srv", "sys", "tmp", "usr"}
"""What recorded programs name: folders of every system, and those that the recordings made up."""


def test_recordings_hold_nothing_of_where_they_were_made() -> None:
    for path in LOGS:
        text = path.read_text(encoding="utf-8")
        assert len(text) < 40_000, path
        for trace in ("/root/", "/home/", " vm "):
            assert trace not in text, f"{path} holds {trace}"
        roots = set(re.findall(r"(?<![\w./:])/([a-z]+)/[\w.]", text))
        assert roots <= KNOWN_ROOTS, f"{path} holds paths below {roots - KNOWN_ROOTS}"
        assert not re.search(r"/tmp/\w+/", text), f"{path} holds a folder for something passing"


def test_a_scan_of_blocks_finds_every_record_that_agents_send() -> None:
    patterns = prefilter.needed(Severity.WARNING)
    assert patterns is not None
    needed = [re.compile(one, re.MULTILINE) for one in (*patterns.always, *patterns.signed)]
    for path in LOGS:
        raw = path.read_bytes()
        for record in records(path):
            lines = raw[record.offset : record.end]
            if header.read(record.text, default_zone=UTC, now_ns=NOW_NS).severity >= Severity.WARNING:
                assert any(one.search(lines) for one in needed), lines
