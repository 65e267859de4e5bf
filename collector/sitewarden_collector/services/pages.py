"""What becomes of a page, which is booked once for a person and a step, alone in its notice or in a bundle of many.

The first few pages of a minute go out each by itself. Further ones are put together: a bundle waits some seconds and
names how many tickets need the person, and the most urgent of them. In a storm over the whole collector every page is
bundled and bundles wait longer: the digest. What is acknowledged before a bundle goes out is not in it.

Not here: whom to ask and when (`services.paging`), booking (`services.page_book`), and sending (`services.notifying`).
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from sitewarden_alerting import routing
from sitewarden_alerting.model import Person, Ticket
from sitewarden_alerting.wording import cut, exact_moment, severity_word
from sitewarden_collector.services import roster
from sitewarden_collector.store import digests, escalations, evidence, handing_on, page_notices, tickets
from sitewarden_collector.store.notices import StoredNotice

NAMED_MAX = 20
BODY_CHARS = 1500


def body(tx: Connection, ticket: Ticket, site: str, customer: str, *, reason: str, take: bool) -> str:
    """What a notice of a ticket says: how bad, where, since when, the first evidence, and what to do."""
    shown = evidence.of_ticket(tx, ticket.id)[:1]
    lines = [
        f"{severity_word(ticket.severity)} at {site} ({customer}), first seen {exact_moment(ticket.opened_ns)}.",
        reason,
        "",
        *(cut(one.text, BODY_CHARS) for one in shown),
        "",
        f"Look:  sitewarden ticket show {ticket.number}",
    ]
    if take:
        lines.append(f"Take:  sitewarden ticket ack {ticket.number} --by YOUR-NAME")
    return "\n".join(lines)


def before_sending(tx: Connection, notice: StoredNotice) -> StoredNotice | None:
    """The notice as it is to be sent now; None when nobody needs it any more."""
    found = page_notices.look(tx, notice.id)
    if found is None:
        return None
    stored = found.notice
    if stored.state != "sending" or stored.attempts != notice.attempts:
        return None
    if stored.kind != "page":
        return _recovered(tx, stored) if stored.kind == "recovery" else stored
    if found.told_otherwise:
        return None
    if stored.ticket_id is not None:
        return stored if found.wanted else None
    if not escalations.has_pages(tx, stored.page_of):
        return stored
    named = escalations.still_wanted(tx, stored.page_of, limit=NAMED_MAX)
    if not named:
        return None
    number = escalations.count_wanted(tx, stored.page_of)
    lines = [f"{number} tickets need you; the most urgent:", ""]
    lines += [f"{ticket}  {cut(title, 120)}" for ticket, title in named]
    if number > len(named):
        lines.append(f"... and {number - len(named)} more")
    lines += ["", "Look:  sitewarden ticket list --state open", "Take:  sitewarden ticket ack NUMBER --by YOUR-NAME"]
    numbers = ", ".join(ticket for ticket, _ in named[:3])
    more = f" and {number - 3} more" if number > 3 else ""
    said = "\n".join(lines) + (f"\n\n{stored.body}" if stored.body.strip() else "")
    return replace(stored, subject=f"{number} tickets need you: {numbers}{more}", body=said)


def _recovered(tx: Connection, stored: StoredNotice) -> StoredNotice:
    """A notice of a recovery as it is to be sent now: one that stands for several names their tickets."""
    digest_id = None if stored.ticket_id is not None else digests.behind(tx, stored)
    if digest_id is None:
        return stored
    number, named = digests.held(tx, digest_id, limit=NAMED_MAX)
    lines = [f"{number} of your tickets recovered:", "", *(f"{ticket}  {cut(title, 120)}" for ticket, title in named)]
    if number > len(named):
        lines.append(f"... and {number - len(named)} more")
    lines += ["", "Look:  sitewarden ticket list"]
    numbers = ", ".join(ticket for ticket, _ in named[:3])
    more = f" and {number - 3} more" if number > 3 else ""
    said = "\n".join(lines) + (f"\n\n{stored.body.strip()}" if stored.body.strip() else "")
    return replace(stored, subject=f"recovered: {numbers}{more}", body=said)


def tickets_in(tx: Connection, notice: StoredNotice, *, limit: int | None = None) -> list[str]:
    """The ids of the tickets that a notice pages for."""
    if notice.ticket_id is not None:
        return [notice.ticket_id]
    return [page.ticket_id for page in escalations.pages_in(tx, notice.page_of, limit=limit)]


def drop(tx: Connection, ticket: Ticket) -> None:
    """Take a ticket out of every page that has not gone out."""
    page_notices.cancel_for_ticket(tx, ticket.id)
    for notice_id in escalations.unsent_of(tx, ticket.id):
        if not escalations.is_wanted(tx, notice_id, but=ticket.id):
            page_notices.cancel_page(tx, notice_id)


def hand_on(tx: Connection, notice: StoredNotice, on_call: tuple[Person, ...], *, now_ns: int) -> str:
    """Let the next channel, or the next person, take a notice over: who it is; empty when there is nobody left.

    Whoever was paged for the same step already is passed over: a step asks nobody twice.
    """
    customer_id = ""
    if notice.kind == "page":
        ids = tickets_in(tx, notice, limit=1)
        ticket = tickets.by_id(tx, ids[0]) if ids else None
        customer_id = "" if ticket is None else ticket.customer_id
    at_line = roster.line(tx, customer_id, at_ns=now_ns, fallback=on_call)
    tried = handing_on.tried(tx, notice)
    order = at_line.as_persons((notice.person,))
    because = f"You are told because {notice.person} could not be told by {notice.channel}."
    while (route := routing.after(order, notice.kind, tried=tried)) is not None:
        step = tx.begin_nested()
        taker = handing_on.hand_on(
            tx,
            notice,
            person=route.person,
            channel=route.channel,
            address=at_line.address(route.person, route.channel),
            because=because,
            now_ns=now_ns,
        )
        if taker is None:
            step.rollback()
            return ""
        there, new = 0, 0
        if route.person != notice.person:
            there, new = escalations.copy_pages(tx, notice.page_of, taker, person=route.person, now_ns=now_ns)
        if there and not new:
            step.rollback()
            tried |= {(route.person, road.channel) for road in at_line.roads(route.person)}
            continue
        step.commit()
        return route.person
    return ""
