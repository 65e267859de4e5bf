"""Who is told of a ticket: the notices that follow a decision of triage, and stopping them.

Not here: sending (`services.notifying`), deciding that somebody must hear of it (`alerting.triage`).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from sitewarden_alerting import decisions as made
from sitewarden_alerting import routing
from sitewarden_alerting.model import Person, Ticket
from sitewarden_alerting.wording import cut, exact_moment, severity_word
from sitewarden_collector.services import aftermath
from sitewarden_collector.store import notices, tickets
from sitewarden_collector.store.tickets import Event

BY_RULES = "rules"
BODY_CHARS = 1500


def stop(tx: Connection, ticket: Ticket, *, now_ns: int) -> None:
    """No further page goes out for this ticket."""
    notices.cancel_for_ticket(tx, ticket.id)


def tell(tx: Connection, decision: made.Notify, ticket: Ticket, on_call: Sequence[Person], *, now_ns: int) -> None:
    """Have somebody told of a decision, in the decision's own transaction."""
    route = routing.first(on_call, decision.kind)
    if route is None:
        text = "nobody is told: add people with channels under [[on_call]] in the configuration"
        aftermath.record(tx, ticket, [Event(now_ns, "nobody_to_tell", BY_RULES, text)], now_ns=now_ns)
        return
    site, customer = tickets.names(tx, ticket.site_id)
    notices.add(
        tx,
        kind=decision.kind,
        person=route.person,
        channel=route.channel,
        subject=cut(f"[{ticket.number}] {site}: {_news(decision)}{ticket.title}", 200),
        body=_body(tx, decision, ticket, site, customer),
        ticket_id=ticket.id,
        urgency=route.urgency,
        now_ns=now_ns,
        dedup_key=f"{ticket.id}:{decision.occasion}",
    )
    text = f"{decision.kind} to {route.person} by {route.channel} ({route.reason.value}): {decision.reason}"
    aftermath.record(tx, ticket, [Event(now_ns, "notify", BY_RULES, text)], now_ns=now_ns)


def _news(decision: made.Notify) -> str:
    if decision.kind == "recovery":
        return "recovered: "
    return "" if decision.ticket.reopenings == 0 else "again: "


def _body(tx: Connection, decision: made.Notify, ticket: Ticket, site: str, customer: str) -> str:
    shown = tickets.evidence_of(tx, ticket.id)[:1]
    lines = [
        f"{severity_word(ticket.severity)} at {site} ({customer}), first seen {exact_moment(ticket.opened_ns)}.",
        decision.reason,
        "",
        *(cut(one.text, BODY_CHARS) for one in shown),
        "",
        f"Look:  sitewarden ticket show {ticket.number}",
    ]
    if decision.kind == "page":
        lines.append(f"Take:  sitewarden ticket ack {ticket.number} --by YOUR-NAME")
    return "\n".join(lines)
