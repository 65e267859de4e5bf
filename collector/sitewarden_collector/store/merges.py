"""Which tickets went into which others, with all that it takes to take them out again; and moving their evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Row, String, Table, Text, insert, select, update

from sitewarden_alerting.model import Ticket
from sitewarden_collector.store.base import Id, Ns, id_column, metadata, new_id
from sitewarden_collector.store.evidence import evidence
from sitewarden_collector.store.tickets import tickets

merges = Table(
    "ticket_merges",
    metadata,
    id_column(),
    Column("ticket_id", Id, nullable=False, index=True),
    Column("into_id", Id, nullable=False, index=True),  # empty: only its fault became another
    Column("customer_id", Id, nullable=False, index=True),
    Column("from_fault", String(255), nullable=False),
    Column("to_fault", String(255), nullable=False),
    Column("at_ns", Ns, nullable=False),
    Column("shift", BigInteger, nullable=False),  # where its evidence stands among that of the other
    Column("entries", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("before", Text, nullable=False),  # JSON of what the ticket was
    Column("undone_ns", Ns),
)


@dataclass(frozen=True, slots=True)
class Merge:
    """`before` has state, waiting, title and heads of the ticket as it was."""

    id: str
    ticket_id: str
    into_id: str
    from_fault: str
    to_fault: str
    at_ns: int
    shift: int
    entries: int
    count: int
    before: Mapping[str, Any]


def add(tx: Connection, before: Ticket, *, into_id: str, to_fault: str, shift: int, now_ns: int) -> None:
    """Remember a ticket as it is before it goes into another, or (without `into_id`) before its fault changes."""
    was = {
        "state": before.state.value,
        "waiting": before.waiting,
        "title": before.title,
        "heads": before.heads,
        "recovered_ns": before.recovered_ns,
    }
    tx.execute(
        insert(merges).values(
            id=new_id(),
            ticket_id=before.id,
            into_id=into_id,
            customer_id=before.customer_id,
            from_fault=before.fault,
            to_fault=to_fault,
            at_ns=now_ns,
            shift=shift,
            entries=before.entries,
            count=before.count,
            before=msgspec.json.encode(was).decode(),
            undone_ns=None,
        )
    )


def last_of(tx: Connection, ticket_id: str) -> Merge | None:
    """The last merge of a ticket into another that was not undone."""
    mine = (merges.c.ticket_id == ticket_id, merges.c.into_id != "", merges.c.undone_ns.is_(None))
    row = tx.execute(select(merges).where(*mine).order_by(merges.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else _read(row)


def numbers_in(tx: Connection, ticket_id: str) -> list[str]:
    """The numbers of the tickets that went into this one and were not taken out again, the first merged first."""
    theirs = (merges.c.into_id == ticket_id, merges.c.undone_ns.is_(None))
    query = select(tickets.c.number).join_from(merges, tickets, tickets.c.id == merges.c.ticket_id).where(*theirs)
    return list(dict.fromkeys(str(number) for number in tx.execute(query.order_by(merges.c.id)).scalars()))


def together_with(tx: Connection, merge: Merge) -> list[Merge]:
    """What the same correction did at every site, this merge included, the newest first."""
    same = (
        merges.c.from_fault == merge.from_fault,
        merges.c.to_fault == merge.to_fault,
        merges.c.at_ns == merge.at_ns,
        merges.c.undone_ns.is_(None),
    )
    return [_read(row) for row in tx.execute(select(merges).where(*same).order_by(merges.c.id.desc()))]


def undone(tx: Connection, merge: Merge, *, now_ns: int) -> None:
    tx.execute(update(merges).where(merges.c.id == merge.id).values(undone_ns=now_ns))


def give_back(tx: Connection, merge: Merge) -> None:
    """Give the evidence that a ticket brought into another back to it, as much as is still kept."""
    brought = (
        evidence.c.ticket_id == merge.into_id,
        evidence.c.entry >= merge.shift,
        evidence.c.entry < merge.shift + merge.entries,
    )
    back = {"ticket_id": merge.ticket_id, "entry": evidence.c.entry - merge.shift}
    tx.execute(update(evidence).where(*brought).values(back))


def entries_of(tx: Connection, ticket_id: str) -> dict[tuple[str, str, int, int], int]:
    """The places of a ticket's evidence, by what observation each is (agent, epoch, seq, index)."""
    rows = tx.execute(select(evidence).where(evidence.c.ticket_id == ticket_id))
    return {(row.agent_id, row.epoch, row.seq, row.idx): row.entry for row in rows}


def move_entries(tx: Connection, from_id: str, to_id: str, entries: Mapping[int, int]) -> None:
    """Give single entries to another ticket: by their places here, to their places there."""
    for here, there in entries.items():
        mine = (evidence.c.ticket_id == from_id, evidence.c.entry == here)
        tx.execute(update(evidence).where(*mine).values(ticket_id=to_id, entry=there))


def _read(row: Row[Any]) -> Merge:
    values = {name: row._mapping[name] for name in Merge.__slots__}
    values["before"] = msgspec.json.decode(row.before, type=dict[str, Any])
    return Merge(**values)
