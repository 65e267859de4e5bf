"""The words of deciding: signals, evidence, tickets, risks, and the policy that weighs them.

All of it is data: frozen, without behaviour beyond what reads them, made of plain values so that a store can keep them
as columns or JSON. What is decided about them stands in `decisions`; how a ticket may move in `tickets`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS

EVIDENCE_HEAD = 20  # entries of a ticket's evidence that are kept from the start ...
EVIDENCE_TAIL = 20  # ... and from the end; its count stays exact
EVIDENCE_TEXT_CHARS = 4000
HEADS_MAX = 200


class SignalState(StrEnum):
    """What a signal says of its fault."""

    FIRING = "firing"
    RECOVERED = "recovered"


class SignalKind(StrEnum):
    """What sort of rule found it: triage treats them differently."""

    LOG = "log"  # a fault in the log: nothing tells that it is over
    LEVEL = "level"  # a value over its level
    PROBE = "probe"
    ABSENCE = "absence"  # something expected did not come
    SILENCE = "silence"  # an agent or a whole site is not heard of
    STORM = "storm"
    GAP = "gap"  # data were lost
    CHANGE = "change"
    REPORT = "report"  # no rule: a person said so
    ALERT = "alert"  # other monitoring said so


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was seen, with a copy of what it said: tickets outlive the observations they stand on.

    `record` names a log record (agent, file, offset), so that its completion can replace its first line.
    """

    agent_id: str
    epoch: str
    seq: int
    index: int
    at_ns: int
    hostname: str
    text: str
    record: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """What a rule found.

    `fault` is the identity that tickets are opened under, `subject` what a person calls it; `count` is how often it
    happened. `head`: only a record's first line so far; `alone`: that line turned out to be all of it; `moved_from`:
    the fault under which the record's first line was counted; `part_of`: the fault of a storm that holds it.
    """

    rule: str
    kind: SignalKind
    site_id: str
    customer_id: str
    fault: str
    subject: str
    state: SignalState
    severity: int
    title: str
    reason: str
    at_ns: int
    count: int = 1
    evidence: tuple[Evidence, ...] = ()
    head: bool = False
    alone: bool = False
    moved_from: str = ""
    part_of: str = ""
    page: bool = True
    tell: bool = True
    repeats: bool = False  # a state that goes on, not one that begins


@dataclass(frozen=True, slots=True)
class AgentSeen:
    """When an agent was last heard of: its last heartbeat or batch, its enrolment where there was none yet."""

    site_id: str
    customer_id: str
    agent_id: str
    hostname: str
    last_seen_ns: int


@dataclass(frozen=True, slots=True)
class WatchLevel:
    """Agents tell at once when a value of the series goes over `above` or under `below`, or comes back."""

    series: str
    above: float | None = None
    below: float | None = None


class TicketState(StrEnum):
    NEW = "new"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    RESOLVED = "resolved"
    CLOSED = "closed"
    REOPENED = "reopened"


OPEN_STATES = frozenset(TicketState) - {TicketState.RESOLVED, TicketState.CLOSED}


class TicketType(StrEnum):
    """What kind of work a ticket is (ITIL). Triage opens incidents; people open any."""

    INCIDENT = "incident"
    SERVICE_REQUEST = "service_request"
    COMPLAINT = "complaint"
    CHANGE_REQUEST = "change_request"


class Waiting(StrEnum):
    """Whom or what a waiting ticket waits for. A contract says which of them pause its clocks."""

    CUSTOMER = "customer"
    THIRD_PARTY = "third_party"
    CHANGE = "change"


