"""Defects and feature requests go to development's tracker by webhook, and their state comes back.

They go over the webhooks' own outbox: signed, tried again for days, and under a message id that stays the same, so that
the tracker takes each once. `came_back` is what a webhook of the tracker ends in: told twice or out of order, it says
the same. Not here: the route, and who may call it.
"""

from __future__ import annotations

from dataclasses import replace

from cryptography.fernet import Fernet
from sqlalchemy import Connection

from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.services import webhooks
from sitewarden_collector.services.desk.changing import noted, taken, text_of
from sitewarden_collector.services.webhooks import Made
from sitewarden_collector.store import settings, tickets, tracker
from sitewarden_collector.store import webhooks as outbox
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.tracker import Item

KINDS = ("defect", "feature")
BY_TRACKER = "tracker"
STATE_MAX_CHARS = 100
URL_MAX_CHARS = 2000
_SETTING = "tracker"


def configure(tx: Connection, sealing: Fernet, *, url: str, secret: str = "", by: str, now_ns: int) -> Made:
    """Where the tracker takes them, signed with `secret` or a new one. It takes the place of another tracker."""
    made = webhooks.subscribe(
        tx,
        sealing,
        url=url,
        events=("tracker.report",),
        about="development's tracker",
        secret=secret,
        by=by,
        now_ns=now_ns,
    )
    before = settings.get(tx, _SETTING)
    if before and any(one.id == before for one in outbox.every(tx)):
        outbox.switch(tx, str(before), active=False, why="another tracker took its place")
    settings.put(tx, _SETTING, made.subscription.id)
    return made


def send(tx: Connection, number: str, kind: str, text: str, *, by: str, now_ns: int) -> Item:
    """Report the ticket to development as a defect or a feature request. Raises Conflict where no tracker is set."""
    if kind not in KINDS:
        raise Invalid(f"{kind!r} cannot go to the tracker; {' or '.join(KINDS)} can")
    subscription_id = settings.get(tx, _SETTING)
    if not subscription_id:
        raise Conflict("no tracker is set; `sitewarden tracker set URL` does that")
    ticket = taken(tx, number)
    said = text_of(text, "the report to development")
    item = Item(new_id(), ticket.id, ticket.customer_id, kind, said, now_ns, by)
    tracker.put(tx, item)
    site, customer = tickets.names(tx, ticket.site_id)
    data = {
        "reference": item.id,
        "kind": kind,
        "title": ticket.title,
        "text": said,
        "ticket": ticket.number,
        "site": site,
        "customer": customer,
        "component": ticket.component,
        "fault": ticket.fault,
        "by": by,
    }
    webhooks.enqueue(
        tx,
        str(subscription_id),
        "tracker.report",
        data,
        ref=ticket.number,
        customer_id=ticket.customer_id,
        message_id=f"trk_{item.id}",
        now_ns=now_ns,
    )
    noted(tx, ticket, "send_to_tracker", f"sent to development as a {kind}", by=by, now_ns=now_ns, data=data)
    return item


def came_back(
    tx: Connection, reference: str, state: str, *, now_ns: int, key: str = "", url: str = "", told_ns: int | None = None
) -> Item:
    """The tracker says how far it is: `reference` is what it was sent with. News that is older than what is known, or
    the same, changes nothing. Raises NotFound, Invalid."""
    item = tracker.by_id(tx, reference)
    said = text_of(state, "the state", most=STATE_MAX_CHARS)
    if url and (not url.startswith(("https://", "http://")) or len(url) > URL_MAX_CHARS):
        raise Invalid("the url of the tracker's item must begin with https:// or http://")
    at_ns = now_ns if told_ns is None else told_ns
    fresh = replace(item, state=said, key=key[:200] or item.key, url=url or item.url, told_ns=at_ns)
    if (item.told_ns is not None and at_ns < item.told_ns) or replace(fresh, told_ns=item.told_ns) == item:
        return item
    tracker.put(tx, fresh)
    ticket = tickets.by_id(tx, item.ticket_id, for_update=True)
    assert ticket is not None  # a foreign key
    text = f"{fresh.key or 'the tracker'}: {said}"
    data = {"reference": item.id, "key": fresh.key, "state": said, "url": fresh.url}
    noted(tx, ticket, "tracker_state", text, by=BY_TRACKER, now_ns=now_ns, data=data)
    return fresh


def of_ticket(tx: Connection, ticket_id: str) -> list[Item]:
    """What of a ticket went to the tracker."""
    return tracker.of_ticket(tx, ticket_id)
