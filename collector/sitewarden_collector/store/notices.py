"""The outbox: what must be told, to whom, by which channel, and how far that has come.

A notice is written in the transaction of the decision behind it, so the two cannot part. A sender claims it by a
guarded update, sends outside any transaction, and settles it in another; a claim that was never settled is taken again
after its lease, so a notice may be sent twice but never not at all. `dedup_key` makes writing idempotent: the same
decision taken again finds its notice there.

States: `pending` waits for its time, `sending` is claimed, `sent`, `failed` was given up here and handed on to another
channel or person, `parked` was given up and waits for an operator, `cancelled` is not needed any more, `bundled` is
told by another notice (`store.digests`).

Not here: sending (`channels`), when to try again and who is next (`services.notifying`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from sitewarden_collector.errors import Conflict, NotFound
from sitewarden_collector.store import outboxes, prepared
from sitewarden_collector.store.base import Id, Ns, id_column, metadata, new_id

Kind = Literal["page", "risk", "recovery", "info"]
State = Literal["pending", "sending", "sent", "failed", "parked", "cancelled", "bundled"]
STATES: tuple[State, ...] = get_args(State)
UNSENT: tuple[State, ...] = ("pending", "sending", "parked")

BACKWARD_TOLERANCE_NS = 5 * 1_000_000_000  # how far the clocks of two collectors may be apart
# Longer than any channel's deadline: a slow sender is not overtaken, a dead one is within minutes.
LEASE_NS = 60 * 1_000_000_000
ERROR_MAX_CHARS = 1000
POISON_ATTEMPTS = 25  # far more than any sender's patience: claimed again and again, never settled
CLAIM_LOOK = 200  # rows looked at in one claim; channels that are full are left out of the next

notices = Table(
    "notices",
    metadata,
    id_column(),
    Column("kind", String(16), nullable=False),
    Column("person", String(200), nullable=False),
    Column("channel", String(100), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("ticket_id", Id, index=True),
    Column("risk_id", Id),
    Column("urgency", String(16), nullable=False),
    Column("dedup_key", String(255), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt_ns", Ns, nullable=False),
    Column("since_ns", Ns, nullable=False),  # since when it waits for that
    Column("claimed_ns", Ns),
    Column("claimed_by", String(100)),
    Column("sent_ns", Ns),
    Column("last_error", Text),
    Column("handed_to", Id),
    Column("created_ns", Ns, nullable=False),
    Column("address", String(320), nullable=False, default=""),  # for the {address} of the channel's url
    Column("page_of", Id, nullable=False, default="", index=True),  # the notice that its pages are booked under
    Index(None, "state", "next_attempt_ns"),
    Index(None, "state", "since_ns"),
    Index(None, "person", "created_ns"),
)


# Statements that every alert needs are made once: making one takes longer than carrying it out.
_ADD = {
    name: insert(notices).on_conflict_do_nothing(index_elements=[notices.c.dedup_key]).returning(notices.c.id)
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
_DUE = or_(
    and_(notices.c.state == "pending", notices.c.next_attempt_ns <= bindparam("now")),
    and_(notices.c.state == "sending", notices.c.claimed_ns <= bindparam("dead")),
)
_AHEAD = (
    select(notices.c.id)
    .where(notices.c.state.in_(("pending", "sending")), notices.c.since_ns > bindparam("ahead"))
    .limit(1)
)
_WAITING = (
    select(notices.c.id, notices.c.channel, notices.c.attempts)
    .where(_DUE, notices.c.channel.not_in(bindparam("full", expanding=True)))
    .order_by(case((notices.c.kind == "page", 0), else_=1), notices.c.next_attempt_ns, notices.c.id)
    .limit(CLAIM_LOOK)
)
_TAKE = (
    update(notices)
    .where(notices.c.id == bindparam("which"), _DUE)
    .values(
        state="sending",
        attempts=notices.c.attempts + 1,
        since_ns=bindparam("now"),
        claimed_ns=bindparam("now"),
        claimed_by=bindparam("worker"),
    )
    .returning(*notices.c)
)
_KILLER = f"the collector stopped {POISON_ATTEMPTS} times while it sent this: look at its channel and its text"
_PARK_POISON = (
    update(notices)
    .where(notices.c.id == bindparam("which"), _DUE)
    .values(state="parked", claimed_by=None, last_error=_KILLER)
)


@dataclass(frozen=True, slots=True)
class StoredNotice:
    """One row. Times are UTC nanoseconds; `handed_to` is the id of the notice that took over from this one."""

    id: str
    kind: Kind
    person: str
    channel: str
    subject: str
    body: str
    ticket_id: str | None
    risk_id: str | None
    urgency: str
    dedup_key: str
    state: State
    attempts: int
    next_attempt_ns: int
    since_ns: int
    claimed_ns: int | None
    claimed_by: str | None
    sent_ns: int | None
    last_error: str | None
    handed_to: str | None
    created_ns: int
    address: str = ""
    page_of: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """How the outbox stands: rows by state, and since when the oldest one that is due has been waiting."""

    by_state: dict[State, int]
    oldest_due_ns: int | None


def add(
    tx: Connection,
    *,
    kind: Kind,
    person: str,
    channel: str,
    subject: str,
    body: str,
    dedup_key: str,
    now_ns: int,
    ticket_id: str | None = None,
    risk_id: str | None = None,
    urgency: str = "normal",
    not_before_ns: int | None = None,
    address: str = "",
    page_of: str | None = None,
    within: str = "",
) -> str:
    """Write a notice, to be sent at once or from `not_before_ns`; return its id. A second call with the same
    `dedup_key` changes nothing and returns the first one's id. `page_of` is the notice that its pages are booked under,
    its own id when it is not given. `within` is the notice that tells this one as well: then it is not sent itself."""
    made = new_id()
    row = {
        "id": made,
        "kind": kind,
        "person": person,
        "channel": channel,
        "subject": subject,
        "body": body,
        "ticket_id": ticket_id,
        "risk_id": risk_id,
        "urgency": urgency,
        "dedup_key": dedup_key,
        "state": "bundled" if within else "pending",
        "attempts": 0,
        "next_attempt_ns": now_ns if not_before_ns is None else not_before_ns,
        "since_ns": now_ns,
        "created_ns": now_ns,
        "address": address,
        "page_of": within or (made if page_of is None else page_of),
    }
    if not within:
        outboxes.note(tx)
    if (new := prepared.row(tx, _ADD[tx.dialect.name], row)) is not None:
        return str(new.id)
    return str(tx.execute(select(notices.c.id).where(notices.c.dedup_key == dedup_key)).scalar_one())


def claim(
    tx: Connection,
    limit: int,
    worker: str,
    *,
    now_ns: int,
    lease_ns: int = LEASE_NS,
    per_channel: int | None = None,
    free: Mapping[str, int] | None = None,
) -> list[StoredNotice]:
    """Take up to `limit` notices that are due, pages first, and return them as claimed by `worker`.

    At most `per_channel` of each channel are taken, or as many as `free` says for it. `attempts` counts the claim, not
    its result: a notice that kills its sender is parked in the end.
    """
    times = {"now": now_ns, "dead": now_ns - lease_ns}
    if prepared.row(tx, _AHEAD, {"ahead": now_ns + BACKWARD_TOLERANCE_NS}) is not None:
        _re_anchor(tx, now_ns)
    room = Counter(free or {})
    full = [channel for channel, places in room.items() if places <= 0]
    taken: list[StoredNotice] = []
    for notice_id, channel, attempts in prepared.rows(tx, _WAITING, times | {"full": full}):
        if attempts >= POISON_ATTEMPTS:
            tx.execute(_PARK_POISON, times | {"which": notice_id})
            continue
        if per_channel is not None and room.setdefault(channel, per_channel) <= 0:
            continue
        row = prepared.row(tx, _TAKE, times | {"which": notice_id, "worker": worker})
        if row is None:
            continue  # another worker was quicker
        room[channel] -= 1
        taken.append(_read(row))
        if len(taken) >= limit:
            break
    return taken


def release(tx: Connection) -> int:
    """Free every claim, for a process that knows itself to be the only one and has just started."""
    abandoned = notices.c.state == "sending"
    return tx.execute(update(notices).where(abandoned).values(state="pending", claimed_by=None)).rowcount


def settle_sent(tx: Connection, notice: StoredNotice, *, now_ns: int) -> bool:
    """Record that it was sent; false when it has been settled by somebody else meanwhile.

    A notice that was cancelled under way is recorded as sent all the same: that is what happened.
    """
    sent = {"state": "sent", "sent_ns": now_ns, "claimed_by": None, "last_error": None}
    return _settle(tx, notice, sent, states=("sending", "cancelled"))


def settle_retry(tx: Connection, notice: StoredNotice, *, error: str, next_attempt_ns: int) -> bool:
    """Put it back until `next_attempt_ns`; false when it was cancelled or settled meanwhile."""
    # It waits since it was claimed: sending takes a minute at most, and a jump of the clock meanwhile is seen so too.
    waiting = {"state": "pending", "next_attempt_ns": next_attempt_ns, "claimed_by": None, "last_error": _cut(error)}
    return _settle(tx, notice, waiting)


def settle_parked(tx: Connection, notice: StoredNotice, *, error: str) -> bool:
    """Give it up until an operator looks; false when it was cancelled or settled meanwhile."""
    return _settle(tx, notice, {"state": "parked", "claimed_by": None, "last_error": _cut(error)})


def settle_failed(tx: Connection, notice: StoredNotice, *, error: str) -> bool:
    """Give it up here because another notice took over; false when it was cancelled or settled meanwhile."""
    return _settle(tx, notice, {"state": "failed", "claimed_by": None, "last_error": _cut(error)})


def cancel(tx: Connection, notice_id: str) -> bool:
    """Stop one notice that has not gone out; False when it has, or was stopped already."""
    unsent = and_(notices.c.id == notice_id, notices.c.state.in_(UNSENT))
    return tx.execute(update(notices).where(unsent).values(state="cancelled")).rowcount == 1


def retry(tx: Connection, notice_id: str, *, now_ns: int) -> StoredNotice:
    """Put a parked or failed notice back at the start of its attempts.

    Raises NotFound, and Conflict for a notice that is still under way, was sent or was cancelled.
    """
    again = {"state": "pending", "attempts": 0, "next_attempt_ns": now_ns, "since_ns": now_ns, "handed_to": None}
    stopped = notices.c.state.in_(("parked", "failed"))
    tx.execute(update(notices).where(notices.c.id == notice_id, stopped).values(again))
    notice = get(tx, notice_id)
    if notice.state != "pending" or notice.attempts:
        raise Conflict(f"notice {notice_id} is {notice.state}: only a parked or failed notice can be tried again")
    return notice


def get(tx: Connection, notice_id: str) -> StoredNotice:
    """The notice with this id. Raises NotFound."""
    row = tx.execute(select(notices).where(notices.c.id == notice_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no notice {notice_id}: `sitewarden notice list` shows their ids")
    return _read(row)


def exists(tx: Connection, dedup_key: str) -> bool:
    return tx.execute(select(notices.c.id).where(notices.c.dedup_key == dedup_key)).first() is not None


def of_page(tx: Connection, page_of: str) -> list[StoredNotice]:
    """The notices by which one page was tried to be brought to a person, the first first."""
    return [
        _read(row) for row in tx.execute(select(notices).where(notices.c.page_of == page_of).order_by(notices.c.id))
    ]


def listing(tx: Connection, *, state: State | None = None, limit: int = 200) -> list[StoredNotice]:
    """The newest notices first, of one state or of all."""
    wanted = select(notices).order_by(notices.c.created_ns.desc(), notices.c.id.desc()).limit(limit)
    return [_read(row) for row in tx.execute(wanted if state is None else wanted.where(notices.c.state == state))]


def summary(tx: Connection, *, now_ns: int, lease_ns: int = LEASE_NS) -> Summary:
    """Counts by state (every state is there), and the time since which the oldest notice that is due waits."""
    counted = tx.execute(select(notices.c.state, func.count()).group_by(notices.c.state))
    by_state: dict[State, int] = dict.fromkeys(STATES, 0)
    by_state.update({state: int(count) for state, count in counted})
    times = {"now": now_ns, "dead": now_ns - lease_ns}
    oldest = tx.execute(select(func.min(notices.c.next_attempt_ns)).where(_DUE), times).scalar_one()
    return Summary(by_state=by_state, oldest_due_ns=oldest)


def _re_anchor(tx: Connection, now_ns: int) -> None:
    """What waits since a time that is yet to come was written before the clock was set back: it waits as long as was
    meant from now on, and not until the clock has caught up. A claim of such a time has its lease from now on."""
    future = notices.c.since_ns > now_ns + BACKWARD_TOLERANCE_NS
    left_ns = case(
        (notices.c.next_attempt_ns > notices.c.since_ns, notices.c.next_attempt_ns - notices.c.since_ns), else_=0
    )
    waiting = update(notices).where(notices.c.state == "pending", future)
    tx.execute(waiting.values(next_attempt_ns=left_ns + now_ns, since_ns=now_ns))
    claimed = update(notices).where(notices.c.state == "sending", future)
    tx.execute(claimed.values(claimed_ns=now_ns, since_ns=now_ns))


def _settle(
    tx: Connection, notice: StoredNotice, values: dict[str, Any], *, states: Sequence[State] = ("sending",)
) -> bool:
    # The number of the attempt names the claim: a late settle of an overtaken sender finds another number.
    given = {"which": notice.id, "attempt": notice.attempts} | {f"new_{name}": one for name, one in values.items()}
    return prepared.write(tx, _settling(tuple(values), tuple(states)), [given]) == 1


@lru_cache(maxsize=32)
def _settling(names: tuple[str, ...], states: tuple[State, ...]) -> Update:
    ours = and_(
        notices.c.id == bindparam("which"), notices.c.attempts == bindparam("attempt"), notices.c.state.in_(states)
    )
    return update(notices).where(ours).values({name: bindparam(f"new_{name}") for name in names})


def _cut(error: str) -> str:
    return error if len(error) <= ERROR_MAX_CHARS else error[: ERROR_MAX_CHARS - 1] + "…"


def _read(row: Row[Any]) -> StoredNotice:
    return StoredNotice(**row._mapping)
