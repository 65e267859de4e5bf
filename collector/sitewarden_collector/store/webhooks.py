"""Webhooks out: who is told of changes, and every message to them with how far it has come.

A message is written in the transaction of the change that it tells of, so the two cannot part. A sender claims it by a
guarded update, sends outside any transaction, and settles it in another; a claim that was never settled is taken again
after its lease. The number of a row is its place in the row of all messages: a receiver can tell what came first.

States: `pending` waits for its time, `sending` is claimed, `delivered`, `parked` was given up and waits for somebody,
`cancelled` is not wanted any more. Not here: sending and when to try again (`services.webhooks`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from sitewarden_collector.errors import Conflict, NotFound
from sitewarden_collector.store import outboxes, prepared
from sitewarden_collector.store.base import Id, Ns, RowId, id_column, metadata
from sitewarden_collector.store.pages import Window, cut

State = Literal["pending", "sending", "delivered", "parked", "cancelled"]
STATES: tuple[State, ...] = get_args(State)
LEASE_NS = 60 * 1_000_000_000
ANSWER_MAX_CHARS = 2000
CLAIM_LOOK = 200

subscriptions = Table(
    "webhook_subscriptions",
    metadata,
    id_column(),
    Column("url", Text, nullable=False),
    Column("about", String(200), nullable=False),  # what it is for, in words
    Column("events", Text, nullable=False),  # JSON list of patterns
    Column("customer_id", Id, nullable=False),  # empty: of all customers
    Column("secret", Text, nullable=False),  # sealed under the key outside the database
    Column("active", Boolean, nullable=False),
    Column("why_off", Text, nullable=False),
    Column("created_ns", Ns, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("old_secret", Text, nullable=False),  # sealed; signs too until
    Column("old_until_ns", Ns, nullable=False),
)

deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("message_id", String(64), nullable=False, unique=True),
    Column("subscription_id", Id, ForeignKey("webhook_subscriptions.id"), nullable=False, index=True),
    Column("customer_id", Id, nullable=False),
    Column("event", String(64), nullable=False),
    Column("ref", String(64), nullable=False),  # the number or id of what it is about
    Column("payload", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_ns", Ns, nullable=False),
    Column("claimed_ns", Ns),
    Column("status", Integer),  # of the last answer
    Column("answer", Text, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("created_ns", Ns, nullable=False),
    Column("delivered_ns", Ns),
    Index(None, "state", "next_attempt_ns"),
    sqlite_autoincrement=True,  # a number is never given twice
)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is told what. `secret` is sealed; `events` are patterns, as `ticket.*`."""

    id: str
    url: str
    about: str
    events: tuple[str, ...]
    customer_id: str
    secret: str
    active: bool
    why_off: str
    created_ns: int
    created_by: str
    old_secret: str = ""
    old_until_ns: int = 0

    def __repr__(self) -> str:
        return f"Subscription({self.id!r})"  # the address may hold a secret


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message. `id` is its place among all, `message_id` stays the same at every attempt."""

    id: int
    message_id: str
    subscription_id: str
    customer_id: str
    event: str
    ref: str
    payload: str
    state: State
    attempts: int
    next_attempt_ns: int
    claimed_ns: int | None
    status: int | None
    answer: str
    last_error: str
    created_ns: int
    delivered_ns: int | None


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be told to one subscription. `ref` is the number or id of what it is about."""

    subscription_id: str
    message_id: str
    event: str
    ref: str
    payload: str
    customer_id: str


_ENQUEUE = {
    name: insert_of(deliveries).on_conflict_do_nothing(index_elements=[deliveries.c.message_id])
    for name, insert_of in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
_ACTIVE = select(subscriptions).where(subscriptions.c.active).order_by(subscriptions.c.id)
_LISTENING = (
    select(subscriptions)
    .where(
        subscriptions.c.active,
        or_(subscriptions.c.customer_id == "", subscriptions.c.customer_id == bindparam("whose")),
    )
    .order_by(subscriptions.c.id)
)
_DUE = or_(
    and_(deliveries.c.state == "pending", deliveries.c.next_attempt_ns <= bindparam("now")),
    and_(deliveries.c.state == "sending", deliveries.c.claimed_ns <= bindparam("dead")),
)
_WAITING = (
    select(deliveries.c.id, deliveries.c.subscription_id, deliveries.c.customer_id)
    .where(
        _DUE,
        deliveries.c.subscription_id.not_in(bindparam("full", expanding=True)),
        deliveries.c.customer_id.not_in(bindparam("but", expanding=True)),
    )
    .order_by(deliveries.c.next_attempt_ns, deliveries.c.id)
    .limit(CLAIM_LOOK)
)
_TAKE = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("which"), _DUE)
    .values(state="sending", attempts=deliveries.c.attempts + 1, claimed_ns=bindparam("now"))
    .returning(*deliveries.c)
)
# The number of the attempt names the claim: a late settle of an overtaken sender finds another number.
_SETTLE = (
    update(deliveries)
    .where(
        deliveries.c.id == bindparam("which"),
        deliveries.c.attempts == bindparam("attempt"),
        deliveries.c.state == "sending",
    )
    .values(
        claimed_ns=null(),
        **{
            name: bindparam(f"new_{name}")
            for name in ("state", "status", "answer", "last_error", "next_attempt_ns", "delivered_ns")
        },
    )
)
_GET = select(subscriptions).where(subscriptions.c.id == bindparam("which"))


