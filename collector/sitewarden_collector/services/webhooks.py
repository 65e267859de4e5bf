"""Webhooks out: other programs are told of changes.

`announce` writes a message for every subscription that wants to hear of a change, in the transaction of the change: a
crash loses neither or both. `services.webhook_sending` sends them. A message is

    {"type": "ticket.acknowledge", "timestamp": "2026-11-24T12:00:00Z", "data": {...}}

with the thing as it is after the change; `webhook_events` names them all. Receivers may get a message twice (same
webhook-id) and out of order (webhook-sequence grows). Not here: signatures (`webhook_signing`), who may subscribe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any

import msgspec
from cryptography.fernet import Fernet
from sqlalchemy import Connection

from sitewarden_alerting.model import DAY_NS, Ticket
from sitewarden_collector.channels import outgoing
from sitewarden_collector.errors import Invalid, NotFound
from sitewarden_collector.services import webhook_events, webhook_signing
from sitewarden_collector.store import sites, webhooks
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.tickets import Event
from sitewarden_collector.store.webhooks import Delivery, Message, Subscription

SUBSCRIPTIONS_MAX = 100
PATTERNS_MAX = 50
OVERLAP_NS = DAY_NS  # for which the secret before a new one signs too
TEXT_MAX_CHARS = 4000


@dataclass(frozen=True, slots=True)
class Made:
    """A new subscription, and its secret, which is not shown again."""

    subscription: Subscription
    secret: str


def subscribe(
    tx: Connection,
    sealing: Fernet,
    *,
    url: str,
    events: Sequence[str],
    customer: str = "",
    about: str = "",
    secret: str = "",
    by: str,
    now_ns: int,
) -> Made:
    """Have `url` told of the events that match (`*` stands for anything), of one customer or of all. Raises Invalid,
    NotFound."""
    outgoing.check(url)
    patterns = tuple(dict.fromkeys(one.strip() for one in events if one.strip()))
    if not patterns or len(patterns) > PATTERNS_MAX or any(len(one) > 64 for one in patterns):
        raise Invalid("say which events, as ticket.* or risk.raise; `*` alone is all of them")
    if unheard := [one for one in patterns if not webhook_events.is_known(one)]:
        raise Invalid(f"no event is called {unheard[0]!r}; `sitewarden webhook events` lists what there is")
    if len(webhooks.every(tx)) >= SUBSCRIPTIONS_MAX:
        raise Invalid(f"there are {SUBSCRIPTIONS_MAX} webhooks already; take out one that is not used")
    if secret:
        webhook_signing.check_secret(secret)
    customer_id = ""
    if customer:
        customer_id = sites.customer_id_of(tx, customer)
    plain = secret or webhook_signing.new_secret()
    made = Subscription(
        id=new_id(),
        url=url,
        about=about,
        events=patterns,
        customer_id=customer_id,
        secret=sealing.encrypt(plain.encode()).decode(),
        active=True,
        why_off="",
        created_ns=now_ns,
        created_by=by,
    )
    webhooks.add(tx, made)
    return Made(made, plain)


def unsealed(sealing: Fernet, subscription: Subscription) -> str:
    """The secret of a subscription."""
    return sealing.decrypt(subscription.secret.encode()).decode()


def signing(sealing: Fernet, subscription: Subscription, *, now_ns: int) -> tuple[str, ...]:
    """The secrets that a message is signed with now: for a day after a change the one before as well."""
    now = unsealed(sealing, subscription)
    if subscription.old_until_ns <= now_ns:
        return (now,)
    return now, sealing.decrypt(subscription.old_secret.encode()).decode()


def rotate(tx: Connection, sealing: Fernet, subscription_id: str, *, secret: str = "", now_ns: int) -> Made:
    """Give a subscription another secret. Messages carry the signatures of both for a day, so that the receiver can
    change over when it suits. Raises NotFound, Invalid."""
    before = webhooks.get(tx, subscription_id)
    if secret:
        webhook_signing.check_secret(secret)
    plain = secret or webhook_signing.new_secret()
    webhooks.change_secret(
        tx,
        subscription_id,
        secret=sealing.encrypt(plain.encode()).decode(),
        old_secret=before.secret,
        old_until_ns=now_ns + OVERLAP_NS,
    )
    return Made(webhooks.get(tx, subscription_id), plain)


def anybody_listens(tx: Connection) -> bool:
    """Whether there is any subscription to be told."""
    return bool(webhooks.active(tx))


def announce(
    tx: Connection,
    event: str,
    data: Mapping[str, Any],
    *,
    ref: str,
    customer_id: str = "",
    ours_only: bool = False,
    occasion: str = "",
    now_ns: int,
) -> int:
    """Tell every subscription that wants to hear of `event` (as `risk.raise`); how many those are. With `ours_only`
    those are passed over that hear of one customer alone; the same `occasion` is told once."""
    there = webhooks.listening(tx, "" if ours_only else customer_id)
    messages = _told(there, (event,), data, ref=ref, customer_id=customer_id, occasion=occasion, at_ns=now_ns)
    webhooks.enqueue(tx, messages, now_ns=now_ns)
    return len(messages)


def _told(
    there: Sequence[Subscription],
    names: Sequence[str],
    data: Mapping[str, Any],
    *,
    ref: str,
    customer_id: str,
    occasion: str = "",
    at_ns: int,
) -> list[Message]:
    """One message for each subscription that a pattern of it wants, under the first name that it matches."""
    made = []
    for subscription in there:
        name = next((name for name in names if any(fnmatchcase(name, one) for one in subscription.events)), "")
        if name:
            once = sha256(f"{occasion} {subscription.id}".encode()).hexdigest()[:32]
            message_id = f"msg_{once}" if occasion else f"msg_{new_id()}"
            made.append(Message(subscription.id, message_id, name, ref, _body(name, data, at_ns=at_ns), customer_id))
    return made


def enqueue(
    tx: Connection,
    subscription_id: str,
    event: str,
    data: Mapping[str, Any],
    *,
    ref: str = "",
    customer_id: str = "",
    message_id: str = "",
    at_ns: int | None = None,
    now_ns: int,
) -> str:
    """Write a message for one subscription whatever it subscribed to, and return its id. One with the same
    `message_id` is written once."""
    made = message_id or f"msg_{new_id()}"
    body = _body(event, data, at_ns=now_ns if at_ns is None else at_ns)
    webhooks.enqueue(tx, [Message(subscription_id, made, event, ref, body, customer_id)], now_ns=now_ns)
    return made


def _body(event: str, data: Mapping[str, Any], *, at_ns: int) -> str:
    return msgspec.json.encode({"type": event, "timestamp": _iso(at_ns), "data": dict(data)}).decode()


def of_tickets(tx: Connection, told: Sequence[tuple[Ticket, Sequence[Event]]], *, now_ns: int) -> None:
    """Tell of what happened to tickets, which are as they are now."""
    there = webhooks.active(tx) if told else []
    if not there:
        return
    heard: dict[str, list[Subscription]] = {}
    messages: list[Message] = []
    for ticket, events in told:
        for event in events:
            names, called = webhook_events.names_of(event.what), webhook_events.on_call_name_of(event.what)
            for whose, what in ((ticket.customer_id, names), ("", (called,) if called else ())):
                if not what:
                    continue
                if whose not in heard:
                    heard[whose] = [one for one in there if one.customer_id in ("", whose)]
                if not heard[whose]:
                    continue
                messages += _told(
                    heard[whose],
                    what,
                    {"ticket": _ticket(ticket), "event": _event(event)},
                    ref=ticket.number,
                    customer_id=ticket.customer_id,
                    at_ns=event.at_ns,
                )
    webhooks.enqueue(tx, messages, now_ns=now_ns)


def test(tx: Connection, subscription_id: str, *, by: str, now_ns: int) -> str:
    """Send a subscription a message that means nothing; the message's id. Raises NotFound."""
    webhooks.get(tx, subscription_id)
    return enqueue(tx, subscription_id, "webhook.test", {"by": by}, now_ns=now_ns)


