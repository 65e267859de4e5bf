"""Counts above lists: one count for all who look at the same, and never of what somebody may not see."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from fastapi import FastAPI, Request

from sitewarden_collector.console import counting
from sitewarden_collector.store.engine import Database
from tests import cast
from tests.cast import ACME, ACME_BERLIN, HOUR, NOON
from tests.desk import signed_in
from tests.unit.collector.console.conftest import HTML

PARIS, LYON = "acme-paris", "acme-lyon"


def _request() -> Request:
    return Request({"type": "http", "app": FastAPI(), "headers": []})


async def test_who_looks_at_the_same_waits_for_the_same_count() -> None:
    request, counted = _request(), []

    async def count() -> int:
        counted.append(1)
        await asyncio.sleep(0.01)
        return len(counted)

    assert await asyncio.gather(*(counting.once(request, "open", count) for _ in range(20))) == [1] * 20
    assert await counting.once(request, "closed", count) == 2
    assert await counting.once(request, "open", count, as_of=1) == 3
    assert await counting.once(request, "open", count, as_of=1) == 3


async def test_a_count_grows_old(monkeypatch: pytest.MonkeyPatch) -> None:
    request, counted = _request(), []

    async def count() -> int:
        counted.append(1)
        return len(counted)

    assert await counting.once(request, "open", count) == 1
    monkeypatch.setattr(counting, "FRESH_S", -1.0)
    assert await counting.once(request, "open", count) == 2


async def test_a_count_that_failed_is_tried_again() -> None:
    request, tried = _request(), []

    async def count() -> int:
        tried.append(1)
        if len(tried) == 1:
            raise OSError("the database went away")
        return 7

    with pytest.raises(OSError, match="went away"):
        await counting.once(request, "open", count)
    assert await counting.once(request, "open", count) == 7


async def test_an_account_of_one_site_is_told_of_that_site_alone(client: httpx.AsyncClient, desk: Database) -> None:
    for site in (PARIS, LYON):
        desk.write_now(cast.settle_agent, f"app-{site}", site, ACME, last_seen_ns=NOON - HOUR)
    whole = signed_in(desk, "customer", name="all-of-acme", customer=ACME)
    part = signed_in(desk, "customer", name="of-paris", customer=ACME, site_names=(PARIS,))
    for headers, down in ((whole, 2), (part, 1)):
        page = (await client.get("/sites", headers=headers | HTML)).text
        counts = dict(re.findall(r'class="count count-(\w+)[^>]*>\s*<strong>(\d+)', page))
        assert int(counts["down"]) == down
        assert ((LYON in page), (ACME_BERLIN in page)) == (down == 2, down == 2)
        board = (await client.get("/", headers=headers | HTML)).text
        tile = re.search(r'href="/sites\?health=down".*?tile-number[^>]*>(\d+)', board, re.DOTALL)
        assert tile is not None
        assert int(tile.group(1)) == down
