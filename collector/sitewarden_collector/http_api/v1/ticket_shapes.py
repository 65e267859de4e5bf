"""A ticket as the API shows it. Whoever is of the customer sees what was said to the customer, and no more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from sitewarden_alerting.model import Evidence, Ticket
from sitewarden_alerting.reading.severity import Severity
from sitewarden_alerting.servicelevels.clock import Clock
from sitewarden_alerting.solutions import Solution
from sitewarden_collector.http_api.shapes import Out, instant, moment
from sitewarden_collector.services.access import Principal, Role
from sitewarden_collector.services.ticket_view import TOLD_CUSTOMERS, told
from sitewarden_collector.store.attachments import Attachment
from sitewarden_collector.store.comments import Comment
from sitewarden_collector.store.links import Link
from sitewarden_collector.store.tickets import Event

State = Literal["new", "assigned", "in_progress", "waiting", "resolved", "closed", "reopened"]
Type = Literal["incident", "service_request", "complaint", "change_request"]

# What happened that concerns the customer; of comments and attachments only those that are meant for them.
FOR_CUSTOMERS = TOLD_CUSTOMERS | {"note_recovery", "merge_ticket"}
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


class SpanOut(Out):
    """What a clock did from one time to another, and why."""

    begins: datetime
    ends: datetime
    counts: bool
    why: str = Field(examples=["outside_hours"])
    detail: str
    by: str
    calendar: str
    version: int = Field(description="of the calendar")


class ClockOut(Out):
    """One clock of the contract on this ticket; `spans` explain every minute of it."""

    target: str = Field(examples=["first_response"])
    state: str = Field(examples=["running"])
    started: datetime
    due: datetime | None = Field(description="none while it is paused")
    ended: datetime | None
    goal_s: float
    elapsed_s: float
    remaining_s: float = Field(description="negative when it is over its goal")
    calendar: str
    zone: str
    spans: list[SpanOut]


class CommentOut(Out):
    """What was said, among engineers or to the customer."""

    id: str
    at: datetime
    by: str
    visibility: Literal["internal", "customer"]
    from_customer: bool
    text: str


class DutyOut(Out):
    """Whose step it is, until when, and who took it."""

    step: str
    owner: str
    due: datetime | None
    done: datetime | None
    done_by: str


class SolutionOut(Out):
    """What is to solve the ticket, and how far that is."""

    id: str
    state: str
    text: str
    made: datetime
    made_by: str
    why: str = Field(description="why it was rejected or superseded")
    duties: list[DutyOut]


class AttachmentOut(Out):
    """A file kept with the ticket."""

    id: str
    name: str
    media_type: str
    size: int
    sha256: str
    at: datetime
    by: str
    visibility: Literal["internal", "customer"]


class LinkOut(Out):
    """Another ticket and what it has to do with this one."""

    kind: str
    number: str
    title: str
    state: str
    backwards: bool = Field(description="the other one is that to this one")


class TicketDetailOut(TicketOut):
    """A ticket with everything about it."""

    merged_into: str = Field(description="the number of the ticket that goes on in its place")
    parent_id: str
    problem_id: str
    previous: str = Field(description="the ticket of the same fault before this one")
    silenced_until: datetime | None
    evidence: list[EvidenceOut] = Field(description="the first and the last that was seen; `count` is exact")
    history: list[EventOut]
    comments: list[CommentOut]
    solutions: list[SolutionOut] = Field(description="the current one last")
    attachments: list[AttachmentOut]
    links: list[LinkOut]
    contract: str
    service_level: str
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
    if who.role is not Role.CUSTOMER:
        return [_event_out(event) for event in events]
    return [_event_out(told(event)) for event in events if for_customers(event)]


def clock_out(clock: Clock) -> ClockOut:
    return ClockOut(
        target=str(clock.target),
        state=str(clock.state),
        started=instant(clock.start_ns),
        due=moment(clock.due_ns),
        ended=moment(clock.ended_ns),
        goal_s=clock.goal_s,
        elapsed_s=clock.elapsed_s,
        remaining_s=clock.remaining_s,
        calendar=clock.calendar,
        zone=clock.zone,
        spans=[
            SpanOut(
                begins=instant(span.from_ns),
                ends=instant(span.until_ns),
                counts=span.counts,
                why=str(span.why),
                detail=span.detail,
                by=span.by,
                calendar=span.calendar,
                version=span.version,
            )
            for span in clock.spans
        ],
    )


def comment_out(one: Comment) -> CommentOut:
    return CommentOut(
        id=one.id,
        at=instant(one.at_ns),
        by=one.by,
        visibility="customer" if one.visibility == "customer" else "internal",
        from_customer=one.from_customer,
        text=one.text,
    )


def solution_out(one: Solution) -> SolutionOut:
    duties = [
        DutyOut(
            step=str(step),
            owner=duty.owner,
            due=moment(duty.due_ns),
            done=moment(duty.done_ns),
            done_by=duty.done_by,
        )
        for step, duty in one.duties.items()
    ]
    return SolutionOut(
        id=one.id,
        state=str(one.state),
        text=one.text,
        made=instant(one.made_ns),
        made_by=one.made_by,
        why=one.why,
        duties=duties,
    )


def attachment_out(one: Attachment) -> AttachmentOut:
    return AttachmentOut(
        id=one.id,
        name=one.name,
        media_type=one.media_type,
        size=one.size,
        sha256=one.sha256,
        at=instant(one.at_ns),
        by=one.by,
        visibility="customer" if one.visibility == "customer" else "internal",
    )


def link_out(one: Link) -> LinkOut:
    return LinkOut(kind=one.kind, number=one.number, title=one.title, state=one.state, backwards=one.backwards)


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
