"""What triage and assessment can decide. Each decision carries its reason and the thing as it is afterwards.

A store that writes `ticket` of the last decision about it, adds the evidence and appends the history has done all there
is to do; it decides nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from sitewarden_alerting.model import Evidence, NoticeKind, Risk, Ticket


@dataclass(frozen=True, slots=True)
class OpenTicket:
    ticket: Ticket
    at_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class AddEvidence:
    """Evidence for a ticket; `first_entry` is the place of the first of them in the row of all entries."""

    ticket: Ticket
    at_ns: int
    reason: str
    first_entry: int
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class ReplaceEvidence:
    """The record is complete now: what it says replaces its first line, counted already."""

    ticket: Ticket
    at_ns: int
    reason: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class ConfirmEvidence:
    """The first line was the whole record."""

    ticket: Ticket
    at_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class WithdrawEvidence:
    """The record turned out to belong to another fault."""

    ticket: Ticket
    at_ns: int
    reason: str
    record: str


@dataclass(frozen=True, slots=True)
class RekeyTicket:
    """The ticket stands for another fault than was thought when it was opened."""

    ticket: Ticket
    at_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class MergeTicket:
    """The ticket goes into `into`, with its evidence, and is closed."""

    ticket: Ticket
    at_ns: int
    reason: str
    into: Ticket


@dataclass(frozen=True, slots=True)
class NoteRecovery:
    ticket: Ticket
    at_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class NoteReturn:
    """It is back before the recovery was believed."""

    ticket: Ticket
    at_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReopenTicket:
    ticket: Ticket
    at_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class ResolveTicket:
    ticket: Ticket
    at_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class CloseTicket:
    ticket: Ticket
    at_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class Acknowledge:
    ticket: Ticket
    at_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class Suppress:
    """A signal opened nothing. `ticket` is the one it follows from, if that is why."""

    ticket: Ticket | None
    at_ns: int
    reason: str
    fault: str
    silence_id: str = ""


@dataclass(frozen=True, slots=True)
class Notify:
    """Somebody has to hear of it. `occasion` makes the notice unique: one a ticket and round of telling."""

    ticket: Ticket
    at_ns: int
    reason: str
    kind: NoticeKind
    occasion: str


@dataclass(frozen=True, slots=True)
class RaiseRisk:
    risk: Risk
    at_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class KeepRisk:
    """It stands; the figures are newer."""

    risk: Risk
    at_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class LowerRisk:
    risk: Risk
    at_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class NotifyRisk:
    risk: Risk
    at_ns: int
    reason: str
    occasion: str


TicketDecision = (
    OpenTicket
    | AddEvidence
    | ReplaceEvidence
    | ConfirmEvidence
    | WithdrawEvidence
    | RekeyTicket
    | MergeTicket
    | NoteRecovery
    | NoteReturn
    | ReopenTicket
    | ResolveTicket
    | CloseTicket
    | Acknowledge
    | Suppress
    | Notify
)
RiskDecision = RaiseRisk | KeepRisk | LowerRisk | NotifyRisk
