"""What is asked of the outbox about pages alone: which stand in it unsent, and which bundle takes more.

Not here: the outbox itself (`store.notices`), and who was paged for which step (`store.escalations`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, exists, or_, select, update

from sitewarden_collector.store import prepared
from sitewarden_collector.store.notices import UNSENT, StoredNotice, notices
from sitewarden_collector.store.tickets import OPEN, tickets

_LATELY = (
    select(notices.c.id)
    .where(notices.c.person == bindparam("whom"), notices.c.created_ns > bindparam("since"), notices.c.kind == "page")
    .limit(bindparam("most"))
)
_OTHER = notices.alias()
_LOOK = (
    select(
        notices,
        or_(tickets.c.id.is_(None), and_(tickets.c.state.in_(OPEN), tickets.c.acknowledged_ns.is_(None))).label(
            "wanted"
        ),
        exists()
        .where(_OTHER.c.page_of == notices.c.page_of, _OTHER.c.id != notices.c.id, _OTHER.c.state == "sent")
        .where(notices.c.page_of != "")
        .label("told_otherwise"),
    )
    .outerjoin_from(notices, tickets, tickets.c.id == notices.c.ticket_id)
    .where(notices.c.id == bindparam("which"))
)
_UNBEGUN = (notices.c.state == "pending", notices.c.attempts == 0, notices.c.dedup_key.like("bundle:%"))
_BUNDLE = (
    select(notices.c.id)
    .where(notices.c.person == bindparam("whom"), notices.c.created_ns > bindparam("since"), *_UNBEGUN)
    .limit(1)
)
_KEEP = update(notices).where(notices.c.id == bindparam("which"), *_UNBEGUN).values(attempts=0)


@dataclass(frozen=True, slots=True)
class Look:
    """A notice as it is now. `wanted`: its ticket, if it is of one, is open and nobody's; `told_otherwise`: the same
    page reached the same person by another channel meanwhile."""

    notice: StoredNotice
    wanted: bool
    told_otherwise: bool


def look(tx: Connection, notice_id: str) -> Look | None:
    """How a notice stands; None when it is gone."""
    row = prepared.row(tx, _LOOK, {"which": notice_id})
    if row is None:
        return None
    values = dict(row._mapping)
    wanted, told_otherwise = bool(values.pop("wanted")), bool(values.pop("told_otherwise"))
    return Look(StoredNotice(**values), wanted, told_otherwise)


def cancel_for_ticket(tx: Connection, ticket_id: str) -> int:
    """Stop every page of a ticket that has not gone out; return how many. What was sent stays sent."""
    unsent = notices.c.state.in_(UNSENT)
    wanted = and_(notices.c.ticket_id == ticket_id, notices.c.kind == "page", unsent)
    return tx.execute(update(notices).where(wanted).values(state="cancelled")).rowcount


def cancel_page(tx: Connection, page_of: str) -> int:
    """Stop whatever has not gone out of the pages that are booked under one notice."""
    unsent = notices.c.state.in_(UNSENT)
    mine = and_(notices.c.page_of == page_of, notices.c.kind == "page", unsent)
    return tx.execute(update(notices).where(mine).values(state="cancelled")).rowcount


def paged_lately(tx: Connection, person: str, *, since_ns: int, limit: int) -> int:
    """In how many notices a person was paged since a time; counts up to `limit`."""
    return len(prepared.rows(tx, _LATELY, {"whom": person, "since": since_ns, "most": limit}))


def open_bundle(tx: Connection, person: str, *, since_ns: int) -> str | None:
    """The bundle of a person that nobody has begun to send, kept so until this transaction ends."""
    found = prepared.row(tx, _BUNDLE, {"whom": person, "since": since_ns})
    if found is None:
        return None
    return str(found.id) if prepared.write(tx, _KEEP, [{"which": found.id}]) else None
