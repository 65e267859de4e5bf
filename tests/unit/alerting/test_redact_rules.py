"""Rules in the format of gitleaks: each of ours finds what it is for; a customer's holds, or is refused."""

from __future__ import annotations

import importlib
import random
from pathlib import Path

import pytest

from sitewarden_alerting import reading
from sitewarden_alerting.reading import redact_rules
from sitewarden_alerting.reading.redact import Redactor
from sitewarden_alerting.reading.redact_rules import Rule, RulesError, Shapes
from tests.unit.alerting.samples_of import sample_of

OURS = redact_rules.parse(Path(reading.__file__).with_name("secret_rules.toml").read_text(encoding="utf-8"))
KEY = b"k" * 32
RE2 = importlib.import_module("re2")
REDACTOR = Redactor(KEY, rules=OURS)


def customers(text: str) -> Redactor:
    return Redactor(KEY, rules=redact_rules.parse(text))


def test_there_are_many_and_each_has_a_name_of_its_own_and_keywords() -> None:
    assert len(OURS) >= 120
    assert len({rule.name for rule in OURS}) == len(OURS)
    assert all(rule.keywords and all(word == word.lower() for word in rule.keywords) for rule in OURS)
    redact_rules.check(OURS)


@pytest.mark.parametrize("rule", OURS, ids=lambda rule: rule.name)
def test_what_a_rule_is_for_is_taken_out(rule: Rule) -> None:
    chance = random.Random(rule.name)
    for _ in range(4):
        whole, groups = sample_of(rule.pattern, chance)
        secret = groups.get(rule.group, whole)
        said = REDACTOR.redact(f"2026-11-24 ERROR cannot use {whole} here")
        assert "<secret:" in said, (rule.name, whole)
        assert secret.strip() not in said or len(secret) < 6, (rule.name, whole)
        assert "cannot use" in said


@pytest.mark.parametrize("rule", OURS, ids=lambda rule: rule.name)
def test_ours_are_read_by_the_engine_of_gitleaks_too(rule: Rule) -> None:
    whole, _ = sample_of(rule.pattern, random.Random(rule.name))
    found = RE2.compile(rule.pattern).search(whole)
    mine = redact_rules.bounded(rule.pattern).search(whole)
    assert found is not None
    assert mine is not None
    assert found.span(rule.group) == mine.span(rule.group)


