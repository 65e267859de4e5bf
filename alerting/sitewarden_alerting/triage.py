"""Triage: what becomes of signals. `decide` for signals, `settle` for what time alone changes.

Promises: at most one open ticket a fault and site; a record is counted once, also when its first line came before the
rest; every event is counted; a ticket is told once, and again only when there is news (reopened, worse, resolved by
itself). A fault that goes up and down is held open and stays one ticket. A silence or a silent site holds tickets back,
never events that a ticket counts already; what still goes on afterwards is said again by the rules and opens its
ticket then. What arrives late, and happened before its ticket was resolved, is counted there and reopens nothing.

Decisions carry the ticket as it is afterwards; the ids of tickets opened here start with `new:`. Not here: storing,
numbers, sending.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sitewarden_alerting import tickets
from sitewarden_alerting.decisions import (
    AddEvidence,
    CloseTicket,
    ConfirmEvidence,
    MergeTicket,
    NoteRecovery,
    NoteReturn,
    Notify,
    OpenTicket,
    RekeyTicket,
    ReopenTicket,
    ReplaceEvidence,
    ResolveTicket,
    Suppress,
    TicketDecision,
    WithdrawEvidence,
)
from sitewarden_alerting.model import (
    SECOND_NS,
    NoticeKind,
    Policy,
    Signal,
    SignalKind,
    SignalState,
    Silence,
    Ticket,
    TicketState,
)
from sitewarden_alerting.silences import silencing
from sitewarden_alerting.wording import duration

FOLLOWS_FROM_SILENCE = frozenset((SignalKind.ABSENCE, SignalKind.SILENCE))


def decide(
    signals: Iterable[Signal],
    open_tickets: Iterable[Ticket],
    silences: Iterable[Silence],
    policy: Policy,
    *,
    now_ns: int,
) -> tuple[TicketDecision, ...]:
    """What to do about `signals`, in their order.

    `open_tickets` are the tickets of the signals' sites that are not closed, at least those of the signals' faults
    (`fault`, `moved_from`, `part_of`), those with heads, and those of storms and silence; further ones do no harm.
    """
    desk = _Desk(open_tickets, tuple(silences), policy, now_ns)
    for signal in signals:
        desk.take(signal)
    return tuple(desk.decisions)


def settle(open_tickets: Iterable[Ticket], policy: Policy, *, now_ns: int) -> tuple[TicketDecision, ...]:
    """What time alone does to tickets: those that stayed recovered resolve themselves, resolved ones close."""
    desk = _Desk(open_tickets, (), policy, now_ns)
    for ticket in desk.every():
        desk.age(ticket)
    return tuple(desk.decisions)


def repoint(
    old: str, new: str, open_tickets: Iterable[Ticket], *, now_ns: int, reason: str
) -> tuple[TicketDecision, ...]:
    """What becomes of the tickets of fault `old` once it is known to be the same as `new`: rekeyed, or merged."""
    desk = _Desk(open_tickets, (), Policy(), now_ns)
    for ticket in desk.every():
        if ticket.fault == old:
            desk.give_fault(ticket, new, ticket.title, reason)
    return tuple(desk.decisions)


@dataclass(slots=True)
class _Desk:
    """The tickets as they stand after the decisions taken so far."""

    given: Iterable[Ticket]
    silences: tuple[Silence, ...]
    policy: Policy
    now_ns: int
    decisions: list[TicketDecision] = field(default_factory=list)
    by_id: dict[str, Ticket] = field(default_factory=dict)
    by_fault: dict[tuple[str, str], str] = field(default_factory=dict)
    by_head: dict[str, str] = field(default_factory=dict)
    opened: int = 0

    def __post_init__(self) -> None:
        # Of several of one fault the open one counts, else the one resolved last.
        for ticket in sorted(self.given, key=lambda ticket: (ticket.resolved_ns or 0, ticket.opened_ns)):
            if ticket.state is not TicketState.CLOSED:
                self._put(ticket)

    def every(self) -> list[Ticket]:
        return list(self.by_id.values())

    # -- one signal ----------------------------------------------------------------------------------------------

    def take(self, signal: Signal) -> None:
        if signal.state is SignalState.RECOVERED:
            self._recover(signal)
            return
        record = signal.evidence[0].record if signal.evidence and not signal.head else ""
        holder = self._holder(record) if record else None
        if holder is not None:
            self._complete(signal, record, holder)
        elif not signal.alone:  # else the first line was held back, and nothing came that changes it
            self._fire(signal)

    def _fire(self, signal: Signal) -> None:
        ticket = self._of_fault(signal.site_id, signal.fault)
        if ticket is not None and ticket.is_open:
            self._fire_again(signal, ticket)
            return
        if ticket is not None and signal.at_ns <= (ticket.resolved_ns or 0):
            self._count(ticket, signal, f"late news of what was resolved since: {signal.reason}")
            return
        if signal.part_of and (storm := self._of_fault(signal.site_id, signal.part_of)) is not None and storm.is_open:
            self._count(storm, signal, f"part of the storm: {signal.title}")
            return
        if (held := self._held_back(signal)) is not None:
            if not signal.repeats:
                self._decide(held)
            return
        if ticket is None:
            self._open(signal)
        elif self._too_early(signal, ticket):
            return
        elif self._is_settled(ticket):
            self._decide(CloseTicket(tickets.closed(ticket), self.now_ns, "resolved long enough ago"))
            self._open(signal, previous=ticket.number or ticket.id)
        else:
            self._reopen(signal, ticket)

    def _fire_again(self, signal: Signal, ticket: Ticket) -> None:
        if ticket.recovered_ns is not None:
            keep_ns = self.now_ns - round(self.policy.flap_window_s * SECOND_NS)
            ticket = tickets.returned(ticket, at_ns=signal.at_ns, keep_since_ns=keep_ns)
            times = len(ticket.flips)
            self._decide(NoteReturn(ticket, signal.at_ns, f"back again ({times} times lately): {signal.reason}"))
        if not signal.count:
            return
        quiet = ticket.severity < self.policy.page_severity
        if quiet and silencing(self.silences, signal, now_ns=self.now_ns) is not None:
            signal = replace(signal, severity=min(signal.severity, ticket.severity))  # worse once it may be told
        ticket = self._count(ticket, signal, signal.reason)
        if quiet and ticket.page and ticket.severity >= self.policy.page_severity:
            self._tell(ticket, f"it got worse: {signal.reason}")

    def _open(self, signal: Signal, previous: str = "") -> None:
        self.opened += 1
        ticket = tickets.opened(signal, ticket_id=f"new:{self.opened}", previous=previous)
        reason = f"{signal.reason} (rule {signal.rule})"
        self._decide(OpenTicket(ticket, signal.at_ns, reason))
        ticket = self._count(ticket, _once(signal), signal.reason)
        if signal.tell:
            self._tell(ticket, reason)

    def _reopen(self, signal: Signal, ticket: Ticket) -> None:
        assert ticket.resolved_ns is not None
        ago = duration(max(0, self.now_ns - ticket.resolved_ns))
        reason = f"back {ago} after it was resolved: {signal.reason}"
        ticket = tickets.reopened(ticket)
        keep_ns = self.now_ns - round(self.policy.flap_window_s * SECOND_NS)
        ticket = tickets.returned(ticket, at_ns=signal.at_ns, keep_since_ns=keep_ns)
        self._decide(ReopenTicket(ticket, signal.at_ns, reason))
        ticket = self._count(ticket, _once(signal), signal.reason)
        if signal.tell:
            self._tell(ticket, reason)

    def _recover(self, signal: Signal) -> None:
        ticket = self._of_fault(signal.site_id, signal.fault)
        if ticket is None or not ticket.is_open or ticket.recovered_ns is not None:
            return
        self._decide(NoteRecovery(tickets.recovered(ticket, at_ns=signal.at_ns), signal.at_ns, signal.reason))

    def _held_back(self, signal: Signal) -> Suppress | None:
        """Why this signal may open nothing now, if so."""
        silence = silencing(self.silences, signal, now_ns=self.now_ns)
        if silence is not None:
            until = f"silenced by {silence.by}: {silence.reason}"
            return Suppress(None, signal.at_ns, until, signal.fault, silence.id)
        if signal.kind in FOLLOWS_FROM_SILENCE:
            for ticket in self.by_id.values():
                whole = ticket.kind is SignalKind.SILENCE and ticket.fault.endswith("|site")
                if whole and ticket.site_id == signal.site_id and ticket.is_open and ticket.recovered_ns is None:
                    ticket = replace(ticket, suppressed=ticket.suppressed + 1)
                    return Suppress(ticket, signal.at_ns, f"follows from the silent site: {signal.title}", signal.fault)
        return None

    def _too_early(self, signal: Signal, ticket: Ticket) -> bool:
        """A state that merely goes on reopens a ticket only some time after somebody resolved it."""
        waited_ns = self.now_ns - (ticket.resolved_ns or 0)
        return signal.repeats and waited_ns < self.policy.still_firing_s * SECOND_NS

    # -- records in two parts ------------------------------------------------------------------------------------

    def _complete(self, signal: Signal, record: str, holder: Ticket) -> None:
        """The record counted at `holder` by its first line is complete, or is known to be its first line alone."""
        evidence = signal.evidence[0]
        if holder.fault == signal.fault or holder.kind is SignalKind.STORM:
            settled = tickets.completed(holder, record)
            if holder.count == signal.count and holder.fault == signal.fault and not signal.alone:
                settled = replace(settled, title=signal.title)
            if signal.alone:
                self._decide(ConfirmEvidence(settled, signal.at_ns, signal.reason))
            else:
                self._decide(ReplaceEvidence(settled, signal.at_ns, "the record is complete", evidence))
        elif len(holder.heads) == holder.count:  # all that it has are first lines: it stands for the whole fault
            reason = f"the complete record shows another fault than its first line: {signal.title}"
            ticket = self.give_fault(holder, signal.fault, signal.title, reason, signal)
            ticket = tickets.completed(ticket, record)
            self._decide(ReplaceEvidence(ticket, signal.at_ns, "the record is complete", evidence))
        else:
            self._withdraw(signal, record, holder)
            self._fire(replace(signal, head=False))

    def _withdraw(self, signal: Signal, record: str, holder: Ticket) -> None:
        reason = f"one record belongs to another fault: {signal.title}"
        left = tickets.withdrawn(holder, record, signal.count)
        self._decide(WithdrawEvidence(left, signal.at_ns, reason, record))
        if left.state is TicketState.REOPENED and left.count <= left.reopened_count:
            back = tickets.resolved(left, "reopened by a record of another fault", now_ns=self.now_ns)
            self._decide(ResolveTicket(back, signal.at_ns, reason))

    def give_fault(self, ticket: Ticket, fault: str, title: str, reason: str, signal: Signal | None = None) -> Ticket:
        """Make `ticket` one of `fault`: by changing its key, or by merging it into the ticket that there is."""
        target = self._of_fault(ticket.site_id, fault)
        if target is None or target.id == ticket.id:
            changed = replace(ticket, fault=fault, title=title)
            if signal is not None:
                changed = tickets.rekeyed(ticket, signal)
            self._decide(RekeyTicket(changed, self.now_ns, reason))
            return self.by_id[ticket.id]
        if ticket.is_open and not target.is_open:
            target = tickets.reopened(target)
            self._decide(
                ReopenTicket(target, self.now_ns, f"taken over from {ticket.number or 'a new ticket'}: {reason}")
            )
        target = tickets.took_over(target, ticket)
        self._decide(MergeTicket(tickets.merged(ticket, target), self.now_ns, reason, into=target))
        self._put(target)
        return target

    # -- time ----------------------------------------------------------------------------------------------------

    def age(self, ticket: Ticket) -> None:
        if ticket.is_open:
            self._resolve_recovered(ticket)
        elif self._is_settled(ticket):
            self._decide(CloseTicket(tickets.closed(ticket), self.now_ns, "it did not come back"))

    def _is_settled(self, ticket: Ticket) -> bool:
        """Resolved so long ago that what comes now is a new incident."""
        return self.now_ns - (ticket.resolved_ns or 0) > self.policy.reopen_window_s * SECOND_NS

    def _resolve_recovered(self, ticket: Ticket) -> None:
        if ticket.recovered_ns is None:
            return
        lately = [flip for flip in ticket.flips if self.now_ns - flip <= self.policy.flap_window_s * SECOND_NS]
        flapping = len(lately) >= self.policy.flap_count
        quiet_s = self.policy.quiet_s * (self.policy.flap_hold if flapping else 1.0)
        if self.now_ns - ticket.recovered_ns < quiet_s * SECOND_NS:
            return
        reason = f"recovered, and quiet for {duration(self.now_ns - ticket.recovered_ns)}"
        ticket = tickets.resolved(ticket, reason, now_ns=self.now_ns)
        self._decide(ResolveTicket(ticket, self.now_ns, reason))
        if ticket.notices:
            self._tell(ticket, reason, "recovery")

    # -- the books -----------------------------------------------------------------------------------------------

    def _count(self, ticket: Ticket, signal: Signal, reason: str) -> Ticket:
        if not signal.count and not signal.evidence:
            return ticket
        first_entry = ticket.entries
        ticket = tickets.counted(ticket, signal)
        self._decide(AddEvidence(ticket, signal.at_ns, reason, first_entry, signal.evidence))
        return ticket

    def _tell(self, ticket: Ticket, reason: str, kind: NoticeKind | None = None) -> None:
        if kind is None:
            kind = "page" if ticket.page and ticket.severity >= self.policy.page_severity else "info"
        ticket = replace(ticket, notices=ticket.notices + 1)
        self._decide(Notify(ticket, self.now_ns, reason, kind, f"{kind}-{ticket.notices}"))

    def _decide(self, decision: TicketDecision) -> None:
        self.decisions.append(decision)
        if decision.ticket is not None:
            self._put(decision.ticket)

    def _put(self, ticket: Ticket) -> None:
        before = self.by_id.get(ticket.id)
        if before is not None:
            if before.fault != ticket.fault and self.by_fault.get((before.site_id, before.fault)) == before.id:
                del self.by_fault[(before.site_id, before.fault)]
            for record in set(before.heads) - set(ticket.heads):
                if self.by_head.get(record) == ticket.id:
                    del self.by_head[record]
        self.by_id[ticket.id] = ticket
        place = (ticket.site_id, ticket.fault)
        holder = self._of_fault(*place)
        if ticket.state is not TicketState.CLOSED:
            if holder is None or not holder.is_open or ticket.is_open:
                self.by_fault[place] = ticket.id
        elif holder is not None and holder.id == ticket.id:
            del self.by_fault[place]
        for record in ticket.heads:
            self.by_head[record] = ticket.id

    def _of_fault(self, site_id: str, fault: str) -> Ticket | None:
        found = self.by_fault.get((site_id, fault))
        return None if found is None else self.by_id[found]

    def _holder(self, record: str) -> Ticket | None:
        found = self.by_head.get(record)
        return None if found is None else self.by_id[found]


def _once(signal: Signal) -> Signal:
    """A state that is told again opens a ticket as one event, as it did when it began."""
    return replace(signal, count=1) if signal.repeats and not signal.count else signal
