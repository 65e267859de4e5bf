"""Tickets in use: writing down what triage decided, and what people do with them.

`apply` stores decisions with their evidence and history in the caller's transaction, and has people told.
`acknowledge` and `resolve` are a person's moves; both stop every page of the ticket that has not gone out. Not here:
deciding (`alerting.triage`), who is told (`services.paging`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from sitewarden_alerting import decisions as made
from sitewarden_alerting import tickets as moves
from sitewarden_alerting.decisions import TicketDecision
from sitewarden_alerting.model import Evidence, Policy, Silence, Ticket
from sitewarden_alerting.silences import silencing
from sitewarden_collector.errors import Conflict
from sitewarden_collector.services import aftermath, paging, priorities
from sitewarden_collector.services.surroundings import Surroundings, around
from sitewarden_collector.store import evidence, merges, silences, tickets
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.numbers import BY_TYPE, next_numbers
from sitewarden_collector.store.tickets import Event, Listed

BY_RULES = "rules"
FLIPS_WRITTEN = 6  # further ups and downs of a flapping ticket are counted, not written
COUNTED = (made.AddEvidence, made.ReplaceEvidence, made.ConfirmEvidence, made.Notify)  # no line of history
MOVED = (made.RekeyTicket, made.MergeTicket, made.ReopenTicket, made.ResolveTicket, made.CloseTicket)


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything about one ticket."""

    ticket: Ticket
    site: str
    customer: str
    evidence: tuple[Evidence, ...]
    history: tuple[Event, ...]
    merged_into: str
    silence: Silence | None  # that holds its news back now
    around: Surroundings


def listing(tx: Connection, *, states: Sequence[str] = (), site: str = "", limit: int = 200) -> list[Listed]:
    """Tickets, the newest first."""
    return tickets.listing(tx, states=states, site=site, limit=limit)


def show(tx: Connection, number: str, *, now_ns: int) -> Shown:
    """One ticket with evidence, history and surroundings, as things stand now. Raises NotFound."""
    ticket = tickets.by_number(tx, number)
    site, customer = tickets.names(tx, ticket.site_id)
    into = tickets.by_id(tx, ticket.merged_into) if ticket.merged_into else None
    shown = tuple(evidence.of_ticket(tx, ticket.id))
    return Shown(
        ticket,
        site,
        customer,
        shown,
        tuple(tickets.history_of(tx, ticket.id)),
        "" if into is None else into.number,
        silencing(silences.active(tx, now_ns=now_ns), ticket, now_ns=now_ns),
        around(tx, ticket, shown),
    )


def acknowledge(tx: Connection, number: str, who: str, *, now_ns: int) -> Ticket:
    """`who` has taken the ticket, or the one that it was merged into: no further page goes out. Raises NotFound,
    Conflict."""
    return _moved(tx, number, "acknowledged", who, now_ns=now_ns, how="")


def resolve(tx: Connection, number: str, who: str, how: str, *, now_ns: int) -> Ticket:
    """The ticket, or the one that it was merged into, is solved, by `how`. Raises NotFound, Conflict."""
    return _moved(tx, number, "resolved", who, now_ns=now_ns, how=how)


def _moved(tx: Connection, number: str, what: str, who: str, *, now_ns: int, how: str) -> Ticket:
    ticket = tickets.by_number(tx, number, for_update=True)
    # Whoever was called by a number that is merged by now means the ticket that goes on in its place.
    while ticket.merged_into and (into := tickets.by_id(tx, ticket.merged_into, for_update=True)) is not None:
        ticket = into
    try:
        if what == "acknowledged":
            ticket = moves.acknowledged(ticket, who, now_ns=now_ns)
        else:
            ticket = moves.resolved(ticket, how or f"resolved by {who}", now_ns=now_ns)
    except moves.IllegalMove as error:
        raise Conflict(str(error)) from error
    tickets.save(tx, ticket, new=False)
    paging.stop(tx, ticket, now_ns=now_ns)
    event = {"acknowledged": "acknowledge", "resolved": "resolve_ticket"}[what]
    aftermath.record(tx, ticket, [Event(now_ns, event, who, how or f"{what} by {who}")], now_ns=now_ns)
    return ticket


