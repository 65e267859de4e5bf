"""Who is told: the first on call by their best channel, then the next channel, then the next person."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sitewarden_alerting.model import Person
from sitewarden_alerting.routing import RETRY_CAP_S, Reason, after, first, retry_at

ON_CALL = (Person("ada", ("phone", "mail")), Person("bob", ("chat",)))
NOON = 1_795_521_600_000_000_000


def test_the_first_on_call_is_told_first() -> None:
    route = first(ON_CALL, "page")
    assert route is not None
    assert (route.person, route.channel, route.reason, route.urgency) == ("ada", "phone", Reason.FIRST, "high")


def test_a_risk_goes_the_same_way_without_urgency() -> None:
    route = first(ON_CALL, "risk")
    assert route is not None
    assert (route.channel, route.urgency) == ("phone", "low")


def test_what_fails_goes_to_the_next_channel_then_to_the_next_person_then_to_nobody() -> None:
    tried: list[tuple[str, str]] = []
    reasons = []
    while (route := after(ON_CALL, "page", tried=tried)) is not None:
        tried.append((route.person, route.channel))
        reasons.append(route.reason)
    assert tried == [("ada", "phone"), ("ada", "mail"), ("bob", "chat")]
    assert reasons == [Reason.FIRST, Reason.NEXT_CHANNEL, Reason.NEXT_PERSON]


def test_nobody_on_call_is_no_route() -> None:
    assert first((), "page") is None
    assert first((Person("ada", ()),), "page") is None


@given(attempt=st.integers(1, 10_000), jitter=st.floats(0, 1, exclude_max=True))
def test_a_retry_is_later_and_never_later_than_the_cap(attempt: int, jitter: float) -> None:
    assert 0 < retry_at(attempt, now_ns=NOON, jitter=jitter) - NOON <= RETRY_CAP_S * 1_000_000_000
