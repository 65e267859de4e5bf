"""Recoveries that are told together: each is a notice of its own in the state `bundled`, under the one that is sent.

So it stays known of every ticket that its recovery was told, and by which notice. Not here: which are put together
(`services.digests`), and the outbox itself (`store.notices`).
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, func, select, update

from sitewarden_collector.store import prepared
from sitewarden_collector.store.notices import StoredNotice, get, notices
from sitewarden_collector.store.tickets import tickets

KEY = "digest:"  # begins the key of a notice that stands for several
_AFTER = "after:"  # of one that took over from another

_LATELY = (
    select(notices.c.id)
    .where(
        notices.c.person == bindparam("whom"),
        notices.c.created_ns > bindparam("since"),
        notices.c.kind == "recovery",
        notices.c.state != "bundled",
    )
    .limit(bindparam("most"))
)
_ANYBODY = (
    select(notices.c.id)
    .where(
        notices.c.state.in_(("bundled", "pending", "sending", "sent")),
        notices.c.since_ns > bindparam("since"),
        notices.c.kind == "recovery",
    )
    .limit(bindparam("most"))
)
_UNBEGUN = (notices.c.state == "pending", notices.c.attempts == 0, notices.c.dedup_key.like(f"{KEY}%"))
_OPEN = (
    select(notices.c.id)
    .where(
        notices.c.person == bindparam("whom"),
        notices.c.channel == bindparam("road"),
        notices.c.created_ns > bindparam("since"),
        *_UNBEGUN,
    )
    .limit(1)
)
_KEEP = update(notices).where(notices.c.id == bindparam("which"), *_UNBEGUN).values(attempts=0)
_HELD = (
    select(tickets.c.number, tickets.c.title)
    .join_from(notices, tickets, tickets.c.id == notices.c.ticket_id)
    .where(notices.c.page_of == bindparam("which"), notices.c.state == "bundled")
    .order_by(tickets.c.priority, tickets.c.number)
    .limit(bindparam("most"))
)
_COUNT = select(func.count().label("number")).where(
    notices.c.page_of == bindparam("which"), notices.c.state == "bundled"
)


def lately(tx: Connection, person: str, *, since_ns: int, limit: int) -> int:
    """In how many notices a person was told of recoveries since a time; counts up to `limit`."""
    return len(prepared.rows(tx, _LATELY, {"whom": person, "since": since_ns, "most": limit}))


def of_anybody_lately(tx: Connection, *, since_ns: int, limit: int) -> int:
    """How many recoveries were to be told to anybody since a time; counts up to `limit`."""
    return len(prepared.rows(tx, _ANYBODY, {"since": since_ns, "most": limit}))


def open_one(tx: Connection, person: str, channel: str, *, since_ns: int) -> str | None:
    """The digest of a person by a channel that nobody has begun to send, kept so until this transaction ends."""
    found = prepared.row(tx, _OPEN, {"whom": person, "road": channel, "since": since_ns})
    if found is None:
        return None
    return str(found.id) if prepared.write(tx, _KEEP, [{"which": found.id}]) else None


def behind(tx: Connection, notice: StoredNotice) -> str | None:
    """The digest that a notice is, or took over from; None where it is none."""
    while notice.dedup_key.startswith(_AFTER):
        notice = get(tx, notice.dedup_key.removeprefix(_AFTER))
    return notice.id if notice.dedup_key.startswith(KEY) else None


def held(tx: Connection, digest_id: str, *, limit: int) -> tuple[int, list[tuple[str, str]]]:
    """For how many tickets a digest stands, and (number, title) of the most urgent of them."""
    named = prepared.rows(tx, _HELD, {"which": digest_id, "most": limit})
    number = prepared.rows(tx, _COUNT, {"which": digest_id})[0].number
    return int(number), [(str(one.number), str(one.title)) for one in named]