# -- what triage decided ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Writing:
    """Decisions on their way into the database: evidence is gathered and written once a ticket."""

    tx: Connection
    policy: Policy
    now_ns: int
    by: str = BY_RULES
    numbers: dict[str, Iterator[str]] = field(default_factory=dict)  # set aside for new tickets, by their kind
    ids: dict[str, tuple[str, str]] = field(default_factory=dict)  # new:1 -> id, number
    unborn: dict[str, None] = field(default_factory=dict)  # ids of new tickets that have no row yet
    written: dict[str, Ticket] = field(default_factory=dict)  # as the database has them
    evidence: dict[str, dict[int, Evidence]] = field(default_factory=dict)
    latest: dict[str, Ticket] = field(default_factory=dict)
    history: dict[str, list[Event]] = field(default_factory=dict)
    notify: list[tuple[made.Notify, str]] = field(default_factory=list)
    held: dict[str, int] = field(default_factory=dict)


def apply(
    tx: Connection, decisions: Sequence[TicketDecision], policy: Policy, *, now_ns: int, by: str = BY_RULES
) -> int:
    """Write down what was decided, in its order; how many tickets were opened or reopened. `by` decided it."""
    work = _Writing(tx, policy, now_ns, by)
    opening = Counter(BY_TYPE[one.ticket.type] for one in decisions if isinstance(one, made.OpenTicket))
    work.numbers = {kind: iter(next_numbers(tx, kind, count)) for kind, count in sorted(opening.items())}
    for decision in decisions:
        _write(work, decision)
    new = {ticket_id for ticket_id, _ in work.ids.values()}
    opened, spread = priorities.opened_all(tx, [work.latest[ticket_id] for ticket_id, _ in work.ids.values()])
    for judged in opened:
        work.latest[judged.id] = judged
        events = work.history.get(judged.id, ())
        work.history[judged.id] = [replace(event, priority=judged.priority) for event in events]
    _flush(work)
    changed = [ticket for ticket_id, ticket in work.latest.items() if work.written.get(ticket_id) != ticket]
    tickets.save_all(tx, changed, new=False)
    told: list[tuple[Ticket, Sequence[Event]]] = [
        (ticket, work.history.get(ticket_id, ())) for ticket_id, ticket in work.latest.items()
    ]
    news = [(decision, work.latest[ticket_id]) for decision, ticket_id in work.notify]
    news = [(decision, ticket) for decision, ticket in news if not ticket.merged_into]
    told += paging.tell_all(tx, news, policy.on_call, now_ns=now_ns)
    aftermath.record_all(tx, told, new=new, now_ns=now_ns)
    before = [ticket for ticket_id, ticket in work.latest.items() if ticket_id not in new]
    priorities.raised(tx, before, spread, now_ns=now_ns)
    for silence_id, number in work.held.items():
        silences.count_held(tx, silence_id, number)
    return sum(isinstance(decision, made.OpenTicket | made.ReopenTicket) for decision in decisions)


