"""Warnings as the clocks of a contract run down: at 50, 75 and 90 % of the time, and when it is broken.

`watch` finds what is due by the projection's index, writes one line of history for each and has `services.paging` tell
whom that asks. A warning is a row before it is told, so none is given twice, by whichever collector. Where several
percentages passed at once, after an outage of the collector or when a ticket became more urgent, the highest is told.
"""

from __future__ import annotations

from sqlalchemy import Connection

from sitewarden_alerting.model import Ticket
from sitewarden_alerting.servicelevels import explain
from sitewarden_alerting.servicelevels.clock import Clock
from sitewarden_collector.services import aftermath, paging, service_levels
from sitewarden_collector.services.service_levels import BY_RULES
from sitewarden_collector.store import clocks, lock, tickets
from sitewarden_collector.store.tickets import Event

BREACH = 100
AT_ONCE = 25  # after an outage thousands may be due: intake waits for the same writer


def watch(tx: Connection, *, now_ns: int, limit: int = AT_ONCE) -> int:
    """Give the warnings that are due; how many tickets were looked at. Call again while it is not 0."""
    if not lock.alone(tx, "clocks"):
        return 0
    looked = clocks.due_alarms(tx, now_ns=now_ns, limit=limit)
    for ticket_id in looked:
        ticket = tickets.by_id(tx, ticket_id, for_update=True)
        if ticket is None:
            clocks.forget(tx, ticket_id)
            continue
        _warn(tx, ticket, now_ns=now_ns)
        service_levels.refresh(tx, ticket, now_ns=now_ns)
    return len(looked)


def _warn(tx: Connection, ticket: Ticket, *, now_ns: int) -> None:
    found = service_levels.clocks(tx, ticket, now_ns=now_ns)
    for target, percents in service_levels.untold(tx, ticket, found).items():
        clock = next(one for one in found.clocks if one.target is target)
        given = [(target.value, percent, clock.start_ns) for percent in percents]
        if not clocks.tell(tx, ticket.id, given, now_ns=now_ns):
            continue
        percent = max(percents)
        aftermath.record(tx, ticket, [_event(clock, percent, found.level_name, now_ns=now_ns)], now_ns=now_ns)
        paging.clock_alarm(tx, ticket, target.value, percent, now_ns)


def _event(clock: Clock, percent: int, level: str, *, now_ns: int) -> Event:
    passed_ns = dict(clock.told)[percent]
    name = clock.target.value.replace("_", " ")
    what = "sla_breach" if percent == BREACH else "sla_warning"
    said = "is over" if percent == BREACH else f"is used up by {percent} %"
    text = f"the time for {name} {said} since {explain.moment(passed_ns, clock.zone)} ({level})"
    data = {"target": clock.target.value, "percent": percent, "passed_ns": passed_ns, "due_ns": clock.due_ns}
    return Event(now_ns, what, BY_RULES, text, data=data)
