"""What is asked of the outbox about pages alone: which stand in it unsent, and which bundle takes more.

Not here: the outbox itself (`store.notices`), and who was paged for which step (`store.escalations`).
"""

from __future__ import annotations

from sqlalchemy import Connection, and_, select, update

from sitewarden_collector.store.notices import UNSENT, StoredNotice, notices


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


def told_otherwise(tx: Connection, notice: StoredNotice) -> bool:
    """Whether the same page reached the same person by another channel meanwhile."""
    same = (notices.c.page_of == notice.page_of, notices.c.id != notice.id, notices.c.state == "sent")
    return bool(notice.page_of) and tx.execute(select(notices.c.id).where(*same).limit(1)).first() is not None


def paged_lately(tx: Connection, person: str, *, since_ns: int, limit: int) -> int:
    """In how many notices a person was paged since a time; counts up to `limit`."""
    mine = (notices.c.person == person, notices.c.created_ns > since_ns, notices.c.kind == "page")
    return len(tx.execute(select(notices.c.id).where(*mine).limit(limit)).all())


def open_bundle(tx: Connection, person: str, *, since_ns: int) -> str | None:
    """The bundle of a person that nobody has begun to send, kept so until this transaction ends."""
    waiting = (notices.c.state == "pending", notices.c.attempts == 0, notices.c.dedup_key.like("bundle:%"))
    mine = (notices.c.person == person, notices.c.created_ns > since_ns)
    found = tx.execute(select(notices.c.id).where(*mine, *waiting).limit(1)).scalar_one_or_none()
    if found is None:
        return None
    kept = update(notices).where(notices.c.id == found, *waiting).values(attempts=0)
    return str(found) if tx.execute(kept).rowcount else None
