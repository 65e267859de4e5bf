"""One notice takes over from another, for another person or channel: at most one, however often it is asked for.

Not here: who is next (`services.pages`), and the outbox itself (`store.notices`).
"""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from sitewarden_collector.store.notices import StoredNotice, add, get, notices

_AFTER = "after:"  # begins the key of a notice that took over from the one whose id follows


def hand_on(
    tx: Connection,
    notice: StoredNotice,
    *,
    person: str,
    channel: str,
    because: str,
    now_ns: int,
    address: str = "",
) -> str | None:
    """Write the same notice for another person or channel and return its id; None when it is not wanted any more.

    `because` tells the reader why it comes to them. At most one notice takes over from another, however often this is
    called.
    """
    live = select(notices.c.state).where(notices.c.id == notice.id)
    if tx.execute(live).scalar_one() == "cancelled":
        return None
    taker = add(
        tx,
        kind=notice.kind,
        person=person,
        channel=channel,
        subject=notice.subject,
        body=f"{notice.body}\n\n{because}",
        ticket_id=notice.ticket_id,
        risk_id=notice.risk_id,
        urgency=notice.urgency,
        dedup_key=f"{_AFTER}{notice.id}",
        now_ns=now_ns,
        address=address,
        page_of=notice.page_of if person == notice.person else None,
    )
    tx.execute(update(notices).where(notices.c.id == notice.id).values(handed_to=taker))
    return taker


def tried(tx: Connection, notice: StoredNotice) -> set[tuple[str, str]]:
    """(person, channel) of this notice and of all those that were handed on until it came about."""
    seen = {(notice.person, notice.channel)}
    key = notice.dedup_key
    while key.startswith(_AFTER):
        before = get(tx, key.removeprefix(_AFTER))
        seen.add((before.person, before.channel))
        key = before.dedup_key
    return seen
