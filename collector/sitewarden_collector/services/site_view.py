"""One site as an engineer looks at it: its hosts, what is open and what was, what changed there, what is ahead.

Everything here is read, and bounded. Not here: its charts (asked for one by one), and its contract.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec
from sqlalchemy import Connection

from sitewarden_alerting.model import DAY_NS
from sitewarden_alerting.observations import Change, Observation
from sitewarden_collector.store import (
    agents,
    certificates,
    inventories,
    observations,
    risks,
    samples,
    silences,
    sites,
    tickets,
)
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.inventories import Kept
from sitewarden_collector.store.samples import Last
from sitewarden_collector.store.sites import Site

TICKETS_MAX = 20
CHANGES_MAX = 50
CHANGES_NS = 30 * DAY_NS


@dataclass(frozen=True, slots=True)
class Host:
    """An agent and what it told of itself: its place, what waits there, the newest figures of its host by series."""

    agent: Agent
    certificate_ends_ns: int | None
    held: int  # observations that wait at the site
    figures: tuple[Last, ...]
    inventory: Kept | None  # what the host is, as it told last


@dataclass(frozen=True, slots=True)
class SiteView:
    site: Site
    hosts: tuple[Host, ...]
    gone: tuple[Agent, ...]  # revoked or replaced
    open: tuple[tickets.Listed, ...]
    past: tuple[tickets.Listed, ...]
    changes: tuple[Observation, ...]
    risks: tuple[risks.Listed, ...]
    silences: tuple[silences.Listed, ...]


@dataclass(frozen=True, slots=True)
class _Spool:
    """What of a heartbeat's spool state is shown."""

    held: int = field(default=0)


def show(tx: Connection, name: str, *, now_ns: int, outside: bool = False) -> SiteView:
    """The site called `name`, for its customer (`outside`) without what engineers say among themselves. Raises
    NotFound."""
    site = sites.by_name(tx, name)
    every = [replace(one, state_why="") if outside else one for one in agents.of_site(tx, site.id)]
    newest = samples.last(tx, site_id=site.id)
    known = tickets.listing(tx, site_id=site.id, limit=TICKETS_MAX * 4)
    is_open = tickets.listing(tx, site_id=site.id, states=tickets.OPEN, limit=TICKETS_MAX)
    return SiteView(
        site=site,
        hosts=tuple(_host(tx, agent, newest) for agent in every if agent.state in ("active", "quarantined")),
        gone=tuple(agent for agent in every if agent.state not in ("active", "quarantined")),
        open=tuple(is_open),
        past=tuple(one for one in known if not one.ticket.is_open)[:TICKETS_MAX],
        changes=changes(tx, site.id, now_ns=now_ns),
        risks=tuple(risks.listing(tx, site=site.name)),
        silences=() if outside else tuple(silences.listing(tx, over_before_ns=now_ns, site=site.name)),
    )


def changes(tx: Connection, site_id: str, *, now_ns: int) -> tuple[Observation, ...]:
    """What changed at a site lately, the newest first."""
    found = observations.of_site(
        tx, site_id, since_ns=now_ns - CHANGES_NS, until_ns=now_ns, kind="change", limit=CHANGES_MAX
    )
    return tuple(one for one in reversed(found) if isinstance(one.what, Change))


def _host(tx: Connection, agent: Agent, newest: Sequence[Last]) -> Host:
    ends_ns = next((one.not_after_ns for one in certificates.of_agent(tx, agent.id) if one.revoked_ns is None), None)
    told = msgspec.json.decode(agent.spool, type=_Spool) if agent.spool else _Spool()
    figures = tuple(one for one in newest if one.agent_id == agent.id)
    return Host(agent, ends_ns, told.held, figures, next(iter(inventories.of_agent(tx, agent.id, limit=1)), None))
