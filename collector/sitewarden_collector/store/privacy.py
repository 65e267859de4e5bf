"""Everything that belongs to one customer, in whatever table: found by `customer_id`, or by what it hangs on.

A table belongs when it has the column `customer_id`, a foreign key to one that belongs, or a column that names such a
row (`ticket_id`, `site_id` ...). So new tables are exported and erased without anybody having to think of it. Not here:
the audit log, whose words are taken out by `audit.erase_words`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    String,
    Table,
    delete,
    false,
    func,
    or_,
    select,
    text,
    update,
)

from sitewarden_collector.store import samples
from sitewarden_collector.store.accounts import accounts
from sitewarden_collector.store.attachments import attachments, contents
from sitewarden_collector.store.audit import audit_log
from sitewarden_collector.store.base import tables
from sitewarden_collector.store.comments import comments
from sitewarden_collector.store.evidence import evidence
from sitewarden_collector.store.idempotency import keys as idempotency_keys
from sitewarden_collector.store.sites import customers, sites
from sitewarden_collector.store.tickets import history, tickets

ERASED = "[erased]"
WORD_MIN = 3  # letters of a name that is looked for in free text
PARENTS = {
    "ticket_id": "tickets",
    "site_id": "sites",
    "agent_id": "agents",
    "risk_id": "risks",
    "problem_id": "problems",
    "account_id": "accounts",
    "solution_id": "solutions",
    "schedule_id": "schedules",
}
_APART = frozenset((audit_log.name, customers.name))


def export(tx: Connection, customer_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every row of the customer, as (table, row); what proves who somebody is stays out."""
    for table in [customers, *_owned()]:
        rows = tx.execute(select(table).where(_whose(table, customer_id)))
        for row in rows:
            shown = {key: value for key, value in row._mapping.items() if not _is_secret(key)}
            yield table.name, shown | {"series": samples.text_of(row.series)} if table is samples.schemas else shown


def words(tx: Connection, customer_id: str) -> list[str]:
    """The names by which free text speaks of the customer: its own, its sites', its people's."""
    found = [row.name for row in tx.execute(select(customers.c.name).where(customers.c.id == customer_id))]
    found += [row.name for row in tx.execute(select(sites.c.name).where(sites.c.customer_id == customer_id))]
    for row in tx.execute(select(accounts.c.name, accounts.c.email).where(accounts.c.customer_id == customer_id)):
        found += [row.name, row.email]
    contacts = tables().tables.get("contacts")
    if contacts is not None:
        named = [contacts.c[key] for key in ("name", "mail", "phone") if key in contacts.c]
        for contact in tx.execute(select(*named).where(contacts.c.customer_id == customer_id)):
            found += list(contact)
    return sorted({word for word in found if word and len(word) >= WORD_MIN}, key=len, reverse=True)


def erase(tx: Connection, customer_id: str, named: Iterable[str]) -> dict[str, int]:
    """Delete every row of the customer, and take its names out of all others; how many rows by table.

    Answers that are kept to be repeated go as well, as they may hold anything. In `append_only.unlocked`.
    """
    counts: dict[str, int] = {}
    owned = _owned()
    # Which rows belong is found while all are still there: parents are deleted after their children.
    for table in reversed(owned):
        count = tx.execute(delete(table).where(_whose(table, customer_id))).rowcount
        if count:
            counts[table.name] = count
    tx.execute(delete(idempotency_keys))
    tx.execute(delete(customers).where(customers.c.id == customer_id))
    for table in tables().sorted_tables:
        for column in table.columns:
            if table.name not in _APART and _is_free_text(column):
                for word in named:
                    holds = column.contains(word, autoescape=True)
                    without = func.replace(column, word, ERASED)
                    tx.execute(update(table).where(holds).values({column: without}))
    return counts


def expire_evidence(tx: Connection, *, closed_before_ns: int, limit: int) -> int:
    """Delete evidence of tickets that were closed before a time; how many rows."""
    has = select(evidence.c.ticket_id).where(evidence.c.ticket_id == tickets.c.id).exists()
    some = _long_closed(closed_before_ns).where(has).limit(limit)
    return tx.execute(delete(evidence).where(evidence.c.ticket_id.in_(some))).rowcount


