"""Engineers as assignment sees them: what they know, how much they can take, when they are away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Integer, Row, String, Table, Text, delete, func, insert, select, update

from sitewarden_alerting.assignment import Candidate
from sitewarden_collector.errors import NotFound
from sitewarden_collector.store.base import Ns, metadata
from sitewarden_collector.store.tickets import OPEN, tickets

engineers = Table(
    "engineers",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("skills", Text, nullable=False),  # JSON list
    Column("languages", Text, nullable=False),  # JSON list
    Column("products", Text, nullable=False),  # JSON list
    Column("capacity", Integer, nullable=False),
    Column("away_until_ns", Ns),
    Column("last_assigned_ns", Ns, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Engineer:
    """An engineer, named as their account is."""

    name: str
    skills: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    capacity: int = 10
    away_until_ns: int | None = None
    last_assigned_ns: int = 0


def every(tx: Connection) -> list[Engineer]:
    return [_read(row) for row in tx.execute(select(engineers).order_by(engineers.c.name))]


def find(tx: Connection, name: str) -> Engineer | None:
    row = tx.execute(select(engineers).where(engineers.c.name == name)).one_or_none()
    return None if row is None else _read(row)


def by_name(tx: Connection, name: str) -> Engineer:
    """Raises NotFound."""
    found = find(tx, name)
    if found is None:
        raise NotFound(f"there is no engineer {name!r}; `sitewarden engineer list` shows them")
    return found


def put(tx: Connection, engineer: Engineer) -> None:
    """Write an engineer as they are now."""
    tx.execute(delete(engineers).where(engineers.c.name == engineer.name))
    row = {name: getattr(engineer, name) for name in Engineer.__slots__}
    row |= {name: _list(getattr(engineer, name)) for name in ("skills", "languages", "products")}
    tx.execute(insert(engineers).values(row))


def remove(tx: Connection, name: str) -> None:
    """Raises NotFound."""
    by_name(tx, name)
    tx.execute(delete(engineers).where(engineers.c.name == name))


def was_given(tx: Connection, name: str, *, now_ns: int) -> None:
    """Somebody got a ticket: the turn goes on. Of who is no engineer here nothing is kept."""
    tx.execute(update(engineers).where(engineers.c.name == name).values(last_assigned_ns=now_ns))


def candidates(tx: Connection) -> list[Candidate]:
    """Every engineer with how many open tickets they have now. Waiting ones count too: they come back."""
    open_by = select(tickets.c.assignee, func.count().label("number")).where(tickets.c.state.in_(OPEN))
    load = {row.assignee: int(row.number) for row in tx.execute(open_by.group_by(tickets.c.assignee))}
    return [
        Candidate(
            name=one.name,
            skills=one.skills,
            languages=one.languages,
            products=one.products,
            capacity=one.capacity,
            away_until_ns=one.away_until_ns,
            open_tickets=load.get(one.name, 0),
            last_assigned_ns=one.last_assigned_ns,
        )
        for one in every(tx)
    ]


def _list(values: Sequence[str]) -> str:
    return msgspec.json.encode(list(values)).decode()


def _read(row: Row[Any]) -> Engineer:
    return Engineer(
        name=row.name,
        skills=_words(row.skills),
        languages=_words(row.languages),
        products=_words(row.products),
        capacity=row.capacity,
        away_until_ns=row.away_until_ns,
        last_assigned_ns=row.last_assigned_ns,
    )


def _words(text: str) -> tuple[str, ...]:
    return msgspec.json.decode(text, type=tuple[str, ...])
