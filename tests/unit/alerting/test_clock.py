"""The clocks of any history: explained without a gap, counted as the minutes say, due when they say."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from sitewarden_alerting.model import HOUR_NS, MINUTE_NS
from sitewarden_alerting.servicelevels.clock import ClockState, clocks
from sitewarden_alerting.servicelevels.intervals import is_working
from sitewarden_alerting.servicelevels.periods import Moment
from sitewarden_alerting.servicelevels.targets import PAUSES, Agreement, Goal, Target
from tests.unit.alerting.test_servicelevels import lines, moments

STATES = (("in_progress", ""), ("waiting", "customer"), ("waiting", "third_party"), ("resolved", ""), ("reopened", ""))


@st.composite
def histories(draw: st.DrawFn, start_ns: int) -> list[Moment]:
    """Events in the order in which they happened, one an hour at most."""
    at_ns, found = start_ns, []
    for _ in range(draw(st.integers(0, 6))):
        at_ns += draw(st.integers(1, 600)) * MINUTE_NS
        state, waiting = draw(st.sampled_from(STATES))
        found.append(Moment(at_ns, "move", "ada", state=state, waiting=waiting))
    return found


@settings(max_examples=60)
@given(st.data())
def test_the_resolution_counts_the_working_minutes_in_which_nothing_held_it(data: st.DataObject) -> None:
    start_ns = data.draw(moments)
    line, history = data.draw(lines(start_ns)), data.draw(histories(start_ns))
    now_ns = max([start_ns, *(one.at_ns for one in history)]) + data.draw(st.integers(0, 900)) * MINUTE_NS
    goal = Goal(data.draw(st.integers(1, 100)) * HOUR_NS, line)
    agreement = Agreement("any", {3: {Target.RESOLUTION: goal}}, PAUSES)
    [clock] = clocks(history, agreement, start_ns=start_ns, priority=3, now_ns=now_ns)
    minutes = 0
    for at_ns in range(start_ns, now_ns, MINUTE_NS):
        last = next((one for one in reversed(history) if one.at_ns <= at_ns), None)
        held = last is not None and (last.state == "resolved" or last.waiting == "customer")
        minutes += not held and is_working(line, at_ns)
    assert clock.elapsed_ns == minutes * MINUTE_NS
    if clock.spans:
        assert clock.spans[0].from_ns == start_ns
        assert all(one.until_ns == after.from_ns for one, after in pairwise(clock.spans))


@given(st.data())
def test_what_is_due_then_is_used_up_then_if_nothing_happens(data: st.DataObject) -> None:
    start_ns = data.draw(moments)
    line, history = data.draw(lines(start_ns)), data.draw(histories(start_ns))
    now_ns = max([start_ns, *(one.at_ns for one in history)])
    agreement = Agreement("any", {3: {Target.RESOLUTION: Goal(30 * HOUR_NS, line)}}, PAUSES)
    [clock] = clocks(history, agreement, start_ns=start_ns, priority=3, now_ns=now_ns)
    if not clock.open or clock.due_ns is None or clock.breached:
        return
    assert clock.alarm_ns is not None
    assert now_ns < clock.alarm_ns <= clock.due_ns
    [before] = clocks(history, agreement, start_ns=start_ns, priority=3, now_ns=clock.due_ns - 1)
    [then] = clocks(history, agreement, start_ns=start_ns, priority=3, now_ns=clock.due_ns)
    assert not before.breached
    assert (then.state, then.elapsed_ns, then.breached_ns) == (ClockState.BREACHED, then.goal_ns, clock.due_ns)