PRIORITIES = (1, 2, 3, 4)  # 1 is the most urgent
DEFAULT_PRIORITY = 3


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket at one site. `id` starts with `new:` until it is stored, `number` is empty until then.

    `kind` and `rule` say how it came about, `type` what work it is. `count` is the number of events, `entries` that of
    evidence entries ever added. `heads` are the records of which only the first line is counted here so far. `flips`
    are the times at which it came back after a recovery. `reported_ns` is when a person reported it, where one did.
    """

    id: str
    site_id: str
    customer_id: str
    fault: str
    rule: str
    kind: SignalKind
    title: str
    severity: int
    opened_ns: int
    last_ns: int
    number: str = ""
    state: TicketState = TicketState.NEW
    count: int = 0
    entries: int = 0
    page: bool = True
    heads: tuple[str, ...] = ()
    assignee: str = ""
    acknowledged_ns: int | None = None
    recovered_ns: int | None = None
    resolved_ns: int | None = None
    resolution: str = ""
    merged_into: str = ""
    previous: str = ""  # the ticket of the same fault before this one
    flips: tuple[int, ...] = ()
    reopenings: int = 0
    reopened_count: int = 0  # its count when it was last reopened
    notices: int = 0  # rounds of telling so far
    suppressed: int = 0  # signals that follow from this one and opened nothing
    type: TicketType = TicketType.INCIDENT
    priority: int = DEFAULT_PRIORITY
    waiting: str = ""  # a value of Waiting while it waits
    category: str = ""
    component: str = ""
    reporter: str = ""  # who reported it, where a person did
    reported_ns: int | None = None
    parent_id: str = ""  # the ticket that it is a part of
    problem_id: str = ""  # the problem behind it
    major: bool = False

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


@dataclass(frozen=True, slots=True)
class Silence:
    """A time in which certain signals open no ticket and tell nobody. Empty patterns match everything; globs.

    `site` is a site's id, `number` what people call the silence.
    """

    id: str
    from_ns: int
    until_ns: int
    reason: str
    by: str
    site: str = ""
    rule: str = ""
    fault: str = ""
    number: str = ""
    customer: str = ""  # a customer's id: all of their sites


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on call, and the names of the channels that reach them, the best first."""

    name: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskPolicy:
    """When a risk is worth a warning. Scores are likelihood x impact, 1 to 25."""

    raise_at: int = 10
    lower_below: int = 8
    lower_after_s: float = 600.0  # that long below before it is taken back
    horizon_s: float = 30 * 86_400.0
    trust_spans: float = 8.0  # a forecast reaches at most that many times as far as its data
    full_ratio: float = 0.97  # that share of the limit is as good as full
    level_guard: float = 0.5  # below that share of the limit a growth alone raises nothing
    certificate_due_s: float = 3 * 86_400.0
    tell_again_likelihood: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What triage and assessment go by."""

    on_call: tuple[Person, ...] = ()
    page_severity: int = 4  # this and worse page; the rest is told without urgency
    reopen_window_s: float = 7 * 86_400.0
    quiet_s: float = 300.0  # that long recovered before a ticket resolves itself
    flap_window_s: float = 1800.0
    flap_count: int = 3  # that many returns in the window make it flap ...
    flap_hold: float = 4.0  # ... and the quiet time that much longer
    still_firing_s: float = 900.0  # resolved by a person, but that long later still so: reopened
    risk: RiskPolicy = field(default_factory=RiskPolicy)


NoticeKind = Literal["page", "info", "recovery", "risk"]


class RiskState(StrEnum):
    ACTIVE = "active"
    LOWERED = "lowered"


@dataclass(frozen=True, slots=True)
class Factor:
    """One reason behind a score: what it is called, what it says, what it weighs."""

    name: str
    text: str
    weight: int


@dataclass(frozen=True, slots=True)
class Risk:
    """Something that has not happened yet. `id` is empty until it is stored."""

    site_id: str
    customer_id: str
    subject: str  # its identity at the site
    kind: str  # disk_full, certificate
    title: str
    text: str
    likelihood: int
    impact: int
    factors: tuple[Factor, ...]
    response: str
    due_ns: int | None
    expected_ns: int | None
    early_ns: int | None
    late_ns: int | None
    raised_ns: int = 0
    assessed_ns: int = 0
    below_since_ns: int | None = None
    state: RiskState = RiskState.ACTIVE
    id: str = ""
    number: str = ""
    told_likelihood: int = 0

    @property
    def score(self) -> int:
        return self.likelihood * self.impact
