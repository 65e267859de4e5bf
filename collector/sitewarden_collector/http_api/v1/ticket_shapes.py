"""A ticket as the API shows it. Whoever is of the customer sees what was said to the customer, and no more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from sitewarden_alerting.model import Evidence, Ticket
from sitewarden_alerting.reading.severity import Severity
from sitewarden_collector.http_api.shapes import Out, instant, moment
from sitewarden_collector.services.access import Principal, Role
from sitewarden_collector.store.tickets import Event

State = Literal["new", "assigned", "in_progress", "waiting", "resolved", "closed", "reopened"]
Type = Literal["incident", "service_request", "complaint", "change_request"]

# What happened that concerns the customer; of comments and attachments only those that are meant for them.
FOR_CUSTOMERS = frozenset(
    (
        "open_ticket",
        "reopen_ticket",
        "resolve_ticket",
        "close_ticket",
        "start_ticket",
        "wait_ticket",
        "note_recovery",
        "set_priority",
        "propose_solution",
        "agree_solution",
        "carry_out_solution",
        "verify_solution",
        "merge_ticket",
    )
)
MARKED = frozenset(("comment", "attach_file"))


class TicketOut(Out):
    """A ticket in a listing."""

    number: str = Field(examples=["INC-1001"])
    id: str
    type: Type
    state: State
    priority: int = Field(description="1 is the most urgent, 4 the least", examples=[2])
    severity: str = Field(description="of the worst that was seen", examples=["error"])
    title: str
    site: str
    customer: str
    assignee: str = Field(description="empty: nobody's yet")
    waiting: str = Field(description="whom it waits for while its state is waiting")
    category: str
    component: str
    reporter: str = Field(description="who reported it, where a person did")
    major: bool
    fault: str = Field(description="the identity of the fault: at most one open ticket of it a site")
    rule: str
    count: int = Field(description="how often it happened")
    opened: datetime
    last: datetime = Field(description="when it was last seen")
    reported: datetime | None
    acknowledged: datetime | None
    recovered: datetime | None
    resolved: datetime | None
    resolution: str
    reopenings: int


class EvidenceOut(Out):
    """One thing that was seen."""

    at: datetime
    hostname: str
    text: str
    agent_id: str


class EventOut(Out):
    """One line of a ticket's history: what happened, by whom, and how the ticket was afterwards."""

    id: int
    at: datetime
    written: datetime = Field(description="when it was written down: later than `at` where it was told belatedly")
    what: str = Field(examples=["acknowledge"])
    by: str = Field(description="an account's name, or rules")
    text: str
    state: str
    waiting: str
    priority: int
    data: dict[str, Any]


class ClockOut(Out):
    """One clock of the contract on this ticket."""

    target: str = Field(description="which promise", examples=["first_response"])
    state: str = Field(description="running, paused, met, breached ...")
    due: datetime | None
    left_s: float | None = Field(description="time left on the clock, negative when it is over")
    explained: list[str] = Field(description="every minute that counted and that did not, in words")


class TicketDetailOut(TicketOut):
    """A ticket with everything about it."""

    merged_into: str = Field(description="the number of the ticket that goes on in its place")
    parent_id: str
    problem_id: str
    previous: str = Field(description="the ticket of the same fault before this one")
    silenced_until: datetime | None
    evidence: list[EvidenceOut] = Field(description="the first and the last that was seen; `count` is exact")
    history: list[EventOut]
    clocks: list[ClockOut]


def ticket_out(ticket: Ticket, site: str, customer: str) -> dict[str, Any]:
    """The fields of a ticket in a listing."""
    return {
        "number": ticket.number,
        "id": ticket.id,
        "type": ticket.type.value,
        "state": ticket.state.value,
        "priority": ticket.priority,
        "severity": Severity(ticket.severity).name.lower(),
        "title": ticket.title,
        "site": site,
        "customer": customer,
        "assignee": ticket.assignee,
        "waiting": ticket.waiting,
        "category": ticket.category,
        "component": ticket.component,
        "reporter": ticket.reporter,
        "major": ticket.major,
        "fault": ticket.fault,
        "rule": ticket.rule,
        "count": ticket.count,
        "opened": instant(ticket.opened_ns),
        "last": instant(ticket.last_ns),
        "reported": moment(ticket.reported_ns),
        "acknowledged": moment(ticket.acknowledged_ns),
        "recovered": moment(ticket.recovered_ns),
        "resolved": moment(ticket.resolved_ns),
        "resolution": ticket.resolution,
        "reopenings": ticket.reopenings,
    }


def evidence_out(one: Evidence) -> EvidenceOut:
    return EvidenceOut(at=instant(one.at_ns), hostname=one.hostname, text=one.text, agent_id=one.agent_id)


def history_out(events: Iterable[Event], who: Principal) -> list[EventOut]:
    """What of a history somebody may read."""
    return [_event_out(event) for event in events if who.role is not Role.CUSTOMER or for_customers(event)]


def for_customers(event: Event) -> bool:
    """Whether an event is the customer's business."""
    if event.what in MARKED:
        return event.data.get("visibility") == "customer"
    return event.what in FOR_CUSTOMERS


def _event_out(event: Event) -> EventOut:
    return EventOut(
        id=event.id,
        at=instant(event.at_ns),
        written=instant(event.written_ns),
        what=event.what,
        by=event.by,
        text=event.text,
        state=event.state,
        waiting=event.waiting,
        priority=event.priority,
        data=dict(event.data),
    )
