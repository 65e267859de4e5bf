"""What follows every change of a ticket, in its transaction: the history is written, its clocks are brought up to date,
and whoever watches is told, other programs among them.

Each service that changes a ticket ends with `record`. Not here: what the change is.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from sitewarden_alerting.model import Ticket
from sitewarden_collector.services import service_levels, webhooks
from sitewarden_collector.store import changes, tickets
from sitewarden_collector.store.tickets import Event


def record(tx: Connection, ticket: Ticket, events: Sequence[Event], *, now_ns: int) -> None:
    """Write what happened to `ticket`, which is as it is now, and let the rest follow."""
    if events:
        tickets.add_history(tx, ticket, events, now_ns=now_ns)
        service_levels.refresh(tx, ticket, now_ns=now_ns, whats=[event.what for event in events])
        webhooks.of_ticket(tx, ticket, events, now_ns=now_ns)
    what = events[-1].what if events else "count"
    whose = {"customer_id": ticket.customer_id, "site_id": ticket.site_id}
    changes.note(tx, "ticket", ticket.id, what=what, **whose, now_ns=now_ns)