def add(tx: Connection, subscription: Subscription) -> None:
    row = {one.name: getattr(subscription, one.name) for one in fields(Subscription)}
    row["events"] = msgspec.json.encode(subscription.events).decode()
    tx.execute(insert(subscriptions).values(row))


def listening(tx: Connection, customer_id: str) -> list[Subscription]:
    """The active subscriptions that changes of a customer (or nobody's) concern."""
    return [_subscription(row) for row in prepared.rows(tx, _LISTENING, {"whose": customer_id})]


def active(tx: Connection) -> list[Subscription]:
    """All active subscriptions, in the order in which they were made."""
    return [_subscription(row) for row in prepared.rows(tx, _ACTIVE, {})]


def every(tx: Connection) -> list[Subscription]:
    """All subscriptions, in the order in which they were made."""
    return [_subscription(row) for row in tx.execute(select(subscriptions).order_by(subscriptions.c.id))]


def get(tx: Connection, subscription_id: str) -> Subscription:
    """The subscription with this id. Raises NotFound."""
    row = prepared.row(tx, _GET, {"which": subscription_id})
    if row is None:
        raise NotFound(f"there is no webhook {subscription_id}; `sitewarden webhook list` shows those that there are")
    return _subscription(row)


def switch(tx: Connection, subscription_id: str, *, active: bool, why: str = "") -> None:
    changed = update(subscriptions).where(subscriptions.c.id == subscription_id)
    tx.execute(changed.values(active=active, why_off="" if active else why))


def change_secret(tx: Connection, subscription_id: str, *, secret: str, old_secret: str, old_until_ns: int) -> None:
    """Both are sealed; the old one signs too until its time."""
    changed = update(subscriptions).where(subscriptions.c.id == subscription_id)
    tx.execute(changed.values(secret=secret, old_secret=old_secret, old_until_ns=old_until_ns))


def remove(tx: Connection, subscription_id: str) -> None:
    """Take a subscription out, with all that was to be sent to it. Raises NotFound."""
    get(tx, subscription_id)
    tx.execute(delete(deliveries).where(deliveries.c.subscription_id == subscription_id))
    tx.execute(delete(subscriptions).where(subscriptions.c.id == subscription_id))


# -- messages --------------------------------------------------------------------------------------------------------


def enqueue(tx: Connection, messages: Sequence[Message], *, now_ns: int) -> None:
    """Write messages, to be sent at once; one whose id is there already stays as it is."""
    if not messages:
        return
    rows = [{name: getattr(one, name) for name in Message.__slots__} for one in messages]
    common = {"state": "pending", "attempts": 0, "next_attempt_ns": now_ns, "answer": "", "last_error": ""}
    outboxes.note(tx)
    prepared.write(tx, _ENQUEUE[tx.dialect.name], [row | common | {"created_ns": now_ns} for row in rows])


def claim(tx: Connection, limit: int, *, now_ns: int, per_subscription: int, busy: Mapping[str, int]) -> list[Delivery]:
    """Take up to `limit` messages that are due, so that no subscription has more than its share under way; of each
    customer in turn, so that a flood of one delays the others by little."""
    times = {"now": now_ns, "dead": now_ns - LEASE_NS}
    taken_of = Counter(busy)
    full = [name for name, number in taken_of.items() if number >= per_subscription]
    taken: list[Delivery] = []
    for delivery_id, subscription_id, _ in _in_turn(tx, times | {"full": full}):
        if taken_of[subscription_id] >= per_subscription:
            continue
        row = prepared.row(tx, _TAKE, times | {"which": delivery_id})
        if row is None:
            continue  # another process was quicker
        taken_of[subscription_id] += 1
        taken.append(_delivery(row))
        if len(taken) >= limit:
            break
    return taken


