"""When the link tries again: spread out, patient, and at once only after health."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_agent.errors import Refused, RefusedForGood
from sitewarden_agent.link import trouble
from sitewarden_agent.link.backoff import Backoff
from sitewarden_agent.link.endpoints import Endpoints
from sitewarden_agent.link.trouble import Ending, Follow
from sitewarden_protos.v1 import common_pb2

draws = st.floats(0, 1, exclude_max=True)


def waits(endings: list[Ending], *, draw: float = 0.999) -> list[float]:
    backoff, found = Backoff(), []
    for ending in endings:
        backoff, wait_s = backoff.after(ending, draw=draw)
        found.append(wait_s)
    return found


LOST = Ending("UNAVAILABLE", "lost")
HEALTHY = Ending("UNAVAILABLE", "lost", connected_s=61.0)


def test_it_doubles_up_to_its_cap() -> None:
    assert [round(wait) for wait in waits([LOST] * 11)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


@given(st.integers(0, 100), draws)
def test_it_is_full_jitter_from_nothing_to_the_whole(failures: int, draw: float) -> None:
    _, wait_s = Backoff(failures=min(failures, 32)).after(LOST, draw=draw)
    assert wait_s == pytest.approx(draw * min(300.0, 2.0 ** min(failures, 32)))


def test_the_first_try_is_at_once_only_after_a_healthy_minute() -> None:
    assert waits([LOST, LOST, HEALTHY, LOST])[2:] == [0.0, pytest.approx(2.0, abs=0.01)]
    accepted_and_dropped = Ending("UNAVAILABLE", "lost", connected_s=3.0)
    assert waits([accepted_and_dropped] * 4)[3] > 7


def test_what_headquarters_asks_for_wins_when_it_is_longer() -> None:
    assert waits([Ending("OVERLOADED", "busy", retry_after_s=90.0)], draw=0.0) == [90.0]
    assert waits([LOST] * 9 + [Ending("OVERLOADED", "busy", retry_after_s=5.0)])[-1] > 200


@given(draws)
def test_a_drain_spreads_all_agents_over_its_window(draw: float) -> None:
    draining = Ending("DRAINING", "restart", retry_after_s=10.0, window_s=60.0, connected_s=500.0)
    assert waits([draining], draw=draw) == [pytest.approx(10.0 + 60.0 * draw)]


@pytest.mark.parametrize(
    ("reason", "least_s", "most_s"),
    [
        ("REVOKED", 2_700, 4_500),
        ("QUARANTINED", 2_700, 4_500),
        ("UNKNOWN_AGENT", 2_700, 4_500),
        ("VERSION_UNSUPPORTED", 2_700, 4_500),
        ("CLOCK_SKEW", 225, 375),
        ("DUPLICATE_SESSION", 60, 120),
        ("OVERLOADED", 0, 1),
    ],
)
def test_each_reason_has_its_patience(reason: str, least_s: float, most_s: float) -> None:
    refusal = common_pb2.Refusal(reason=common_pb2.Reason.Value(f"REASON_{reason}"), message="no", keep_credential=True)
    for draw in (0.0, 0.5, 0.999):
        [wait_s] = waits([trouble.refused(refusal)], draw=draw)
        assert least_s <= wait_s <= most_s


def test_a_reason_of_a_newer_headquarters_goes_by_whether_to_retry() -> None:
    unknown = common_pb2.Reason.ValueType(999)
    assert trouble.refused(common_pb2.Refusal(reason=unknown, retry=True)).follow is Follow.RETRY
    assert trouble.refused(common_pb2.Refusal(reason=unknown, retry=False)).follow is Follow.SLOW


def test_every_reason_of_the_wire_has_a_course() -> None:
    only_at_enrolment = {"TOKEN_INVALID", "TOKEN_EXPIRED", "TOKEN_SPENT", "CSR_INVALID", "UNSPECIFIED"}
    reasons = {name.removeprefix("REASON_") for name in common_pb2.Reason.keys()}  # noqa: SIM118
    assert reasons - only_at_enrolment == set(trouble._COURSE)


def test_a_refusal_as_an_error_says_whether_trying_again_helps() -> None:
    again = trouble.as_error(common_pb2.Refusal(reason=common_pb2.REASON_OVERLOADED, retry=True, retry_after_ms=5_000))
    assert isinstance(again, Refused)
    assert again.retry_after_s == 5.0
    never = trouble.as_error(common_pb2.Refusal(reason=common_pb2.REASON_TOKEN_SPENT, message="used on Monday"))
    assert isinstance(never, RefusedForGood)
    assert "used on Monday" in str(never)


def test_all_collectors_are_tried_before_one_is_tried_twice() -> None:
    endpoints = Endpoints(["a:1", "b:1", "c:1"], random.Random(4))
    tried = []
    for at in range(1, 7):
        chosen = endpoints.next()
        assert chosen is not None
        tried.append(chosen)
        endpoints.failed(chosen, at_ns=at)
    assert sorted(tried[:3]) == ["a:1", "b:1", "c:1"]
    assert tried[:3] == tried[3:]
    endpoints.worked(tried[2])
    assert endpoints.next() == tried[2]


def test_agents_begin_at_different_collectors() -> None:
    addresses = ["a:1", "b:1", "c:1"]
    assert {Endpoints(addresses, random.Random(seed)).next() for seed in range(30)} == set(addresses)


def test_what_is_known_of_a_collector_outlives_a_new_list() -> None:
    endpoints = Endpoints(["a:1"], random.Random(1))
    endpoints.failed("a:1", at_ns=5)
    endpoints.learn(["a:1", "b:1"])
    assert endpoints.next() == "b:1"
    assert Endpoints([], random.Random(1)).next() is None
