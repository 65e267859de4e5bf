"""The console speaks both languages, completely."""

from __future__ import annotations

import re

import pytest

from sitewarden_collector.console import i18n, words

PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]")


def _forms(text: object) -> tuple[str, ...]:
    return tuple(text) if isinstance(text, tuple | list) else (str(text),)


@pytest.mark.parametrize("locale", i18n.LOCALES)
def test_the_catalog_has_exactly_the_texts_of_templates_and_code(locale: str) -> None:
    there = {message.id for message in i18n.read_catalog(locale) if message.id}
    wanted = {message.id for message in i18n.extracted() if message.id}
    assert (wanted - there, there - wanted) == (set(), set()), "run python -m sitewarden_collector.console.i18n"


@pytest.mark.parametrize("locale", i18n.LOCALES)
def test_every_text_is_translated_and_none_is_a_guess(locale: str) -> None:
    catalog = i18n.read_catalog(locale)
    missing = [message.id for message in catalog if message.id and not all(_forms(message.string))]
    assert missing == []
    assert [message.id for message in catalog if message.id and message.fuzzy] == []


@pytest.mark.parametrize("locale", i18n.LOCALES)
def test_translations_put_in_the_same_values(locale: str) -> None:
    for message in i18n.read_catalog(locale):
        if message.id:
            wanted = set(PLACEHOLDER.findall(_forms(message.id)[-1]))
            *others, last = _forms(message.string)
            assert set(PLACEHOLDER.findall(last)) == wanted, message.id
            for form in others:  # `every day` need not say its number
                assert set(PLACEHOLDER.findall(form)) <= wanted, message.id


def test_what_nobody_named_is_shown_readably() -> None:
    assert words.word("event", "made_up_event", locale="zh") == "Made up event"
    assert words.word("state", "in_progress", locale="zh") == "处理中"
