"""The feed of what changed, for whoever shows it live: consoles in every process, webhooks.

A row is written in the transaction of the change; on PostgreSQL it also notifies whoever listens, at its
commit. Readers ask for what came after the last row they know. Rows say what changed, not how: whoever wants to
know reads the thing itself. They are forgotten after a while; a reader that was away longer starts anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Connection, Index, String, Table, delete, func, insert, select

from sitewarden_collector.store import prepared, wakeups
from sitewarden_collector.store.base import Id, Ns, RowId, metadata

changes = Table(
    "changes",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("at_ns", Ns, nullable=False),
    Column("topic", String(32), nullable=False),  # ticket, problem, site, oncall, notice, risk ...
    Column("what", String(64), nullable=False),  # open_ticket, comment, resolve_ticket ...
    Column("ref", Id, nullable=False),  # the id of the thing
    Column("customer_id", Id, nullable=False),  # empty: nobody's in particular
    Column("site_id", Id, nullable=False),  # empty: of no site in particular
    Index("ix_changes_at", "at_ns"),
    sqlite_autoincrement=True,  # an id is never given twice, whatever was forgotten
)

_NOTE = insert(changes)


@dataclass(frozen=True, slots=True)
class Change:
    id: int
    at_ns: int
    topic: str
    what: str
    ref: str
    customer_id: str = ""
    site_id: str = ""


def note(
    tx: Connection, topic: str, ref: str, *, what: str, customer_id: str = "", site_id: str = "", now_ns: int
) -> None:
    """Something about `ref` is different from the end of this transaction on."""
    note_all(tx, topic, [(ref, what, customer_id, site_id)], now_ns=now_ns)


def note_all(tx: Connection, topic: str, some: Sequence[tuple[str, str, str, str]], *, now_ns: int) -> None:
    """The same of several things, each as (ref, what, customer_id, site_id)."""
    rows = [
        {"at_ns": now_ns, "topic": topic, "what": what, "ref": ref, "customer_id": customer_id, "site_id": site_id}
        for ref, what, customer_id, site_id in some
    ]
    if not rows:
        return
    prepared.write(tx, _NOTE, rows)
    wakeups.tell(tx, wakeups.CHANGES)


def last_id(tx: Connection) -> int:
    """The newest row; 0 where there is none."""
    return int(tx.execute(select(func.max(changes.c.id))).scalar_one() or 0)


def since(tx: Connection, after_id: int, *, limit: int = 1000) -> list[Change]:
    """What changed after the row `after_id`, oldest first.

    On PostgreSQL transactions commit in another order than they numbered their rows: a reader that must miss nothing
    looks back a little and knows what it has seen already.
    """
    rows = tx.execute(select(changes).where(changes.c.id > after_id).order_by(changes.c.id).limit(limit))
    return [Change(row.id, row.at_ns, row.topic, row.what, row.ref, row.customer_id, row.site_id) for row in rows]


def forget_old(tx: Connection, *, before_ns: int, limit: int) -> int:
    """Delete what changed before a time, `limit` rows at most; how many."""
    old = select(changes.c.id).where(changes.c.at_ns < before_ns).limit(limit)
    return tx.execute(delete(changes).where(changes.c.id.in_(old))).rowcount
