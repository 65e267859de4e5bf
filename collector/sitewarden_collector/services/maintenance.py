"""Maintenance windows: planned times in which a site's pages wait. Tickets are opened all the same, marked in their
history; what still needs somebody when a window ends is paged then. Begun with a reason, ended early at any time.

Not here: holding back (`services.paging`).
"""

from __future__ import annotations

from sqlalchemy import Connection

from sitewarden_alerting.model import DAY_NS, TicketState
from sitewarden_alerting.wording import moment
from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.services import aftermath, paging
from sitewarden_collector.store import changes, maintenance, sites, tickets
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.maintenance import Window
from sitewarden_collector.store.numbers import next_number
from sitewarden_collector.store.tickets import OPEN, Event

LONGEST_NS = 31 * DAY_NS
FURTHEST_NS = 3 * 366 * DAY_NS


def plan(
    tx: Connection,
    site: str,
    *,
    from_ns: int,
    until_ns: int,
    every_days: int = 0,
    last_ns: int | None = None,
    reason: str,
    by: str,
    now_ns: int,
) -> Window:
    """Plan a window at a site; with `every_days` again and again, until `last_ns`. Raises NotFound, Invalid."""
    if not reason.strip():
        raise Invalid("a maintenance window needs its reason: whoever wonders about the quiet has to find it")
    if until_ns <= max(from_ns, now_ns):
        raise Invalid("the end of a maintenance window must lie after its beginning, and ahead")
    if until_ns - from_ns > LONGEST_NS:
        raise Invalid("a maintenance window lasts 31 days at most; silence what is wanted longer")
    if every_days < 0 or (every_days and until_ns - from_ns >= every_days * DAY_NS):
        raise Invalid("a window must be over before it begins again")
    last_ns = (from_ns + FURTHEST_NS if every_days else until_ns) if last_ns is None else last_ns
    if not until_ns <= last_ns <= from_ns + FURTHEST_NS:
        raise Invalid("a window recurs for three years at most; its last end must lie after its first")
    where = sites.by_name(tx, site)
    window = Window(
        new_id(),
        next_number(tx, "MNT"),
        where.id,
        where.customer_id,
        from_ns,
        until_ns,
        every_days,
        last_ns,
        reason.strip(),
        by,
    )
    maintenance.add(tx, window)
    changes.note(tx, "maintenance", window.id, what="plan_maintenance", now_ns=now_ns)
    if window.at(now_ns) is not None:
        for listed in tickets.listing(tx, states=(*OPEN, TicketState.RESOLVED.value), site_id=where.id):
            if listed.ticket.is_open and listed.ticket.acknowledged_ns is None:
                paging.hush(tx, listed.ticket, until_ns=until_ns, now_ns=now_ns)
            text = f"{window.number} until {moment(until_ns)}: {window.reason}"
            aftermath.record(tx, listed.ticket, [Event(now_ns, "begin_maintenance", by, text)], now_ns=now_ns)
    return window


def end(tx: Connection, number: str, *, by: str, now_ns: int) -> Window:
    """End a window now, with all that was to follow. Raises NotFound, Conflict."""
    window = maintenance.by_number(tx, number)
    if not maintenance.end(tx, window.id, now_ns=now_ns):
        raise Conflict(f"{window.number} is over already; nothing to end")
    changes.note(tx, "maintenance", window.id, what="end_maintenance", now_ns=now_ns)
    for listed in tickets.listing(tx, states=OPEN, site_id=window.site_id):
        paging.resume(tx, listed.ticket, now_ns=now_ns)
        event = Event(now_ns, "end_maintenance", by, f"{window.number} ended early")
        aftermath.record(tx, listed.ticket, [event], now_ns=now_ns)
    return window


def listing(tx: Connection, *, over: bool = False, now_ns: int) -> list[tuple[Window, str]]:
    """Windows with the names of their sites, the next first; with `over` also those that have ended."""
    names = {site.id: site.name for site in sites.every(tx)}
    found = maintenance.listing(tx, over_before_ns=0 if over else now_ns)
    return [(window, names.get(window.site_id, window.site_id)) for window in found]
