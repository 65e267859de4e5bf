"""Tasks with an owner and a due time: the maintenance of a problem, the actions of a review."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Column, Connection, String, Table, Text, delete, insert, select

from sitewarden_collector.errors import Conflict, NotFound
from sitewarden_collector.store.base import Id, Ns, id_column, metadata

tasks = Table(
    "desk_tasks",
    metadata,
    id_column(),
    Column("kind", String(16), nullable=False),  # maintenance, review
    Column("ref_id", Id, nullable=False, index=True),  # the problem, or the ticket of the major incident
    Column("ref", String(24), nullable=False),  # its number
    Column("customer_id", Id, nullable=False),  # empty: of no single customer
    Column("text", Text, nullable=False),
    Column("owner", String(200), nullable=False, index=True),
    Column("due_ns", Ns),
    Column("made_ns", Ns, nullable=False),
    Column("done_ns", Ns),
    Column("done_by", String(200), nullable=False),
)


@dataclass(frozen=True, slots=True)
class StoredTask:
    id: str
    kind: str
    ref_id: str
    ref: str
    customer_id: str
    text: str
    owner: str
    due_ns: int | None
    made_ns: int
    done_ns: int | None = None
    done_by: str = ""


def put(tx: Connection, task: StoredTask) -> None:
    """Write a task as it is now."""
    tx.execute(delete(tasks).where(tasks.c.id == task.id))
    tx.execute(insert(tasks).values({name: getattr(task, name) for name in StoredTask.__slots__}))


def finish(tx: Connection, task_id: str, *, by: str, now_ns: int) -> StoredTask:
    """It is done. Raises NotFound, Conflict."""
    row = tx.execute(select(tasks).where(tasks.c.id == task_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no task {task_id}; `sitewarden ticket tasks` shows them")
    task = StoredTask(**row._mapping)
    if task.done_ns is not None:
        raise Conflict(f"the task is done already, by {task.done_by}")
    done = replace(task, done_ns=now_ns, done_by=by)
    put(tx, done)
    return done


def of(tx: Connection, ref_id: str) -> list[StoredTask]:
    """The tasks of a problem or a major incident, in the order in which they were written down."""
    rows = tx.execute(select(tasks).where(tasks.c.ref_id == ref_id).order_by(tasks.c.id))
    return [StoredTask(**row._mapping) for row in rows]


def unfinished(tx: Connection) -> list[StoredTask]:
    rows = tx.execute(select(tasks).where(tasks.c.done_ns.is_(None)).order_by(tasks.c.id))
    return [StoredTask(**row._mapping) for row in rows]
