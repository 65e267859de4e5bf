"""What each host is: the inventory that its agent tells now, and those before it, each with the time it held.

An inventory that is told again unchanged only moves its end. Not here: what the difference between two means
(`services.inventories`).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import Column, Connection, ForeignKey, Index, Integer, Table, Text, delete, insert, select, update

from sitewarden_alerting.observations import Inventory
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.base import Id, Ns, metadata

KEPT = 50  # of each agent; a host that changes more often has lost its oldest

inventories = Table(
    "inventories",
    metadata,
    Column("agent_id", Id, ForeignKey("agents.id"), primary_key=True),
    Column("number", Integer, primary_key=True),  # 1, 2, ... of the agent
    Column("customer_id", Id, nullable=False),
    Column("site_id", Id, nullable=False),
    Column("since_ns", Ns, nullable=False),
    Column("last_ns", Ns, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_inventories_site", "site_id"),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """An inventory, first told at `since_ns` and last at `last_ns`."""

    agent_id: str
    number: int
    since_ns: int
    last_ns: int
    inventory: Inventory


def tell(tx: Connection, agent: Agent, inventory: Inventory, *, at_ns: int) -> Inventory | None:
    """Keep what an agent told; the one before, where this one is another."""
    body = msgspec.json.encode(inventory).decode()
    mine = inventories.c.agent_id == agent.id
    newest = select(inventories.c.number, inventories.c.last_ns, inventories.c.body).where(mine)
    before = tx.execute(newest.order_by(inventories.c.number.desc()).limit(1)).first()
    if before is not None and before.body == body:
        this = (mine, inventories.c.number == before.number)
        tx.execute(update(inventories).where(*this).values(last_ns=max(at_ns, before.last_ns)))
        return None
    number = 1 if before is None else before.number + 1
    row = {"agent_id": agent.id, "customer_id": agent.customer_id, "site_id": agent.site_id, "number": number}
    tx.execute(insert(inventories).values(**row, since_ns=at_ns, last_ns=at_ns, body=body))
    if number > KEPT:
        tx.execute(delete(inventories).where(mine, inventories.c.number <= number - KEPT))
    return None if before is None else msgspec.json.decode(before.body, type=Inventory)


def of_agent(tx: Connection, agent_id: str, *, limit: int = KEPT) -> list[Kept]:
    """What an agent told, the newest first."""
    query = select(inventories).where(inventories.c.agent_id == agent_id)
    rows = tx.execute(query.order_by(inventories.c.number.desc()).limit(limit))
    return [
        Kept(row.agent_id, row.number, row.since_ns, row.last_ns, msgspec.json.decode(row.body, type=Inventory))
        for row in rows
    ]
