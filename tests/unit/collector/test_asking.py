"""Many who want to know the same are answered together, whatever comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from sitewarden_collector.grpc_api import asking
from sitewarden_collector.grpc_api.asking import Asked


async def test_those_who_ask_while_a_question_is_under_way_share_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PAUSE_S", 0.0)
    questions: list[list[str]] = []

    async def ask(names: Collection[str]) -> dict[str, int]:
        questions.append(list(names))
        await asyncio.sleep(0)
        return {name: len(name) for name in names}

    asked = Asked(ask)
    first = asyncio.ensure_future(asked.of("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    answers = await asyncio.gather(asked.of("bb"), asked.of("ccc"), asked.of("bb"), first)
    assert list(answers) == [2, 3, 2, 1]
    assert questions == [["a"], ["bb", "ccc"]]


async def test_everybody_hears_of_a_question_that_failed_and_the_next_one_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "PAUSE_S", 0.0)
    fails = [True]

    async def ask(names: Collection[str]) -> dict[str, int]:
        if fails.pop():
            raise OSError("the database is away")
        return dict.fromkeys(names, 7)

    asked = Asked(ask)
    both = await asyncio.gather(asked.of("a"), asked.of("b"), return_exceptions=True)
    assert [str(one) for one in both] == ["the database is away"] * 2
    fails.append(False)
    assert await asked.of("a") == 7
