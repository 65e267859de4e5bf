"""Problems as a list that people look through, with how many incidents each has. One question for a page of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, case, func, or_, select

from sitewarden_collector.store import problems as kept
from sitewarden_collector.store.pages import like
from sitewarden_collector.store.problems import Problem, problems
from sitewarden_collector.store.sites import sites
from sitewarden_collector.store.tickets import OPEN, tickets

SORTS = ("opened", "number", "state", "incidents", "owner")
STATES = ("new", "investigating", "known_error", "resolved", "closed")


@dataclass(frozen=True, slots=True)
class Row:
    """A problem, how many incidents it has, how many of them are open, and at how many sites they are. `site` is set
    for a problem that recurs at one."""

    problem: Problem
    incidents: int
    open: int
    sites: int
    site: str


def page(
    tx: Connection,
    *,
    states: Collection[str] = (),
    text: str = "",
    sort: str = "opened",
    down: bool = False,
    offset: int = 0,
    limit: int = 50,
) -> list[Row]:
    """A page of problems, those opened last first unless told otherwise."""
    counted = (
        select(
            tickets.c.problem_id,
            func.count().label("incidents"),
            func.sum(case((tickets.c.state.in_(OPEN), 1), else_=0)).label("open"),
            func.count(tickets.c.site_id.distinct()).label("sites"),
        )
        .where(tickets.c.problem_id != "")
        .group_by(tickets.c.problem_id)
        .subquery()
    )
    number = func.coalesce(counted.c.incidents, 0)
    query = (
        select(
            problems,
            number.label("incidents"),
            func.coalesce(counted.c.open, 0).label("open_incidents"),
            func.coalesce(counted.c.sites, 0).label("at_sites"),
            sites.c.name.label("site_name"),
        )
        .outerjoin(counted, counted.c.problem_id == problems.c.id)
        .outerjoin(sites, sites.c.id == problems.c.site_id)
    )
    if states:
        query = query.where(problems.c.state.in_(list(states)))
    if text:
        wanted = (problems.c.title, problems.c.number, problems.c.cause, problems.c.owner)
        query = query.where(or_(*(column.ilike(like(text), escape="\\") for column in wanted)))
    order: Any = {
        "opened": -problems.c.opened_ns,
        "number": problems.c.number,
        "state": case({name: place for place, name in enumerate(STATES)}, value=problems.c.state, else_=9),
        "incidents": -number,
        "owner": problems.c.owner,
    }[sort]
    query = query.order_by(order.desc() if down else order.asc(), problems.c.id.desc()).offset(offset).limit(limit)
    return [
        Row(kept._read(row), int(row.incidents), int(row.open_incidents), int(row.at_sites), row.site_name or "")
        for row in tx.execute(query)
    ]


def counts(tx: Connection) -> dict[str, int]:
    """How many problems there are by state; every state is there."""
    found = dict.fromkeys(STATES, 0)
    found |= {
        str(state): int(number)
        for state, number in tx.execute(select(problems.c.state, func.count()).group_by(problems.c.state))
    }
    return found
