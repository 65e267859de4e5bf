"""Escalation: who is asked next when nobody acknowledges, as a state that only moves forward.

A policy is a list of steps, each with its delay after the one before it; after the last the round begins again, as
often as the policy repeats. `advance` takes at most one step a call, and each delay counts from when the step before
it was really taken: a clock that jumps ahead, or a collector that was away for an hour, takes one step and not all of
them. A clock that jumps back re-anchors the wait, which is never longer than the delay. (round, step) only ever grows,
so the key made of it is given once.

Time left on the contract's clock escalates beside that: `on_clock` says whom an alarm asks. Not here: who is on call,
and the sending.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from sitewarden_alerting.model import SECOND_NS

BACKWARD_TOLERANCE_NS = 5 * SECOND_NS


class Target(StrEnum):
    """Whom a step asks."""

    ON_CALL = "on_call"  # who is on call now
    NEXT = "next"  # the next level: further along the rotation with every round of it
    PERSON = "person"  # by name
    MANAGER = "manager"  # the schedule's managers


class Status(StrEnum):
    RUNNING = "running"
    ACKNOWLEDGED = "acknowledged"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Step:
    after_s: float
    whom: Target
    person: str = ""


@dataclass(frozen=True, slots=True)
class EscalationPolicy:
    """`repeats` is how many more times the steps are gone through, `repeat_after_s` the wait before each."""

    name: str = "default"
    steps: tuple[Step, ...] = (
        Step(0.0, Target.ON_CALL),
        Step(300.0, Target.ON_CALL),
        Step(300.0, Target.NEXT),
        Step(600.0, Target.MANAGER),
    )
    repeats: int = 3
    repeat_after_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Escalation:
    """Where one ticket stands: the step to take next, of which round, since when it waits and until when."""

    status: Status
    round: int
    step: int
    since_ns: int
    next_ns: int
    first_round: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """One step that is to be carried out now."""

    round: int
    step: int
    what: Step
    why: str
    level: int = 0  # how far along the rotation NEXT is by now


def begin(policy: EscalationPolicy, *, now_ns: int, after: Escalation | None = None) -> Escalation:
    """A new escalation; `after` is the ticket's one before, whose keys are not given again."""
    first = 0 if after is None else after.round + 1
    delay_s = policy.steps[0].after_s if policy.steps else 0.0
    return Escalation(Status.RUNNING, first, 0, now_ns, now_ns + round(delay_s * SECOND_NS), first)


def advance(policy: EscalationPolicy, state: Escalation, *, now_ns: int) -> tuple[Escalation, Taken | None]:
    """The state at `now_ns`, and the one step that is to be taken, if any."""
    if state.status is not Status.RUNNING:
        return state, None
    if state.step >= len(policy.steps):
        return replace(state, status=Status.ENDED), None
    if now_ns < state.since_ns - BACKWARD_TOLERANCE_NS:  # the clock went back: wait as long as was meant, no longer
        wait_ns = min(state.next_ns - state.since_ns, _delay_ns(policy, state))
        return replace(state, since_ns=now_ns, next_ns=now_ns + max(0, wait_ns)), None
    if now_ns < state.next_ns:
        return state, None
    taken = Taken(state.round, state.step, policy.steps[state.step], _why(policy, state), level(policy, state) + 1)
    return _after(policy, state, now_ns=now_ns), taken


def level(policy: EscalationPolicy, state: Escalation) -> int:
    """How often the next level was asked so far."""
    nexts = [step.whom is Target.NEXT for step in policy.steps]
    return (state.round - state.first_round) * sum(nexts) + sum(nexts[: state.step])


def finish(state: Escalation, status: Status) -> Escalation:
    """The state after an acknowledgement, or after the ticket needs nobody any more."""
    return replace(state, status=status) if state.status is Status.RUNNING else state


def held(state: Escalation, *, now_ns: int, until_ns: int) -> Escalation:
    """Let it begin anew at `until_ns`, with keys of its own: what was held back was not told."""
    return replace(state, round=state.round + 1, step=0, since_ns=now_ns, next_ns=until_ns, first_round=state.round + 1)


def on_clock(percent: int) -> tuple[Target, ...]:
    """Whom an alarm of the contract's clock asks while nobody has acknowledged."""
    if percent >= 100:
        return (Target.MANAGER, Target.NEXT)
    if percent >= 90:
        return (Target.MANAGER,)
    return (Target.NEXT,) if percent >= 75 else ()


def _after(policy: EscalationPolicy, state: Escalation, *, now_ns: int) -> Escalation:
    moved = replace(state, step=state.step + 1, since_ns=now_ns)
    if moved.step >= len(policy.steps):
        if state.round - state.first_round >= policy.repeats:
            return replace(moved, status=Status.ENDED, next_ns=now_ns)
        moved = replace(moved, round=state.round + 1, step=0)
    return replace(moved, next_ns=now_ns + _delay_ns(policy, moved))


def _delay_ns(policy: EscalationPolicy, state: Escalation) -> int:
    if state.step == 0 and state.round > state.first_round:
        return round(policy.repeat_after_s * SECOND_NS)
    return round(policy.steps[state.step].after_s * SECOND_NS)


def _why(policy: EscalationPolicy, state: Escalation) -> str:
    again = state.round - state.first_round
    times = f", round {again + 1}" if again else ""
    if state.step == 0 and not again:
        return "first to be asked"
    return f"nobody acknowledged: step {state.step + 1} of {len(policy.steps)}{times}"
