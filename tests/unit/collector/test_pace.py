"""Buckets of tokens and the door: who may go on, who waits, and who comes back when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sitewarden_collector.grpc_api.pace import Allowance, Door, TokenBucket


def test_a_burst_is_free_and_what_comes_faster_waits_for_its_tokens() -> None:
    bucket = TokenBucket(10.0, 3.0, now_s=0.0)
    assert [round(bucket.take(now_s=0.0), 6) for _ in range(5)] == [0.0, 0.0, 0.0, 0.1, 0.2]
    assert bucket.take(now_s=10.0) == 0.0


def test_a_stream_waits_for_its_bytes_as_for_its_messages() -> None:
    allowance = Allowance(TokenBucket(10.0, 2.0, now_s=0.0), TokenBucket(1_000.0, 1_000.0, now_s=0.0))
    assert allowance.take(1_000, now_s=0.0) == 0.0
    assert allowance.take(500, now_s=0.0) == 0.5
    assert allowance.take(0, now_s=0.6) == 0.0


def test_thousands_at_once_all_get_in_at_the_speed_at_which_they_can_be_served() -> None:
    door = Door(250.0, line_max_s=10.0, now_s=0.0)
    turns = [door.knock(now_s=0.0) for _ in range(5_000)]
    let_in_s = sorted(turn.wait_s for turn in turns)
    assert sum(turn.wait_s == 0.0 for turn in turns) == 250
    assert let_in_s[-1] < 21.0
    away = [turn.wait_s for turn in turns if turn.away]
    assert len(away) == door.sent_away > 2_000
    assert min(away) > 10.0
    assert len(set(away)) == len(away)  # no two are asked to come back at the same moment


@given(st.lists(st.floats(min_value=0.0, max_value=2.0), max_size=200))
def test_nobody_is_let_in_faster_than_the_pace(gaps_s: list[float]) -> None:
    door, now_s, entered = Door(10.0, line_max_s=3.0, now_s=0.0), 0.0, []
    for gap_s in gaps_s:
        now_s += gap_s
        turn = door.knock(now_s=now_s)
        assert turn.wait_s >= 0.0
        if not turn.away:
            entered.append(now_s + turn.wait_s)
    for first, at_s in enumerate(entered):
        within = sum(at_s <= other < at_s + 1.0 - 1e-6 for other in entered[first:])
        assert within <= 2 * 10  # a burst, and what is gained within the second


def test_somebody_who_comes_back_at_the_moment_that_was_named_is_let_in() -> None:
    door = Door(10.0, line_max_s=1.0, now_s=0.0)
    turns = [door.knock(now_s=0.0) for _ in range(100)]
    again = [door.knock(now_s=turn.wait_s) for turn in sorted(turns, key=lambda turn: turn.wait_s) if turn.away]
    assert not any(turn.away for turn in again)


def test_a_closed_door_asks_everybody_to_come_back() -> None:
    door = Door(10.0, line_max_s=1.0, now_s=0.0)
    assert door.knock(now_s=0.0, closed=True).away
    assert not door.knock(now_s=0.0).away
