"""The dead-man's switch tells once that headquarters is silent, and once that it is back."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from sitewarden_agent.link import deadman
from sitewarden_agent.link.deadman import Switch, due, look, message

S = 1_000_000_000
START = Switch(heard_ns=0, since_wall_ns=1_795_521_600 * S)


def looked(switch: Switch, at_s: float, *, heard: bool) -> Switch:
    return look(switch, heard=heard, after_s=60.0, now_ns=int(at_s * S), wall_ns=(1_795_521_600 + int(at_s)) * S)


def told(switch: Switch) -> Switch:
    return replace(switch, telling="")


def test_a_short_silence_is_none() -> None:
    assert looked(START, 59, heard=False).telling == ""


def test_a_silence_is_told_once_with_the_time_since_when() -> None:
    silent = looked(looked(START, 10, heard=True), 70, heard=False)
    assert silent.telling == "silent"
    said = message(silent, agent_id="a", site="acme-berlin")
    assert (said["event"], said["since"]) == ("collector_silent", "2026-11-24T12:00:10+00:00")
    assert looked(told(silent), 600, heard=False).telling == ""


def test_its_end_is_told_once_with_the_same_beginning() -> None:
    silent = told(looked(START, 60, heard=False))
    back = looked(silent, 90, heard=True)
    assert back.telling == "back"
    assert message(back, agent_id="a", site="s")["since"] == "2026-11-24T12:00:00+00:00"
    assert looked(told(back), 95, heard=True).telling == ""


def test_what_is_over_before_it_was_told_is_not_told() -> None:
    assert looked(looked(START, 60, heard=False), 61, heard=True).telling == ""


def test_a_message_that_was_not_taken_is_tried_again_later() -> None:
    silent = looked(START, 60, heard=False)
    assert due(silent, now_ns=60 * S)
    tried = replace(silent, tried_ns=60 * S)
    assert not due(tried, now_ns=89 * S)
    assert due(tried, now_ns=90 * S)


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[dict[str, Any]], list[int]]]:
    taken: list[dict[str, Any]] = []
    answers: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = answers.pop(0) if answers else 204
            if status == 204:
                taken.append(json.loads(body))
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook", taken, answers
    server.shutdown()
    server.server_close()


class Clock:
    """Sleeping moves it; it gives the other tasks their turn."""

    def __init__(self) -> None:
        self.now = 0

    def monotonic_ns(self) -> int:
        return self.now

    def wall_ns(self) -> int:
        return 1_795_521_600 * S + self.now

    def boot_id(self) -> str:
        return "boot"

    async def sleep(self, seconds: float) -> None:
        self.now += int(seconds * S)
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("first", [500, 302])
async def test_it_tells_a_real_receiver_until_it_was_taken(
    receiver: tuple[str, list[dict[str, Any]], list[int]], first: int
) -> None:
    url, taken, answers = receiver
    answers.append(first)
    connected = False

    async def until(count: int) -> None:
        while len(taken) < count:  # noqa: ASYNC110  it is filled by a thread
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(
        deadman.watch(url, 60.0, Clock(), heard=lambda: connected, who=lambda: ("agent-1", "acme-berlin"))
    )
    await asyncio.wait_for(until(1), 20)
    connected = True
    await asyncio.wait_for(until(2), 20)
    watching.cancel()
    assert [one["event"] for one in taken] == ["collector_silent", "collector_back"]
    assert taken[0]["since"] == taken[1]["since"]


def test_a_proxy_of_the_environment_is_not_used(
    receiver: tuple[str, list[dict[str, Any]], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    url, taken, _ = receiver
    deadman.post(url, {"id": "1"}, ssl.create_default_context())
    assert taken == [{"id": "1"}]
