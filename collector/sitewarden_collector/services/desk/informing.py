"""Telling people of the desk something that wakes nobody: one notice each, in their quiet hours after these.

Not here: pages (`services.paging`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from sitewarden_alerting import routing
from sitewarden_alerting.wording import cut
from sitewarden_collector.services import roster
from sitewarden_collector.services.access import Role
from sitewarden_collector.services.roster import Line
from sitewarden_collector.store import accounts, notices

SUBJECT_MAX_CHARS = 200


def inform(
    tx: Connection,
    customer_id: str,
    people: Sequence[str],
    *,
    subject: str,
    body: str,
    occasion: str,
    ticket_id: str | None = None,
    now_ns: int,
) -> tuple[str, ...]:
    """Tell `people`, as far as anything reaches them, else the first in line for the customer; who was told. The same
    `occasion` tells nobody twice."""
    line = roster.line(tx, customer_id, at_ns=now_ns)
    line = replace(line, known=roster.known(tx, people) | line.known)
    told = []
    for name in [name for name in dict.fromkeys(people) if line.roads(name)] or line.reachable()[:1]:
        road = line.roads(name)[0]
        notices.add(
            tx,
            kind="info",
            person=name,
            channel=road.channel,
            address=road.address,
            subject=cut(subject, SUBJECT_MAX_CHARS),
            body=body,
            ticket_id=ticket_id,
            urgency=routing.URGENCY["info"],
            not_before_ns=roster.quiet_until(line.known.get(name), now_ns=now_ns),
            dedup_key=f"{occasion}:{name}"[:255],
            now_ns=now_ns,
        )
        told.append(name)
    return tuple(told)


def managers(tx: Connection, customer_id: str, *, now_ns: int) -> tuple[str, ...]:
    """Whose business a customer is: the managers of the schedule that serves it, else all accounts of managers."""
    line: Line = roster.line(tx, customer_id, at_ns=now_ns)
    if named := tuple(name for name in line.managers if line.roads(name)):
        return named
    return tuple(one.name for one in accounts.every(tx) if one.role == Role.MANAGER)
