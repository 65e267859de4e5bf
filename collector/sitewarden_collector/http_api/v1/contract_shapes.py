"""A contract as programs see it, and as they send it: goals in seconds by priority and target, days as dates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sitewarden_collector.http_api.shapes import EARLIEST, LATEST, In, Line, Out, instant
from sitewarden_collector.services.contracts import Shown
from sitewarden_collector.store.contracts import Contract, Goals

Target = Literal["first_response", "solution", "resolution"]
Waiting = Literal["customer", "third_party", "change"]
Kind = Literal["remote", "on_site", "upgrade", "inspection"]
Text = Annotated[str, Field(max_length=20_000)]
CalendarName = Annotated[str, Field(min_length=1, max_length=100)]
GOAL_MAX_S = 366 * 86_400


def _sane(day: date) -> date:
    if not EARLIEST.date() <= day < LATEST.date():
        raise ValueError("this day is not between 1970 and 2200")
    return day


Day = Annotated[date, AfterValidator(_sane)]


class GoalIn(In):
    priority: Annotated[int, Field(ge=1, le=4)]
    target: Target
    seconds: Annotated[int, Field(ge=1, le=GOAL_MAX_S)] | None = Field(description="null: nothing is promised")
    calendar: Annotated[str, Field(max_length=100)] = Field("", description="empty: that of the contract")


class TermsIn(In):
    """What is not given stays as it is; of a new contract: as it is without one, 2 h and 48 h around the clock."""

    name: Line | None = None
    begins: Day | None = None
    ends: Day | None = Field(None, description="the last day; null in a change leaves it, `endless` takes it away")
    endless: bool = False
    calendar: CalendarName | None = None
    goals: list[GoalIn] = Field(default=[], max_length=12)
    pauses: dict[Waiting, list[Target]] | None = Field(None, description="what stops while the ticket waits for that")
    included: dict[Kind, Annotated[int, Field(ge=0, le=1_000_000)]] = Field(default={})
    notes: Text | None = None


class ContractIn(TermsIn):
    customer: Line = Field(examples=["acme"])
    name: Line = Field(examples=["Gold 2027"])
    begins: Day


class EntitlementOut(Out):
    kind: str
    total: int
    used: int


class GoalOut(Out):
    priority: int
    target: str
    seconds: int
    calendar: str


class ContractOut(Out):
    number: str = Field(examples=["CON-1"])
    customer: str
    name: str
    status: str = Field(description="planned, in_force, ends_soon or over")
    begins: str = Field(description="a day", examples=["2026-01-01"])
    ends: str = Field(description="the last day; empty: without end")
    calendar: str
    goals: list[GoalOut]
    pauses: dict[str, list[str]]
    entitlements: list[EntitlementOut]
    notes: str


class UseOut(Out):
    """Something of what is included that was used up, or given back."""

    kind: str
    amount: int
    by: str
    at: datetime
    note: str
    ticket_id: str


class ContractDetailOut(ContractOut):
    uses: list[UseOut]


def contract_out(one: Shown) -> ContractOut:
    contract = one.contract
    return ContractOut(
        number=contract.number,
        customer=contract.customer,
        name=contract.name,
        status=str(one.status),
        begins=contract.from_day,
        ends=contract.until_day,
        calendar=contract.calendar,
        goals=[
            GoalOut(priority=priority, target=target, seconds=seconds, calendar=calendar or contract.calendar)
            for priority, level in sorted(contract.goals.items())
            for target, (seconds, calendar) in level.items()
        ],
        pauses={reason: list(targets) for reason, targets in contract.pauses.items()},
        entitlements=[EntitlementOut(kind=e.kind, total=e.total, used=e.used) for e in one.entitlements],
        notes=contract.notes,
    )


def detail_out(one: Shown) -> ContractDetailOut:
    uses = [
        UseOut(
            kind=used.kind,
            amount=used.amount,
            by=used.by,
            at=instant(used.at_ns),
            note=used.note,
            ticket_id=used.ticket_id,
        )
        for used in one.uses
    ]
    return ContractDetailOut(**contract_out(one).model_dump(), uses=uses)


def with_terms(contract: Contract, asked: TermsIn) -> Contract:
    """`contract` with what is asked for."""
    ends = contract.until_day if asked.ends is None else asked.ends.isoformat()
    pauses = contract.pauses
    if asked.pauses is not None:
        pauses = {reason: tuple(dict.fromkeys(targets)) for reason, targets in asked.pauses.items() if targets}
    return replace(
        contract,
        name=asked.name or contract.name,
        from_day=contract.from_day if asked.begins is None else asked.begins.isoformat(),
        until_day="" if asked.endless else ends,
        calendar=asked.calendar or contract.calendar,
        goals=_goals(contract.goals, asked.goals),
        pauses=pauses,
        included={**contract.included, **{str(kind): total for kind, total in asked.included.items()}},
        notes=contract.notes if asked.notes is None else asked.notes,
    )


def _goals(before: Goals, asked: Iterable[GoalIn]) -> Goals:
    made = {priority: dict(level) for priority, level in before.items()}
    for one in asked:
        level = made.setdefault(one.priority, {})
        level.pop(one.target, None)
        if one.seconds is not None:
            level[one.target] = (one.seconds, one.calendar)
    return {priority: level for priority, level in sorted(made.items()) if level}
