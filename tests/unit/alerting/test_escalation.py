"""Escalation: one step a call, delays from when the last was taken, keys that are given once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sitewarden_alerting.escalation import (
    Escalation,
    EscalationPolicy,
    Status,
    Step,
    Target,
    advance,
    begin,
    finish,
    held,
    on_clock,
)

S = 10**9
NOON = 1_795_521_600 * S
POLICY = EscalationPolicy("p", (Step(0, Target.ON_CALL), Step(300, Target.NEXT), Step(600, Target.MANAGER)), 1, 900)


def walk(
    policy: EscalationPolicy, now_ns: int = NOON, *, every_s: int = 60, steps: int = 200
) -> list[tuple[int, int, int]]:
    state, taken = begin(policy, now_ns=now_ns), []
    for i in range(steps):
        state, what = advance(policy, state, now_ns=now_ns + i * every_s * S)
        if what is not None:
            taken.append((i * every_s, what.round, what.step))
    return taken


def test_the_steps_are_taken_in_their_time_and_repeated_as_often_as_said() -> None:
    assert walk(POLICY) == [(0, 0, 0), (300, 0, 1), (900, 0, 2), (1800, 1, 0), (2100, 1, 1), (2700, 1, 2)]


def test_a_jump_ahead_takes_one_step_and_the_next_waits_its_whole_delay() -> None:
    """grafana oncall #1931: escalation ignored the wait between steps."""
    state, _ = advance(POLICY, begin(POLICY, now_ns=NOON), now_ns=NOON)
    late = NOON + 86_400 * S
    state, taken = advance(POLICY, state, now_ns=late)
    assert taken is not None
    assert taken.step == 1
    assert advance(POLICY, state, now_ns=late)[1] is None
    assert state.next_ns == late + 600 * S


def test_a_jump_back_waits_no_longer_than_was_meant() -> None:
    state, _ = advance(POLICY, begin(POLICY, now_ns=NOON), now_ns=NOON)
    early = NOON - 86_400 * S
    state, taken = advance(POLICY, state, now_ns=early)
    assert taken is None
    assert state.next_ns == early + 300 * S


def test_what_is_acknowledged_takes_no_step_and_stays_so() -> None:
    state = finish(begin(POLICY, now_ns=NOON), Status.ACKNOWLEDGED)
    assert advance(POLICY, state, now_ns=NOON + 10**15) == (state, None)
    assert finish(state, Status.ENDED) is state


def test_a_ticket_that_comes_back_gets_keys_of_its_own() -> None:
    first = Escalation(Status.ENDED, 2, 1, NOON, NOON, 0)
    assert begin(POLICY, now_ns=NOON, after=first).round == 3
    assert held(begin(POLICY, now_ns=NOON), now_ns=NOON, until_ns=NOON + S).round == 1


def test_the_contracts_clock_asks_the_next_level_then_the_manager_then_both() -> None:
    assert [on_clock(percent) for percent in (50, 75, 90, 100)] == [
        (),
        (Target.NEXT,),
        (Target.MANAGER,),
        (Target.MANAGER, Target.NEXT),
    ]


@given(st.lists(st.integers(-7200, 7200), max_size=60))
def test_however_the_clock_jumps_no_key_is_given_twice(jumps: list[int]) -> None:
    state, now_ns, keys = begin(POLICY, now_ns=NOON), NOON, []
    for jump in jumps:
        now_ns += jump * S
        state, taken = advance(POLICY, state, now_ns=now_ns)
        if taken is not None:
            keys.append((taken.round, taken.step))
        assert state.status is not Status.RUNNING or state.next_ns - now_ns <= 10**9 * 7200 * 60
    assert keys == sorted(set(keys))
