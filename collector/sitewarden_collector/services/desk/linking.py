"""Links between tickets (relates, duplicates, causes, blocks), and which ticket is a part of which."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from sitewarden_alerting.model import Ticket
from sitewarden_collector.errors import Conflict, Invalid, NotFound
from sitewarden_collector.services.desk.changing import noted, taken, written
from sitewarden_collector.store import links, tickets
from sitewarden_collector.store.links import Link

KINDS = {"relates": "relates to", "duplicates": "duplicates", "causes": "causes", "blocks": "blocks"}
BACKWARDS = {
    "relates": "relates to",
    "duplicates": "is duplicated by",
    "causes": "is caused by",
    "blocks": "is blocked by",
}
DEPTH_MAX = 20


def link(tx: Connection, number: str, kind: str, to: str, *, by: str, now_ns: int) -> Ticket:
    """`number` relates to, duplicates, causes or blocks `to`; both histories say so."""
    one, other = _both(tx, number, kind, to)
    if kind == "relates" and one.id > other.id:
        one, other = other, one  # the same from both sides
    if not links.add(tx, one, kind, other.id, by=by, now_ns=now_ns):
        raise Conflict(f"{one.number} {KINDS[kind]} {other.number} already")
    data = {"kind": kind, "from": one.number, "to": other.number}
    noted(tx, one, "link_ticket", f"{KINDS[kind]} {other.number}", by=by, now_ns=now_ns, data=data)
    noted(tx, other, "link_ticket", f"{BACKWARDS[kind]} {one.number}", by=by, now_ns=now_ns, data=data)
    return tickets.by_number(tx, number)


def unlink(tx: Connection, number: str, kind: str, to: str, *, by: str, now_ns: int) -> Ticket:
    """Take a link back, from whichever of the two. Raises NotFound."""
    one, other = _both(tx, number, kind, to)
    if not (links.remove(tx, one.id, kind, other.id) or links.remove(tx, other.id, kind, one.id)):
        raise NotFound(f"{one.number} has no link `{kind}` with {other.number}")
    data = {"kind": kind, "from": one.number, "to": other.number}
    for mine, its in ((one, other), (other, one)):
        noted(tx, mine, "unlink_ticket", f"no longer linked with {its.number}", by=by, now_ns=now_ns, data=data)
    return one


def set_parent(tx: Connection, number: str, parent: str, *, by: str, now_ns: int) -> Ticket:
    """Make a ticket a part of another of the same customer; an empty parent makes it stand alone."""
    ticket = taken(tx, number)
    above = tickets.by_number(tx, parent) if parent else None
    if above is not None:
        if above.customer_id != ticket.customer_id:
            raise Conflict(f"{above.number} is another customer's; open a problem over both instead")
        _check_line(tx, ticket, above)
    ticket = replace(ticket, parent_id="" if above is None else above.id)
    text = "a part of nothing" if above is None else f"a part of {above.number}"
    data = {"parent": "" if above is None else above.number}
    return written(tx, ticket, "set_parent", text, by=by, now_ns=now_ns, data=data)


def of_ticket(tx: Connection, ticket_id: str) -> list[Link]:
    return links.of_ticket(tx, ticket_id)


def children(tx: Connection, ticket_id: str) -> list[str]:
    """The numbers of the tickets that are parts of this one."""
    return links.children(tx, ticket_id)


def _both(tx: Connection, number: str, kind: str, to: str) -> tuple[Ticket, Ticket]:
    if kind not in KINDS:
        raise Invalid(f"there is no link {kind!r}; known: {', '.join(KINDS)}")
    one, other = tickets.by_number(tx, number), tickets.by_number(tx, to)
    if one.id == other.id:
        raise Invalid(f"{one.number} cannot be linked with itself")
    return one, other


def _check_line(tx: Connection, ticket: Ticket, above: Ticket) -> None:
    """Raise Conflict when `ticket` stands somewhere above `above`."""
    at: Ticket | None = above
    for _ in range(DEPTH_MAX):
        if at is None:
            return
        if at.id == ticket.id:
            raise Conflict(f"{above.number} is itself a part of {ticket.number}")
        at = tickets.by_id(tx, at.parent_id) if at.parent_id else None
    raise Conflict(f"{above.number} has {DEPTH_MAX} tickets above it; that is deep enough")
