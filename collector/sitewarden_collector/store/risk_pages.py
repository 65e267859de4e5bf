"""The risk register as a list that people look through, and as a matrix: how many risks are how likely and weigh how
much. One question each, whatever the number of risks.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from sitewarden_alerting.model import RiskState
from sitewarden_collector.store import risks as register
from sitewarden_collector.store.pages import like
from sitewarden_collector.store.risks import Listed, risks
from sitewarden_collector.store.sites import customers, sites

SORTS = ("score", "site", "customer", "kind", "due", "raised")
SCALE = 5  # likelihood and impact are 1 to 5
NEVER_NS = 2**62


def page(
    tx: Connection,
    *,
    customer_id: str = "",
    site_ids: Collection[str] = (),
    customer: str = "",
    text: str = "",
    kind: str = "",
    likelihood: int = 0,
    impact: int = 0,
    lowered: bool = False,
    sort: str = "score",
    down: bool = False,
    offset: int = 0,
    limit: int = 50,
) -> list[Listed]:
    """A page of risks, the highest score first unless told otherwise. `customer_id` and `site_ids` narrow to what an
    account may see; the rest are filters, `lowered` also shows those that were taken back."""
    query = _narrowed(customer_id, site_ids, lowered=lowered)
    if customer:
        query = query.where(customers.c.name == customer)
    if kind:
        query = query.where(risks.c.kind == kind)
    if likelihood:
        query = query.where(risks.c.likelihood == likelihood)
    if impact:
        query = query.where(risks.c.impact == impact)
    if text:
        pattern = like(text)
        wanted = (risks.c.title, risks.c.text, risks.c.number, sites.c.name, customers.c.name)
        query = query.where(or_(*(column.ilike(pattern, escape="\\") for column in wanted)))
    order: Any = {
        "score": -risks.c.likelihood * risks.c.impact,
        "site": sites.c.name,
        "customer": customers.c.name,
        "kind": risks.c.kind,
        "due": func.coalesce(risks.c.due_ns, NEVER_NS),
        "raised": -risks.c.raised_ns,
    }[sort]
    query = query.order_by(order.desc() if down else order.asc(), risks.c.id.desc()).offset(offset).limit(limit)
    return [Listed(register._read(row), row.site_name, row.customer_name) for row in tx.execute(query)]


def matrix(tx: Connection, *, customer_id: str = "", site_ids: Collection[str] = ()) -> dict[tuple[int, int], int]:
    """How many active risks there are by likelihood and impact; every field of the matrix is there."""
    found = {(likely, weighs): 0 for likely in range(1, SCALE + 1) for weighs in range(1, SCALE + 1)}
    inner = _narrowed(customer_id, site_ids, lowered=False).subquery()
    query = select(inner.c.likelihood, inner.c.impact, func.count()).group_by(inner.c.likelihood, inner.c.impact)
    for likely, weighs, number in tx.execute(query):
        found[min(max(likely, 1), SCALE), min(max(weighs, 1), SCALE)] += int(number)
    return found


def kinds(tx: Connection) -> list[str]:
    """What kinds of risks there are."""
    return [str(kind) for kind in tx.execute(select(risks.c.kind).distinct().order_by(risks.c.kind)).scalars()]


def _narrowed(customer_id: str, site_ids: Collection[str], *, lowered: bool) -> Select[Any]:
    query = select(risks, sites.c.name.label("site_name"), customers.c.name.label("customer_name")).select_from(
        risks.join(sites, risks.c.site_id == sites.c.id).join(customers, risks.c.customer_id == customers.c.id)
    )
    if customer_id:
        query = query.where(risks.c.customer_id == customer_id)
    if site_ids:
        query = query.where(risks.c.site_id.in_(list(site_ids)))
    return query if lowered else query.where(risks.c.state == RiskState.ACTIVE.value)
