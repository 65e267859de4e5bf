"""Who samples are of, in the names that a remote store knows them by: customer, site, host, and the series that agents
ever told.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select

from sitewarden_alerting.observations import Series
from sitewarden_collector.store.agents import agents
from sitewarden_collector.store.samples import parsed, schemas
from sitewarden_collector.store.sites import customers, sites


@dataclass(frozen=True, slots=True)
class Place:
    """Where an agent's samples come from."""

    customer: str
    site: str
    host: str
    agent_id: str


def of(tx: Connection, agent_ids: Collection[str], site_ids: Collection[str]) -> dict[tuple[str, str], Place]:
    """The places of these agents, by agent and site."""
    hosts = tx.execute(select(agents.c.id, agents.c.hostname).where(agents.c.id.in_(list(agent_ids)))).all()
    named = tx.execute(
        select(sites.c.id, sites.c.name, customers.c.name.label("customer"))
        .join(customers, customers.c.id == sites.c.customer_id)
        .where(sites.c.id.in_(list(site_ids)))
    ).all()
    return {
        (host.id, site.id): Place(site.customer, site.name, host.hostname, host.id) for host in hosts for site in named
    }


def told(tx: Connection, site_id: str, names: Collection[str]) -> dict[str, set[Series]]:
    """The series of these names that the agents of a site ever told, by agent. Equal texts of schemas are read once."""
    rows = tx.execute(
        select(schemas.c.agent_id, schemas.c.series)
        .join(agents, agents.c.id == schemas.c.agent_id)
        .where(agents.c.site_id == site_id)
    )
    read: dict[bytes, set[Series]] = {}
    found: dict[str, set[Series]] = {}
    for agent_id, data in rows:
        if data not in read:
            read[data] = {one for one in parsed(data) if one.name in names}
        if read[data]:
            found.setdefault(agent_id, set()).update(read[data])
    return found
