"""A solution's way: proposed, agreed with the customer, carried out, verified; each step has an owner and a due time.

    planned --> proposed --> agreed --> carried_out --> verified
                   |           |            |
                   +-----------+------------+--> rejected, or superseded by another proposal

Pure functions from a solution to the next one; a step out of order raises OutOfOrder. Not here: the ticket's state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Step(StrEnum):
    PROPOSE = "propose"
    AGREE = "agree"
    CARRY_OUT = "carry_out"
    VERIFY = "verify"


class SolutionState(StrEnum):
    PLANNED = "planned"  # somebody is to propose one by a time
    PROPOSED = "proposed"
    AGREED = "agreed"
    CARRIED_OUT = "carried_out"
    VERIFIED = "verified"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


AFTER = {
    Step.PROPOSE: SolutionState.PROPOSED,
    Step.AGREE: SolutionState.AGREED,
    Step.CARRY_OUT: SolutionState.CARRIED_OUT,
    Step.VERIFY: SolutionState.VERIFIED,
}
NEXT = {
    SolutionState.PLANNED: Step.PROPOSE,
    SolutionState.PROPOSED: Step.AGREE,
    SolutionState.AGREED: Step.CARRY_OUT,
    SolutionState.CARRIED_OUT: Step.VERIFY,
}
DONE = frozenset((SolutionState.VERIFIED, SolutionState.REJECTED, SolutionState.SUPERSEDED))


class OutOfOrder(ValueError):
    """A step cannot be taken yet, or no longer."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Whose step it is, until when, and who took it when."""

    owner: str = ""
    due_ns: int | None = None
    done_ns: int | None = None
    done_by: str = ""


@dataclass(frozen=True, slots=True)
class Solution:
    """What is to solve a ticket. `duties` has every step."""

    id: str
    ticket_id: str
    customer_id: str
    text: str
    state: SolutionState
    made_ns: int
    made_by: str
    duties: Mapping[Step, Duty] = field(default_factory=dict)
    why: str = ""  # it was rejected or superseded

    @property
    def is_open(self) -> bool:
        return self.state not in DONE

    def duty(self, step: Step) -> Duty:
        return self.duties.get(step, Duty())


def taken(solution: Solution, step: Step, by: str, *, now_ns: int) -> Solution:
    """The solution after `by` took `step`. Raises OutOfOrder, which names the step that is due."""
    due = NEXT.get(solution.state)
    if due is None:
        raise OutOfOrder(f"the solution is {solution.state.value}: there is no further step; propose another one")
    if due is not step:
        raise OutOfOrder(
            f"the solution is {solution.state.value}: its next step is {due.value.replace('_', ' ')}, "
            f"not {step.value.replace('_', ' ')}"
        )
    duty = replace(solution.duty(step), done_ns=now_ns, done_by=by)
    return replace(solution, state=AFTER[step], duties={**solution.duties, step: duty})


def given(solution: Solution, step: Step, owner: str, due_ns: int | None) -> Solution:
    """The solution with another owner and due time of a step that is not done. Raises OutOfOrder."""
    duty = solution.duty(step)
    if duty.done_ns is not None or not solution.is_open:
        raise OutOfOrder(f"{step.value.replace('_', ' ')} is done already; the solution is {solution.state.value}")
    return replace(solution, duties={**solution.duties, step: replace(duty, owner=owner, due_ns=due_ns)})


def ended(solution: Solution, state: SolutionState, why: str) -> Solution:
    """Rejected, or superseded by another. Raises OutOfOrder for one that is over."""
    if not solution.is_open:
        raise OutOfOrder(f"the solution is {solution.state.value} already")
    return replace(solution, state=state, why=why)