def expire_words(tx: Connection, *, closed_before_ns: int, limit: int) -> int:
    """Delete comments and attachments of tickets that were closed before a time; how many rows. In `unlocked`."""
    old = _long_closed(closed_before_ns)
    files = select(attachments.c.id).where(attachments.c.ticket_id.in_(old)).limit(limit)
    ids = list(tx.execute(files).scalars())
    tx.execute(delete(contents).where(contents.c.attachment_id.in_(ids)))
    count = tx.execute(delete(attachments).where(attachments.c.id.in_(ids))).rowcount
    said = select(comments.c.id).where(comments.c.ticket_id.in_(old)).limit(limit)
    return count + tx.execute(delete(comments).where(comments.c.id.in_(said))).rowcount


def _long_closed(before_ns: int) -> Select[tuple[str]]:
    """Tickets that are closed, and to which nothing happened since a time."""
    later = select(history.c.id).where(history.c.ticket_id == tickets.c.id)
    is_quiet = ~later.where(history.c.at_ns >= before_ns).exists()
    return select(tickets.c.id).where(tickets.c.state == "closed", is_quiet)


def scour(tx: Connection) -> None:
    """Have SQLite write zeros over whatever this transaction deletes, so that the file does not keep it."""
    if tx.dialect.name == "sqlite":
        tx.execute(text("PRAGMA secure_delete=ON"))


def _owned() -> list[Table]:
    """The tables that hold rows of customers, parents first."""
    known = tables()
    found: list[Table] = []
    names: set[str] = {customers.name}
    pending = [table for table in known.sorted_tables if table.name not in _APART]
    again = True
    while again:
        again = False
        for table in pending:
            if table.name not in names and ("customer_id" in table.c or _links(table, names)):
                names.add(table.name)
                found.append(table)
                again = True
    order = {table.name: i for i, table in enumerate(known.sorted_tables)}
    return sorted(found, key=lambda table: (_depth(table), order[table.name]))


def _depth(table: Table, seen: frozenset[str] = frozenset()) -> int:
    """How far below the tables with a `customer_id` of their own; children are deleted first."""
    parents = [parent for _column, parent in _parents(table) if parent.name not in seen | {table.name, *_APART}]
    return 1 + max((_depth(parent, seen | {table.name}) for parent in parents), default=0)


def _links(table: Table, names: set[str]) -> bool:
    return any(parent.name in names for _column, parent in _parents(table))


def _parents(table: Table) -> list[tuple[Column[Any], Table]]:
    known = tables().tables
    found = [(key.parent, key.column.table) for key in table.foreign_keys]
    found += [
        (table.c[name], known[parent])
        for name, parent in PARENTS.items()
        if name in table.c and parent in known and parent != table.name and not table.c[name].foreign_keys
    ]
    return [(column, parent) for column, parent in found if isinstance(parent, Table)]


def _whose(table: Table, customer_id: str, seen: frozenset[str] = frozenset()) -> ColumnElement[bool]:
    if table.name == customers.name:
        return customers.c.id == customer_id
    here: list[ColumnElement[bool]] = []
    if "customer_id" in table.c:
        here.append(table.c.customer_id == customer_id)
    for column, parent in _parents(table):
        if parent.name in seen | {table.name, *_APART} or "id" not in parent.c:
            continue
        if "customer_id" in table.c and "customer_id" not in parent.c:
            continue
        here.append(column.in_(select(parent.c.id).where(_whose(parent, customer_id, seen | {table.name}))))
    return or_(*here) if here else false()


def _is_free_text(column: Column[Any]) -> bool:
    return (
        isinstance(column.type, String)
        and not column.primary_key
        and not column.foreign_keys
        and not column.name.endswith(("_id", "_sha256"))
        and not column.unique
    )


def _is_secret(name: str) -> bool:
    return name.endswith(("_sha256", "_sealed", "_hash")) or name in ("secret", "recovery", "encrypted_key", "salt")