@pytest.mark.parametrize("rule", OURS, ids=lambda rule: rule.name)
def test_no_text_makes_a_rule_slow(rule: Rule) -> None:
    """Texts that almost match, again and again: this test hangs where a rule takes more than linear time."""
    chance = random.Random(rule.name)
    shapes = Shapes([rule])
    whole, _ = sample_of(rule.pattern, chance)
    for hostile in (whole[: len(whole) // 2] * 400, whole[:-1] * 200, (rule.keywords[0] + " ") * 2_000):
        text = hostile[:32_768]
        shapes.replace(text, text.lower(), lambda kind, value: f"<{kind}:{'0' * 16}>")


def test_a_pattern_is_compiled_when_one_of_its_keywords_first_comes() -> None:
    shapes = Shapes(OURS)
    shapes.replace("nothing to see here", "nothing to see here", lambda kind, _: kind)
    assert shapes.compiled == 0
    shapes.replace("ghp_", "ghp_", lambda kind, _: kind)
    assert shapes.compiled == 1


def test_a_group_is_taken_out_and_the_rest_stays() -> None:
    redactor = customers("""
        [[rules]]
        id = "acme"
        regex = 'acme-(?P<tenant>[a-z]+)-([0-9a-f]{12})'
        secretGroup = 2
        keywords = ["ACME-"]
    """)
    assert redactor.redact("call acme-north-0123456789ab now").startswith("call acme-north-<secret:")


def test_without_a_group_named_the_first_that_matched_is_taken_out() -> None:
    redactor = customers("[[rules]]\nid = 'x'\nregex = 'acme:(\\w{6})?'\nkeywords = ['acme']")
    assert redactor.redact("acme:abcdef").startswith("acme:<secret:")
    assert redactor.redact("see acme: nothing").startswith("see <secret:")


def test_low_entropy_is_no_secret_where_a_rule_says_so() -> None:
    redactor = customers("[[rules]]\nid = 'x'\nregex = 'acme_(\\w{16})'\nentropy = 3.0\nkeywords = ['acme_']")
    assert redactor.redact("acme_aaaaaaaaaaaaaaaa") == "acme_aaaaaaaaaaaaaaaa"
    assert "<secret:" in redactor.redact("acme_q8Zr2LmW0pXk5VtN")


@pytest.mark.parametrize(
    ("allowlist", "text", "stays"),
    [
        ("stopwords = ['example']", "acme_exampletoken", True),
        ("stopwords = ['example']", "acme_othertokenxx", False),
        ("regexes = ['^test']", "acme_testtokenxxx", True),
        ("regexes = ['^acme']\nregexTarget = 'match'", "acme_testtokenxxx", True),
        ("regexes = ['in the docs']\nregexTarget = 'line'", "acme_testtokenxxx in the docs", True),
        ("regexes = ['in the docs']\nregexTarget = 'line'", "acme_testtokenxxx\nin the docs", False),
        ("condition = 'AND'\nstopwords = ['test']\nregexes = ['xxx$']", "acme_testtokenxxx", True),
        ("condition = 'AND'\nstopwords = ['test']\nregexes = ['yyy$']", "acme_testtokenxxx", False),
        ("condition = 'AND'\nstopwords = ['test']\npaths = ['docs']", "acme_testtokenxxx", False),
    ],
)
def test_allowlists_leave_alone_what_they_name(allowlist: str, text: str, stays: bool) -> None:
    rule = "[[rules]]\nid = 'x'\nregex = 'acme_([a-z]{12})'\nkeywords = ['acme_']\n"
    assert (customers(f"{rule}[[rules.allowlists]]\n{allowlist}").redact(text) == text) is stays
    assert (customers(f"{rule}[rules.allowlist]\n{allowlist}").redact(text) == text) is stays
    assert (customers(f"[allowlist]\n{allowlist}\n{rule}").redact(text) == text) is stays


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("rules = 3", "list of tables"),
        ("[[rules]]\nregex = 'x'", "has no id"),
        ("[[rules]]\nid = 'x'", "has no regex"),
        ("[[rules]]\nid = 'x'\nregex = '('", "cannot be used"),
        ("[[rules]]\nid = 'x'\nregex = 'a*'", "empty text"),
        ("[[rules]]\nid = 'x'\nregex = 'a(b)'\nsecretGroup = 2", "secretGroup is 2"),
        ("[[rules]]\nid = 'x'\nregex = 'a'\nkeywords = 'a'", "list of texts"),
        ("[[rules]]\nid = 'x'\nregex = 'a'\nentropy = 'high'", "must be a number"),
        ("[[rules]]\nid = 'x'\nregex = 'a'\nkeywords = ['a']\n[rules.allowlist]\nregexes = ['(']", "cannot be used"),
        ("".join(f"[[rules]]\nid = 'x{n}'\nregex = 'a{n}'\n" for n in range(17)), "give keywords"),
        ("rules", "not valid TOML"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(RulesError, match=complaint):
        redact_rules.check(redact_rules.parse(text))


def test_a_rule_for_paths_alone_is_none_for_text() -> None:
    assert redact_rules.parse("[[rules]]\nid = 'p12'\npath = '\\.p12$'") == ()


def test_a_rule_leaves_pseudonyms_alone() -> None:
    redactor = customers("[[rules]]\nid = 'hex'\nregex = '[0-9a-f]{16}'")
    once = redactor.redact("mail of ann@corp.example and 0123456789abcdef")
    assert once.count("<") == 2
    assert redactor.redact(once) == once


def test_more_findings_than_anyone_reads_are_taken_out_as_one() -> None:
    redactor = customers("[[rules]]\nid = 'x'\nregex = 'k[0-9]{6}'\nkeywords = ['k']")
    text = " ".join(f"k{number:06}" for number in range(2_000))
    said = redactor.redact(text)
    assert not any(f"k{number:06}" in said for number in range(2_000))
