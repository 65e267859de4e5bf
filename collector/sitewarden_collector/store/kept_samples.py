"""Which samples outlive their time: those of a site around its tickets, until these are closed.

Not here: how long samples are kept otherwise (`services.retention`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, FromClause, exists, false, or_

from sitewarden_alerting.model import TicketState
from sitewarden_collector.store.tickets import tickets


@dataclass(frozen=True, slots=True)
class Around:
    """From how long before a ticket began, and before it was last seen, until how long after."""

    before_ns: int
    after_ns: int


def needed(table: FromClause, around: Around | None) -> ColumnElement[bool]:
    """Whether a row of blocks (`site_id`, `first_ns`, `last_ns`) shows how the site of a ticket fared around it."""
    if around is None:
        return false()
    begun, seen = (
        (table.c.last_ns >= at - around.before_ns) & (table.c.first_ns <= at + around.after_ns)
        for at in (tickets.c.opened_ns, tickets.c.last_ns)
    )
    not_closed = tickets.c.state != TicketState.CLOSED.value
    return exists().where(tickets.c.site_id == table.c.site_id, not_closed, or_(begun, seen))