def _in_turn(tx: Connection, given: Mapping[str, Any]) -> list[Any]:
    """What is due: the first message of each customer, then the second of each, those of one in their order."""
    found = prepared.rows(tx, _WAITING, {**given, "but": []})
    if len(found) == CLAIM_LOOK:  # others may wait behind a flood
        found += prepared.rows(tx, _WAITING, {**given, "but": list({row.customer_id for row in found})})
    turns = Counter[str]()
    ordered = []
    for place, row in enumerate(found):
        ordered.append((turns[row.customer_id], place, row))
        turns[row.customer_id] += 1
    return [row for _, _, row in sorted(ordered, key=lambda one: one[:2])]


def settle(
    tx: Connection,
    delivery: Delivery,
    state: State,
    *,
    status: int | None,
    answer: str = "",
    error: str = "",
    next_attempt_ns: int = 0,
    now_ns: int,
) -> bool:
    """Write down what came of an attempt; False when it was settled or taken back meanwhile."""
    given = {
        "which": delivery.id,
        "attempt": delivery.attempts,
        "new_state": state,
        "new_status": status,
        "new_answer": answer[:ANSWER_MAX_CHARS],
        "new_last_error": error[:ANSWER_MAX_CHARS],
        "new_next_attempt_ns": next_attempt_ns or delivery.next_attempt_ns,
        "new_delivered_ns": now_ns if state == "delivered" else None,
    }
    return prepared.write(tx, _SETTLE, [given]) == 1


def retry(tx: Connection, delivery_id: int, *, now_ns: int) -> Delivery:
    """Send a message again from the start of its attempts. Raises NotFound, and Conflict while it is under way."""
    again = {"state": "pending", "attempts": 0, "next_attempt_ns": now_ns, "delivered_ns": None}
    stopped = deliveries.c.state.in_(("parked", "delivered", "cancelled"))
    done = tx.execute(update(deliveries).where(deliveries.c.id == delivery_id, stopped).values(again)).rowcount
    found = delivery(tx, delivery_id)
    if not done:
        raise Conflict(f"message {delivery_id} is {found.state}: it is on its way without your help")
    return found


def delivery(tx: Connection, delivery_id: int) -> Delivery:
    """One message. Raises NotFound."""
    row = tx.execute(select(deliveries).where(deliveries.c.id == delivery_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no message {delivery_id}; `sitewarden webhook deliveries` shows their numbers")
    return _delivery(row)


def page(tx: Connection, window: Window, *, subscription_id: str = "", states: Collection[str] = ()) -> list[Delivery]:
    """Messages, the newest first; of one subscription or all, in some states or any."""
    query = select(deliveries)
    if subscription_id:
        query = query.where(deliveries.c.subscription_id == subscription_id)
    if states:
        query = query.where(deliveries.c.state.in_(list(states)))
    return [_delivery(row) for row in tx.execute(cut(query, (deliveries.c.id,), window))]


def counts(tx: Connection) -> dict[tuple[str, str], int]:
    """How many messages there are, by subscription and state."""
    query = select(deliveries.c.subscription_id, deliveries.c.state, func.count())
    rows = tx.execute(query.group_by(deliveries.c.subscription_id, deliveries.c.state))
    return {(subscription_id, state): int(number) for subscription_id, state, number in rows}


def unsent(tx: Connection) -> dict[str, int]:
    """How many messages are not delivered, by state."""
    states = ("pending", "sending", "parked")
    query = select(deliveries.c.state, func.count()).where(deliveries.c.state.in_(states))
    found = {state: int(number) for state, number in tx.execute(query.group_by(deliveries.c.state))}
    return {state: found.get(state, 0) for state in states}


def forget_old(tx: Connection, *, before_ns: int, limit: int) -> int:
    """Delete messages from before a time that wait for nothing, `limit` at most; how many."""
    done = deliveries.c.state.in_(("delivered", "cancelled", "parked"))
    old = select(deliveries.c.id).where(done, deliveries.c.created_ns < before_ns).limit(limit)
    return tx.execute(delete(deliveries).where(deliveries.c.id.in_(old))).rowcount


def _subscription(row: Row[Any]) -> Subscription:
    values = dict(row._mapping)
    values["events"] = msgspec.json.decode(row.events, type=tuple[str, ...])
    return Subscription(**values)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(**row._mapping)
