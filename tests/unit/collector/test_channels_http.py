"""The webhook against a real web server that fails in every way that services do."""

from __future__ import annotations

import json
import socket

import pytest

from sitewarden_collector.channels import open_channel
from sitewarden_collector.channels.base import Channel, Notice
from sitewarden_collector.channels.webhook import WebhookChannel
from sitewarden_collector.errors import ChannelRejected, ChannelUnavailable
from tests.fakes.web import Manner, WebService

NOTICE = Notice(
    id="n-1",
    kind="page",
    urgency="high",
    person="ada",
    subject="INC-1001",
    body="down",
    created_ns=1_764_000_000 * 10**9,
)


def _hook(web: WebService) -> Channel:
    return open_channel("hook", f"webhook+{web.origin}/in?team=desk")


def test_the_document_says_what_whom_and_when() -> None:
    with WebService() as web:
        _hook(web).send(NOTICE)
    [request] = web.requests
    assert request.path == "/in?team=desk"
    assert request.headers["Idempotency-Key"] == "n-1"
    assert json.loads(request.body) == {
        "id": "n-1",
        "kind": "page",
        "urgency": "high",
        "person": "ada",
        "subject": "INC-1001",
        "body": "down",
        "created_at": "2025-11-24T16:00:00+00:00",
    }


def test_a_repeat_carries_the_same_key() -> None:
    with WebService() as web:
        _hook(web).send(NOTICE)
        _hook(web).send(NOTICE)
    assert {request.headers["Idempotency-Key"] for request in web.requests} == {"n-1"}


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_was_taken(status: int) -> None:
    with WebService(status=status, answer=b"") as web:
        assert "taken by http://127.0.0.1" in _hook(web).send(NOTICE).detail


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_what_may_pass_is_tried_again(status: int) -> None:
    with WebService(status=status) as web, pytest.raises(ChannelUnavailable, match=str(status)):
        _hook(web).send(NOTICE)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422])
def test_what_will_not_pass_is_given_up(status: int) -> None:
    with WebService(status=status) as web, pytest.raises(ChannelRejected, match="check the channel's url"):
        _hook(web).send(NOTICE)


def test_a_redirect_is_not_followed_because_the_secret_would_go_along() -> None:
    with WebService() as other, WebService(status=307, location=other.origin) as web:
        with pytest.raises(ChannelRejected, match="it has moved"):
            _hook(web).send(NOTICE)
        assert not other.requests


@pytest.mark.parametrize("manner", ["cut", "garbage", "silence", "drip"])
def test_a_broken_answer_may_pass_and_never_holds_the_thread(manner: Manner) -> None:
    with WebService(manner=manner) as web, pytest.raises(ChannelUnavailable, match="gave no answer"):
        WebhookChannel("hook", web.origin, deadline_s=0.4).send(NOTICE)


def test_nobody_there_may_pass() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ChannelUnavailable, match="gave no answer"):
        open_channel("hook", f"webhook+http://127.0.0.1:{port}/").send(NOTICE)


def test_an_answer_without_end_is_read_up_to_a_bound() -> None:
    with WebService(answer=b"x" * 1_000_000) as web:
        assert _hook(web).send(NOTICE).detail


def test_a_page_that_follows_another_needs_no_new_connection() -> None:
    with WebService(keeps=True) as web:
        hook = _hook(web)
        for _ in range(3):
            hook.send(NOTICE)
        assert (len(web.requests), web.connections) == (3, 1)


def test_a_connection_that_the_service_closed_meanwhile_is_replaced() -> None:
    with WebService(keeps=True) as web:
        hook = _hook(web)
        hook.send(NOTICE)
        web.hang_up()
        hook.send(NOTICE)
        assert (len(web.requests), web.connections) == (2, 2)


def test_a_service_that_cuts_every_connection_is_not_tried_for_ever() -> None:
    with WebService(keeps=True) as web:
        hook = _hook(web)
        hook.send(NOTICE)
        web.manner = "cut"
        with pytest.raises(ChannelUnavailable):
            hook.send(NOTICE)
        assert len(web.requests) == 3


def test_a_connection_is_not_kept_for_what_a_service_did_not_finish() -> None:
    with WebService(keeps=True, status=503) as web:
        hook = _hook(web)
        for _ in range(2):
            with pytest.raises(ChannelUnavailable, match="503"):
                hook.send(NOTICE)
        assert web.connections == 1
        web.answer = b"x" * 100_000  # more than is read
        for _ in range(2):
            with pytest.raises(ChannelUnavailable, match="503"):
                hook.send(NOTICE)
        assert web.connections == 2
