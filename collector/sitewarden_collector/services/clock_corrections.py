"""Corrections of the past: somebody says how a time of a ticket should have been counted, and why.

A correction is one more line of the history; nothing is edited, and the explanation of the clocks names who said so.
"""

from __future__ import annotations

from sqlalchemy import Connection

from sitewarden_alerting.model import Ticket
from sitewarden_alerting.servicelevels.targets import Target
from sitewarden_collector.errors import Invalid
from sitewarden_collector.services import aftermath, service_levels
from sitewarden_collector.store import tickets


def correct(
    tx: Connection,
    number: str,
    *,
    from_ns: int,
    until_ns: int,
    counts: bool,
    target: Target | None = None,
    reason: str,
    by: str,
    now_ns: int,
) -> Ticket:
    """Write a correction. Raises NotFound, Invalid."""
    if from_ns >= until_ns:
        raise Invalid("the time to correct ends before it begins")
    if not reason.strip():
        raise Invalid("say why: the customer may ask")
    ticket = tickets.by_number(tx, number, for_update=True)
    event = service_levels.correction(
        from_ns=from_ns, until_ns=until_ns, counts=counts, target=target, reason=reason.strip(), by=by, now_ns=now_ns
    )
    aftermath.record(tx, ticket, [event], now_ns=now_ns)
    return ticket
