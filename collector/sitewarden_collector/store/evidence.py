"""The evidence of tickets: copies of what was observed. Observations may be aged out, evidence is not.

Of what a ticket counts the first and the last entries are kept, each under its place among all that there ever were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from sitewarden_alerting.model import EVIDENCE_HEAD, EVIDENCE_TAIL, Evidence
from sitewarden_collector.store import prepared
from sitewarden_collector.store.base import Id, Ns, metadata

evidence = Table(
    "evidence",
    metadata,
    Column("ticket_id", Id, ForeignKey("tickets.id"), primary_key=True),
    Column("entry", BigInteger, primary_key=True),  # the place among all entries that there ever were
    Column("agent_id", Id, nullable=False),
    Column("epoch", String(32), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("idx", Integer, nullable=False),
    Column("at_ns", Ns, nullable=False),
    Column("hostname", String(255), nullable=False),
    Column("text", Text, nullable=False),
    Column("record", String(255), nullable=False),
)


_INSERT = insert(evidence)
_OF_TICKET = select(evidence).where(evidence.c.ticket_id == bindparam("ticket")).order_by(evidence.c.entry)


def add(tx: Connection, ticket_id: str, entries: Mapping[int, Evidence], *, total: int) -> None:
    """Add entries by their places and keep the first and the last of the `total` that there ever were."""
    add_all(tx, {ticket_id: (entries, total)})


def add_all(tx: Connection, given: Mapping[str, tuple[Mapping[int, Evidence], int]]) -> None:
    """The same for several tickets: their ids, entries and totals."""
    rows = [
        _entry(ticket_id, entry, one)
        for ticket_id, (entries, total) in given.items()
        for entry, one in entries.items()
        if entry < EVIDENCE_HEAD or entry >= total - EVIDENCE_TAIL
    ]
    if rows:
        prepared.write(tx, _INSERT, rows)
    for ticket_id, (_, total) in given.items():
        between = (evidence.c.entry >= EVIDENCE_HEAD, evidence.c.entry < total - EVIDENCE_TAIL)
        if total > EVIDENCE_HEAD + EVIDENCE_TAIL:
            tx.execute(delete(evidence).where(evidence.c.ticket_id == ticket_id, *between))


def replace(tx: Connection, ticket_id: str, one: Evidence) -> None:
    """Put the complete record in the place of its first line, where that is kept."""
    row = _entry(ticket_id, 0, one)
    del row["ticket_id"], row["entry"]
    tx.execute(update(evidence).where(evidence.c.ticket_id == ticket_id, evidence.c.record == one.record).values(row))


def drop(tx: Connection, ticket_id: str, record: str) -> None:
    """Take out a record that belongs elsewhere."""
    tx.execute(delete(evidence).where(evidence.c.ticket_id == ticket_id, evidence.c.record == record))


def move(tx: Connection, from_id: str, to_id: str, *, shift: int) -> None:
    """Give one ticket's evidence to another, behind what that had: `shift` entries."""
    moved = {"ticket_id": to_id, "entry": evidence.c.entry + shift}
    tx.execute(update(evidence).where(evidence.c.ticket_id == from_id).values(moved))


def of_ticket(tx: Connection, ticket_id: str) -> list[Evidence]:
    """What is kept of a ticket's evidence, in the order in which it came."""
    rows = prepared.rows(tx, _OF_TICKET, {"ticket": ticket_id})
    return [
        Evidence(row.agent_id, row.epoch, row.seq, row.idx, row.at_ns, row.hostname, row.text, row.record)
        for row in rows
    ]


def _entry(ticket_id: str, entry: int, one: Evidence) -> dict[str, Any]:
    return {
        "ticket_id": ticket_id,
        "entry": entry,
        "agent_id": one.agent_id,
        "epoch": one.epoch,
        "seq": one.seq,
        "idx": one.index,
        "at_ns": one.at_ns,
        "hostname": one.hostname,
        "text": one.text,
        "record": one.record,
    }