def _write(work: _Writing, decision: TicketDecision) -> None:
    if isinstance(decision, made.Suppress) and decision.silence_id:
        work.held[decision.silence_id] = work.held.get(decision.silence_id, 0) + 1
    if decision.ticket is None:
        return
    ticket = _new(work, decision.ticket) if isinstance(decision, made.OpenTicket) else _real(work, decision.ticket)
    match decision:
        case made.AddEvidence():
            entries = work.evidence.setdefault(ticket.id, {})
            entries.update(enumerate(decision.evidence, start=decision.first_entry))
        case made.ReplaceEvidence():
            _replace(work, ticket.id, decision.evidence)
        case made.WithdrawEvidence():
            _flush(work)
            evidence.drop(work.tx, ticket.id, decision.record)
        case made.MergeTicket():
            into = _real(work, decision.into)
            shift = into.entries - ticket.entries
            _remember_before(work, ticket.id, into_id=into.id, to_fault=into.fault, shift=shift)
            work.latest[into.id] = into
            ticket = replace(ticket, merged_into=into.id)
            _flush(work)
            evidence.move(work.tx, ticket.id, into.id, shift=shift)
            paging.stop(work.tx, ticket, now_ns=work.now_ns)
            _remember(work, into.id, decision, f"took over {ticket.number}: {decision.reason}")
        case made.RekeyTicket():
            _remember_before(work, ticket.id, into_id="", to_fault=ticket.fault, shift=0)
        case made.ResolveTicket() | made.CloseTicket():
            paging.stop(work.tx, ticket, now_ns=work.now_ns)
        case made.Notify():
            work.notify.append((decision, ticket.id))
    work.latest[ticket.id] = ticket
    if isinstance(decision, MOVED):  # at once: the next decision may need the key that this one gives up
        if work.unborn:
            _flush(work)
        tickets.save(work.tx, ticket, new=False)
        work.written[ticket.id] = ticket
    if not isinstance(decision, COUNTED) and len(ticket.flips) <= FLIPS_WRITTEN:
        _remember(work, ticket.id, decision, decision.reason)


def _new(work: _Writing, ticket: Ticket) -> Ticket:
    """Give the ticket its id and number; `_flush` makes its row."""
    work.ids[ticket.id] = (new_id(), next(work.numbers[BY_TYPE[ticket.type]]))
    ticket = _real(work, ticket)
    work.unborn[ticket.id] = None
    return ticket


def _real(work: _Writing, ticket: Ticket) -> Ticket:
    """The ticket under the id that it has in the database."""
    into = work.ids.get(ticket.merged_into, (ticket.merged_into, ""))[0]
    if ticket.id in work.ids:
        ticket_id, number = work.ids[ticket.id]
        return replace(ticket, id=ticket_id, number=number, merged_into=into)
    return replace(ticket, merged_into=into)


def _replace(work: _Writing, ticket_id: str, one: Evidence) -> None:
    for entry, gathered in work.evidence.get(ticket_id, {}).items():
        if gathered.record == one.record:
            work.evidence[ticket_id][entry] = one
            return
    evidence.replace(work.tx, ticket_id, one)


def _flush(work: _Writing) -> None:
    """Write the new tickets and the evidence gathered so far."""
    born = [work.latest[ticket_id] for ticket_id in work.unborn]
    tickets.save_all(work.tx, born, new=True)
    work.written |= {ticket.id: ticket for ticket in born}
    work.unborn.clear()
    gathered = {ticket_id: (entries, work.latest[ticket_id].entries) for ticket_id, entries in work.evidence.items()}
    evidence.add_all(work.tx, gathered)
    work.evidence.clear()


def _remember_before(work: _Writing, ticket_id: str, *, into_id: str, to_fault: str, shift: int) -> None:
    """Keep what a ticket was before its fault became another, so that it can be undone."""
    before = work.latest.get(ticket_id) or tickets.by_id(work.tx, ticket_id)
    if before is not None:
        merges.add(work.tx, before, into_id=into_id, to_fault=to_fault, shift=shift, now_ns=work.now_ns)


def _remember(work: _Writing, ticket_id: str, decision: TicketDecision, text: str) -> None:
    what = re.sub(r"(?<!^)(?=[A-Z])", "_", type(decision).__name__).lower()
    # The state as it is after this decision: several may follow each other in one transaction.
    ticket = work.latest[ticket_id]
    event = Event(
        decision.at_ns, what, work.by, text, state=ticket.state.value, waiting=ticket.waiting, priority=ticket.priority
    )
    work.history.setdefault(ticket_id, []).append(event)