def retry(tx: Connection, delivery_id: int, *, now_ns: int) -> Delivery:
    """Send a message again. Raises NotFound, Conflict."""
    return webhooks.retry(tx, delivery_id, now_ns=now_ns)


def remove(tx: Connection, subscription_id: str) -> None:
    """Take a subscription out, with what was to be sent to it. Raises NotFound."""
    webhooks.remove(tx, subscription_id)


def switch(tx: Connection, subscription_id: str, *, active: bool, by: str) -> Subscription:
    """Turn a subscription off or on again; what changed meanwhile is not told. Raises NotFound."""
    webhooks.get(tx, subscription_id)
    webhooks.switch(tx, subscription_id, active=active, why=f"turned off by {by}")
    return webhooks.get(tx, subscription_id)


def customer_named(tx: Connection, subscription: Subscription) -> str:
    """The name of the customer that a subscription is narrowed to; empty: all."""
    if not subscription.customer_id:
        return ""
    try:
        return sites.customer_name_of(tx, subscription.customer_id)
    except NotFound:
        return subscription.customer_id


def _ticket(ticket: Ticket) -> dict[str, Any]:
    return {
        "number": ticket.number,
        "id": ticket.id,
        "type": ticket.type.value,
        "state": ticket.state.value,
        "waiting": ticket.waiting,
        "priority": ticket.priority,
        "severity": ticket.severity,
        "title": ticket.title[:TEXT_MAX_CHARS],
        "site_id": ticket.site_id,
        "customer_id": ticket.customer_id,
        "assignee": ticket.assignee,
        "category": ticket.category,
        "component": ticket.component,
        "count": ticket.count,
        "major": ticket.major,
        "opened": _iso(ticket.opened_ns),
        "last": _iso(ticket.last_ns),
        "resolution": ticket.resolution[:TEXT_MAX_CHARS],
    }


def _event(event: Event) -> dict[str, Any]:
    # What people say among themselves is read where it is kept, by those who may.
    internal = event.what in ("comment", "attach_file") and event.data.get("visibility") != "customer"
    text = "" if internal else event.text[:TEXT_MAX_CHARS]
    return {"what": event.what, "by": event.by, "text": text, "data": dict(event.data)}


def _iso(ns: int) -> str:
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
