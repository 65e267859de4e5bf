"""Contracts: what is promised to a customer and for how long, what is included, and what of it is used up."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    bindparam,
    func,
    insert,
    select,
    update,
)

from sitewarden_collector.errors import NotFound
from sitewarden_collector.store import append_only, prepared
from sitewarden_collector.store.base import Id, Ns, RowId, id_column, metadata, new_id
from sitewarden_collector.store.sites import customers

KINDS = ("remote", "on_site", "upgrade", "inspection")

contracts = Table(
    "contracts",
    metadata,
    id_column(),
    Column("number", String(24), nullable=False, unique=True),
    Column("customer_id", Id, ForeignKey("customers.id"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("from_day", String(10), nullable=False),  # ISO dates of the calendar's zone, both included
    Column("until_day", String(10), nullable=False),  # empty: without end
    Column("calendar", String(100), nullable=False),
    Column("goals", Text, nullable=False),  # JSON: {"1": {"first_response": [7200, "24x7"]}}
    Column("pauses", Text, nullable=False),  # JSON: {"customer": ["solution", "resolution"]}
    Column("included", Text, nullable=False),  # JSON: {"on_site": 4}
    Column("notes", Text, nullable=False),
    Column("created_ns", Ns, nullable=False),
)

entitlement_uses = Table(
    "entitlement_uses",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("contract_id", Id, ForeignKey("contracts.id"), nullable=False, index=True),
    Column("customer_id", Id, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("amount", Integer, nullable=False),  # negative: given back
    Column("ticket_id", Id, nullable=False),
    Column("by", String(200), nullable=False),
    Column("note", Text, nullable=False),
    Column("at_ns", Ns, nullable=False),
    Index(None, "customer_id"),
)
append_only.guard(entitlement_uses)

# By priority and target: seconds, and the calendar's name where it is not that of the contract.
Goals = Mapping[int, Mapping[str, tuple[int, str]]]


@dataclass(frozen=True, slots=True)
class Contract:
    customer_id: str
    customer: str
    name: str
    from_day: str
    until_day: str
    calendar: str
    goals: Goals
    pauses: Mapping[str, tuple[str, ...]]
    included: Mapping[str, int] = field(default_factory=dict)
    notes: str = ""
    number: str = ""
    id: str = ""
    created_ns: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """Something of what is included that was used up, or given back."""

    kind: str
    amount: int
    by: str
    at_ns: int
    note: str = ""
    ticket_id: str = ""


def add(tx: Connection, contract: Contract, *, number: str, now_ns: int) -> Contract:
    made = replace(contract, id=new_id(), number=number, created_ns=now_ns)
    tx.execute(insert(contracts).values(_values(made)))
    return made


def save(tx: Connection, contract: Contract) -> None:
    tx.execute(update(contracts).where(contracts.c.id == contract.id).values(_values(contract)))


def by_number(tx: Connection, number: str) -> Contract:
    """The contract of that number; raises NotFound."""
    row = tx.execute(_select().where(contracts.c.number == number)).one_or_none()
    if row is None:
        raise NotFound(f"there is no contract {number!r}; `sitewarden contract list` shows those that are there")
    return _read(row)


def every(tx: Connection, *, customer_id: str = "") -> list[Contract]:
    """Contracts by customer and beginning."""
    query = _select().order_by(customers.c.name, contracts.c.from_day, contracts.c.number)
    if customer_id:
        query = query.where(contracts.c.customer_id == customer_id)
    return [_read(row) for row in tx.execute(query)]


def of_customers(tx: Connection, customer_ids: Collection[str]) -> dict[str, list[Contract]]:
    """The contracts of several customers, the latest beginning first."""
    found: dict[str, list[Contract]] = {}
    for row in prepared.rows(tx, _OF_CUSTOMERS, {"some": list(customer_ids)}):
        found.setdefault(row.customer_id, []).append(_read(row))
    return found


def with_calendar(tx: Connection, name: str) -> list[Contract]:
    """The contracts that count by a calendar, in any of their goals."""
    like = f"%{msgspec.json.encode(name).decode()}%"
    query = _select().where((contracts.c.calendar == name) | contracts.c.goals.like(like))
    return [_read(row) for row in tx.execute(query)]


def use(tx: Connection, contract: Contract, used: Use) -> None:
    tx.execute(
        insert(entitlement_uses).values(
            contract_id=contract.id,
            customer_id=contract.customer_id,
            kind=used.kind,
            amount=used.amount,
            ticket_id=used.ticket_id,
            by=used.by,
            note=used.note,
            at_ns=used.at_ns,
        )
    )


def uses(tx: Connection, contract_id: str) -> list[Use]:
    """What was used up under a contract, in the order in which it was written down."""
    query = (
        select(entitlement_uses).where(entitlement_uses.c.contract_id == contract_id).order_by(entitlement_uses.c.id)
    )
    return [Use(row.kind, row.amount, row.by, row.at_ns, row.note, row.ticket_id) for row in tx.execute(query)]


def used_up(tx: Connection, contract_ids: Collection[str]) -> dict[tuple[str, str], int]:
    """How much of each kind was used up, by contract and kind."""
    one = entitlement_uses.c
    query = (
        select(one.contract_id, one.kind, func.sum(one.amount))
        .where(one.contract_id.in_(list(contract_ids)))
        .group_by(one.contract_id, one.kind)
    )
    return {(str(contract_id), str(kind)): int(total) for contract_id, kind, total in tx.execute(query)}


def _select() -> Any:
    return select(contracts, customers.c.name.label("customer")).join_from(contracts, customers)


_OF_CUSTOMERS = (
    _select()
    .where(contracts.c.customer_id.in_(bindparam("some", expanding=True)))
    .order_by(contracts.c.from_day.desc(), contracts.c.number.desc())
)


def _values(one: Contract) -> dict[str, Any]:
    return {
        "id": one.id,
        "number": one.number,
        "customer_id": one.customer_id,
        "name": one.name,
        "from_day": one.from_day,
        "until_day": one.until_day,
        "calendar": one.calendar,
        "goals": msgspec.json.encode(one.goals).decode(),
        "pauses": msgspec.json.encode(one.pauses).decode(),
        "included": msgspec.json.encode(one.included).decode(),
        "notes": one.notes,
        "created_ns": one.created_ns,
    }


def _read(row: Row[Any]) -> Contract:
    return Contract(
        id=row.id,
        number=row.number,
        customer_id=row.customer_id,
        customer=row.customer,
        name=row.name,
        from_day=row.from_day,
        until_day=row.until_day,
        calendar=row.calendar,
        goals=msgspec.json.decode(row.goals, type=dict[int, dict[str, tuple[int, str]]], strict=False),
        pauses=msgspec.json.decode(row.pauses, type=dict[str, tuple[str, ...]]),
        included=msgspec.json.decode(row.included, type=dict[str, int]),
        notes=row.notes,
        created_ns=row.created_ns,
    )
