"""What follows every change of a ticket, in its transaction: the history is written, its clocks are brought up to date,
and whoever watches is told, other programs among them.

Each service that changes a ticket ends with `record`. Not here: what the change is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from sitewarden_alerting.model import Ticket
from sitewarden_collector.services import service_levels, webhooks
from sitewarden_collector.store import changes, tickets
from sitewarden_collector.store.tickets import Event


def record(tx: Connection, ticket: Ticket, events: Sequence[Event], *, now_ns: int) -> None:
    """Write what happened to `ticket`, which is as it is now, and let the rest follow."""
    record_all(tx, [(ticket, events)], now_ns=now_ns)


def record_all(
    tx: Connection, told: Sequence[tuple[Ticket, Sequence[Event]]], *, new: Collection[str] = (), now_ns: int
) -> None:
    """The same for several tickets: in a storm every statement is about many. `new` are the ids of those that have no
    history but this."""
    happened = [(ticket, events) for ticket, events in told if events]
    tickets.add_history(tx, happened, now_ns=now_ns)
    moved = [
        ticket for ticket, events in happened if not service_levels.UNMOVED.issuperset(event.what for event in events)
    ]
    known: dict[str, list[Event]] = {}
    for ticket, events in happened:
        if ticket.id in new:
            known.setdefault(ticket.id, []).extend(tickets.kept(ticket, event) for event in events)
    service_levels.refresh_all(tx, moved, known=known, now_ns=now_ns)
    webhooks.of_tickets(tx, happened, now_ns=now_ns)
    rows = [
        (ticket.id, events[-1].what if events else "count", ticket.customer_id, ticket.site_id)
        for ticket, events in told
    ]
    changes.note_all(tx, "ticket", rows, now_ns=now_ns)
