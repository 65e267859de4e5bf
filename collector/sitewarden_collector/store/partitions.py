"""What grows with the agents is split by agent on PostgreSQL: hash partitions, each with indexes of its own.

Every batch, block and hour belongs to one agent, and nearly every question names it, so PostgreSQL looks into one
partition. None of them, nor any index, grows past a share of the whole; vacuum takes them one by one, several at once;
and processes that write for different agents wait less for each other at the end of a table. That costs a little for
each row (collector/README). A split by time would let retention drop whole partitions, but the keys by which nothing is
stored twice hold no time, and what a ticket still needs may not go with the rest: retention deletes a bounded number of
rows a step, as on SQLite, where nothing is split. Not here: the tables themselves.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, MetaData, Table, event, text

from sitewarden_collector.store.base import metadata
from sitewarden_collector.store.observations import observations
from sitewarden_collector.store.sample_hours import hours
from sitewarden_collector.store.samples import blocks

PARTITIONS = 8
SPLIT: tuple[Table, ...] = (observations, blocks, hours)

for _table in SPLIT:
    _table.kwargs["postgresql_partition_by"] = "HASH (agent_id)"


def names_of(table: Table) -> list[str]:
    """What the partitions of a table are called."""
    return [f"{table.name}_p{number}" for number in range(PARTITIONS)]


def install(tx: Connection) -> None:
    """Make the partitions of every table that is split. Calling it again changes nothing, nor does it on SQLite."""
    if tx.dialect.name != "postgresql":
        return
    for table in SPLIT:
        for number, name in enumerate(names_of(table)):
            values = f"WITH (MODULUS {PARTITIONS}, REMAINDER {number})"
            tx.execute(text(f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table.name} FOR VALUES {values}"))


@event.listens_for(metadata, "after_create")
def _created(_target: MetaData, connection: Connection, **_more: Any) -> None:
    install(connection)
